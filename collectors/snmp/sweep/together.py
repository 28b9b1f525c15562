"""Asking for columns of several tables and some scalars in one GETBULK: the columns are its
repeaters, the scalars its non-repeaters, and columns that had no rows, too: one cell shows whether
they have any now. No sockets here.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any, NamedTuple

from collectors.snmp.model import Oid, RawValue, Reply
from collectors.snmp.sweep import ber
from collectors.snmp.sweep.ber import END_OF_VIEW, OCTETS, oid_of, pair_at, value_of
from collectors.snmp.sweep.fast import Column, Rows, read_rows
from collectors.snmp.sweep.part_shapes import Known, PartShapes
from collectors.snmp.sweep.requests import Plan, Template
from collectors.snmp.sweep.tables import Walk

_from_bytes = int.from_bytes
_NUMBER, _ABSENT = 1, 0
_SIZES = {
    ber.INTEGER: 4, ber.COUNTER32: 4, ber.GAUGE32: 4, ber.TICKS: 4, ber.COUNTER64: 8,
}  # fmt: skip
_HEADS = 256
EXACT_ROWS = 8
"""Up to so many rows, what is asked for is what there was, and is let be when there are fewer."""

Place = tuple[int, int]
"""Number of a table and of a column in it."""


class Layout(NamedTuple):
    """What one GETBULK asks: its repetitions, columns, and the scalars from `begin` to `end`."""

    repetitions: int
    places: tuple[Place, ...]
    begin: int = 0
    end: int = 0
    absent: tuple[int, ...] = ()
    """Those of them that the agent is known to lack, counted from `begin`."""
    once: int = 0
    """So many of the columns, the first ones, had no rows and are asked for one cell only."""


def before(oid: Oid) -> Oid:
    """An OID that `oid` is the next one of. For one that ends in 0 there is none between; for
    others the answer says.
    """
    return oid[:-1] if oid[-1] == 0 else (*oid[:-1], oid[-1] - 1)


class Scalar:
    """A scalar that is asked for as what follows another OID. `heads` knows what the octets before
    the value of the usual answers say: the tag (_NUMBER for one that needs no closer look, _ABSENT
    if they are those of a later OID) and the length.
    """

    __slots__ = ("heads", "oid")

    def __init__(self, oid: Oid) -> None:
        self.oid = oid
        self.heads: dict[bytes, tuple[int, int]] = {}

    def learn(self, data: bytes, at: int) -> tuple[int, int, int] | None:
        """Tag, start and stop of the value at `at`; None if nothing can be said of the scalar."""
        pair = pair_at(data, at)
        oid = None if pair is None else oid_of(pair[0])
        if pair is None or oid is None or not self.is_told(oid, pair[1]):
            return None
        _, tag, start, stop = pair
        if oid != self.oid or tag == END_OF_VIEW:
            tag = _ABSENT
        elif 0 < stop - start <= _SIZES.get(tag, 0):
            tag = _NUMBER
        if start == at + data[at + 3] + 6 and data[at + 1] < 0x80:  # all lengths are short
            if len(self.heads) >= _HEADS:
                self.heads.clear()
            self.heads[data[at:start]] = tag, stop - start
        return tag, start, stop

    def is_told(self, oid: Oid, tag: int) -> bool:
        """Whether an answer with this OID says what the scalar is, or that there is none."""
        return oid >= self.oid or (tag == END_OF_VIEW and oid == before(self.oid))


def read_empty(data: bytes, at: int, columns: Sequence[Column]) -> int | None:
    """Where the cells end that show that `columns` have no rows; None if one has, or is encoded in
    some other way.
    """
    try:
        for column in columns:
            start = at + data[at + 3] + 6
            head = data[at:start]
            cell = column.heads.get(head) or column.learn(head)
            if cell is None or cell[0] is not None:
                return None
            at = start + cell[2]
    except IndexError:
        return None
    return at


def read_scalars(
    data: bytes, at: int, scalars: Sequence[Scalar]
) -> tuple[list[RawValue | None], int] | None:
    """The values of `scalars` in this order and where they end; None if the answer, which begins
    at `at`, leaves one open or is encoded in some other way.
    """
    values: list[RawValue | None] = []
    try:
        for one in scalars:
            start = at + data[at + 3] + 6
            known = one.heads.get(data[at:start])
            if known is not None:
                tag, length = known
                at = start + length
            else:
                learned = one.learn(data, at)
                if learned is None:
                    return None
                tag, start, at = learned
            content = data[start:at]
            if tag == OCTETS:
                values.append(content)
            elif tag == _NUMBER and content < b"\x80":
                values.append(_from_bytes(content, "big"))
            elif tag == _ABSENT:
                values.append(None)
            else:
                values.append(value_of(data[start - 2] if tag == _NUMBER else tag, content))
    except IndexError:
        return None
    return values, at


class Part:
    """The request of a Layout, as a `Walk` begins with it."""

    __slots__ = (
        "_first", "absent", "begin", "columns", "guessed_rows", "name", "oids", "once", "places",
        "scalars", "shapes",
    )  # fmt: skip

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.places = layout.places
        self.guessed_rows = layout.repetitions
        tables = [plan.tables[table] for table in dict.fromkeys(t for t, _ in layout.places)]
        self.name = ", ".join(table.name for table in tables)
        self.columns: tuple[Column, ...] = tuple(
            plan.tables[table].columns[column] for table, column in layout.places
        )
        self.oids = tuple(plan.tables[table].oids[column] for table, column in layout.places)
        self.begin, self.once = layout.begin, layout.once
        scalars = plan.question.scalars[layout.begin : layout.end]
        self.scalars = tuple(map(Scalar, scalars))
        self.absent = frozenset(layout.absent)
        self.shapes = PartShapes(len(scalars), self.columns, layout.once)
        contents = [ber.oid_content(before(oid)) for oid in scalars]
        contents += [column.content for column in self.columns]
        numbers = ber.integer(len(scalars) + layout.once) + ber.integer(layout.repetitions)
        self._first = Template(ber.GET_BULK, contents, numbers)

    def agrees(self, values: Sequence[RawValue | None]) -> bool:
        """Whether the scalars that an answer lacks are those that the agent is known to lack."""
        absent = self.absent
        return values.count(None) == len(absent) and all(values[place] is None for place in absent)

    def fits(self, columns: Sequence[Sized]) -> bool:
        """Whether what it asks for is about right for the rows that there were."""
        if any(map(len, columns[: self.once])):
            return False
        longest, asked = max(map(len, columns)), self.guessed_rows
        return longest < asked <= 2 * longest + EXACT_ROWS

    def foresaw(self, values: Sequence[RawValue | None], rows: Rows) -> bool:
        """Whether an answer holds all that the part asks, and nothing that was not foreseen."""
        columns, _, ended, stuck = rows
        return not stuck and all(ended) and self.agrees(values) and self.fits(columns)

    def first(self, _repetitions: int) -> Template:
        """The request that begins the walk."""
        return self._first


class Together(Walk):
    """The walk of a Part. `values` are the scalars that it carries, after its first answer; None
    where the answer left one open.
    """

    __slots__ = ("_first_of_all", "_is_fresh", "_waiting", "part", "values")

    def __init__(self, part: Part, patient: bool) -> None:
        """It is `patient` where nothing says yet that the device lives."""
        super().__init__(part, part.guessed_rows)
        self.part = part
        self.values: list[RawValue | None] | None = None
        self._waiting = len(part.scalars)
        self._first_of_all = patient
        self._is_fresh = True

    @property
    def patient(self) -> bool:
        """See `Request.patient`: what is lost is asked for table by table."""
        return self._first_of_all

    @property
    def most_pairs(self) -> int:
        """See `Request.most_pairs`."""
        once = self.part.once if self._is_fresh else 0
        return self._waiting + once + self._asked * (len(self.open) - once)

    def read(self, data: bytes, at: int) -> Rows | None:
        """See `Request.read`."""
        if not self._is_fresh:
            return super().read(data, at)
        shapes = self.part.shapes
        known = shapes.read(data, at)
        if known is not None:
            return self.take(known)
        told = read_scalars(data, at, self.part.scalars)
        if told is None:
            return None
        once = self.part.once
        self.values, begin = told
        end = read_empty(data, begin, self.open[:once]) if once else begin
        found = None if end is None else read_rows(data, end, self.open[once:], self._last[once:])
        if found is None or max(map(len, found[0])) > self._asked:
            return None
        cells, reached, ended, stuck = found
        if once:
            cells = [*[{} for _ in range(once)], *cells]
            reached, ended = [*self._last[:once], *reached], [*[True] * once, *ended]
        found = cells, reached, ended, stuck
        shapes.learn(data, at, self.values, found, self.part.foresaw(self.values, found))
        return found

    def take(self, known: Known) -> Rows:
        """A reading by shape as one of this walk."""
        self.values, columns, reached, ended, _ = known
        return columns, reached, ended, False

    def read_pairs(self, pairs: Sequence[ber.Pair], once: int = 0) -> Rows:
        """See `Walk.read_pairs`; `once` is what the part says."""
        told = list(zip(self.part.scalars, pairs[: self._waiting], strict=False))
        if self._waiting:
            sound = len(told) == self._waiting and all(
                one.is_told(pair.oid, pair.tag) for one, pair in told
            )
            self.values = (
                [pair.value if pair.oid == one.oid else None for one, pair in told]
                if sound
                else None
            )
        once = self.part.once if self._is_fresh else 0
        return super().read_pairs(pairs[self._waiting :], once)

    def accept(self, rows: Rows) -> None:
        """See `Walk.accept`."""
        self._waiting = 0
        self._first_of_all = self._is_fresh = False
        super().accept(rows)

    def finished(self) -> list[dict[Oid, RawValue] | None]:
        """The columns; None for those that were not read to their end."""
        unread = set(range(len(self.columns)) if self.broken else self._active)
        return [None if number in unread else cells for number, cells in enumerate(self.columns)]

    @property
    def fits(self) -> bool:
        """Whether what it asked for was about right for the rows that there were."""
        return self.part.fits(self.columns)


class Begun(NamedTuple):
    """A walk whose first request was sent, and what that met with: rows that it has yet to accept,
    a `Message`, or an exception.
    """

    walk: Together
    found: Any


class Whole:
    """A Part that is all that is asked, and its usual answer: one object for all devices, as it
    knows of none. What is not usual is begun as a walk.
    """

    __slots__ = ("_first", "_part", "_places", "most_pairs")
    patient = True

    def __init__(self, part: Part, places: Sequence[Sequence[int]]) -> None:
        """`places` are those of the columns of each table among the part's."""
        self._part = part
        self._places = tuple(map(tuple, places))
        self._first = part.first(part.guessed_rows)
        self.most_pairs = Together(part, True).most_pairs

    def packet(self, head: bytes, request_id: bytes) -> bytes:
        """See `Request.packet`."""
        return self._first.packet(head, request_id)

    def begun(self, found: Any) -> Begun:
        """A walk that met with `found`."""
        return Begun(Together(self._part, True), found)

    def read(self, data: bytes, at: int) -> Reply | Begun | None:
        """The reply to the question; a walk where there is more to it."""
        known = self._part.shapes.read(data, at)
        if known is not None and known.is_whole:
            columns = known.columns
            return Reply(known.scalars, [[columns[place] for place in its] for its in self._places])
        walk = Together(self._part, True)
        rows = walk.read(data, at) if known is None else walk.take(known)
        return None if rows is None else Begun(walk, rows)
