"""Joins a reading with what the polls before left behind: state, reboots, bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collectors.snmp.counters import Difference, Sample, Uptime, difference, rebooted
from collectors.snmp.memory import Past
from collectors.snmp.model import DeviceReading
from collectors.snmp.state import next_state


@dataclass(frozen=True)
class Outcome:
    """A device after a poll, ready to be stored; `past` is what the next poll starts from."""

    reading: DeviceReading
    state: str
    reboots: int
    differences: Mapping[str, Difference]
    past: Past


def settle(
    reading: DeviceReading, past: Past, at_ms: int, probe_answered: bool | None = None
) -> Outcome:
    """What `reading`, taken at `at_ms`, means after `past`.

    `probe_answered` tells how the re-probe went, None if there was none.
    """
    state = next_state(reading.answered, past.misses, past.state, probe_answered)
    uptime = Uptime(reading.uptime_s, reading.agent_uptime_s)
    reboot = past.uptime_at_ms is not None and rebooted(
        past.uptime, uptime, (at_ms - past.uptime_at_ms) / 1000
    )
    samples = {
        interface.name: Sample(at_ms, interface.rx_bytes_total, interface.tx_bytes_total)
        for interface in reading.interfaces
    }
    differences = {}
    for interface in reading.interfaces:
        before = past.counters.get(interface.name)
        moved = difference(
            before,
            samples[interface.name],
            bits=interface.bits,
            reboot=reboot or _started_since(before, past, uptime, at_ms),
            uptime=uptime,
            discontinuity_s=interface.discontinuity_s,
        )
        if moved is not None:
            differences[interface.name] = moved
    told = uptime.device_s is not None
    return Outcome(
        reading=reading,
        state=state,
        reboots=past.reboots + reboot,
        differences=differences,
        past=Past(
            state=state,
            misses=0 if reading.answered else past.misses + 1,
            reboots=past.reboots + reboot,
            uptime=uptime if told else past.uptime,
            uptime_at_ms=at_ms if told else past.uptime_at_ms,
            counters={**past.counters, **samples},
        ),
    )


def _started_since(before: Sample | None, past: Past, uptime: Uptime, at_ms: int) -> bool:
    """Whether the device started after the sample `before`, in a poll that had no counters."""
    if before is None or uptime.device_s is None or past.uptime_at_ms is None:
        return False
    if before.at_ms >= past.uptime_at_ms:
        return False
    return uptime.device_s < (at_ms - before.at_ms) / 1000
