"""Outcomes of a poll as the batches of the store, all with the poll's one timestamp. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.snmp.model import InterfaceReading, RadioReading, SsidReading
from collectors.snmp.outcome import Outcome
from timeseries import clean_tag
from timeseries.base import Batch, Value


@dataclass(frozen=True)
class PollFigures:
    """How a poll went: devices asked, ticks that came too late, seconds by wall clock and CPU."""

    devices: int
    answered: int
    timed_out: int
    late: int
    duration_s: float
    cpu_s: float
    lag_s: float = 0.0
    """How long after its due time the poll started."""


def batches(
    outcomes: Sequence[Outcome], figures: PollFigures, at_ms: int, collector: str
) -> list[Batch]:
    """Every series of one poll (docs/collecting.md lists them)."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.reading.device_id)
    radios = [(o.reading.device_id, r) for o in ordered for r in o.reading.radios]
    ssids = [(o.reading.device_id, s) for o in ordered for s in o.reading.ssids]
    interfaces = [(o, i) for o in ordered for i in o.reading.interfaces]
    made = [
        _batch("device", at_ms, [{"device": o.reading.device_id} for o in ordered],
               [_device(o) for o in ordered]),
        _batch("interface", at_ms,
               [{"device": o.reading.device_id, "interface": i.name} for o, i in interfaces],
               [_interface(o, i) for o, i in interfaces]),
        _batch("radio", at_ms,
               [{"device": device, "radio": r.name, "band": r.band} for device, r in radios],
               [_radio(r) for _, r in radios]),
        _batch("ssid", at_ms, [{"device": device, "ssid": s.name} for device, s in ssids],
               [_ssid(s) for _, s in ssids]),
        _batch("poll", at_ms, [{"collector": collector}], [_poll(figures)]),
    ]  # fmt: skip
    return [batch for batch in made if batch.times]


def _batch(
    measurement: str,
    at_ms: int,
    tags: Sequence[Mapping[str, str]],
    rows: Sequence[Mapping[str, Value]],
) -> Batch:
    return Batch(
        measurement=measurement,
        times=[at_ms] * len(rows),
        # An SSID may hold any bytes; a store takes no control characters in a tag.
        tags={name: [clean_tag(tag[name]) for tag in tags] for name in (tags[0] if tags else ())},
        fields={name: [row[name] for row in rows] for name in (rows[0] if rows else ())},
    )


def _device(outcome: Outcome) -> dict[str, Value]:
    reading = outcome.reading
    return {
        "answered": reading.answered,
        "state": outcome.state,
        "rtt_ms": reading.rtt_ms,
        "uptime_s": reading.uptime_s,
        "agent_uptime_s": reading.agent_uptime_s,
        "clients": reading.clients,
        "cpu_pct": reading.cpu_pct,
        "mem_pct": reading.mem_pct,
        "reboots": outcome.reboots,
    }


def _interface(outcome: Outcome, interface: InterfaceReading) -> dict[str, Value]:
    moved = outcome.differences.get(interface.name)
    return {
        "rx_bytes_total": interface.rx_bytes_total,
        "tx_bytes_total": interface.tx_bytes_total,
        "rx_bytes": moved.rx if moved else None,
        "tx_bytes": moved.tx if moved else None,
        "interval_s": moved.interval_s if moved else None,
    }


def _radio(radio: RadioReading) -> dict[str, Value]:
    return {
        "clients": radio.clients,
        "channel": radio.channel,
        "utilization_pct": radio.utilization_pct,
        "noise_dbm": radio.noise_dbm,
        "tx_power_dbm": radio.tx_power_dbm,
    }


def _ssid(ssid: SsidReading) -> dict[str, Value]:
    return {"clients": ssid.clients}


def _poll(figures: PollFigures) -> dict[str, Value]:
    return {
        "devices": figures.devices,
        "answered": figures.answered,
        "timed_out": figures.timed_out,
        "late": figures.late,
        "duration_s": figures.duration_s,
        "cpu_s": figures.cpu_s,
        "lag_s": figures.lag_s,
        "spooled": 0,
    }
