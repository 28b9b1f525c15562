"""Which tables of a profile keep their rows as long as the agent runs, which of their cells are in
use, and how the tables are made of those cells again: see habits.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors.snmp.expressions import rows_of
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


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of the rows in use, and where their cells are among those asked."""

    cells: tuple[tuple[tuple[Oid, ...], int], ...]
    """By column: the indexes, and the place of the first; the others follow it."""
    known: tuple[LastingCells, ...]
    """What was the same again, by column."""

    def moved(self, by: int) -> Rows:
        """The same with all places `by` further on."""
        return Rows(tuple((indexes, place + by) for indexes, place in self.cells), self.known)

    def columns(self, live: Sequence[RawValue | None]) -> list[Column]:
        """The table, of the cells that were asked."""
        found: list[Column] = []
        for (indexes, place), known in zip(self.cells, self.known, strict=True):
            if indexes:
                cells: Any = dict(zip(indexes, live[place : place + len(indexes)], strict=True))
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
        return Rows(((tuple(indexes), first),), (LastingCells({}),))


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
        cells.append((asked, len(asking.live)))
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
    named = layout.specs[table].named or layout.specs[join.by].named
    return set(join.names) <= lasts and named is None
