"""The planner's map: for each neighbourhood its coverage gap beside its deprivation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coverage_maps.cache import cached_cover
from coverage_maps.ground import lay_out, positions
from coverage_maps.groups import parts_by_rank
from inventory.records import NeighbourhoodRecord, SiteRecord

THIRDS = 3


@dataclass(frozen=True)
class Gap:
    """One neighbourhood. A third is 0 (lowest) to 2 (worst), None where it cannot be known."""

    neighbourhood_id: str
    name: str
    borough: str | None
    population: float | None
    share_covered: float
    """Share of its ground within reach of a live site, 0..1."""
    uncovered: float | None
    """Residents out of reach."""
    deprivation_third: int | None
    gap_third: int | None
    """By share not covered."""


def gap_table(
    neighbourhoods: Sequence[NeighbourhoodRecord],
    sites: Sequence[SiteRecord],
    radius: float,
    cache: Path | None = None,
) -> list[Gap]:
    """Gap and deprivation of every neighbourhood that has an area, in the order given.

    Live ones among `sites` count (fixed and mobile, each position once). Thirds split the
    residents, not the polygons, into equal parts. The first call for a city takes seconds; give
    `cache` (FAROLA_HOME/cache: `settings.home / "cache"`) and coverage is kept there under a
    digest of geometries, positions and radius, so that the next call, from any process, takes
    about 0.2 s. `farola coverage` and `farola plan` fill and use the same files.

    Raises
    ------
    PlanningError
        No neighbourhoods, no residents, or an impossible radius.
    """
    ground = lay_out(neighbourhoods)
    live = [site for site in sites if site.status == "live"]
    shares = cached_cover(ground, positions(ground, live), radius, cache).shares
    worse = parts_by_rank(ground.badness, ground.population, THIRDS)
    wider = parts_by_rank(1 - shares, ground.population, THIRDS)

    def third(part: int) -> int | None:
        return None if part < 0 else THIRDS - 1 - part

    return [
        Gap(
            neighbourhood_id=record.id,
            name=record.name,
            borough=record.borough,
            population=record.population,
            share_covered=float(shares[i]),
            uncovered=(
                None if np.isnan(ground.population[i])
                else float(ground.population[i] * (1 - shares[i]))
            ),
            deprivation_third=third(int(worse[i])),
            gap_third=third(int(wider[i])),
        )
        for i, record in enumerate(ground.records)
    ]  # fmt: skip
