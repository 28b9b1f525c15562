"""The first answer to a packet that several tables share, read at once where it has the shape of
one before (see `shapes`): the rows of devices alike differ in their values alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, NamedTuple

from collectors.snmp.model import Oid, RawValue
from collectors.snmp.sweep.ber import OCTETS, pair_at, value_of
from collectors.snmp.sweep.fast import Column, Rows
from collectors.snmp.sweep.shapes import (
    EVERY,
    PAUSE,
    SHAPES,
    TRIAL,
    TRUST,
    Odd,
    code_of,
    is_short_number,
)

_from_bytes = int.from_bytes
_tuple = tuple.__new__
_Cells = tuple[tuple[Oid, ...], slice]
"""Indexes of a column, and where their values are."""


class _Shape(NamedTuple):
    unpack: Callable[[bytes, int], tuple[Any, ...]]
    heads: tuple[bytes, ...]
    numbers: tuple[int, ...]
    odd: tuple[Odd, ...]
    lacks: tuple[int, ...]
    """Scalars that the agent has not."""
    cells: tuple[_Cells, ...]
    reached: list[Oid]
    ended: list[bool]
    is_whole: bool


class Known(NamedTuple):
    """A reading by shape: scalars, columns of rows, the last index of each column, which columns
    ended; and whether that is all there is to say, as it was foreseen (see `Part.foresaw`).
    """

    scalars: list[RawValue | None]
    columns: list[dict[Oid, RawValue]]
    reached: list[Oid]
    ended: list[bool]
    is_whole: bool


class PartShapes:
    """Shapes of answers that hold `scalars` and then rows of `columns`."""

    __slots__ = ("_columns", "_once", "_scalars", "_shapes", "_trust")

    def __init__(self, scalars: int, columns: Sequence[Column], once: int = 0) -> None:
        """`scalars` is how many there are; the first `once` columns had no rows, and one cell of
        each shows that.
        """
        self._once = once
        self._scalars = scalars
        self._columns = columns
        self._shapes: dict[int, _Shape] = {}
        self._trust = TRUST

    def read(self, data: bytes, at: int) -> Known | None:
        """The scalars and rows in the varbinds, which begin at `at` and end with the data; None if
        they must be read one by one.
        """
        trust = self._trust
        if trust <= 0:
            self._trust = trust + 1 if trust else TRIAL
            return None
        shape = self._shapes.get(len(data) - at)
        if shape is None:
            return None
        unpack, heads, numbers, odd, lacks, cells, reached, ended, is_whole = shape
        parts = unpack(data, at)
        if parts[::2] != heads:
            self._trust = trust - 1 if trust > 1 else -PAUSE
            return None
        if trust < TRUST:
            self._trust = trust + 2
        values: list[Any] = list(parts[1::2])
        for place in numbers:  # some twenty in each answer
            content = values[place]
            if content >= b"\x80":
                return None
            values[place] = _from_bytes(content, "big")
        for place, tag in odd:
            value = values[place] = value_of(tag, values[place])
            if value is None:
                if place >= self._scalars:
                    return None
                is_whole = False
        for place in lacks:
            values[place] = None
        # Nobody changes what all answers of a shape share.
        found: list[dict[Oid, RawValue]] = [
            dict(zip(indexes, values[where], strict=True)) if indexes else {}
            for indexes, where in cells
        ]
        return _tuple(Known, (values[: self._scalars], found, reached, ended, is_whole))

    def learn(
        self, data: bytes, at: int, scalars: Sequence[RawValue | None], rows: Rows, is_whole: bool
    ) -> None:
        """Remember the shape of an answer that was read one by one as `scalars` and `rows`."""
        size = len(data) - at
        trust = self._trust
        if rows[3] or trust <= 0 or (size in self._shapes and trust % EVERY):
            return
        shape = self._shape(data, at, scalars, rows, is_whole)
        if shape is not None:
            if len(self._shapes) >= SHAPES:
                self._shapes.clear()
            self._shapes[size] = shape

    def _shape(
        self, data: bytes, at: int, scalars: Sequence[RawValue | None], rows: Rows, is_whole: bool
    ) -> _Shape | None:
        found, reached, ended, _ = rows
        once = self._once
        width, begin, place = len(self._columns) - once, len(scalars) + once, 0
        code, heads = ">", []
        numbers: list[int] = []
        odd: list[Odd] = []
        indexes: list[list[Oid | None]] = [[] for _ in found]
        while at < len(data):
            pair = pair_at(data, at)
            if pair is None:
                return None
            content, tag, start, end = pair
            its = code_of(tag, end - start)
            code += f"{start - at}s{its}"
            heads.append(data[at:start])
            if place < begin:
                is_used = place < len(scalars) and scalars[place] is not None
            else:
                number = once + (place - begin) % width
                is_used = len(indexes[number]) < len(found[number])
                if is_used:
                    indexes[number].append(self._columns[number].index_of(content, tag))
            if is_used and its[-1] == "s" and is_short_number(tag, end - start):
                numbers.append(place)
            elif is_used and its[-1] == "s" and tag != OCTETS:
                odd.append((place, tag))
            place, at = place + 1, end
        if any(its != list(cells) for its, cells in zip(indexes, found, strict=True)):
            return None  # something among the rows was left out
        cells = tuple(
            (
                tuple(column),
                slice(place, place + width * len(column), width) if column else slice(0),
            )
            for place, column in enumerate(found, begin - once)
        )
        lacks = tuple(number for number, value in enumerate(scalars) if value is None)
        unpack = Struct(code).unpack_from
        return _Shape(
            unpack, tuple(heads), tuple(numbers), tuple(odd), lacks, cells, reached, ended, is_whole
        )
