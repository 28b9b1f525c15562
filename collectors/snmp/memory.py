"""What the last poll left behind, read back from the store: states, misses, uptimes and raw
counters. A collector that restarts or takes over loses no interval.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from collectors.snmp.counters import Sample, Uptime
from collectors.snmp.state import misses_before
from timeseries.base import Store, Table

LOOK_BACK = timedelta(days=7)
"""What is older says nothing about the present."""
NEVER_TOLD = Uptime(None, None)


@dataclass(frozen=True)
class Past:
    """A device as the polls before left it; times in milliseconds since 1970."""

    state: str = "unknown"
    misses: int = 0
    reboots: int = 0
    uptime: Uptime = NEVER_TOLD
    uptime_at_ms: int | None = None
    counters: dict[str, Sample] = field(default_factory=dict)


def recall(store: Store, now: datetime, device_ids: Iterable[str]) -> dict[str, Past]:
    """What is known of each device; those never polled are left out.

    Two queries for the city, and one more for each device whose newest poll went unanswered:
    how often it was missed, and the last uptime it told, stand in its older rows.
    """
    since = now - LOOK_BACK
    fields = ("answered", "state", "reboots", "uptime_s", "agent_uptime_s")
    newest = store.latest("device", fields, since=since)
    samples = _samples(store.latest("interface", ("rx_bytes_total", "tx_bytes_total"), since=since))
    wanted = set(device_ids)
    past: dict[str, Past] = {}
    for row, device in enumerate(newest.tags.get("device", [])):
        if device not in wanted:
            continue
        table, rows = newest, [row]
        if not newest.fields["answered"][row]:
            table = store.series("device", {"device": device}, since, now, fields)
            rows = list(range(len(table)))
        past[device] = _past(table, rows, samples.get(device, {}))
    return past


def _past(table: Table, rows: list[int], counters: dict[str, Sample]) -> Past:
    """The past told by `rows` of `table`, oldest first."""
    column = table.fields
    told = [row for row in rows if column["uptime_s"][row] is not None]
    last = told[-1] if told else None
    reboots = [int(value) for row in rows if (value := column["reboots"][row]) is not None]
    states = [str(value) for row in rows if (value := column["state"][row]) is not None]
    return Past(
        state=states[-1] if states else "unknown",
        misses=misses_before([bool(column["answered"][row]) for row in rows]),
        reboots=reboots[-1] if reboots else 0,
        uptime=NEVER_TOLD
        if last is None
        else Uptime(_number(column["uptime_s"][last]), _number(column["agent_uptime_s"][last])),
        uptime_at_ms=None if last is None else table.times[last],
        counters=counters,
    )


def _samples(table: Table) -> dict[str, dict[str, Sample]]:
    samples: dict[str, dict[str, Sample]] = {}
    for row, device in enumerate(table.tags.get("device", [])):
        rx, tx = table.fields["rx_bytes_total"][row], table.fields["tx_bytes_total"][row]
        if rx is not None and tx is not None:
            samples.setdefault(device, {})[table.tags["interface"][row]] = Sample(
                table.times[row], int(rx), int(tx)
            )
    return samples


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
