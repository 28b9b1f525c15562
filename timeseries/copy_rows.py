"""Rows of two stores compared, whatever order they come in. Pure.

A checksum is the sum of the hashes of all rows, so it does not depend on their order and that of a
day is the sum of those of its parts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from timeseries.base import SCHEMA, Batch, Measurement, Table

_BITS = 128
_MODULUS = 1 << _BITS


@dataclass(frozen=True)
class Sum:
    """How many rows, and their checksum."""

    rows: int = 0
    total: int = 0

    def __add__(self, other: Sum) -> Sum:
        """Of both together."""
        return Sum(self.rows + other.rows, (self.total + other.total) % _MODULUS)

    @property
    def shown(self) -> str:
        """The checksum as 32 hexadecimal digits."""
        return f"{self.total:0{_BITS // 4}x}"


@dataclass(frozen=True)
class Compared:
    """What two stores have of the same part of a measurement.

    `there` sums the destination's own values of the rows and fields that the source has: it equals
    `source` exactly where all of them are there. `missing` are indices of the source's rows that
    are not, `extra` the times of rows that only the destination has.
    """

    source: Sum
    there: Sum
    missing: Sequence[int]
    extra: Collection[int]


def compared(shape: Measurement, source: Table, there: Table) -> Compared:
    """Look for the source's rows in the destination's. Rows of which a store knows more fields
    than the other are compared by those that the source has.
    """
    rows, found = list(_rows(shape, source)), list(_rows(shape, there))
    told, read = _sum(rows), _sum(found)
    if told == read:
        return Compared(told, read, (), ())
    keys = 1 + len(shape.tags)
    by_key = {row[:keys]: row for row in found}
    missing: list[int] = []
    again: list[tuple[Any, ...]] = []
    for index, row in enumerate(rows):
        other = by_key.pop(row[:keys], None)
        if other is None:
            missing.append(index)
            continue
        same = tuple(None if a is None else b for a, b in zip(row, other, strict=True))
        again.append(same)
        if same != row:
            missing.append(index)
    return Compared(told, _sum(again), missing, [key[0] for key in by_key])


def batch_of(measurement: str, table: Table, keep: Sequence[int]) -> Batch:
    """The rows with those indices, as a batch."""
    if len(keep) == len(table):
        return Batch(measurement, table.times, table.tags, table.fields)
    return Batch(
        measurement,
        [table.times[i] for i in keep],
        {name: [column[i] for i in keep] for name, column in table.tags.items()},
        {name: [column[i] for i in keep] for name, column in table.fields.items()},
    )


def _rows(shape: Measurement, table: Table) -> Iterator[tuple[Any, ...]]:
    """Time, tags, fields of each row, in the schema's order; -0.0 is 0.0, which stores do not tell
    apart.
    """
    fields: list[Sequence[Any]] = []
    for name, kind in SCHEMA[shape.name].fields.items():
        column: Sequence[Any] = table.fields[name]
        fields.append([v if v is None else v + 0.0 for v in column] if kind is float else column)
    return zip(table.times, *(table.tags[tag] for tag in shape.tags), *fields, strict=True)


def _sum(rows: Sequence[tuple[Any, ...]]) -> Sum:
    total = 0
    for row in rows:
        digest = blake2b(repr(row).encode(), digest_size=_BITS // 8).digest()
        total += int.from_bytes(digest, "big")
    return Sum(len(rows), total % _MODULUS)
