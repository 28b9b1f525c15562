"""Which tables of a profile keep their rows as long as the agent runs, which of their cells are in
use, and how the tables are made of those cells again: see habits.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from collectors.snmp.interfaces import TABLE, InterfacePlan, KeptColumns, KeptRow, Told
from collectors.snmp.layout import (
    ALL,
    INDEX,
    Columns,
    Context,
    Join,
    LastingCells,
    Layout,
    Use,
)
from collectors.snmp.model import Column, Oid, RawValue, Reply
from collectors.snmp.named import NamedSpec, cells_in_use
from collectors.snmp.rows import rows_of

_LASTS = ("name", "description", "type")
"""What of an interface lasts."""


Joined = tuple[int, Join, frozenset[Any], frozenset[Any]]
"""Rows of another table: its place, what joins them, the values that may do so, and rows that are
known to have no others."""


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
    named: NamedSpec | None = None
    judged: frozenset[int] = frozenset()
    """Places of the columns whose values decide which rows and cells are in use."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of the rows in use, and where their cells are among those asked."""

    cells: tuple[tuple[tuple[Oid, ...], slice], ...]
    """By column: the indexes, and the places of their cells."""
    known: tuple[LastingCells, ...]
    """What was the same again, by column."""

    def moved(self, by: int) -> Rows:
        """The same with all places `by` further on."""
        cells = ((indexes, _slice(where.start + by, indexes)) for indexes, where in self.cells)
        return Rows(tuple(cells), self.known)

    def columns(self, live: Sequence[RawValue | None]) -> list[Column]:
        """The table, of the cells that were asked."""
        found: list[Column] = []
        for (indexes, where), known in zip(self.cells, self.known, strict=True):
            if len(indexes) == 1 and not known:
                found.append({indexes[0]: cast("RawValue", live[where.start])})
            elif indexes:
                cells: Any = dict(zip(indexes, live[where], strict=True))
                found.append({**known, **cells} if known else cells)
            else:
                found.append(known)
        return found


@dataclass(frozen=True, slots=True)
class KeptRows:
    """The interface table: names of the rows in use, and where the counters of those kept are."""

    known: tuple[Mapping[Oid, RawValue], ...]
    kept: tuple[KeptRow, ...]
    others: frozenset[str]
    told: Told = field(default_factory=dict, repr=False)

    def moved(self, by: int) -> KeptRows:
        """The same with all places `by` further on."""
        return KeptRows(self.known, tuple(one.moved(by) for one in self.kept), self.others)

    def columns(self, live: Sequence[RawValue | None]) -> KeptColumns:
        """The table, of the cells that were asked."""
        return KeptColumns(self.known, self.kept, self.others, live, self.told)


@dataclass
class Asking:
    """What will be asked, while that is gathered: cells that must stay what they are, and live
    ones, each known by its place.
    """

    fixed: dict[Oid, RawValue] = field(default_factory=dict)
    live: list[Oid] = field(default_factory=list)

    def ask(self, oid: Oid) -> int:
        """Ask for a live cell; its place."""
        self.live.append(oid)
        return len(self.live) - 1


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

    def traits(self, context: Context, reply: Reply) -> tuple[Any, ...]:
        """All of a reply, opened as `context`, that decides what of these tables is asked and how
        it is read: what `made` and `made_of_scripts` make of two replies alike in it is the same.
        """
        return tuple([self._traits(table, context, reply) for table in self.tables])

    def _traits(self, table: LastingTable, context: Context, reply: Reply) -> Any:
        columns = context.tables[table.place]
        if columns is None:
            return None
        if table.named is not None:
            in_use = cells_in_use(
                reply.tables[table.place] or (), table.named, table.columns, reply.scalars
            )
            listing = table.named.listing
            return tuple(in_use), None if listing is None else reply.scalars[listing]
        limits = {}
        if table.name == TABLE:
            for rx, tx, limit in self.interfaces.by_counters:
                limits[rx] = limits[tx] = limit
        judged = table.judged
        said: list[Any] = []
        first: Any = None
        for place, column in enumerate(columns):
            indexes = tuple(column)
            # Most columns have the same rows: then what they are is compared once, not hashed.
            said.append(None if indexes == first else indexes)
            first = indexes if first is None else first
            if place in limits:
                said.append(tuple([_trait(value, limits[place]) for value in column.values()]))
            elif place in judged:
                said.append(tuple(column.values()))
        for place, join in table.joins:
            theirs = context.tables[place] or ()
            rows = rows_of(theirs)
            said.append(
                tuple(rows)
                if join.by_row
                else frozenset([tuple([one(theirs, row) for one in join.ours]) for row in rows])
            )
        return tuple(said)

    def made(
        self, table: LastingTable, columns: Columns, context: Context, device: Device,
        asking: Asking,
    ) -> tuple[Rows | KeptRows, list[Joined]]:  # fmt: skip
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
                frozenset(rows_of(context.tables[place] or ()) if join.by_row else ()),
            )
            for place, join, seen in keys
        ]  # fmt: skip
        return made, found

    def made_of_scripts(
        self, table: LastingTable, spec: NamedSpec, reply: Reply, asking: Asking
    ) -> Rows:
        """The same of a table of scripts, of which all cells in use are live."""
        columns = reply.tables[table.place] or ()
        indexes = cells_in_use(columns, spec, table.columns, reply.scalars)
        first = len(asking.live)
        for one in indexes:
            asking.ask((*spec.oid, *one))
        return Rows(((tuple(indexes), _slice(first, indexes)),), (LastingCells({}),))


def _slice(first: int, indexes: Sequence[Oid]) -> slice:
    return slice(first, first + len(indexes))


def _trait(value: RawValue, limit: int) -> int:
    """What of a counter decides whether its interface is kept: none, some, or no number for it."""
    if not isinstance(value, int) or not 0 <= value < limit:
        return 2
    return 1 if value else 0


def _rows(
    table: LastingTable, columns: Columns, rows: Sequence[Any], joined: Mapping[Any, None],
    asking: Asking,
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
        asked = tuple(row for row in live[place] if row not in fixed[place])
        cells.append((asked, _slice(len(asking.live), asked)))
        for row in asked:
            asking.ask((*oid, *row))
    return Rows(tuple(cells), tuple(map(LastingCells, fixed)))


def _kept(
    plan: InterfacePlan, table: LastingTable, columns: Columns, device: Device,
    joined: Sequence[Any], *, asking: Asking,
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
        # Drivers keep a dozen unused networks ready: that one is used is found by the next walk.
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
    for index in (*in_use, *watched, *joined):
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
        if spec.named is not None and not all(use.column == ALL for use in uses):
            continue
        order = list(layout.asked)
        by = tuple((order.index(join.by), join) for join in joins if join.by in layout.asked)
        tables.append(
            LastingTable(
                name,
                place,
                tuple(spec.columns.get(column, ()) for column in columns),
                columns,
                uses,
                by,
                spec.named,
                _judged(name, columns, uses),
            )
        )
    return Lasting(tuple(tables), interfaces)


def _judged(table: str, columns: Mapping[str, int], uses: Sequence[Use]) -> frozenset[int]:
    names = {name for use in uses for name in use.where}
    if table == TABLE:
        names |= {*_LASTS, "status"}
    return frozenset(place for name, place in columns.items() if name in names)


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
    named = layout.specs[table].named or layout.specs[join.by].named
    return set(join.names) <= lasts and named is None
