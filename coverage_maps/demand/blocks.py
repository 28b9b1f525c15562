"""Cuts a city into compact blocks of about as many neighbourhoods each: the clusters within which
errors may be correlated. What is near each other mostly falls into one block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coverage_maps.cover.projection import Floats

FEWEST = 3
MOST = 4
"""Times that the city is halved: 8 blocks, or 16."""
PER_BLOCK = 6
"""Neighbourhoods in each of 16 blocks at the least; with fewer there are 8."""


def blocks(xy: Floats) -> NDArray[np.intp]:
    """The block of each place, shape (n,), numbered from 0; `xy` in metres, shape (n, 2).

    Few large blocks with Student's t are more honest about correlation that reaches far than many
    small ones (Bester, Conley and Hansen 2011, doi 10.1016/j.jeconom.2011.01.007).
    """
    label = np.zeros(len(xy), dtype=np.intp)
    times = MOST if len(xy) >= 2**MOST * PER_BLOCK else FEWEST
    for number, part in enumerate(halved(xy, times)):
        label[part] = number
    return label


def halved(xy: Floats, times: int) -> list[NDArray[np.intp]]:
    """The numbers of the places in each of 2^times parts, halved across the longer side."""
    parts = [np.arange(len(xy))]
    for _ in range(times):
        parts = [half for part in parts for half in _halves(xy, part)]
    return parts


def _halves(xy: Floats, part: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    axis = int(np.argmax(np.ptp(xy[part], axis=0))) if len(part) else 0
    # Ties go by the other coordinate and then by number, so that the cut is always the same.
    order = part[np.lexsort((part, xy[part, 1 - axis], xy[part, axis]))]
    return order[: len(order) // 2], order[len(order) // 2 :]
