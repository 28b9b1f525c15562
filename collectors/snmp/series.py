"""Outcomes of a poll as the batches of the store, all with the poll's one timestamp. Pure.

A city's poll is some 300,000 rows: whole columns are made at once, and no row is an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from collectors.snmp.model import DeviceReading, InterfaceReading, RadioReading, SsidReading
from collectors.snmp.outcome import Outcome
from timeseries import clean_batch
from timeseries.base import Batch, Value

_UNKNOWN: Sequence[Value] = (None, None, None)
_by_device = attrgetter("reading.device_id")


@dataclass(frozen=True)
class PollFigures:
    """How a poll went: devices, ticks that came too late, seconds by wall clock and CPU, how many
    seconds after its turn it started, packets, and rows of polls before that wait for the store's
    server.
    """

    devices: int
    answered: int
    timed_out: int
    late: int
    duration_s: float
    cpu_s: float
    lag_s: float = 0.0
    sent: int = 0
    received: int = 0
    retried: int = 0
    dropped: int = 0
    spooled: int = 0


def batches(
    outcomes: Sequence[Outcome], figures: PollFigures, at_ms: int, collector: str
) -> list[Batch]:
    """Every series of one poll (docs/collecting.md lists them), its devices by id."""
    ordered = sorted(outcomes, key=_by_device)
    readings = [outcome.reading for outcome in ordered]
    made = [
        _devices(ordered, readings, at_ms),
        _interfaces(ordered, at_ms),
        _radios(readings, at_ms),
        _ssids(readings, at_ms),
        _poll(figures, at_ms, collector),
    ]
    return [batch for batch in made if batch.times]


def _batch(
    measurement: str,
    at_ms: int,
    tags: Mapping[str, Sequence[str]],
    fields: Mapping[str, Sequence[Value]],
) -> Batch:
    # A store refuses a whole poll for one value that it cannot keep, such as a counter of more
    # than 63 bits, or a control character in an SSID: that is left out or written out here.
    rows = len(next(iter(tags.values())))
    return clean_batch(measurement, [at_ms] * rows, tags, fields)


def _devices(outcomes: Sequence[Outcome], readings: Sequence[DeviceReading], at_ms: int) -> Batch:
    fields: dict[str, Sequence[Value]] = {
        "answered": [one.answered for one in readings],
        "state": [outcome.state for outcome in outcomes],
        "rtt_ms": [one.rtt_ms for one in readings],
        "uptime_s": [one.uptime_s for one in readings],
        "agent_uptime_s": [one.agent_uptime_s for one in readings],
        "clients": [one.clients for one in readings],
        "cpu_pct": [one.cpu_pct for one in readings],
        "mem_pct": [one.mem_pct for one in readings],
        "reboots": [outcome.reboots for outcome in outcomes],
    }
    pasts = [outcome.past for outcome in outcomes]
    if not all(fields["answered"]):
        fields["misses"] = [past.misses or None for past in pasts]
    if None in fields["uptime_s"]:
        # A row without an uptime says what the last one was: see `memory.recall`.
        silent = [
            past if one.uptime_s is None and past.uptime_at_ms is not None else None
            for one, past in zip(readings, pasts, strict=True)
        ]
        fields["last_uptime_s"] = [past and past.uptime.device_s for past in silent]
        fields["last_agent_uptime_s"] = [past and past.uptime.agent_s for past in silent]
        fields["last_told_s"] = [
            past and (at_ms - (past.uptime_at_ms or 0)) / 1000 for past in silent
        ]
    return _batch("device", at_ms, {"device": [one.device_id for one in readings]}, fields)


def _interfaces(outcomes: Sequence[Outcome], at_ms: int) -> Batch:
    devices: list[str] = []
    ports: list[InterfaceReading] = []
    moved: list[Sequence[Value]] = []
    for reading, _, _, differences, _ in outcomes:
        its = reading.interfaces
        if its:
            known = differences.get
            devices += [reading.device_id] * len(its)
            ports += its
            moved += [known(one[0], _UNKNOWN) for one in its]
    names, roles, rx, tx, bits, _ = zip(*ports, strict=True) if ports else [()] * 6
    rx_bytes, tx_bytes, interval_s = zip(*moved, strict=True) if moved else [()] * 3
    tags: dict[str, Sequence[str]] = {"device": devices, "interface": names}
    return _batch("interface", at_ms, tags, {
        "rx_bytes_total": rx,
        "tx_bytes_total": tx,
        "rx_bytes": rx_bytes,
        "tx_bytes": tx_bytes,
        "interval_s": interval_s,
        "bits": [None if one == 64 else one for one in bits],
        "uplink": [True if one == "uplink" else None for one in roles],
    })  # fmt: skip


def _radios(readings: Iterable[DeviceReading], at_ms: int) -> Batch:
    devices: list[str] = []
    radios: list[RadioReading] = []
    for reading in readings:
        its = reading.radios
        if its:
            devices += [reading.device_id] * len(its)
            radios += its
    names, bands, clients, channels, busy, noise, power = (
        zip(*radios, strict=True) if radios else [()] * 7
    )
    return _batch("radio", at_ms, {"device": devices, "radio": names, "band": bands}, {
        "clients": clients,
        "channel": channels,
        "utilization_pct": busy,
        "noise_dbm": noise,
        "tx_power_dbm": power,
    })  # fmt: skip


def _ssids(readings: Iterable[DeviceReading], at_ms: int) -> Batch:
    devices: list[str] = []
    ssids: list[SsidReading] = []
    for reading in readings:
        its = reading.ssids
        if its:
            devices += [reading.device_id] * len(its)
            ssids += its
    names, clients = zip(*ssids, strict=True) if ssids else [()] * 2
    return _batch("ssid", at_ms, {"device": devices, "ssid": names}, {"clients": clients})


def _poll(figures: PollFigures, at_ms: int, collector: str) -> Batch:
    return _batch("poll", at_ms, {"collector": [collector]}, {
        "devices": [figures.devices],
        "answered": [figures.answered],
        "timed_out": [figures.timed_out],
        "late": [figures.late],
        "duration_s": [figures.duration_s],
        "cpu_s": [figures.cpu_s],
        "spooled": [figures.spooled],
        "lag_s": [figures.lag_s],
        "sent": [figures.sent],
        "received": [figures.received],
        "retried": [figures.retried],
        "dropped": [figures.dropped],
    })  # fmt: skip
