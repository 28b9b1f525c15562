"""Sources of a profile compiled: rows that become radios, networks and access points, one thing
for each key, with its fields in slots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from collectors.snmp.expressions import (
    Compiled,
    Scope,
    Test,
    compile_value,
    compile_where,
)
from collectors.snmp.fields import NAME, Kind, ProfileError, known_keys
from collectors.snmp.interfaces import KeptColumns
from collectors.snmp.layout import ALL, INDEX, Cells, Columns, Context, Layout, Use
from collectors.snmp.rows import combined, rows_of
from collectors.snmp.values import name_of

Slots = list[Any]
Things = dict[Any, Slots]
_ONE_ROW: list[Any] = [()]
Names = Callable[[Context, Columns, Sequence[Any]], Sequence[str]]
"""Names of the rows at some indexes; empty, or None, where a row has none."""
_MOST_ROWS, _REMEMBERED = 32, 64
"""So many names together, and so many sets of them, are remembered of devices alike."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where things come from. `place` is that of the table; None for one thing made of scalars."""

    place: int | None
    names: Names
    keep: Test | None
    fields: tuple[tuple[int, Compiled], ...]
    """Slot and value."""
    owner: Cells | None = None
    """What ties the row to an access point."""
    speaks: frozenset[int] = frozenset()
    """The slots that it fills."""
    evident: bool = True
    """A row alone proves that the thing exists; not so where the profile itself names it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources of one kind of thing. `size` is the number of slots; one more at the end says
    whether the device itself spoke of the thing.
    """

    sources: tuple[Source, ...]
    size: int
    all_evident: bool = False
    """Whether a row alone proves the thing, in each of them."""

    def collect(self, context: Context) -> dict[Any, Things]:
        """Things by name, by owner (None where there are no owners), in the agent's order."""
        found: dict[Any, Things] = {}
        several: list[tuple[Slots, int, str]] = []
        for source in self.sources:
            table = () if source.place is None else context.tables[source.place]
            if table is not None:
                self._read(source, context, table, found, several)
        for slots, slot, how in several:
            if isinstance(slots[slot], list):
                slots[slot] = combined(slots[slot], how)
        if self.all_evident:
            return found
        size = self.size
        return {
            owner: {name: slots for name, slots in things.items() if slots[size]}
            for owner, things in found.items()
        }

    def by_row(self, context: Context, tie: Cells) -> Iterator[tuple[Any, Slots]]:
        """Each row by what `tie` says of it: access points, whose rows are not added up."""
        for source in self.sources:
            table = None if source.place is None else context.tables[source.place]
            for index in rows_of(table or ()):
                if source.keep is not None and not source.keep(table or (), index):
                    continue
                slots: Slots = [None] * self.size
                for slot, made in source.fields:
                    slots[slot] = made.get(context, table or (), index)
                yield tie(table or (), index), slots

    def missing(self, context: Context, slot: int) -> bool:
        """Whether a table broke off that has a say in `slot`: a sum would lack its rows."""
        for source in self.sources:
            place = source.place
            if place is not None and context.tables[place] is None and slot in source.speaks:
                return True
        return False

    def _read(
        self,
        source: Source,
        context: Context,
        columns: Columns,
        found: dict[Any, Things],
        several: list[tuple[Slots, int, str]],
    ) -> None:
        indexes = _ONE_ROW if source.place is None else rows_of(columns)
        keep, owner, size = source.keep, source.owner, self.size
        if keep is not None:
            indexes = [index for index in indexes if keep(columns, index)]
        if not indexes:
            return
        names = source.names(context, columns, indexes)
        things: Things | None = None
        if owner is None:
            things = found.setdefault(None, {})
            if (
                not things and source.evident and source.fields
                and all(names) and len(set(names)) == len(names)
            ):  # fmt: skip
                fresh = self._fresh(source, context, columns, indexes)
                things |= zip(names, fresh, strict=True)
                return
        kept: list[Any] = []
        rows: list[Slots] = []
        for index, name in zip(indexes, names, strict=True):
            if not name:
                continue
            if owner is not None:
                things = found.setdefault(owner(columns, index), {})
            slots = things.get(name)  # type: ignore[union-attr]  # set by now
            if slots is None:
                slots = things[name] = _new(size, source.evident)  # type: ignore[index]  # likewise
            kept.append(index)
            rows.append(slots)
        if kept:
            self._fill(source, context, columns, (kept, rows), several)

    def _fresh(
        self, source: Source, context: Context, columns: Columns, indexes: Sequence[Any]
    ) -> Iterator[Slots]:
        """The slots of rows of which each is a thing of its own, so far: made at once."""
        slots: list[Iterable[Any]] = [*[repeat(None)] * self.size, repeat(True)]
        for slot, made in source.fields:
            slots[slot] = _values(made, context, columns, indexes)
        return map(list, zip(*slots, strict=False))

    def _fill(
        self, source: Source, context: Context, columns: Columns,
        chosen: tuple[Sequence[Any], Sequence[Slots]], several: list[tuple[Slots, int, str]],
    ) -> None:  # fmt: skip
        """Put the fields of the `chosen` rows, which are indexes and slots, into these, field by
        field: half the calls of row by row.
        """
        size, (kept, rows) = self.size, chosen
        for slot, made in source.fields:
            values = _values(made, context, columns, kept)
            how, constant = made.combine, made.constant
            for slots, value in zip(rows, values, strict=True):
                if value is None:
                    continue
                if not constant:
                    slots[size] = True
                before = slots[slot]
                if before is None:
                    slots[slot] = value
                elif how == "sum":
                    slots[slot] = before + value
                elif how != "first":
                    if not isinstance(before, list):
                        before = slots[slot] = [before]
                        several.append((slots, slot, how))
                    before.append(value)


def _values(made: Compiled, context: Context, columns: Columns, kept: Sequence[Any]) -> list[Any]:
    """A field of the rows at `kept`."""
    if made.direct is None:
        get = made.get
        return [get(context, columns, index) for index in kept]
    place, finish = made.direct
    cell = columns[place].get
    return [None if raw is None else finish(raw) for raw in map(cell, kept)]


def _new(size: int, evident: bool) -> Slots:
    return [*[None] * size, evident]


def compile_sources(
    specs: Any, kinds: Mapping[str, Kind], layout: Layout, at: str, owned: bool = False
) -> Sources:
    """Sources of things with fields of `kinds`; `owned` by an access point each."""
    if not isinstance(specs, list):
        raise ProfileError(at, "must be a list of sources")
    allowed = {"table", "key", "where", "fields", *(["access_point"] if owned else [])}
    sources = []
    for number, spec in enumerate(specs):
        here = f"{at}[{number}]"
        source = compile_source(known_keys(spec, allowed, here), kinds, layout, here, owned)
        if source is not None:
            sources.append(source)
    return Sources(tuple(sources), len(kinds), all(one.evident for one in sources))


def compile_source(
    spec: Mapping[str, Any], kinds: Mapping[str, Kind], layout: Layout, at: str, owned: bool = False
) -> Source | None:
    """One source; None where this variant of the profile does not ask its table."""
    table = spec.get("table")
    place = layout.table(table, f"{at}.table") if table is not None else None
    if table is not None:
        layout.uses.append(Use(table, ALL))
    slots = {name: slot for slot, name in enumerate(kinds)}
    if owned and ("access_point" not in spec or table is None):
        raise ProfileError(at, "needs table and access_point")
    owner = layout.cell(table, spec["access_point"], f"{at}.access_point") if owned else None  # type: ignore[arg-type]  # checked above
    names, named_here = _key(spec.get("key"), layout, table, f"{at}.key")
    where = None if table is None else spec.get("where")
    keep = compile_where(where, layout, table, f"{at}.where") if table is not None else None
    fields = []
    for name, value in known_keys(spec.get("fields"), set(kinds), f"{at}.fields").items():
        made: Compiled = compile_value(
            value, kinds[name], Scope(layout, table), f"{at}.fields.{name}"
        )
        fields.append((slots[name], made))
    if table is not None and place is None:
        return None
    speaks = frozenset(slot for slot, _ in fields)
    return Source(place, names, keep, tuple(fields), owner, speaks, not named_here)


def _key(spec: Any, layout: Layout, table: str | None, at: str) -> tuple[Names, bool]:
    """What names the things, and whether that is a constant of the profile or a scalar."""
    if isinstance(spec, dict | list):
        made = compile_value(spec, NAME, Scope(layout, table), at)
        return _names(made), made.constant or table is None
    if table is None:
        raise ProfileError(at, "without a table there must be a value")
    if spec is None or spec == INDEX:
        return (lambda _context, _columns, indexes: [name_of(one) for one in indexes]), False
    cell, column = layout.cell(table, spec, at), layout.place(table, spec, at)
    if column is not None:

        def of_column(_context: Context, columns: Columns, indexes: Sequence[Any]) -> list[str]:
            get = columns[column].get
            return [name_of(get(index)) for index in indexes]

        return of_column, False
    return (
        lambda _context, columns, indexes: [name_of(cell(columns, index)) for index in indexes]
    ), False


def _names(made: Compiled) -> Names:
    get, decided_by = made.get, made.decided_by

    def names(context: Context, columns: Columns, indexes: Sequence[Any]) -> list[str]:
        return [get(context, columns, index) for index in indexes]

    if decided_by is None or len(decided_by) != 1:
        return names
    (place,) = decided_by

    def lasting(context: Context, columns: Columns, indexes: Sequence[Any]) -> list[str]:
        table = context.tables[place]
        if table.__class__ is not KeptColumns or len(indexes) > _MOST_ROWS:
            return names(context, columns, indexes)
        told = table.told.setdefault(lasting, {})
        rows = tuple(indexes)
        known: list[str] | None = told.get(rows)
        if known is None:
            known = names(context, columns, indexes)
            if len(told) < _REMEMBERED:
                told[rows] = known
        return known

    return lasting
