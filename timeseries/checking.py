"""The door of every store: a batch is checked and typed here once, so that all stores keep the
same rows and refuse the same ones. Nothing of a refused batch is written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import index
from typing import Any

from farola.errors import StoreError
from timeseries.base import SCHEMA, Batch, Measurement, Value
from timeseries.tags import OWN, are_tags, clean_tags, fault_of_tag, masked

LAST_TIME = 9_223_372_036_854
"""Milliseconds since 1970 of the last instant that InfluxDB can keep (April 2262)."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = 2**63
_NONE = {type(None)}


@dataclass(frozen=True)
class Rows:
    """A batch whose columns are lists of equal length and of the schema's types.

    Every row has at least one value; `tags` stand in the schema's order.
    """

    measurement: Measurement
    times: list[int]
    tags: tuple[list[str], ...]
    fields: dict[str, list[Value]]

    def take(self, keep: Sequence[int]) -> Rows:
        """The rows with the indices `keep`, in that order."""
        return Rows(
            self.measurement,
            [self.times[i] for i in keep],
            tuple([column[i] for i in keep] for column in self.tags),
            {name: [column[i] for i in keep] for name, column in self.fields.items()},
        )

    def part(self, first: int, after: int) -> Rows:
        """The rows from `first` until before `after`."""
        return Rows(
            self.measurement,
            self.times[first:after],
            tuple(column[first:after] for column in self.tags),
            {name: column[first:after] for name, column in self.fields.items()},
        )


@dataclass(frozen=True)
class CleanBatch(Batch):
    """What `clean_batch` made. Every column is as stores keep it, so that none looks at it again:
    a poll of the city has a million values.
    """

    times: list[int]
    tags: dict[str, list[str]]
    fields: dict[str, list[Value]]


def clean_batch(
    measurement: str,
    times: Sequence[int],
    tags: Mapping[str, Sequence[str]],
    fields: Mapping[str, Sequence[Value]],
) -> CleanBatch:
    """What came from outside as a batch that every store takes: see `timeseries.tags` and
    `clean_values`. A field that no row has is left out.

    Raises
    ------
    StoreError
        An unknown measurement or field; a time that no store could keep.
    """
    shape = measurement_named(measurement)
    kept: dict[str, list[Value]] = {}
    for name in chosen_fields(shape, list(fields)) if fields else ():
        column = _listed(fields[name])
        if set(map(type, column)) <= _NONE:
            continue
        clean = clean_values(measurement, name, column)
        if clean is column or set(map(type, clean)) != _NONE:
            kept[name] = clean
    return CleanBatch(
        measurement,
        _times(measurement, _listed(times)),
        {name: clean_tags(name, _listed(column)) for name, column in tags.items()},
        kept,
    )


def clean_values(measurement: str, field: str, column: list[Value]) -> list[Value]:
    """Values from outside as a column that every store takes: one that no store could keep in
    that field (NaN, infinite, of more than 64 bits, of another type) is None.
    """
    kind = SCHEMA[measurement].fields[field]
    if _plain(kind, column):
        return column
    return [_kept(kind, value) for value in column]


def _kept(kind: type, value: Value) -> Value:
    try:
        return None if value is None else _CONVERTERS[kind](value)
    except (TypeError, ValueError, OverflowError):
        return None


def measurement_named(name: str) -> Measurement:
    """The measurement `name`; StoreError if there is none."""
    try:
        return SCHEMA[name]
    except KeyError:
        raise StoreError(f"no measurement {name!r}; there are {', '.join(SCHEMA)}") from None


def chosen_fields(measurement: Measurement, fields: Sequence[str]) -> list[str]:
    """`fields` if they exist, all of the measurement if empty; StoreError otherwise."""
    for name in fields:
        if name not in measurement.fields:
            raise StoreError(
                f"{measurement.name} has no field {name!r}; it has {', '.join(measurement.fields)}"
            )
    return list(dict.fromkeys(fields)) or list(measurement.fields)


def checked_where(measurement: Measurement, where: Mapping[str, str] | None) -> dict[str, str]:
    """`where` if it names tags of the measurement; StoreError otherwise."""
    for name in where or {}:
        if name not in measurement.tags:
            raise StoreError(
                f"{measurement.name} has no tag {name!r}; it has {', '.join(measurement.tags)}"
            )
    return dict(where or {})


def checked_query(
    measurement: str, fields: Sequence[str], where: Mapping[str, str] | None
) -> tuple[Measurement, list[str], dict[str, str]]:
    """The measurement, the fields and the tags that a question names; StoreError if one is not."""
    shape = measurement_named(measurement)
    return shape, chosen_fields(shape, fields), checked_where(shape, where)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970, rounded up: right for a start that counts and an end that does not.

    Raises
    ------
    StoreError
        `instant` has no time zone.
    """
    if instant.tzinfo is None:
        raise StoreError(f"the instant {instant} has no time zone: give it one, for instance UTC")
    return -((_EPOCH - instant) // timedelta(milliseconds=1))


def checked(batch: Batch) -> Rows:
    """Check and type `batch`.

    Raises
    ------
    StoreError
        An unknown measurement, tag or field; columns of unequal length; a time, tag or value
        that no store could keep as it is. The message names the first such row.
    """
    measurement = measurement_named(batch.measurement)
    if set(batch.tags) != set(measurement.tags):
        raise StoreError(
            f"{measurement.name} needs the tags {', '.join(measurement.tags)}, "
            f"not {', '.join(batch.tags) or 'none'}"
        )
    names = chosen_fields(measurement, list(batch.fields)) if batch.fields else []
    if isinstance(batch, CleanBatch):
        times, tags = batch.times, tuple(batch.tags[n] for n in measurement.tags)
        fields = {n: batch.fields[n] for n in measurement.fields if n in names}
    else:
        times = _times(measurement.name, _listed(batch.times))
        tags = tuple(_tags(measurement.name, n, _listed(batch.tags[n])) for n in measurement.tags)
        fields = {
            name: _values(measurement.name, name, kind, _listed(batch.fields[name]))
            for name, kind in measurement.fields.items()
            if name in names
        }
    lengths = {name: len(tag) for name, tag in zip(measurement.tags, tags, strict=True)}
    lengths |= {name: len(column) for name, column in fields.items()}
    for name, length in lengths.items():
        if length != len(times):
            raise StoreError(
                f"{measurement.name}: {len(times)} times but {length} values of {name}"
            )
    rows = Rows(measurement, times, tags, fields)
    if any(None not in column for column in fields.values()):
        return rows
    columns = list(fields.values())
    return rows.take(
        [i for i in range(len(times)) if any(column[i] is not None for column in columns)]
    )


def _listed(column: Sequence[Any]) -> list[Any]:
    """A list of plain Python values; numpy arrays know how."""
    if isinstance(column, list):
        return column
    as_list: Callable[[], list[Any]] | None = getattr(column, "tolist", None)
    return as_list() if as_list else list(column)


def _times(measurement: str, column: list[Any]) -> list[int]:
    if not column:
        return column
    if set(map(type, column)) == {int} and min(column) >= 0 and max(column) <= LAST_TIME:
        return column
    for row, value in enumerate(column):
        whole = None if isinstance(value, bool) else _whole(value)
        if whole is None or not 0 <= whole <= LAST_TIME:
            raise StoreError(
                f"{measurement} row {row}: time {value!r} is not a number of milliseconds since "
                "1970 (UTC, whole, before 2262)"
            )
    return [index(value) for value in column]


def _tags(measurement: str, name: str, column: list[Any]) -> list[str]:
    if set(map(type, column)) <= {str} and are_tags(name, column):
        return column
    for row, value in enumerate(column):
        fault = fault_of_tag(name, value) if isinstance(value, str) else "is not text"
        if fault:
            # What must not be kept must not stand in a log either.
            shown = masked(repr(value)) if name not in OWN else repr(value)
            raise StoreError(
                f"{measurement} row {row}: tag {name} {shown:.80} {fault}; "
                "make batches of text from outside by timeseries.clean_batch"
            )
    return [str(value) for value in column]


def _values(measurement: str, name: str, kind: type, column: list[Any]) -> list[Value]:
    if _plain(kind, column):
        return column
    typed: list[Value] = []
    for row, value in enumerate(column):
        try:
            typed.append(None if value is None else _CONVERTERS[kind](value))
        except (TypeError, ValueError, OverflowError) as error:
            why = str(error) if isinstance(error, _UnfitError) else _WANTED[kind]
            raise StoreError(f"{measurement} row {row}: {name} {value!r:.80} {why}") from None
    return typed


def _plain(kind: type, column: list[Any]) -> bool:
    """Whether nothing needs converting; C loops only, as a poll has 140,000 rows."""
    found = set(map(type, column))
    if not found <= {kind, type(None)}:
        return False
    if kind is bool or found <= {type(None)}:
        return True
    # What `filter` leaves out, None and 0, speaks for itself.
    if kind is float:
        return math.isfinite(sum(column if found == {float} else filter(None, column)))
    if kind is int:
        known = column if found == {int} else list(filter(None, column))
        return min(known, default=0) >= -_INT64 and max(known, default=0) < _INT64
    values: list[Any] = column if type(None) not in found else [v for v in column if v is not None]
    return not any(_SURROGATE.search(value) for value in set(values))


class _UnfitError(ValueError):
    """Of the right kind, yet no store can keep it; the text says why."""


_WANTED = {
    int: "is not a whole number",
    float: "is not a number",
    bool: "is not true or false",
    str: "is not text",
}


def _whole(value: object) -> int | None:
    try:
        return index(value)  # type: ignore[arg-type]  # what is no integer raises
    except TypeError:
        return None


def _float(value: Any) -> float | None:
    if isinstance(value, str | bytes | bool):
        raise TypeError
    number = float(value)
    if math.isinf(number):
        raise _UnfitError("is infinite")
    return None if math.isnan(number) else number


def _int(value: Any) -> int | None:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, float) and math.isnan(value):
        return None
    number = index(value)
    if not -_INT64 <= number < _INT64:
        raise _UnfitError("does not fit 64 bits")
    return number


def _bool(value: Any) -> bool | None:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, bool) or type(value).__name__ in {"bool", "bool_"}:
        return bool(value)
    raise TypeError


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    if _SURROGATE.search(value):
        raise _UnfitError("holds half a character (a lone surrogate)")
    return str(value)


_CONVERTERS: dict[type, Callable[[Any], Value]] = {
    float: _float,
    int: _int,
    bool: _bool,
    str: _str,
}
