"""The city laid flat: its neighbourhoods as polygons in metres, with the residents of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely

from coverage_maps.cover.projection import Floats, Geometries, LocalPlane, local_plane
from farola.errors import PlanningError
from inventory.records import NeighbourhoodRecord, SiteRecord


@dataclass(frozen=True)
class LeftOut:
    """Neighbourhoods that a figure could not take in, and their residents where known."""

    why: str
    neighbourhoods: int
    population: float | None


@dataclass(frozen=True, eq=False)
class Ground:
    """n neighbourhoods with an area; arrays are of shape (n,), in the order of `records`."""

    records: tuple[NeighbourhoodRecord, ...]
    plane: LocalPlane
    polygons: Geometries
    """Metres on `plane`."""
    areas: Floats
    """Square metres, all above 0."""
    population: Floats
    """Residents; nan is unknown."""
    badness: Floats
    """Deprivation, higher is worse; nan is unknown."""
    tree: shapely.STRtree = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()

    @property
    def residents(self) -> Floats:
        """Residents, unknown taken as nobody."""
        return np.nan_to_num(self.population)


def lay_out(neighbourhoods: Sequence[NeighbourhoodRecord]) -> Ground:
    """Project the neighbourhoods on a plane of their own.

    Raises
    ------
    PlanningError
        There are none, none has an area, or nobody's number of residents is known.
    """
    if not neighbourhoods:
        raise PlanningError(
            "no neighbourhoods in the inventory: run `farola import neighbourhoods FILE` first"
        )
    plane = local_plane([n.geometry for n in neighbourhoods])
    flat = plane.flatten([n.geometry for n in neighbourhoods])
    areas = shapely.area(flat)
    kept = np.flatnonzero(np.isfinite(areas) & (areas > 0))
    if not len(kept):
        raise PlanningError(
            "no neighbourhood has an area: import polygons with `farola import neighbourhoods FILE`"
        )
    records = tuple(neighbourhoods[i] for i in kept.tolist())
    population = _numbers([n.population for n in records])
    if not np.nansum(population) > 0:
        raise PlanningError(
            "no neighbourhood has residents: run `farola import neighbourhoods FILE "
            "--population COLUMN` (with --join TABLE --join-key COLUMN if it is in another file)"
        )
    lost = len(neighbourhoods) - len(kept)
    return Ground(
        records=records,
        plane=plane,
        polygons=flat[kept],
        areas=areas[kept],
        population=population,
        badness=_numbers([n.badness for n in records]),
        left_out=(LeftOut("no area", lost, None),) if lost else (),
        tree=shapely.STRtree(flat[kept]),
    )


def positions(ground: Ground, sites: Sequence[SiteRecord]) -> Floats:
    """Where `sites` are on the ground's plane, shape (n, 2), metres."""
    if not sites:
        return np.empty((0, 2))
    return ground.plane.xy([s.lat for s in sites], [s.lon for s in sites])


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
