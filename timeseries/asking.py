"""A question for figures is checked here once, so that all stores refuse the same ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from farola.errors import StoreError
from timeseries.base import COUNT, LAST, LEAST, MEAN, MOST, SUM, Aggregate, Measurement
from timeseries.checking import checked_where, chosen_fields, measurement_named, to_ms

_NUMBERS = (SUM, MEAN, LEAST, MOST)


@dataclass(frozen=True)
class Question:
    """What `Store.aggregates` was asked, checked: instants in milliseconds since 1970."""

    shape: Measurement
    of: dict[str, Aggregate]
    start: int
    end: int
    by: tuple[str, ...]
    every: int
    """Length of a window in milliseconds; 0 is one window."""
    where: dict[str, str]

    @property
    def fields(self) -> list[str]:
        """The fields asked for, each once; a row that has none of them does not count."""
        return list(dict.fromkeys(one.field for one in self.of.values()))


def checked_question(
    measurement: str,
    of: Mapping[str, Aggregate],
    start: datetime,
    end: datetime,
    *,
    by: Sequence[str],
    every_s: int,
    where: Mapping[str, str] | None,
) -> Question:
    """The question with all its names looked up.

    Raises
    ------
    StoreError
        An unknown measurement, field, tag or figure; a sum of what is no number; a value to count
        that the field never has; an instant without time zone; a window that is no time.
    """
    shape = measurement_named(measurement)
    if not of:
        raise StoreError(f"{measurement}: no figure was asked for")
    chosen_fields(shape, [one.field for one in of.values()])
    for one in of.values():
        _check(shape, one)
    checked_where(shape, dict.fromkeys(by, ""))
    if every_s < 0 or every_s != int(every_s):
        raise StoreError(f"a window of {every_s} seconds is none: give a whole number, or 0")
    return Question(
        shape,
        dict(of),
        to_ms(start),
        to_ms(end),
        tuple(dict.fromkeys(by)),
        int(every_s) * 1000,
        checked_where(shape, where),
    )


def _check(shape: Measurement, one: Aggregate) -> None:
    kind = shape.fields[one.field]
    if one.how not in (COUNT, LAST, *_NUMBERS):
        raise StoreError(f"no figure {one.how!r}; there are {', '.join((COUNT, *_NUMBERS, LAST))}")
    if one.how in _NUMBERS and kind not in (int, float):
        raise StoreError(f"{shape.name}.{one.field} is no number: it has no {one.how}")
    if one.equals is None:
        return
    if one.how != COUNT:
        raise StoreError(f"`equals` is for {COUNT}, not for {one.how}")
    fits = (int, float) if kind is float else (kind,)
    if type(one.equals) not in fits:
        raise StoreError(f"{shape.name}.{one.field} is never {one.equals!r}: it is {kind.__name__}")
