"""Fewer packets for a device whose tables are known: which columns and scalars are asked together.

What a device told last says how long its tables are and how many octets a cell takes. No sockets
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from collectors.snmp.model import Column, Oid, RawValue, Reply
from collectors.snmp.sweep.ber import arcs_content, oid_content
from collectors.snmp.sweep.requests import ROOM, Get, Plan
from collectors.snmp.sweep.together import EXACT_ROWS, Layout, Part, Place, Whole

_PACKINGS = 1024
_SAMPLED = 8
_UNKNOWN_VALUE = 12
_VARBIND, _SHORT = 6, 0x7F
"""Octets of a varbind beside OID and value; in long ones a length may take three."""
_PACKET_COST = 50
"""Cells that are read at the cost of a packet."""
_AT_ONCE = 64
"""A table of more rows is walked by itself."""
_STRATEGIES = ((True, True), (True, False), (False, True), (False, False))

Chunk = tuple[int, int]
"""Scalars from one position to another."""


class _Table(NamedTuple):
    number: int
    repetitions: int
    cells: tuple[int, ...]
    """Octets of a varbind, by column."""

    @property
    def fits(self) -> bool:
        """Whether each of its columns fits a packet."""
        return self.repetitions <= _AT_ONCE and self.repetitions * max(self.cells) <= ROOM

    @property
    def packets(self) -> int:
        """How many packets it takes by itself."""
        return -(-self.repetitions * sum(self.cells) // ROOM)


class _Needs(NamedTuple):
    """What a device told, as far as it decides how it is asked."""

    tables: tuple[_Table, ...]
    scalars: tuple[int, ...]
    """Octets of the values."""
    absent: tuple[int, ...]
    may_carry: bool


class _Bin:
    """A packet that is being filled."""

    __slots__ = ("free", "once", "places", "repetitions")

    def __init__(self, repetitions: int) -> None:
        self.repetitions = repetitions
        self.free = ROOM
        self.places: list[Place] = []
        self.once: list[Place] = []
        """Columns that had no rows: one cell shows whether they have any now."""

    @property
    def cells(self) -> int:
        """How many it is answered at most, scalars apart."""
        return self.repetitions * len(self.places) + len(self.once)


class _Plot(NamedTuple):
    """What makes one Packing differ from another of the same Plan."""

    layouts: tuple[Layout, ...]
    chunks: tuple[Chunk, ...] | None
    """Of the scalars that are asked for by GET; None for those of the plan."""
    apart: tuple[int, ...]
    may_carry: bool


class Packing:
    """How a Question is put to devices alike: `gets` first, then the `parts`, then the tables
    `apart` by themselves. What it says is shared; which one a device has is its own.
    """

    __slots__ = (
        "apart",
        "carries",
        "gets",
        "may_carry",
        "parts",
        "places",
        "sure",
        "trial",
        "whole",
        "width",
    )

    def __init__(
        self, gets: tuple[Get, ...], parts: tuple[Part, ...], apart: tuple[int, ...], carry: bool
    ) -> None:
        """`carry` is whether its scalars may go along with tables."""
        self.gets = gets
        self.parts = parts
        self.apart = apart
        self.may_carry = carry
        self.carries = any(part.scalars for part in parts)
        self.sure = self.trial = self
        found: dict[int, dict[int, int]] = {}
        for at, (table, column) in enumerate(place for part in parts for place in part.places):
            found.setdefault(table, {})[column] = at
        self.width = sum(len(part.places) for part in parts)
        self.places = tuple(
            (table, tuple(at for _, at in sorted(columns.items())))
            for table, columns in found.items()
        )
        """Where the columns of each table are among those of all parts."""
        self.whole: Whole | None = None
        """Its one request, where that brings all."""
        order = [places for _, places in sorted(self.places)]
        if self.carries and not gets and len(parts) == 1 and not apart:
            self.whole = Whole(parts[0], order)

    def proven_by(self, gets: tuple[Get, ...]) -> Packing:
        """Itself; its `trial` asks for all scalars by `gets` too, so that the agent's answers to
        both can be compared, and no living device is taken for dead as it drops the one.
        """
        if self.carries:
            self.trial = Packing(gets, self.parts, self.apart, self.may_carry)
            self.trial.sure = self
            self.trial.trial = self.trial
        return self


Learned = dict[str, "int | Packing"]
"""What is remembered of a device: rows, by a table's key; by a plan's key its Packing, or for how
many polls it has none; by a plan's `failures` how often that went wrong in a row.
"""


def pack(plan: Plan, reply: Reply, may_carry: bool = True) -> Packing | None:
    """How to ask in fewer packets for what `reply` answered; None if nothing is saved. A table that
    it lacks stays by itself.
    """
    question = plan.question
    if len(plan.tables) != len(question.tables):
        return None
    needs = _Needs(
        tuple(
            _table(number, plan, columns)
            for number, columns in enumerate(reply.tables)
            if columns is not None
        ),
        tuple(map(_size, reply.scalars)),
        tuple(place for place, value in enumerate(reply.scalars) if value is None),
        may_carry,
    )
    if needs in plan.packings:
        known: Packing | None = plan.packings[needs]
        return known
    packing = _worked_out(plan, needs)
    if len(plan.packings) >= _PACKINGS:
        plan.packings.clear()
    plan.packings[needs] = packing
    return packing


def _worked_out(plan: Plan, needs: _Needs) -> Packing | None:
    together = sorted((one for one in needs.tables if one.fits), key=_by_rows)
    packed = {one.number for one in together}
    scalars = [
        _varbind(len(oid_content(oid)), size)
        for oid, size in zip(plan.question.scalars, needs.scalars, strict=True)
    ]
    alone = _chunks(scalars)
    chunks = alone if len(alone) < len(plan.gets) else None
    usual = len(plan.gets) + sum(one.packets for one in together)
    needed = sum(one.repetitions * len(one.cells) for one in together)
    best, found = usual * _PACKET_COST, None
    for latest_first, alike in _STRATEGIES:
        bins = _filled(together, latest_first, alike, needs.may_carry)
        carried = _carried(scalars, bins) if needs.may_carry and scalars else None
        packets = len(bins) + (0 if carried else min(len(alone), len(plan.gets)))
        cost = packets * _PACKET_COST + sum(one.cells for one in bins) - needed
        if packets < usual and cost < best:
            best = cost
            found = _Plot(
                tuple(_layouts(bins, carried, needs.absent)), () if carried else chunks,
                tuple(number for number in range(len(plan.tables)) if number not in packed),
                needs.may_carry,
            )  # fmt: skip
    return None if found is None else _made(plan, found)


def _made(plan: Plan, plot: _Plot) -> Packing:
    """The Packing of a plot: the same one for all devices."""
    packing = plan.packings.get(plot)
    if packing is None:
        scalars = plan.question.scalars
        gets = plan.gets
        if plot.chunks is not None:
            gets = tuple(Get(scalars[a:b], range(a, b)) for a, b in plot.chunks)
        parts = tuple(Part(plan, layout) for layout in plot.layouts)
        packing = Packing(gets, parts, plot.apart, plot.may_carry).proven_by(plan.gets)
        if len(plan.packings) >= _PACKINGS:
            plan.packings.clear()
        plan.packings[plot] = packing
    return packing


def _by_rows(table: _Table) -> int:
    return -table.repetitions


def _table(number: int, plan: Plan, columns: Sequence[Column]) -> _Table:
    rows = max(map(len, columns), default=0) + 1
    if rows > EXACT_ROWS:
        rows += -rows % 4
    contents = [column.content for column in plan.tables[number].columns]
    return _Table(number, rows, tuple(map(_cell, contents, columns)))


def _cell(content: bytes, column: Column) -> int:
    """Octets that a varbind of this column takes on average, to a multiple of 4: devices that say
    much the same shall be asked the same.
    """
    size = _UNKNOWN_VALUE
    index: Oid = ()
    if column:
        sample = list(islice(column.values(), _SAMPLED))
        size = -(-sum(map(_size, sample)) // len(sample))
        index = max(column)
    return -(-_varbind(len(content) + len(arcs_content(index)), size) // 4) * 4


def _varbind(oid: int, size: int) -> int:
    """Octets of a varbind of an OID and a value of so many."""
    whole = oid + size + _VARBIND
    return whole if whole <= _SHORT else whole + 6


def _size(value: RawValue | None) -> int:
    """Octets of a value: of numbers such as they become, of text what comes near."""
    if value is None:
        return _UNKNOWN_VALUE
    if isinstance(value, int):
        return 3 if value < 1 << 15 else 5 if value < 1 << 31 else 8
    return (len(value) + 4) // 4 * 4


def _filled(
    tables: Iterable[_Table], latest_first: bool, alike: bool, may_carry: bool
) -> list[_Bin]:
    """Columns in packets; only tables that are about as long in the same one if `alike`. Those
    without rows are asked once beside any other, where the agent `may_carry` so.
    """
    bins: list[_Bin] = []
    for number, repetitions, cells in tables:
        is_empty = may_carry and repetitions == 1
        for column, cell in enumerate(cells):
            for one in reversed(bins) if latest_first else bins:
                if cell * (1 if is_empty else one.repetitions) <= one.free and (
                    is_empty or not alike or one.repetitions <= 2 * repetitions
                ):
                    break
            else:
                one = _Bin(repetitions)
                bins.append(one)
            if is_empty and one.repetitions > 1:
                one.free -= cell
                one.once.append((number, column))
            else:
                one.free -= cell * one.repetitions
                one.places.append((number, column))
    return bins


def _carried(scalars: Sequence[int], bins: Sequence[_Bin]) -> list[Chunk] | None:
    """Which scalars each packet takes along; None if they do not all find room."""
    chunks, end = [], 0
    for one in bins:
        begin, free = end, one.free
        while end < len(scalars) and scalars[end] <= free:
            free -= scalars[end]
            end += 1
        chunks.append((begin, end))
    return chunks if end == len(scalars) and bins else None


def _chunks(scalars: Sequence[int]) -> tuple[Chunk, ...]:
    """Scalars in as few GETs as their sizes allow."""
    chunks, begin, free = [], 0, ROOM
    for place, size in enumerate(scalars):
        if size > free and place > begin:
            chunks.append((begin, place))
            begin, free = place, ROOM
        free -= size
    return (*chunks, (begin, len(scalars))) if scalars else ()


def _layouts(
    bins: Sequence[_Bin], carried: Sequence[Chunk] | None, absent: Sequence[int]
) -> Iterable[Layout]:
    """Those that carry scalars first: the device's identity is among them."""
    chunks = carried or [(0, 0)] * len(bins)
    for (begin, end), one in sorted(
        zip(chunks, bins, strict=True), key=lambda pair: pair[0][0] == pair[0][1]
    ):
        lacks = tuple(place - begin for place in absent if begin <= place < end)
        places = (*one.once, *one.places)
        yield Layout(one.repetitions, places, begin, end, lacks, len(one.once))
