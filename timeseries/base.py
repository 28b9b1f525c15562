"""What every store can do, and the series that exist. Columns go in, columns come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

Value = float | int | bool | str | None


@dataclass(frozen=True)
class Measurement:
    """A series' shape: its tags (part of a row's identity) and its fields with their types."""

    name: str
    tags: tuple[str, ...]
    fields: Mapping[str, type]
    is_rollup: bool = False
    """Kept apart from raw rows and for longer; see `timeseries.rollups`."""


def _measurement(name: str, tags: str, **fields: type) -> Measurement:
    return Measurement(name, tuple(tags.split()), fields)


def _rollups(raw: str, tags: str, **fields: type) -> tuple[Measurement, Measurement]:
    """The measurements of a raw one's hours and days."""
    names = tuple(tags.split())
    return (
        Measurement(f"{raw}_hour", names, fields, is_rollup=True),
        Measurement(f"{raw}_day", names, fields, is_rollup=True),
    )


_STATES: dict[str, type] = {
    "polls": int, "answered": int, "up": int, "down": int,
    "rtt_ms_sum": float, "rtt_ms_count": int,
    "clients_sum": int, "clients_count": int, "clients_max": int,
    "cpu_pct_sum": float, "cpu_pct_count": int, "cpu_pct_max": float,
    "mem_pct_sum": float, "mem_pct_count": int, "mem_pct_max": float,
    "rx_bytes": int, "tx_bytes": int, "interval_s": float,
}  # fmt: skip


SCHEMA: dict[str, Measurement] = {
    m.name: m
    for m in (
        _measurement(
            "device", "device",
            answered=bool, state=str, rtt_ms=float, uptime_s=float, agent_uptime_s=float,
            clients=int, cpu_pct=float, mem_pct=float, reboots=int,
            misses=int, last_uptime_s=float, last_agent_uptime_s=float, last_told_s=float,
        ),
        _measurement(
            "interface", "device interface",
            rx_bytes_total=int, tx_bytes_total=int, rx_bytes=int, tx_bytes=int, interval_s=float,
            bits=int, uplink=bool,
        ),
        _measurement(
            "radio", "device radio band",
            clients=int, channel=int, utilization_pct=float, noise_dbm=float, tx_power_dbm=float,
        ),
        _measurement("ssid", "device ssid", clients=int),
        _measurement(
            "portal", "site",
            sessions=int, users=int, minutes=float, rx_bytes=int, tx_bytes=int,
        ),
        _measurement(
            "poll", "collector",
            devices=int, answered=int, timed_out=int, late=int, duration_s=float, cpu_s=float,
            spooled=int, lag_s=float, sent=int, received=int, retried=int, dropped=int,
        ),
        _measurement("check", "device check", ok=bool, ms=float, reason=str),
        _measurement(
            "config", "device",
            drifted=bool, by_hand=int, failed_push=int, firmware=int, intent=int, rules_failed=int,
        ),
        *_rollups("device", "device", **_STATES, reboots=int),
        *_rollups(
            "interface", "device interface", rx_bytes=int, tx_bytes=int, interval_s=float
        ),
        *_rollups(
            "radio", "device radio band",
            clients_sum=int, clients_count=int, clients_max=int,
            utilization_pct_sum=float, utilization_pct_count=int, utilization_pct_max=float,
            noise_dbm_sum=float, noise_dbm_count=int,
        ),
        *_rollups("group", "kind group", devices=int, **_STATES),
    )
}  # fmt: skip
"""Every measurement that a store keeps. A tag never holds a client, a session or free text."""


@dataclass(frozen=True)
class Batch:
    """Rows of one measurement, as columns of equal length.

    `times` are UTC instants in whole milliseconds since 1970; rows of one poll share one.
    `tags` must name every tag of the measurement; an empty one is as good as absent. `fields`
    are any of its fields, None (or NaN) where a row has no value. Writing a row again (same time
    and tags) replaces the fields that have a value and keeps the others, so a retry is harmless.
    A row without any value is no row. Columns may be lists or numpy arrays.

    What came from a device becomes a batch through `timeseries.clean_batch`: a tag with a control
    character or a client's address is refused, and the whole batch with it.
    """

    measurement: str
    times: Sequence[int]
    tags: Mapping[str, Sequence[str]]
    fields: Mapping[str, Sequence[Value]]


@dataclass(frozen=True)
class Table:
    """Rows of one measurement, as columns of equal length; shaped like a Batch."""

    times: list[int] = field(default_factory=list)
    tags: dict[str, list[str]] = field(default_factory=dict)
    fields: dict[str, list[Value]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.times)


def newest_of(told: Table, more: Table) -> Table:
    """The newer row of each combination of tags, by tags; of two as old, that of `more`."""
    rows: dict[tuple[str, ...], tuple[int, Table, int]] = {}
    for table in (told, more):
        columns = list(table.tags.values())
        for i, time in enumerate(table.times):
            tags = tuple(column[i] for column in columns)
            if tags not in rows or time >= rows[tags][0]:
                rows[tags] = time, table, i
    found = [rows[tags] for tags in sorted(rows)]
    fields: dict[str, list[Value]] = {
        name: [table.fields[name][i] for _, table, i in found] for name in more.fields
    }
    names = list(more.tags)
    tags_of = list(zip(*sorted(rows), strict=True)) or [()] * len(names)
    return Table(
        [time for time, _, _ in found],
        {name: list(column) for name, column in zip(names, tags_of, strict=True)},
        fields,
    )


COUNT, SUM, MEAN, LEAST, MOST, LAST = "count", "sum", "mean", "min", "max", "last"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One figure over the rows of a window: `how` of the values of `field`.

    `count` counts rows that have a value, or that value if `equals` is given. `sum`, `mean`, `min`
    and `max` are for numbers; `last` is the newest value, of any type. Where no row of a window has
    a value, `count` is 0 and the others are None.
    """

    field: str
    how: str = COUNT
    equals: bool | str | int | None = None


@dataclass(frozen=True)
class Health:
    """Whether a store can be written to, and what it says of itself."""

    ok: bool
    kind: str
    detail: str


class Store(Protocol):
    """Keeps time series. All instants are aware datetimes; `start` is included, `end` is not.

    Every method raises `farola.errors.StoreError` when the store cannot be reached or refuses.
    """

    def write(self, batches: Sequence[Batch]) -> int:
        """Keep all rows of `batches` (one poll); return how many rows had a value."""
        ...

    def latest(
        self,
        measurement: str,
        fields: Sequence[str] = (),
        since: datetime | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Table:
        """For each combination of tags its newest row (not older than `since`), by tags.

        `fields` are all fields unless given; the newest row counts, whether it has them or not.
        """
        ...

    def series(
        self,
        measurement: str,
        where: Mapping[str, str],
        start: datetime,
        end: datetime,
        fields: Sequence[str] = (),
    ) -> Table:
        """Rows whose tags equal `where`, by time then tags.

        Where `fields` are given, rows that have none of them are left out.
        """
        ...

    def aggregates(
        self,
        measurement: str,
        of: Mapping[str, Aggregate],
        start: datetime,
        end: datetime,
        *,
        by: Sequence[str] = (),
        every_s: int = 0,
        where: Mapping[str, str] | None = None,
    ) -> Table:
        """Figures of the rows in each window of `every_s` seconds from `start` on (0: one window
        until `end`), for each combination of the tags in `by`, by time then those tags.

        The table's times are the windows' starts, its tags those in `by`, its fields the names in
        `of`. Rows that have none of those fields do not count, and windows without rows are left
        out. `last` of several rows of one time is the greatest.
        """
        ...

    def health(self) -> Health:
        """Ask the store how it is; never raises."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
