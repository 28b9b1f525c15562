"""Where one could build: imported candidate sites, else points generated on uncovered ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from coverage_maps.cover.cells import generated_candidates
from coverage_maps.cover.coverage import Coverage
from coverage_maps.cover.ground import Ground, positions
from coverage_maps.cover.projection import Floats
from coverage_maps.plan.plans import PlanRequest
from coverage_maps.plan.prices import costs_of
from farola.errors import PlanningError
from inventory.records import SiteRecord


@dataclass(frozen=True, eq=False)
class Candidates:
    """c places to choose from."""

    source: str
    """`imported` or `generated`."""
    xy: Floats
    """Shape (c, 2), metres on the ground's plane."""
    lats: Floats
    lons: Floats
    costs: Floats
    """Shape (c,); nan is unknown."""
    grid: float | None = None
    """Metres between generated places."""
    records: tuple[SiteRecord, ...] = ()
    """The imported sites; empty where the places are generated."""
    parts: dict[str, Floats] = field(default_factory=dict)
    """What the costs are made of, each of shape (c,)."""


def choose_candidates(
    ground: Ground, before: Coverage, sites: Sequence[SiteRecord], request: PlanRequest
) -> Candidates:
    """The candidates that `request` asks for.

    Raises
    ------
    PlanningError
        Imported ones are asked for and there are none, or a budget must pay for candidates
        whose cost nobody gave.
    """
    records = tuple(site for site in sites if site.status == "candidate")
    if request.candidates == "imported" and not records:
        raise PlanningError(
            "no candidates in the inventory: run `farola import candidates FILE`, or use "
            "--candidates generated"
        )
    live = before.positions
    if records and request.candidates != "generated":
        xy = positions(ground, records)
        costs, parts = costs_of(records, xy, live, request.prices, request.default_cost)
        pool = Candidates(
            "imported", xy, np.array([site.lat for site in records]),
            np.array([site.lon for site in records]), costs, records=records, parts=parts,
        )  # fmt: skip
    else:
        points = generated_candidates(ground, before)
        lats, lons = ground.plane.degrees(points.xy)
        costs, parts = costs_of((), points.xy, live, request.prices, request.default_cost)
        pool = Candidates("generated", points.xy, lats, lons, costs, points.spacing, parts=parts)
    unknown = int(np.isnan(pool.costs).sum())
    if request.budget is not None and unknown:
        raise PlanningError(
            f"{unknown:,} of {len(pool.costs):,} {pool.source} candidates have no cost, so a "
            "budget cannot be kept: give --default-cost X or --price PART=X, or import them with "
            "--cost COLUMN"
        )
    return pool
