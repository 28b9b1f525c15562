"""Sources of a profile compiled: rows that become radios, networks and access points, one thing
for each key, with its fields in slots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.snmp.expressions import (
    Compiled,
    Getter,
    Scope,
    Test,
    combined,
    compile_value,
    compile_where,
    rows_of,
)
from collectors.snmp.fields import NAME, Kind, ProfileError, known_keys
from collectors.snmp.layout import ALL, INDEX, Cells, Columns, Context, Layout, Use
from collectors.snmp.values import name_of

Slots = list[Any]
Things = dict[Any, Slots]
_ONE_ROW: list[Any] = [()]


@dataclass(frozen=True, slots=True)
class Source:
    """Where things come from. `place` is that of the table; None for one thing made of scalars."""

    place: int | None
    key: Getter
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
        key, keep, owner, size = source.key, source.keep, source.owner, self.size
        things: Things | None = found.setdefault(None, {}) if owner is None else None
        kept: list[Any] = []
        rows: list[Slots] = []
        for index in indexes:
            if keep is not None and not keep(columns, index):
                continue
            name = key(context, columns, index)
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

    def _fill(
        self, source: Source, context: Context, columns: Columns,
        chosen: tuple[Sequence[Any], Sequence[Slots]], several: list[tuple[Slots, int, str]],
    ) -> None:  # fmt: skip
        """Put the fields of the `chosen` rows, which are indexes and slots, into these, field by
        field: half the calls of row by row.
        """
        size, (kept, rows) = self.size, chosen
        for slot, made in source.fields:
            if len(kept) == 1:
                values = [made.get(context, columns, kept[0])]
            elif made.direct is None:
                get = made.get
                values = [get(context, columns, index) for index in kept]
            else:
                place, finish = made.direct
                cell = columns[place].get
                values = [None if (raw := cell(index)) is None else finish(raw) for index in kept]
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
    key, named_here = _key(spec.get("key"), layout, table, f"{at}.key")
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
    return Source(place, key, keep, tuple(fields), owner, speaks, not named_here)


def _key(spec: Any, layout: Layout, table: str | None, at: str) -> tuple[Getter, bool]:
    """What names the thing, and whether that is a constant of the profile or a scalar."""
    if isinstance(spec, dict | list):
        made = compile_value(spec, NAME, Scope(layout, table), at)
        return made.get, made.constant or table is None
    if table is None:
        raise ProfileError(at, "without a table there must be a value")
    if spec is None or spec == INDEX:
        return (lambda _context, _columns, index: name_of(index)), False
    cell, column = layout.cell(table, spec, at), layout.place(table, spec, at)
    if column is not None:
        return (lambda _context, columns, index: name_of(columns[column].get(index))), False
    return (lambda _context, columns, index: name_of(cell(columns, index))), False
