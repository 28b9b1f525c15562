"""Names of the nine cells of gap × deprivation, by thirds of the residents."""

from __future__ import annotations

from coverage_maps.cover.thirds import thirds

__all__ = ["cell", "cells", "thirds"]

GAPS = "abc"
"""First letter of a cell: uncovered share in the lowest, middle or highest third."""


def cell(gap: int, need: int) -> str:
    """Name of a cell: `a1` (well covered, least deprived) to `c3`; empty where unknown."""
    return f"{GAPS[gap]}{need + 1}" if gap >= 0 and need >= 0 else ""


def cells() -> list[str]:
    """All nine names, row by row as the legend shows them: most deprived on top."""
    return [cell(gap, need) for need in (2, 1, 0) for gap in (0, 1, 2)]
