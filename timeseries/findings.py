"""Whether what the store says of the same hours agrees: rollups against raw rows, groups against
devices. Asked through `Store.aggregates`, so of any store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from farola.errors import StoreError
from timeseries.base import COUNT, SUM, Aggregate, Store
from timeseries.rollups import CITY
from timeseries.windows import Window

CITY_TAGS = {"kind": CITY[0], "group": CITY[1]}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, whether it is as it must be, and what was found."""

    what: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class HourCounts:
    """Polls of devices in one hour, as three places count them."""

    hour: Window
    raw: int
    devices: int
    city: int

    @property
    def agree(self) -> bool:
        """Whether all three say the same."""
        return self.raw == self.devices == self.city


def counts_of(store: Store, hour: Window) -> HourCounts:
    """How many polls of devices the rollups and the raw rows of `hour` count. Raises StoreError.

    Rollups are read first: rows that arrive meanwhile can only make the raw rows more.
    """
    start, end = hour.begins, hour.ends

    def asked(measurement: str, of: Aggregate, where: dict[str, str] | None = None) -> int:
        found = store.aggregates(measurement, {"n": of}, start, end, where=where)
        return sum(n for n in found.fields["n"] if isinstance(n, int))

    city = asked("group_hour", Aggregate("polls", SUM), CITY_TAGS)
    devices = asked("device_hour", Aggregate("polls", SUM))
    return HourCounts(hour, asked("device", Aggregate("answered", COUNT)), devices, city)


def rollups_agree(
    store: Store,
    hours: Sequence[Window],
    waiting: Callable[[], Collection[Window]],
    advance: Callable[[int], None] = lambda _hours: None,
) -> list[Finding]:
    """Whether the rollups of `hours` count what the raw rows hold. Those marked to be made again,
    as `waiting` tells, may differ. What hinders telling so is a finding too.
    """
    odd, agreed, unmade = [], 0, 0
    faults: dict[str, int] = {}
    for hour in hours:
        try:
            found = counts_of(store, hour)
            # Asked after the counts: rows that came meanwhile have marked their hour by now.
            if found.agree:
                agreed += found.raw > 0
            elif hour in waiting():
                unmade += 1
            else:
                odd.append(found)
        except StoreError as error:
            faults[str(error)] = faults.get(str(error), 0) + 1
        advance(1)
    findings = [
        Finding("rollups", False, f"{count} of the last {len(hours)} hours cannot be told: {text}")
        for text, count in faults.items()
    ]
    findings += [Finding("rollups", False, text) for text in _told(odd)]
    to_come = f", {unmade} marked and to come" if unmade else ""
    if agreed or unmade:
        told = f"{agreed} of the last {len(hours)} hours agree{to_come}"
    elif findings:
        return findings
    else:
        told = f"nothing was polled in the last {len(hours)} hours" if hours else "not compared"
    return [*findings, Finding("rollups", True, told)]


def _told(odd: Sequence[HourCounts]) -> list[str]:
    """A line for each kind of disagreement, with its first hour and what to do."""
    lost = [one for one in odd if one.raw < max(one.devices, one.city)]
    stale = [one for one in odd if one not in lost]
    told = []
    for hours, remedy in (
        (lost, "raw rows are missing: restore their file from a backup"),
        (stale, "make them again: farola store rollup --from {} --to {}"),
    ):
        if hours:
            first, last = hours[0], hours[-1]
            more = f", and {len(hours) - 1} more hours" if len(hours) > 1 else ""
            told.append(
                f"in the hour from {first.hour.begins:%F %T} UTC devices have {first.raw:,} raw "
                f"polls, {first.devices:,} in device_hour, {first.city:,} in group_hour of the "
                f"city{more}; "
                + remedy.format(f"{first.hour.begins:%FT%TZ}", f"{last.hour.ends:%FT%TZ}")
            )
    return told
