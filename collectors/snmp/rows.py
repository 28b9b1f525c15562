"""Rows of a table, and what several of them say together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collectors.snmp.layout import Columns

_NUMBERS = frozenset({int, float, bool})


def rows_of(columns: Columns) -> list[Any]:
    """Indexes of a table's rows, in the agent's order."""
    if not columns:
        return []
    indexes = list(columns[0])
    for column in columns[1:]:
        # Nearly always all columns have the same rows: then nothing need be hashed.
        if list(column) != indexes:
            rows = dict.fromkeys(indexes)
            for other in columns[1:]:
                rows |= dict.fromkeys(other)
            return list(rows)
    return indexes


def combined(values: Sequence[Any], how: str) -> Any:
    """What several rows say together; None if none is known."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if how == "first" or not _NUMBERS.issuperset(map(type, known)):
        return known[0]
    if how == "mean":
        return sum(known) / len(known)
    return {"sum": sum, "max": max, "min": min}[how](known)  # type: ignore[operator]  # all take a list
