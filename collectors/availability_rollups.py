"""Reads what each device said in each poll, from raw rows only where hourly rollups do not tell it.

In an hour of whose polls a device answered every one, its rows say nothing more than that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from timeseries.base import Store, Value
from timeseries.windows import Window, hours_between, instant

SCAN_SHARE = 0.2
"""From this share of the city on, everybody's rows are read quicker than one device's at a time."""
ROWS_AT_ONCE = 300_000
HOURS_AT_ONCE = 24
FIELDS = ("answered", "state")
Counts = tuple[Value, Value]
Add = Callable[[int, bool, str | None], None]
"""Takes a device's row of one poll: time, whether it answered, its state."""


class PollRows:
    """Hands the rows of some devices on, each device's in order of time."""

    def __init__(
        self, store: Store, takers: Mapping[str, Add], number: int, polls: Sequence[int]
    ) -> None:
        """`takers` by device; `number` devices has the city; `polls` are the times of all polls."""
        self._store, self._takers, self._polls = store, takers, polls
        self._number = number
        self._is_most = len(takers) > SCAN_SHARE * number and len(takers) > 1

    def read(
        self, start: datetime, until: datetime, zone: ZoneInfo | None,
        advance: Callable[[float], None] = lambda _share: None,
    ) -> None:  # fmt: skip
        """All rows from `start` until before `until`; of whole hours in `zone` what their rollups
        tell is taken from those. `advance` gets the share done. StoreError.
        """
        whole = _whole_hours(start, until, zone) if zone else []
        pieces = [
            whole[at : at + HOURS_AT_ONCE] for at in range(0, len(whole), HOURS_AT_ONCE)
        ]  # fmt: skip
        at = start

        def done(to: datetime) -> None:
            advance((to - start) / (until - start))

        for hours in pieces:
            self._raw(at, hours[0].begins, done)
            self._hours(hours, done)
            at = hours[-1].ends
        self._raw(at, until, done)

    def _hours(self, hours: list[Window], done: Callable[[datetime], None]) -> None:
        times = {hour.start: self._within(hour) for hour in hours}
        told = self._told(hours)
        parts = {device: _parts(hours, times, told.get(device, {})) for device in self._takers}
        doubtful = sum(
            len(part) for of_device in parts.values() for clear, part in of_device if not clear
        )
        if self._is_most and doubtful > SCAN_SHARE * len(hours) * self._number:
            self._raw(hours[0].begins, hours[-1].ends, done)
            return
        for device, of_device in parts.items():
            for clear, part in of_device:
                if not clear:
                    self._of(device, part[0].begins, part[-1].ends)
                    continue
                for hour in part:
                    for at in times[hour.start]:
                        self._takers[device](at, True, "up")
        done(hours[-1].ends)

    def _told(self, hours: list[Window]) -> dict[str, dict[int, Counts]]:
        """By device and hour how many polls it had a row of, and how many it answered."""
        wheres: list[dict[str, str]] = (
            [{}] if self._is_most else [{"device": device} for device in self._takers]
        )
        told: dict[str, dict[int, Counts]] = {}
        for where in wheres:
            table = self._store.series(
                "device_hour", where, hours[0].begins, hours[-1].ends, ("polls", "answered")
            )
            for at, device, polls, answered in zip(
                table.times, table.tags["device"], table.fields["polls"],
                table.fields["answered"], strict=True,
            ):  # fmt: skip
                told.setdefault(device, {})[at] = polls, answered
        return told

    def _within(self, hour: Window) -> Sequence[int]:
        return self._polls[
            bisect_left(self._polls, hour.start) : bisect_left(self._polls, hour.end)
        ]

    def _raw(self, start: datetime, until: datetime, done: Callable[[datetime], None]) -> None:
        if start >= until:
            return
        if not self._is_most:
            for device in self._takers:
                self._of(device, start, until)
            done(until)
            return
        for at, device, answered, state in self._everybody(start, until):
            if device in self._takers:
                self._takers[device](at, answered, state)
            done(instant(at))

    def _of(self, device: str, start: datetime, until: datetime) -> None:
        for row in rows_of(self._store, device, start, until):
            self._takers[device](*row)

    def _everybody(
        self, start: datetime, until: datetime
    ) -> Iterator[tuple[int, str, bool, str | None]]:
        """All rows of the city, read in pieces of some ROWS_AT_ONCE."""
        polls = self._within(Window(ms(start), ms(until)))
        at_once = max(1, ROWS_AT_ONCE // max(1, self._number))
        edges = [start, *(instant(at) for at in polls[at_once::at_once]), until]
        for since, till in pairwise(edges):
            table = self._store.series("device", {}, since, till, FIELDS)
            for at, device, answered, state in zip(
                table.times, table.tags["device"], table.fields["answered"],
                table.fields["state"], strict=True,
            ):  # fmt: skip
                yield at, device, bool(answered), None if state is None else str(state)


def rows_of(
    store: Store, device: str, start: datetime, end: datetime
) -> Iterator[tuple[int, bool, str | None]]:
    """The rows of one device: time, whether it answered, its state."""
    table = store.series("device", {"device": device}, start, end, FIELDS)
    for at, answered, state in zip(
        table.times, table.fields["answered"], table.fields["state"], strict=True
    ):
        yield at, bool(answered), None if state is None else str(state)


def ms(at: datetime) -> int:
    """Milliseconds since 1970."""
    return int(at.timestamp() * 1000)


def _whole_hours(start: datetime, until: datetime, zone: ZoneInfo) -> list[Window]:
    start_ms, until_ms = ms(start), ms(until)
    return [
        hour
        for hour in hours_between(start_ms, until_ms, zone)
        if start_ms <= hour.start and hour.end <= until_ms
    ]


def _parts(
    hours: Sequence[Window], times: Mapping[int, Sequence[int]], told: Mapping[int, Counts]
) -> list[tuple[bool, list[Window]]]:
    """The hours in runs: those in which each poll that was made was answered, and others."""
    parts: list[tuple[bool, list[Window]]] = []
    for hour in hours:
        made = len(times[hour.start])
        clear = told.get(hour.start, (0, 0)) == (made, made)
        if parts and parts[-1][0] is clear:
            parts[-1][1].append(hour)
        else:
            parts.append((clear, [hour]))
    return parts
