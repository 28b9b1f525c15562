"""The records of a plan: what is asked, what is proposed, and the whole as it is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from coverage_maps.plan.equity import Equity
from coverage_maps.telling.messages import Remark


@dataclass(frozen=True)
class PlanRequest:
    """What the planner asks for: a number of `sites`, or a `budget` in the costs' currency."""

    sites: int | None = None
    budget: float | None = None
    radius: float = 80.0
    equity: float | None = None
    """0..1; None is 0.25, the knee of what fairness costs, where deprivation is known; else 0."""
    default_cost: float | None = None
    """Cost of a candidate that has none."""
    candidates: str = "auto"
    """`imported`, `generated`, or `auto`: imported ones where there are any."""
    must: tuple[str, ...] = ()
    """Ids of candidates that are in the plan whatever they bring."""
    forbidden: tuple[str, ...] = ()
    """Ids of candidates that may not be taken."""
    spacing: float = 0.0
    """Metres that two new sites are apart at least."""
    prices: dict[str, float] = field(default_factory=dict)
    """Prices of a site's parts (`hardware`, `power`, `fee`, and `backhaul_km` for a kilometre to
    the nearest live site), for the parts that a candidate was imported without."""
    capacity: float | None = None
    """Clients that a site can serve at the busy hour."""
    busy_share: float = 0.05
    """Share of the residents in reach who are connected at the busy hour."""
    vans: int = 0
    """Stops of mobile sites to propose beside the fixed ones."""


@dataclass(frozen=True)
class Rival:
    """The best other place for a site, the rest of the plan as it is."""

    site_id: str
    name: str
    lat: float
    lon: float
    distance: float
    """Metres from the site."""
    heading: str
    """Where it lies from the site: `N`, `NE`, … `NW`."""
    residents: float
    """Whom it would newly cover in the site's place."""
    cost: float | None
    lost_by: str
    """Why the site was taken instead: it reaches more `residents`, or such with more `need`
    (deprivation, demand), or is cheaper (`cost`); `nothing` where both are as good."""
    nearby: bool = True
    """Whether it is within walking distance; else nothing there would reach anybody, and this is
    the best place in the city that was left."""


@dataclass(frozen=True)
class Unmet:
    """Further use of the portal in a neighbourhood with usual coverage, and its 80 % interval."""

    expected: float
    low: float
    high: float
    metric: str
    """`users` or `sessions`."""
    days: float


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
    inside: bool = True
    """Whether it is in that neighbourhood or only nearest to it."""
    share_uncovered: float | None = None
    """Of the neighbourhood's ground, today."""
    nearest_live: float | None = None
    """Metres; None where no site is live."""
    alone: float | None = None
    """Residents it would newly cover if no other site of the plan were built."""
    only: float | None = None
    """Residents whom no other site of the plan, above or below, reaches."""
    demand_state: str = "none"
    """`none` (no data), `few` (under ten counted, not shown) or `known`."""
    demand_metric: str = ""
    unmet: Unmet | None = None
    weights: dict[str, float] = field(default_factory=dict)
    """What a resident counts there, by factor: `deprivation`, `demand`; 1 is the city's mean."""
    cost_parts: dict[str, float] = field(default_factory=dict)
    runner_up: Rival | None = None
    survives: float | None = None
    """Share of the other weightings (0..1) under which it is proposed too."""
    kind: str = "fixed"
    timetable: tuple[dict[str, str], ...] = ()
    """Of a mobile site: `days`, `from`, `to`."""


@dataclass(frozen=True)
class Change:
    """A group of residents and how many of them are covered before and after."""

    group: str
    population: float
    before: float
    after: float


@dataclass(frozen=True)
class Alternative:
    """What one way to weigh residents brings; residents by the points."""

    name: str
    """`heads` or `equity X`, and `, demand` where demand is weighed; `plan` for the plan itself."""
    residents: float
    """Newly covered."""
    worst_off: float | None
    """Of these, those of the most deprived fifth; None where deprivation is unknown."""
    kolm_pollak: float | None = None
    """Of the coverage shares of neighbourhoods after it, by the plan's kappa; None in plans of an
    earlier Farola."""


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
    remarks: tuple[Remark, ...] = ()
    """The warnings again, to be said in other languages."""
    changes: dict[str, tuple[Change, ...]] = field(default_factory=dict)
    """By `fifth` and by `grade`, worst first, where they are known."""
    before: Equity | None = None
    """Of the coverage shares of neighbourhoods."""
    after: Equity | None = None
    """By the same kappa."""
    weightings: tuple[Alternative, ...] = ()
    """The other weightings that the choice was tried under, by greedy choice."""
    own: Alternative | None = None
    """The plan itself, measured as they are."""
    vans: tuple[PlannedSite, ...] = ()
    """Mobile sites, ranked apart: what they reach is reached for a part of the week only, and is
    in none of the plan's figures."""
    inputs: dict[str, str] = field(default_factory=dict)
    """SHA-256 of what went in, by name."""
