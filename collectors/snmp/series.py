"""Outcomes of a poll as the batches of the store, all with the poll's one timestamp. Pure.

A city's poll is some 300,000 rows: whole columns are made at once, and no row is an object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from collectors.snmp.outcome import Outcome
from timeseries import clean_tag, clean_values
from timeseries.base import Batch, Value

_by_device = attrgetter("reading.device_id")
# An SSID may hold any bytes; a store takes no control characters in a tag. Most were seen before.
_tag = lru_cache(maxsize=2**18)(clean_tag)


@dataclass(frozen=True)
class PollFigures:
    """How a poll went: devices, ticks that came too late, seconds by wall clock and CPU, how many
    seconds after its turn it started, and packets.
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


def batches(
    outcomes: Sequence[Outcome], figures: PollFigures, at_ms: int, collector: str
) -> list[Batch]:
    """Every series of one poll (docs/collecting.md lists them)."""
    ordered = sorted(outcomes, key=_by_device)
    made = [
        _devices(ordered, at_ms),
        _interfaces(ordered, at_ms),
        _radios(ordered, at_ms),
        _ssids(ordered, at_ms),
        _poll(figures, at_ms, collector),
    ]
    return [batch for batch in made if batch.times]


def _batch(
    measurement: str,
    at_ms: int,
    tags: Mapping[str, Sequence[str]],
    fields: Mapping[str, Sequence[Value]],
) -> Batch:
    rows = len(next(iter(tags.values())))
    return Batch(
        measurement,
        [at_ms] * rows,
        {name: list(map(_tag, column)) for name, column in tags.items()},
        # A store refuses a whole poll for one value that it cannot keep, such as a counter of more
        # than 63 bits: that value is left out here. A field that no row has need not travel.
        {
            name: column
            for name, told in fields.items()
            if (column := clean_values(measurement, name, list(told))).count(None) < rows
        },
    )


def _devices(outcomes: Sequence[Outcome], at_ms: int) -> Batch:
    readings = [outcome.reading for outcome in outcomes]
    # A row without an uptime says what the last one was: see `memory.recall`.
    silent = [
        outcome.past
        if outcome.reading.uptime_s is None and outcome.past.uptime_at_ms is not None
        else None
        for outcome in outcomes
    ]
    return _batch("device", at_ms, {"device": [one.device_id for one in readings]}, {
        "answered": [one.answered for one in readings],
        "state": [outcome.state for outcome in outcomes],
        "rtt_ms": [one.rtt_ms for one in readings],
        "uptime_s": [one.uptime_s for one in readings],
        "agent_uptime_s": [one.agent_uptime_s for one in readings],
        "clients": [one.clients for one in readings],
        "cpu_pct": [one.cpu_pct for one in readings],
        "mem_pct": [one.mem_pct for one in readings],
        "reboots": [outcome.reboots for outcome in outcomes],
        "misses": [outcome.past.misses or None for outcome in outcomes],
        "last_uptime_s": [None if past is None else past.uptime.device_s for past in silent],
        "last_agent_uptime_s": [None if past is None else past.uptime.agent_s for past in silent],
        "last_told_s": [
            None if past is None else (at_ms - (past.uptime_at_ms or 0)) / 1000 for past in silent
        ],
    })  # fmt: skip


def _interfaces(outcomes: Sequence[Outcome], at_ms: int) -> Batch:
    rows = [
        (outcome.reading.device_id, one, outcome.differences.get(one.name))
        for outcome in outcomes
        for one in outcome.reading.interfaces
    ]
    tags = {"device": [device for device, _, _ in rows], "interface": [i.name for _, i, _ in rows]}
    return _batch("interface", at_ms, tags, {
        "rx_bytes_total": [one.rx_bytes_total for _, one, _ in rows],
        "tx_bytes_total": [one.tx_bytes_total for _, one, _ in rows],
        "rx_bytes": [moved and moved.rx for _, _, moved in rows],
        "tx_bytes": [moved and moved.tx for _, _, moved in rows],
        "interval_s": [moved and moved.interval_s for _, _, moved in rows],
        "bits": [None if one.bits == 64 else one.bits for _, one, _ in rows],
    })  # fmt: skip


def _radios(outcomes: Sequence[Outcome], at_ms: int) -> Batch:
    readings = [outcome.reading for outcome in outcomes if outcome.reading.radios]
    devices = [reading.device_id for reading in readings for _ in reading.radios]
    radios = [radio for reading in readings for radio in reading.radios]
    names, bands = [one.name for one in radios], [one.band for one in radios]
    return _batch("radio", at_ms, {"device": devices, "radio": names, "band": bands}, {
        "clients": [one.clients for one in radios],
        "channel": [one.channel for one in radios],
        "utilization_pct": [one.utilization_pct for one in radios],
        "noise_dbm": [one.noise_dbm for one in radios],
        "tx_power_dbm": [one.tx_power_dbm for one in radios],
    })  # fmt: skip


def _ssids(outcomes: Sequence[Outcome], at_ms: int) -> Batch:
    readings = [outcome.reading for outcome in outcomes if outcome.reading.ssids]
    devices = [reading.device_id for reading in readings for _ in reading.ssids]
    ssids = [ssid for reading in readings for ssid in reading.ssids]
    names = [one.name for one in ssids]
    clients = [one.clients for one in ssids]
    return _batch("ssid", at_ms, {"device": devices, "ssid": names}, {"clients": clients})


def _poll(figures: PollFigures, at_ms: int, collector: str) -> Batch:
    return _batch("poll", at_ms, {"collector": [collector]}, {
        "devices": [figures.devices],
        "answered": [figures.answered],
        "timed_out": [figures.timed_out],
        "late": [figures.late],
        "duration_s": [figures.duration_s],
        "cpu_s": [figures.cpu_s],
        "spooled": [0],
        "lag_s": [figures.lag_s],
        "sent": [figures.sent],
        "received": [figures.received],
        "retried": [figures.retried],
        "dropped": [figures.dropped],
    })  # fmt: skip
