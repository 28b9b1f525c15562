"""Thirds of the residents (not of the polygons): a map's colour weighs what its people weigh."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1


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
