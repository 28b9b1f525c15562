"""How unequally something good is shared out: coverage of neighbourhoods, weighed by residents.

Gini tells the spread, the concentration index who has it (the worse or the better off), and the
Kolm–Pollak equally distributed equivalent (EDE) what the whole is worth once its inequality is
counted against it. Values are shares of coverage 0..1 or any other good of which more is better;
`residents` says how many people have each. Neighbourhoods without residents count for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from coverage_maps.cover.projection import Floats
from farola.errors import PlanningError

AVERSION = 1.0
"""Aversion to inequality (Atkinson's epsilon); 0 would count heads alone."""


@dataclass(frozen=True)
class Equity:
    """Measures of one distribution; None where they are not defined."""

    mean: float
    """Of residents; a share 0..1 where values are shares."""
    gini: float | None
    """0: all have the same; towards 1: few have all."""
    concentration: float | None
    """-1..1; above 0 the better off have more. None where deprivation is unknown."""
    kolm_pollak: float
    """EDE, in the unit of the values; at most `mean`, equal to it where all have the same."""
    kappa: float
    """Aversion per unit of value that the EDE was computed with."""


def assess(
    values: ArrayLike,
    residents: ArrayLike,
    badness: ArrayLike | None = None,
    *,
    kappa: float | None = None,
) -> Equity:
    """All measures of `values`; None where a measure is not defined.

    `badness` is deprivation, higher is worse, nan where unknown: those are left out of the
    concentration index. Two distributions are comparable only by the same `kappa`: give the one
    of the first to the second.

    Raises
    ------
    PlanningError
        Shapes that do not fit, a value that is nan, or nobody lives anywhere.
    """
    value, people = _checked(values, residents)
    rate = kolm_pollak_kappa(value, people) if kappa is None else kappa
    mean = float(np.average(value, weights=people))
    return Equity(
        mean=mean,
        gini=gini(value, people) if mean > 0 else None,
        concentration=None if badness is None else concentration_index(values, residents, badness),
        kolm_pollak=kolm_pollak(value, people, kappa=rate),
        kappa=rate,
    )


def gini(values: ArrayLike, residents: ArrayLike) -> float:
    """Gini coefficient of values 0 or more: 0 where all have the same, below 1.

    Half the mean difference between two residents, relative to the mean; 10, 20, 30, 40 give 0.25.

    Raises
    ------
    PlanningError
        As `assess`, and where nobody has anything or a value is below 0.
    """
    value, people = _checked(values, residents)
    total = float((value * people).sum())
    if not total > 0 or value.min() < 0:
        raise PlanningError("a Gini coefficient needs values of 0 or more that are not all 0")
    order = np.argsort(value, kind="stable")
    held = value[order] * people[order]
    before = np.cumsum(people[order]) - people[order] / 2
    # Twice the area between the diagonal and the Lorenz curve, by ranks at the middle of each.
    return float(2 * (held * before).sum() / (total * people.sum()) - 1)


def concentration_index(
    values: ArrayLike, residents: ArrayLike, badness: ArrayLike
) -> float | None:
    """Who has it: above 0 the better off have more than their share, below 0 the worse off.

    Twice the covariance of value and rank, from the most to the least deprived resident, over the
    mean (Kakwani, Wagstaff and van Doorslaer 1997). Residents of equal deprivation share a rank.
    None where nobody has anything or no deprivation is known.

    Raises
    ------
    PlanningError
        As `assess`.
    """
    value, people = _checked(values, residents, drop=False)
    bad = np.asarray(badness, dtype=np.float64)
    if bad.shape != value.shape:
        raise PlanningError(f"badness has shape {bad.shape}, but values have {value.shape}")
    known = np.isfinite(bad) & (people > 0)
    value, people, bad = value[known], people[known], bad[known]
    total = float((value * people).sum())
    if not total > 0:
        return None
    levels, level = np.unique(-bad, return_inverse=True)
    at_level = np.bincount(level, weights=people, minlength=len(levels))
    rank = (np.cumsum(at_level) - at_level / 2) / people.sum()
    return float(2 * (value * people * rank[level]).sum() / total - 1)


def kolm_pollak_kappa(
    values: ArrayLike, residents: ArrayLike, *, aversion: float = AVERSION
) -> float:
    """Aversion per unit of value: aversion × Σ value / Σ value², weighed by residents.

    So an aversion means the same whatever the unit (Sheriff and Maguire 2020; Horton et al.
    2024). `aversion` itself where nobody has anything.

    Raises
    ------
    PlanningError
        As `assess`.
    """
    value, people = _checked(values, residents)
    squares = float((people * value**2).sum())
    return float(aversion * (people * value).sum() / squares) if squares > 0 else aversion


def kolm_pollak(values: ArrayLike, residents: ArrayLike, *, kappa: float | None = None) -> float:
    """Kolm–Pollak EDE: the same for everybody that would be worth as much as `values` are.

    -ln(mean of e^(-kappa × value)) / kappa, in the unit of the values; more is better. `kappa`
    above 0 is aversion per unit, by default `kolm_pollak_kappa`; 0 gives the mean.

    Raises
    ------
    PlanningError
        As `assess`, and where kappa is below 0.
    """
    value, people = _checked(values, residents)
    rate = kolm_pollak_kappa(value, people) if kappa is None else kappa
    if not rate >= 0:
        raise PlanningError(f"kappa is {rate:g}: give 0 or more")
    if rate == 0:
        return float(np.average(value, weights=people))
    # Shifted by the least value, so that no exponent overflows.
    least = float(value.min())
    harm = np.average(np.exp(-rate * (value - least)), weights=people)
    return least - float(np.log(harm)) / rate


def _checked(
    values: ArrayLike, residents: ArrayLike, *, drop: bool = True
) -> tuple[Floats, Floats]:
    value = np.asarray(values, dtype=np.float64)
    people = np.asarray(residents, dtype=np.float64)
    if value.ndim != 1 or value.shape != people.shape:
        raise PlanningError(f"values have shape {value.shape}, residents {people.shape}")
    if not (np.isfinite(people).all() and (people >= 0).all() and people.sum() > 0):
        raise PlanningError("residents must be numbers from 0 up, and not all 0")
    lived = people > 0
    if not np.isfinite(value[lived]).all():
        raise PlanningError("a value of an inhabited neighbourhood is not a number")
    return (value[lived], people[lived]) if drop else (value, people)
