"""When a mobile site is where: days and hours of its stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def hours_a_week(timetable: Sequence[Mapping[str, str]]) -> float:
    """Hours that the stops of a timetable add up to."""
    total = 0.0
    for stop in timetable:
        start, end = (_minutes(stop[name]) for name in ("from", "to"))
        total += len(days_of(stop["days"])) * (end - start) / 60
    return total


def days_of(text: str) -> list[str]:
    """`mon-wed,sat` → mon, tue, wed, sat; a range may pass the end of the week."""
    found: list[str] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, count = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7 + 1
        found += [DAYS[(start + k) % 7] for k in range(count)]
    return sorted(set(found), key=DAYS.index)


def _minutes(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)
