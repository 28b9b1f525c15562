"""Tables of net-snmp's scripts, whose index is a counted string such as `clients-wlan0`: what it
says is row and column. See `named` in docs/profiles.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from collectors.snmp.model import Column, Oid, RawValue
from collectors.snmp.values import shown


@dataclass
class NamedSpec:
    """Such a table of a profile."""

    oid: Oid
    split: re.Pattern[str]
    listing: int | None
    """Place of the scalar whose lines start with the rows that count."""
    require: str
    """Without the listing: the column that a row must have."""


def by_name(
    table: Sequence[Column] | None, spec: NamedSpec, columns: Mapping[str, int],
    scalars: Sequence[RawValue | None],
) -> Sequence[Column] | None:  # fmt: skip
    """Columns in use of a table of scripts, by the names of its rows."""
    if table is None:
        return None
    found: dict[str, dict[str, RawValue]] = {name: {} for name in columns}
    counting: dict[Any, None] = {}
    for index, value in (table[0] if table else {}).items():
        place = _split(spec.split, index)
        if place is None:
            continue
        row, column = place
        if column in found:
            found[column][row] = value
        if not spec.require or column == spec.require:
            counting[row] = None
    counting = _listed(spec, scalars) or counting
    return [{(row,): cells[row] for row in counting if row in cells} for cells in found.values()]


def cells_in_use(
    table: Sequence[Column], spec: NamedSpec, columns: Mapping[str, int],
    scalars: Sequence[RawValue | None],
) -> list[Oid]:  # fmt: skip
    """Indexes of the cells from which `by_name` would make the same."""
    rows: dict[str, list[tuple[Oid, str]]] = {}
    for index in table[0] if table else ():
        place = _split(spec.split, index)
        if place is not None:
            rows.setdefault(place[0], []).append((index, place[1]))
    listed = _listed(spec, scalars)
    return [
        index
        for row, cells in rows.items()
        if (
            row in listed
            if listed
            else not spec.require or any(column == spec.require for _, column in cells)
        )
        for index, column in cells
        if column in columns or (not listed and column == spec.require)
    ]


def _listed(spec: NamedSpec, scalars: Sequence[RawValue | None]) -> dict[Any, None]:
    listing = None if spec.listing is None else shown(scalars[spec.listing])
    if not listing:
        return {}
    return dict.fromkeys(line.split(",")[0].strip(" \t\"'") for line in listing.splitlines())


@lru_cache(maxsize=8192)
def _split(pattern: re.Pattern[str], index: Oid) -> tuple[str, str] | None:
    """Row and column that a counted-string index such as `clients-wlan0` says."""
    if not index or index[0] != len(index) - 1 or any(code > 0x7F for code in index):
        return None
    match = pattern.match("".join(map(chr, index[1:])))
    return (match["row"], match["column"]) if match else None
