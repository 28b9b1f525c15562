"""Keeps small counts from being told, also by subtraction from a total that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coverage_maps.cover.projection import Floats

SHOWN_FROM = 10.0
"""Counts below it are suppressed."""


def suppressed(counts: Floats, totals: Sequence[NDArray[np.intp]]) -> NDArray[np.bool_]:
    """Which of the `counts` must not be told, shape (n,); nan has nothing to tell.

    `totals` are partitions whose sums are told: of each the group of every count, -1 for none.
    In every group either nothing is suppressed, or at least two counts that are not both next to
    nothing: else the one that is missing could be had by subtraction.
    """
    hidden = np.asarray(counts < SHOWN_FROM) & ~np.isnan(counts)
    changed = True
    while changed:
        changed = False
        for groups in totals:
            for group in np.unique(groups[groups >= 0]):
                own = np.flatnonzero((groups == group) & ~np.isnan(counts))
                away = own[hidden[own]]
                open_ones = own[~hidden[own]]
                few = len(away) == 1 or (len(away) and counts[away].sum() < SHOWN_FROM)
                if few and len(open_ones):
                    hidden[open_ones[np.argmin(counts[open_ones])]] = True
                    changed = True
    return hidden
