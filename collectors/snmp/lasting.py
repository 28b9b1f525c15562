"""Tables whose rows last as long as the agent runs: once a device's rows are known, only the cells
in use are asked, by GET beside the scalars, and the table is not walked.

What names a row is asked with it. Where that or anything else is not what it was (a name, the
state of a port that decides which is the uplink, a cell that is gone, the number of interfaces, a
row that other tables speak of for the first time), nothing of it is believed and the device is
walked again in the same poll.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from collectors.snmp.expressions import rows_of
from collectors.snmp.interfaces import TABLE, InterfacePlan, KeptColumns, KeptRow
from collectors.snmp.layout import ALL, INDEX, Columns, Context, Join, Layout, Use
from collectors.snmp.model import Oid, Question, RawValue, Reply

IF_NUMBER: Oid = (1, 3, 6, 1, 2, 1, 2, 1, 0)
MOST_CELLS = 64
"""Of one table; where more are in use, walking it costs no more."""
MOST_QUESTIONS, MOST_HABITS = 384, 4096
"""So many different ones for all devices together; a device beyond them is walked each time."""
_LASTS = ("name", "description", "type")
"""What of an interface lasts."""
_MOST_ARCS, _MOST_ARC = 128, 2**32 - 1


@dataclass(frozen=True, slots=True)
class LastingTable:
    """A table with lasting rows: its place, the OIDs of its columns, and who uses what of it."""

    name: str
    place: int
    oids: tuple[Oid, ...]
    columns: Mapping[str, int]
    uses: tuple[Use, ...]
    joins: tuple[tuple[int, Join], ...]
    """Who joins its rows, each with the place of the table that does."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Habit:
    """What is asked of devices with the same rows, and how their replies are read."""

    question: Question
    fixed_at: int
    """Where the profile's own scalars end and the values begin that must be `fixed`."""
    fixed: tuple[RawValue, ...]
    live_at: int
    counted: bool
    """Whether the number of interfaces is asked, right before `live_at`."""
    tables: tuple[Rows | KeptRows | None, ...]
    """How to make each table of the profile; None for one that is walked."""
    joins: tuple[tuple[int, Join, frozenset[Any]], ...]
    """Rows of other tables, and what of them may be joined."""

    def opened(self, reply: Reply, number: RawValue | None) -> Reply | None:
        """`reply` to `question` as one to the profile's question; None if something moved.
        `number` is how many interfaces there were.
        """
        scalars, at = reply.scalars, self.live_at
        live = scalars[at:]
        if None in live or tuple(scalars[self.fixed_at : self.fixed_at + len(self.fixed)]) != (
            self.fixed
        ):
            return None
        if self.counted and number is not None and scalars[at - 1] != number:
            return None
        walked = iter(reply.tables)
        tables = [next(walked, None) if one is None else one.columns(live) for one in self.tables]
        for place, join, known in self.joins:
            table = tables[place]
            for row in rows_of(table or ()):
                if tuple([one(table or (), row) for one in join.ours]) not in known:
                    return None
        return Reply(scalars[: self.fixed_at], tables, reply.error)

    def broken(self, reply: Reply) -> Reply:
        """The same of a reply that came only in part: what lasts is unknown."""
        walked = iter(reply.tables)
        tables = [next(walked, None) if one is None else None for one in self.tables]
        return Reply(reply.scalars[: self.fixed_at], tables, reply.error)


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of the rows in use: index and place of each cell among those asked."""

    cells: tuple[tuple[tuple[Oid, int], ...], ...]
    known: tuple[Mapping[Oid, RawValue], ...]
    """What was the same again, by column."""

    def columns(self, live: Sequence[RawValue | None]) -> list[dict[Oid, Any]]:
        """The table, of the cells that were asked."""
        return [
            {**known, **{index: live[place] for index, place in cells}} if known else
            {index: live[place] for index, place in cells}
            for cells, known in zip(self.cells, self.known, strict=True)
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeptRows:
    """The interface table: names of the rows in use, and where the counters of those kept are."""

    known: tuple[Mapping[Oid, RawValue], ...]
    kept: tuple[KeptRow, ...]
    others: frozenset[str]

    def columns(self, live: Sequence[RawValue | None]) -> KeptColumns:
        """The table, of the cells that were asked."""
        return KeptColumns(self.known, self.kept, self.others, live)


@dataclass
class _Asking:
    """What a habit will ask, while it is made."""

    fixed: dict[Oid, RawValue] = field(default_factory=dict)
    live: list[Oid] = field(default_factory=list)

    def ask(self, oid: Oid) -> int:
        self.live.append(oid)
        return len(self.live) - 1


class Habits:
    """The habits of all devices; those with the same rows share one, and its question."""

    def __init__(self) -> None:
        self._questions: WeakValueDictionary[Any, Question] = WeakValueDictionary()
        self._habits: WeakValueDictionary[Any, Habit] = WeakValueDictionary()

    def of(
        self, lasting: Lasting, question: Question, context: Context, device: Device
    ) -> Habit | None:
        """What to ask of a device that said `context` to `question` of its profile; None where
        walking is as good.
        """
        asking, tables = _Asking(), dict[int, Rows | KeptRows]()
        joins: list[tuple[int, Join, frozenset[Any]]] = []
        for table in lasting.tables:
            columns = context.tables[table.place]
            if columns is None:
                continue
            mine = _Asking()
            made = lasting.made(table, columns, context, device, mine)
            if made is None or len(mine.fixed) + len(mine.live) > MOST_CELLS:
                continue
            rows, its_joins = made
            first = len(asking.live)
            tables[table.place] = _moved(rows, first)
            asking.fixed |= mine.fixed
            asking.live += mine.live
            joins += its_joins
        asked = (*asking.fixed, *asking.live)
        if not tables or not all(len(oid) <= _MOST_ARCS and max(oid) <= _MOST_ARC for oid in asked):
            return None
        counted = device.counts and any(isinstance(one, KeptRows) for one in tables.values())
        scalars = (*asking.fixed, *((IF_NUMBER,) if counted else ()), *asking.live)
        key = (question, scalars, frozenset(tables))
        shared = self._questions.get(key)
        if shared is None:
            if len(self._questions) >= MOST_QUESTIONS:
                return None
            walked = [
                columns for place, columns in enumerate(question.tables) if place not in tables
            ]
            shared = Question((*question.scalars, *scalars), tuple(walked))
            self._questions[key] = shared
        fixed_at = len(question.scalars)
        made_tables = tuple(tables.get(place) for place in range(len(question.tables)))
        fixed = tuple(asking.fixed.values())
        same = (
            shared,
            fixed,
            repr(made_tables),
            repr([(place, known) for place, _, known in joins]),
        )
        habit = self._habits.get(same)
        if habit is None and len(self._habits) < MOST_HABITS:
            habit = Habit(
                shared, fixed_at, fixed, fixed_at + len(fixed) + counted, counted, made_tables,
                tuple(joins),
            )  # fmt: skip
            self._habits[same] = habit
        return habit


@dataclass(frozen=True, slots=True)
class Device:
    """What of a device decides what it is asked: see `InterfacePlan.read`."""

    address_index: int | None
    radios: frozenset[str]
    counts: bool = True
    """Whether an agent that lacks a scalar costs no further request: not so in SNMPv1."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """The lasting tables of a profile."""

    tables: tuple[LastingTable, ...]
    interfaces: InterfacePlan

    def made(
        self, table: LastingTable, columns: Columns, context: Context, device: Device,
        asking: _Asking,
    ) -> tuple[Rows | KeptRows, list[tuple[int, Join, frozenset[Any]]]] | None:  # fmt: skip
        """What is asked of one table, added to `asking`, and how it is made of that again."""
        joined: dict[Any, None] = {}
        keys: list[tuple[int, Join, set[Any]]] = []
        rows = rows_of(columns)
        for place, join in table.joins:
            theirs = context.tables[place] or ()
            seen = {tuple([one(theirs, row) for one in join.ours]) for row in rows_of(theirs)}
            keys.append((place, join, seen))
            joined |= dict.fromkeys(
                row for row in rows if tuple([one(columns, row) for one in join.theirs]) in seen
            )
        if table.name == TABLE:
            made: Rows | KeptRows = _kept(
                self.interfaces, table, columns, device, list(joined), asking=asking
            )
            joined |= dict.fromkeys(next(iter(made.known), {}))
        else:
            made = _rows(table, columns, rows, joined, asking)
        found = [
            (
                place, join,
                frozenset(seen | {tuple([o(columns, row) for o in join.theirs]) for row in joined}),
            )
            for place, join, seen in keys
        ]  # fmt: skip
        return made, found


def _rows(
    table: LastingTable, columns: Columns, rows: Sequence[Any], joined: Mapping[Any, None],
    asking: _Asking,
) -> Rows:  # fmt: skip
    fixed: list[dict[Oid, RawValue]] = [{} for _ in columns]
    live: list[dict[Oid, None]] = [{} for _ in columns]
    for use in table.uses:
        chosen = [
            row
            for row in rows
            if (not use.joins or row in joined) and (use.keep is None or use.keep(columns, row))
        ]
        for name in use.where:
            if name in table.columns:
                place = table.columns[name]
                fixed[place] |= {
                    row: columns[place][row] for row in chosen if row in columns[place]
                }
        places = range(len(columns)) if use.column == ALL else [table.columns[str(use.column)]]
        for place in places:
            live[place] |= dict.fromkeys(row for row in chosen if row in columns[place])
    cells = []
    for place, oid in enumerate(table.oids):
        for row, value in fixed[place].items():
            asking.fixed[(*oid, *row)] = value
        cells.append(
            tuple((row, asking.ask((*oid, *row))) for row in live[place] if row not in fixed[place])
        )
    return Rows(tuple(cells), tuple(fixed))


def _kept(
    plan: InterfacePlan, table: LastingTable, columns: Columns, device: Device,
    joined: Sequence[Any], *, asking: _Asking,
) -> KeptRows:  # fmt: skip
    chosen = plan.chosen(columns, device.address_index, device.radios)
    known: list[dict[Oid, RawValue]] = [{} for _ in columns]
    status = plan.columns.get("status")
    watched = dict.fromkeys(chosen.deciding)
    kept = []
    in_use: dict[Any, None] = {}
    for index, name, role, is_up in chosen.kept:
        places = plan.counters_of(columns, index)
        if places is None:
            continue
        rx, tx, limit = places
        is_busy = bool(columns[rx][index] or columns[tx][index])
        if not is_busy and role != "uplink":
            watched[index] = None
        if not (is_busy or is_up or role == "uplink"):
            continue
        in_use[index] = None
        since = plan.columns.get("discontinuity")
        kept.append(
            KeptRow(
                name, role,
                asking.ask((*table.oids[rx], *index)), asking.ask((*table.oids[tx], *index)), limit,
                None if since is None or index not in columns[since]
                else asking.ask((*table.oids[since], *index)),
                is_busy, name in chosen.by_radio,
            )
        )  # fmt: skip
    for index in (*in_use, *joined):
        for column in ("name", "description"):
            place = plan.columns.get(column)
            if place is not None and index in columns[place]:
                known[place][index] = columns[place][index]
                asking.fixed[(*table.oids[place], *index)] = columns[place][index]
        place = plan.columns.get("type")
        if place is not None and index in columns[place]:
            known[place][index] = columns[place][index]
    if status is not None:
        for index in watched:
            if index in columns[status]:
                asking.fixed[(*table.oids[status], *index)] = columns[status][index]
    return KeptRows(tuple(known), tuple(kept), chosen.others)


def _moved(rows: Rows | KeptRows, by: int) -> Rows | KeptRows:
    """The same with all places `by` further on."""
    if not by:
        return rows
    if isinstance(rows, Rows):
        cells = [tuple((index, place + by) for index, place in column) for column in rows.cells]
        return Rows(tuple(cells), rows.known)
    return KeptRows(rows.known, tuple(one.moved(by) for one in rows.kept), rows.others)


def lasting_of(layout: Layout, interfaces: InterfacePlan) -> Lasting:
    """The tables of a profile that need not be walked each time."""
    tables = []
    for place, (name, columns) in enumerate(layout.asked.items()):
        spec = layout.specs[name]
        if not spec.lasting:
            continue
        uses = tuple(use for use in layout.uses if use.table == name)
        joins = tuple(join for join in layout.joins if join.table == name)
        if not all(_can(use, name, columns, spec.parts) for use in uses) or not all(
            _can_join(join, layout, name) for join in joins
        ):
            continue
        order = list(layout.asked)
        by = tuple((order.index(join.by), join) for join in joins if join.by in layout.asked)
        tables.append(
            LastingTable(
                name, place, tuple(spec.columns[column] for column in columns), columns, uses, by
            )
        )
    return Lasting(tuple(tables), interfaces)


def _can(use: Use, table: str, columns: Mapping[str, int], parts: Mapping[str, int]) -> bool:
    """Whether what is used of a table's rows can be asked by GET: a count of rows cannot, since it
    takes a walk to find a new one.
    """
    if table == TABLE:
        return use.joins and all(one in _LASTS for one in (use.column, *use.where))
    return (use.column == ALL or use.column in columns) and all(
        one in columns or one in parts for one in use.where
    )


def _can_join(join: Join, layout: Layout, table: str) -> bool:
    """Whether the rows that are joined can be told by what lasts of them."""
    lasts = {INDEX, *layout.specs[table].parts, *(_LASTS if table == TABLE else ())}
    return set(join.names) <= lasts and layout.specs[join.by].named is None
