"""The tables and scalars of a profile while it is compiled: every use of a column or a scalar asks
for its place in the reply, and only what is used is asked of devices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors.snmp.fields import ProfileError, Value, known_keys, regex
from collectors.snmp.model import Column, Oid, Question, RawValue, Reply
from collectors.snmp.named import NamedSpec, by_name
from collectors.snmp.values import oid_of

INDEX = "index"
ALL = "*"
COUNTED, REST = -1, -2
_EXTEND: Oid = (1, 3, 6, 1, 4, 1, 8072, 1, 3, 2, 3, 1)
"""nsExtendOutput1Table of NET-SNMP-EXTEND-MIB, indexed by the script's name."""
_EXTEND_COLUMNS = {"extend_line": 1, "extend_text": 2}
SCALAR_KEYS = ("oid", *_EXTEND_COLUMNS)

Columns = Sequence[Column]
Cells = Callable[[Columns, Any], Any]
"""A value of the row at an index, from the columns of its table."""


@dataclass
class TableSpec:
    """A table of the profile: its columns, and the parts of its index by name."""

    columns: Mapping[str, Oid]
    parts: Mapping[str, int] = field(default_factory=dict)
    permanent: bool = False
    unless: tuple[str, str] | int | None = None
    """Table and column, or place of the scalar, in whose stead this table is asked."""
    named: NamedSpec | None = None
    lasting: bool = False
    """Whether its rows last as long as the agent runs."""


@dataclass(frozen=True, slots=True)
class Use:
    """What somebody wants of a table: a column (`ALL` of them; None to count rows) of the rows that
    `keep` lets through, by what `where` names of them.
    """

    table: str
    column: str | None
    where: tuple[str, ...] = ()
    keep: Callable[[Columns, Any], bool] | None = None
    joins: bool = False
    """Only of rows that belong to those of another table: see `Join`."""


@dataclass(frozen=True, slots=True)
class Join:
    """Rows of `table` whose `theirs`, called `names`, equal what `ours` are in a row of the table
    `by`.
    """

    table: str
    names: tuple[str, ...]
    theirs: tuple[Cells, ...]
    by: str
    ours: tuple[Cells, ...]
    by_row: bool = False
    """Whether `ours` are the whole index of a row, so that the row alone tells them."""


@dataclass
class Layout:
    """Where everything of a profile stands in a reply. `without` names tables and columns
    (`interfaces.rx32`) that this variant of the profile does not ask.
    """

    specs: Mapping[str, TableSpec]
    without: frozenset[str] = frozenset()
    scalars: dict[Oid, int] = field(default_factory=dict)
    asked: dict[str, dict[str, int]] = field(default_factory=dict)
    """Columns in use by table, each with its place."""
    uses: list[Use] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)

    def scalar(self, oid: Oid) -> int:
        """Place of a scalar in `Reply.scalars`."""
        return self.scalars.setdefault(oid, len(self.scalars))

    def table(self, name: Any, at: str) -> int | None:
        """Place of a table among a context's tables; None where this variant does not ask it."""
        if name not in self.specs:
            known = ", ".join(sorted(self.specs)) or "none"
            raise ProfileError(at, f"there is no table {name!r}; there are {known}")
        if name in self.without:
            return None
        if name not in self.asked:
            self.asked[name] = {}
        return list(self.asked).index(name)

    def column(self, table: str, name: str, at: str) -> int | None:
        """Place of a column among those asked of its table."""
        spec = self.specs[table]
        if spec.named is None and name not in spec.columns:
            known = ", ".join([*spec.columns, *spec.parts, INDEX])
            raise ProfileError(at, f"table {table!r} has no {name!r}; it has {known}")
        if self.table(table, at) is None or f"{table}.{name}" in self.without:
            return None
        columns = self.asked[table]
        return columns.setdefault(name, len(columns))

    def place(self, table: str, name: Any, at: str) -> int | None:
        """Place of a column that is asked; None for a part of the index, or what is not asked."""
        spec = self.specs[table]
        if not isinstance(name, str) or name == INDEX or name in spec.parts:
            return None
        return self.column(table, name, at)

    def cell(self, table: str, name: Any, at: str) -> Cells:
        """What gives the column, the part of the index or the whole index called `name`."""
        spec = self.specs[table]
        if name == INDEX:
            return lambda _columns, index: _joined(index)
        if name in spec.parts:
            return _part(spec.parts, name)
        if not isinstance(name, str):
            raise ProfileError(at, f"{name!r} is not a name")
        place = self.column(table, name, at)
        if place is None:
            return lambda _columns, _index: None
        return lambda columns, index: columns[place].get(index)

    def absences(self) -> dict[str, Callable[[Context], bool]]:
        """What tells of a reply that a table in use need not be asked of that device again."""
        found: dict[str, Callable[[Context], bool]] = {}
        for place, name in enumerate(list(self.asked)):
            spec = self.specs[name]
            signs = [_empty(place)] if spec.permanent else []
            if isinstance(spec.unless, int):
                signs.append(_told(spec.unless))
            elif spec.unless is not None:
                table, column = spec.unless
                at = f"tables.{name}.unless"
                other, cell = self.table(table, at), self.column(table, column, at)
                if other is not None and cell is not None:
                    signs.append(_filled(other, cell))
            if signs:
                found[name] = _any_of(signs)
        return found

    def question(self) -> Question:
        """All that this variant asks; a table of which only rows are counted needs one column."""
        tables: list[tuple[Oid, ...]] = []
        for name, columns in self.asked.items():
            spec = self.specs[name]
            if spec.named is not None:
                tables.append((spec.named.oid,))
                continue
            if not columns:
                self.column(name, next(iter(spec.columns)), name)
            tables.append(tuple(spec.columns[column] for column in columns))
        return Question(tuple(self.scalars), tuple(tables))

    def opener(self) -> Callable[[Reply], Context]:
        """What makes a context of a reply to `question()`."""
        named = [
            (place, spec.named, dict(self.asked[name]))
            for place, (name, spec) in enumerate((n, self.specs[n]) for n in self.asked)
            if spec.named is not None
        ]
        size, count = len(self.asked), len(self.scalars)

        def opened(reply: Reply) -> Context:
            tables, scalars = reply.tables, reply.scalars
            if len(tables) != size:
                tables = [*tables, *[None] * size][:size]
            if len(scalars) != count:
                scalars = [*scalars, *[None] * count][:count]
            if named:
                tables = list(tables)
                for place, spec, columns in named:
                    tables[place] = by_name(tables[place], spec, columns, scalars)
            return Context(scalars, tables, {})

        return opened


class LastingCells(dict[Oid, RawValue]):
    """Cells of a column that are the same in poll after poll, and shared by devices; `rows` keeps
    which of them say what, once somebody asked.
    """

    __slots__ = ("rows",)
    rows: dict[str, list[Any]] | None

    def __init__(self, cells: Mapping[Oid, RawValue]) -> None:
        super().__init__(cells)
        self.rows = None


@dataclass(slots=True)
class Context:
    """A reply while it is decoded; `joins` keeps rows by what joins them, made on first use."""

    scalars: Sequence[RawValue | None]
    tables: Sequence[Columns | None]
    joins: dict[Any, dict[Any, list[Any]]]


def _empty(place: int) -> Callable[[Context], bool]:
    def empty(context: Context) -> bool:
        columns = context.tables[place]
        return columns is not None and not any(columns)

    return empty


def _any_of(signs: Sequence[Callable[[Context], bool]]) -> Callable[[Context], bool]:
    return lambda context: any(sign(context) for sign in signs)


def _told(place: int) -> Callable[[Context], bool]:
    return lambda context: context.scalars[place] is not None


def _filled(place: int, column: int) -> Callable[[Context], bool]:
    def filled(context: Context) -> bool:
        columns = context.tables[place]
        return bool(columns and columns[column])

    return filled


def read_tables(tables: Any, named: Any, scalar: Callable[[Oid], int]) -> dict[str, TableSpec]:
    """The sections `tables` and `named` of a profile."""
    specs: dict[str, TableSpec] = {}
    for name, told in _mapping(tables, "tables").items():
        at = f"tables.{name}"
        columns = dict(_mapping(told, at))
        parts = _parts(columns.pop(INDEX, {}), f"{at}.index")
        permanent, unless = columns.pop("permanent", False), columns.pop("unless", None)
        rows = columns.pop("rows", "lasting" if name == "interfaces" else "changing")
        lasting = _lasts(rows, at)
        if not isinstance(permanent, bool):
            raise ProfileError(f"{at}.permanent", "must be true or false")
        if not columns:
            raise ProfileError(at, "has no columns")
        both = set(parts) & set(columns)
        if both:
            raise ProfileError(at, f"{both.pop()!r} is a column and a part of the index")
        oids = {key: oid(value, f"{at}.{key}") for key, value in columns.items()}
        specs[name] = TableSpec(
            oids, parts, permanent, _unless(unless, scalar, f"{at}.unless"),
            lasting=lasting,
        )  # fmt: skip
    for name, told in _mapping(named, "named").items():
        at = f"named.{name}"
        spec = known_keys(told, {"column", "split", "listing", "require", "rows"}, at)
        split = regex(spec.get("split"), f"{at}.split")
        if not {"row", "column"} <= set(split.groupindex):
            raise ProfileError(f"{at}.split", "needs the groups row and column")
        listing = spec.get("listing")
        specs[name] = TableSpec(
            {},
            named=NamedSpec(
                oid(spec.get("column"), f"{at}.column"),
                split,
                None if listing is None else scalar(scalar_oid(listing, f"{at}.listing")),
                spec.get("require", ""),
            ),
            lasting=_lasts(spec.get("rows", "changing"), at),
        )
    return specs


def _lasts(rows: Any, at: str) -> bool:
    if rows not in ("lasting", "changing"):
        raise ProfileError(f"{at}.rows", "must be lasting or changing")
    return bool(rows == "lasting")


def _unless(told: Any, scalar: Callable[[Oid], int], at: str) -> tuple[str, str] | int | None:
    if told is None:
        return None
    if isinstance(told, dict):
        return scalar(scalar_oid(told, at))
    table, _, column = str(told).partition(".")
    if not column:
        raise ProfileError(at, "must be TABLE.COLUMN")
    return table, column


def scalar_oid(spec: Any, at: str) -> Oid:
    """`{oid: …}`, or a script of net-snmp: `{extend_line: NAME}`, `{extend_text: NAME}`."""
    for key, column in _EXTEND_COLUMNS.items():
        if isinstance(spec, dict) and key in spec:
            name = str(spec[key]).encode()
            return (*_EXTEND, column, len(name), *name)
    return oid(_mapping(spec, at).get("oid"), f"{at}.oid")


def oid(value: Any, at: str, prefix: bool = False) -> Oid:
    """An OID of a profile; a prefix may be empty."""
    try:
        found = oid_of(value) if isinstance(value, str) else ()
    except ValueError:
        found = ()
    if (found or (prefix and value == "")) and all(part >= 0 for part in found):
        return found
    raise ProfileError(at, f"{value!r} is not an OID (in quotes if it has fewer than two dots)")


def _mapping(value: Any, at: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ProfileError(at, f"must be a mapping, not {value!r}")
    return value


def _parts(spec: Any, at: str) -> dict[str, int]:
    parts: dict[str, int] = {}
    for name, length in _mapping(spec, at).items():
        if REST in parts.values():
            raise ProfileError(at, "nothing can follow the rest")
        if length in ("counted", "rest"):
            parts[name] = COUNTED if length == "counted" else REST
        elif isinstance(length, int) and not isinstance(length, bool) and length > 0:
            parts[name] = length
        else:
            raise ProfileError(f"{at}.{name}", f"{length!r} must be a length, counted or rest")
    return parts


def _part(parts: Mapping[str, int], name: str) -> Cells:
    before = list(parts.values())[: list(parts).index(name)]
    length = parts[name]
    if length > 0 and all(size > 0 for size in before):
        start = sum(before)
        if length == 1:
            return lambda _columns, index: index[start] if len(index) > start else None
        end = start + length
        return lambda _columns, index: _octets(index[start:end]) if len(index) >= end else None

    def part(_columns: Columns, index: Oid) -> Value:
        at = 0
        for size in before:
            at += 1 + index[at] if size == COUNTED and at < len(index) else max(size, 1)
        if length == REST:
            return _joined(index[at:]) if at < len(index) else None
        if length == COUNTED:
            end = at + 1 + index[at] if at < len(index) else 0
            return _octets(index[at + 1 : end]) if at < end <= len(index) else None
        return _joined(index[at : at + length]) if at + length <= len(index) else None

    return part


def _octets(index: Oid) -> Value:
    """A part of an index as the octets that it spells; as it is where it spells none."""
    try:
        return bytes(index)
    except (ValueError, TypeError, OverflowError):
        return index


def _joined(index: Any) -> Any:
    return index[0] if len(index) == 1 else _octets(index)
