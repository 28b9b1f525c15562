"""What the last poll left behind, read back from the store: states, misses, uptimes and raw
counters. A collector that restarts or takes over loses no interval and counts none twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from collectors.snmp.counters import OFFSET_S, Sample, Uptime
from timeseries.base import Store, Table, Value
from timeseries.spooled import newest_known

LOOK_BACK = timedelta(days=7)
"""What is older says nothing about the present."""
NEVER_TOLD = Uptime()
NO_SAMPLES: Mapping[str, Sample] = {}


class Past(NamedTuple):
    """A device as the polls before left it; times in milliseconds since 1970."""

    state: str = "unknown"
    misses: int = 0
    reboots: int = 0
    uptime: Uptime = NEVER_TOLD
    uptime_at_ms: int | None = None
    counters: Mapping[str, Sample] = NO_SAMPLES


NO_PAST = Past()
"""A device before its first poll."""


def newest_poll_ms(store: Store, now: datetime) -> int | None:
    """When the newest poll that can be known of was started, by whomever; None if none was."""
    times = newest_known(store, "poll", ("devices",), now - LOOK_BACK).times
    return max(times, default=None)


def recall(store: Store, now: datetime) -> dict[str, Past]:
    """What is known of each device, in two queries for the city.

    A row without an uptime says what the last one was and how long ago (`last_uptime_s`,
    `last_told_s`), so that nobody has to look for it. What waits for a server that is away counts
    too.
    """
    since = now - LOOK_BACK
    newest = newest_known(
        store,
        "device",
        ("answered", "state", "reboots", "uptime_s", "agent_uptime_s", "misses", "last_uptime_s",
         "last_agent_uptime_s", "last_told_s"),
        since,
    )  # fmt: skip
    samples = _samples(
        newest_known(store, "interface", ("rx_bytes_total", "tx_bytes_total", "bits"), since)
    )
    past = {}
    for row, device in enumerate(newest.tags.get("device", [])):
        uptime, told_at_ms = _uptime(newest, row)
        fields = newest.fields
        misses = 0 if fields["answered"][row] else max(1, int(fields["misses"][row] or 0))
        past[device] = Past(
            state=str(fields["state"][row] or "unknown"),
            misses=misses,
            reboots=int(fields["reboots"][row] or 0),
            uptime=uptime,
            uptime_at_ms=told_at_ms,
            counters=_still_good(samples.get(device, {}), uptime, told_at_ms),
        )
    return past


def _uptime(table: Table, row: int) -> tuple[Uptime, int | None]:
    """The last uptime told, and when."""
    column, at_ms = table.fields, table.times[row]
    told = _number(column["uptime_s"][row])
    if told is not None:
        return Uptime(told, _number(column["agent_uptime_s"][row])), at_ms
    last, ago_s = _number(column["last_uptime_s"][row]), _number(column["last_told_s"][row])
    if last is None or ago_s is None:
        return NEVER_TOLD, None
    uptime = Uptime(last, _number(column["last_agent_uptime_s"][row]))
    return uptime, at_ms - round(ago_s * 1000)


def _still_good(
    samples: dict[str, Sample], uptime: Uptime, told_at_ms: int | None
) -> dict[str, Sample]:
    """Samples without those from before the device's last start, which are no base for traffic.

    A device is as old as its agent at least. Where only the agent's clock is known, or both have
    rolled over, good ones may stay out too: that costs one interval, if a poll brought an uptime
    and no counters.
    """
    if uptime.device_s is None or told_at_ms is None:
        return samples
    age_s = max(uptime.device_s, uptime.agent_s or 0.0)
    started_ms = told_at_ms - (age_s - OFFSET_S) * 1000
    oldest_ms = min(told_at_ms, started_ms)
    return {name: one for name, one in samples.items() if one.at_ms >= oldest_ms}


def _samples(table: Table) -> dict[str, dict[str, Sample]]:
    samples: dict[str, dict[str, Sample]] = {}
    columns = zip(
        table.times, table.tags.get("device", []), table.tags.get("interface", []),
        *(table.fields[name] for name in ("rx_bytes_total", "tx_bytes_total", "bits")),
        strict=True,
    )  # fmt: skip
    for at_ms, device, interface, rx, tx, bits in columns:
        if isinstance(rx, int) and isinstance(tx, int):
            sample = Sample(at_ms, rx, tx, 32 if bits == 32 else 64)
            samples.setdefault(device, {})[interface] = sample
    return samples


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) else None
