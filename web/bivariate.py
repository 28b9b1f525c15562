"""Sorts neighbourhoods into the nine cells of gap × deprivation, in thirds of the residents (not of
the polygons), so that a cell's colour weighs what its people weigh.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
GAPS = "abc"
"""First letter of a cell: uncovered share in the lowest, middle or highest third."""


def thirds(values: Sequence[float | None], weights: Sequence[float | None]) -> NDArray[np.int8]:
    """Class 0, 1 or 2 of each value, by thirds of the total weight; -1 where either is unknown.

    Equal values share a class: that of the middle of their stretch of weight. So where everybody
    is alike, everybody is in the middle.
    """
    value = np.array([np.nan if v is None else v for v in values], dtype=float)
    weight = np.array([np.nan if w is None else w for w in weights], dtype=float)
    classes = np.full(len(value), UNKNOWN, dtype=np.int8)
    known = np.isfinite(value) & np.isfinite(weight)
    if not known.any():
        return classes
    distinct, group = np.unique(value[known], return_inverse=True)
    per_value = np.bincount(group, weights=weight[known], minlength=len(distinct))
    total = per_value.sum()
    if total <= 0:
        return classes
    middle = (np.cumsum(per_value) - per_value / 2) / total
    classes[known] = np.minimum((middle * 3).astype(np.int8), 2)[group]
    return classes


def cell(gap: int, need: int) -> str:
    """Name of a cell: `a1` (well covered, least deprived) to `c3`; empty where unknown."""
    return f"{GAPS[gap]}{need + 1}" if gap >= 0 and need >= 0 else ""


def cells() -> list[str]:
    """All nine names, row by row as the legend shows them: most deprived on top."""
    return [cell(gap, need) for need in (2, 1, 0) for gap in (0, 1, 2)]
