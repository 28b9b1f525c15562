"""The records of a plan: what is asked, what is proposed, and the whole as it is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PlanRequest:
    """What the planner asks for: a number of `sites`, or a `budget` in the costs' currency."""

    sites: int | None = None
    budget: float | None = None
    radius: float = 80.0
    equity: float | None = None
    """0..1; None is 0.25 where deprivation is known, else 0."""
    default_cost: float | None = None
    """Cost of a candidate that has none."""
    candidates: str = "auto"
    """`imported`, `generated`, or `auto`: imported ones where there are any."""


@dataclass(frozen=True)
class PlannedSite:
    """A proposed site and what it brings beside those ranked above it."""

    rank: int
    site_id: str
    name: str
    source: str
    lat: float
    lon: float
    newly_covered: float
    """Residents whom no live site and no site ranked above reaches."""
    by_grade: dict[str, float]
    """The same by grade, or by fifth where there are no grades."""
    neighbourhood: str
    borough: str | None
    cost: float | None
    demand: float | None
    """Demand index of the neighbourhood; None where unknown or too thin to tell."""
    why: str


@dataclass(frozen=True)
class Plan:
    """Ranked sites; `objective`, `upper_bound`, `gap` in what was optimised, the rest residents."""

    sites: tuple[PlannedSite, ...]
    objective: float
    upper_bound: float
    gap: float
    covered_before: float
    covered_after: float
    population: float
    unit: str
    """What the objective counts."""
    groups: str
    """What `by_grade` splits by: `grade`, `fifth`, or `neighbourhood` for no split at all."""
    group_names: tuple[str, ...]
    """Worst first."""
    radius: float
    equity: float
    candidates: int
    candidate_source: str
    total_cost: float | None
    """None where a chosen site's cost is unknown."""
    forgone: float
    """Share of the new residents (0..1, by the points) that weighing by deprivation gives up."""
    forgone_to_demand: float
    """The same for weighing by demand, against counting heads."""
    warnings: tuple[str, ...]
    caveats: tuple[str, ...]
