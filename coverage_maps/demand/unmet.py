"""Unmet demand of a city: the model fitted on the neighbourhoods whose use is known, told of those
that are like them, and silent, with the reason, of all others. docs/demand.md explains.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from coverage_maps.cover.coverage import Coverage
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats
from coverage_maps.demand.model import Fitted, NoFitError, Observed, Unmet, fit, unmet
from coverage_maps.demand.support import Support, reference_of, spread_of, support_of
from coverage_maps.demand.suppression import SHOWN_FROM
from coverage_maps.demand.use_of_places import UseOfPlaces
from farola.errors import PlanningError

FEWEST_PLACES = 40
PER_COEFFICIENT = 10
"""Places that each coefficient needs."""
FEWEST_COUNTED = 200.0
LEAST_SPREAD = 0.15
"""From the tenth to the ninetieth of a hundred places, of coverage as a share."""
LEAST_EXPOSURE = 0.5
ALIKE = 0.95
"""Correlation from which two covariates say the same."""

CAVEATS = (
    "Use of the portal is not need: low use can mean no coverage, a broken access point, or no "
    "interest. The model sets coverage and uptime apart, and nothing else.",
    "Neighbourhoods are compared, not people: what holds between neighbourhoods need not hold for "
    "anyone in them (ecological inference).",
    "More coverage where there is more use may be its effect, its cause, or both: sites were not "
    "placed by lot.",
    "Visitors are counted as if they were residents, and devices that change their addresses more "
    "than once.",
    "Errors are alike where places are near; intervals allow for that (80 %, of the expectation "
    "for such a neighbourhood: what will be counted there varies beside it).",
    "Of neighbourhoods unlike any with figures the model says nothing.",
)


@dataclass(frozen=True, eq=False)
class UnmetDemand:
    """Of n neighbourhoods; arrays are of shape (n,), nan where the model is silent."""

    refusal: str
    """Why the model says nothing at all; empty where it speaks."""
    metric: str
    days: float
    """Length of a usual period, which all counts are of."""
    observed: Floats
    """Use that was counted; nan where none is known."""
    places: int
    """Neighbourhoods that the model was fitted on."""
    speaks: NDArray[np.bool_]
    why_silent: tuple[str, ...]
    notes: tuple[str, ...] = ()
    reference: float = np.nan
    """Coverage that unmet demand is told against, 0..1."""
    understated: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """Where coverage is lower than that of any place with figures: what is told is at least."""
    result: Unmet | None = None
    fitted: Fitted | None = None
    per_resident: Floats = field(default_factory=lambda: np.zeros(0))
    """Further use expected for each resident newly covered, by who lives there: between the least
    coverage with figures and the reference, whatever the neighbourhood's own is.
    """

    @property
    def rises(self) -> bool:
        """Whether use rises with coverage beyond doubt (80 %), so that a plan may go by it."""
        if self.fitted is None:
            return False
        return float(np.quantile(self.fitted.draws()[:, 1], 0.1)) > 0

    def silences(self, residents: Floats) -> list[tuple[str, int, float]]:
        """Reasons for silence with their neighbourhoods and residents, most residents first."""
        count: Counter[str] = Counter()
        people: Counter[str] = Counter()
        for why, number in zip(self.why_silent, residents.tolist(), strict=True):
            if why:
                count[why] += 1
                people[why] += number
        order = sorted(count, key=lambda why: (-people[why], why))
        return [(why, count[why], people[why]) for why in order]


def estimate(
    ground: Ground, before: Coverage, places: UseOfPlaces, reference: float | None = None
) -> UnmetDemand:
    """Unmet demand against `reference` coverage (0..1; None: that which a quarter of the residents
    with figures have or pass).

    Raises
    ------
    PlanningError
        `reference` is not within 0..1, or not within the coverage of places with figures.
    """
    check_reference(reference)
    residents = ground.residents
    told = ~np.isnan(places.use) & (residents > 0)
    notes = list(places.notes)
    partly = told & (places.exposure < LEAST_EXPOSURE)
    if partly.any():
        notes.append(
            f"{int(partly.sum())} neighbourhoods are left out of the fit: most of the residents in "
            "reach are so of sites without figures"
        )
    names, covariates, remarks = _covariates(ground, places, told & ~partly)
    known = np.isfinite(covariates).all(axis=1)
    if (told & ~partly & ~known).any():
        notes.append(
            f"{int((told & ~partly & ~known).sum())} neighbourhoods with figures are left out of "
            f"the fit: {' or '.join(names)} unknown"
        )
    seen = np.flatnonzero(told & ~partly & known)
    silent = UnmetDemand(
        "", places.metric, places.days, places.use, len(seen),
        np.zeros(len(told), dtype=bool), ("",) * len(told), tuple(notes),
    )  # fmt: skip
    refusal = _too_thin(places, before.shares, seen, len(names) + 2)
    if not refusal:
        middles = shapely.get_coordinates(shapely.centroid(ground.polygons))
        data = Observed(
            places.use[seen], residents[seen], places.exposure[seen], before.shares[seen],
            covariates[seen], names, middles[seen],
        )  # fmt: skip
        try:
            fitted = fit(data)
        except NoFitError as error:
            refusal = str(error)
    if refusal:
        return replace(silent, refusal=refusal)
    silent = replace(silent, notes=tuple(notes + remarks))
    support = support_of(data.coverage, data.covariates, names)
    if reference is None:
        reference = reference_of(data.coverage, data.residents)
    elif not support.low[0] <= reference <= support.high[0]:
        raise PlanningError(
            f"--reference {reference:g} is beyond the coverage of places with figures: "
            f"{support.low[0]:.2f} to {support.high[0]:.2f}"
        )
    seen_of = _Seen(fitted, support, float(reference))
    return _told(ground, before.shares, covariates, silent, seen_of)


def check_reference(reference: float | None) -> None:
    """Raise PlanningError unless `reference` is None or a share."""
    if reference is not None and not 0 < reference <= 1:
        raise PlanningError(f"--reference {reference:g} is no share of the ground: give 0.01 to 1")


def _covariates(
    ground: Ground, places: UseOfPlaces, fitted_on: NDArray[np.bool_]
) -> tuple[tuple[str, ...], Floats, list[str]]:
    """Names and values, shape (n, k), of the covariates that say something of their own."""
    no_internet = np.array(
        [np.nan if r.no_internet is None else r.no_internet for r in ground.records], dtype=float
    )
    names: list[str] = []
    columns: list[Floats] = []
    notes: list[str] = []
    for name, values in (
        ("deprivation", ground.badness), ("no-Internet share", no_internet),
        ("uptime", places.uptime),
    ):  # fmt: skip
        here = values[fitted_on]
        known = np.isfinite(here)
        if 2 * known.sum() < max(1, len(here)):
            notes.append(f"not in the model: {name}, which is unknown of most places with figures")
            continue
        if not np.ptp(here[known]) > 0:
            notes.append(f"not in the model: {name}, which is the same in all places with figures")
            continue
        alike = [n for n, c in zip(names, columns, strict=True) if _alike(c[fitted_on], here)]
        if alike:
            notes.append(f"not in the model: {name}, which says the same as {alike[0]}")
            continue
        if name == "uptime":
            # What is not measured is taken as usual: it is an access point's fault, not a place's.
            usual = float(np.median(here[known]))
            if not known.all():
                notes.append(
                    f"uptime of {int((~known).sum())} places with figures is unknown and taken as "
                    f"the usual {usual:.1%}"
                )
            columns.append(np.where(np.isfinite(values), values, usual))
        else:
            columns.append(values)
        names.append(name)
    matrix = np.column_stack(columns) if columns else np.empty((len(ground.records), 0))
    return tuple(names), matrix, notes


def _alike(one: Floats, other: Floats) -> bool:
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 3 or not (np.ptp(one[both]) > 0 and np.ptp(other[both]) > 0):
        return False
    return bool(abs(np.corrcoef(one[both], other[both])[0, 1]) >= ALIKE)


def _too_thin(
    places: UseOfPlaces, coverage: Floats, seen: NDArray[np.intp], coefficients: int
) -> str:
    """Why the figures cannot carry the model; empty where they can."""
    if not np.isfinite(places.use).any():
        return (
            "no portal use by site or neighbourhood is known: run `farola import usage FILE --site "
            "COL` or `--neighbourhood COL`"
        )
    needed = max(FEWEST_PLACES, PER_COEFFICIENT * coefficients)
    if len(seen) < needed:
        return (
            f"use is known of {len(seen)} neighbourhoods, and a model with {coefficients} "
            f"coefficients needs {needed}"
        )
    counted = float(places.use[seen].sum())
    if counted < FEWEST_COUNTED:
        told = f"{counted:,.0f}" if counted >= SHOWN_FROM else f"fewer than {SHOWN_FROM:.0f}"
        return (
            f"{told} {places.metric} were counted in a usual period, and fewer than "
            f"{FEWEST_COUNTED:.0f} tell nothing"
        )
    if spread_of(coverage[seen]) < LEAST_SPREAD:
        return (
            "coverage is about the same in all neighbourhoods whose use is known, so what it does "
            "to use cannot be seen"
        )
    return ""


@dataclass(frozen=True, eq=False)
class _Seen:
    fitted: Fitted
    support: Support
    reference: float


def _told(
    ground: Ground, shares: Floats, covariates: Floats, silent: UnmetDemand, seen: _Seen
) -> UnmetDemand:
    """What the fitted model says of each neighbourhood that it may speak of."""
    fitted, support, reference = seen.fitted, seen.support, seen.reference
    residents = ground.residents
    usual = covariates.copy()
    if "uptime" in fitted.names:
        column = fitted.names.index("uptime")
        usual[:, column] = fitted.means[column]
    # Below the least coverage seen the model would only guess: it is held there.
    actual = np.maximum(shares, support.low[0])
    then = np.maximum(actual, reference)
    why = support.silence(np.column_stack((np.full(len(then), reference), usual)))
    for i in np.flatnonzero(~(residents > 0)):
        why[i] = "residents unknown" if np.isnan(ground.population[i]) else "nobody lives there"
    speaks = np.array([not one for one in why], dtype=bool)
    filled = np.where(np.isfinite(usual), usual, fitted.means if len(fitted.means) else 0.0)
    result = unmet(
        fitted, residents, coverage=actual, reference=then, covariates=filled, told=speaks
    )
    # Between the same two coverages everywhere: it tells places apart by who lives there alone, not
    # by how the curve bends.
    least, most = float(support.low[0]), max(reference, float(support.low[0]) + 0.01)
    ends = [
        np.exp(fitted.design(np.full(len(then), at), filled) @ fitted.coefficients)
        for at in (least, most)
    ]
    per_resident = (ends[1] - ends[0]) / (most - least)
    return replace(
        silent, speaks=speaks, why_silent=tuple(why), reference=reference,
        understated=speaks & (shares < min(reference, float(support.low[0]))),
        result=_hushed(result, speaks), fitted=fitted,
        per_resident=np.where(speaks, per_resident, np.nan),
    )  # fmt: skip


def _hushed(result: Unmet, speaks: NDArray[np.bool_]) -> Unmet:
    def where(values: Floats) -> Floats:
        return np.where(speaks, values, np.nan)

    return replace(
        result, actual=where(result.actual), reference=where(result.reference),
        unmet=where(result.unmet), low=where(result.low), high=where(result.high),
    )  # fmt: skip
