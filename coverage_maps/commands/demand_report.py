"""Unmet demand as JSON: the model, what it says, what it is silent of, and what may not be told."""

from __future__ import annotations

from typing import Any

import numpy as np

from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats
from coverage_maps.demand.model import LEVEL, Fitted
from coverage_maps.demand.suppression import SHOWN_FROM, suppressed
from coverage_maps.demand.unmet import CAVEATS, UnmetDemand

TENTH = 0.1


def demand_json(
    ground: Ground, shares: Floats, found: UnmetDemand, *, radius: float
) -> dict[str, Any]:
    """The result of `farola demand`. Counts are of a usual period; shares 0..1."""
    boroughs = sorted({record.borough or "" for record in ground.records})
    place = {name: k for k, name in enumerate(boroughs)}
    of_borough = np.array([place[record.borough or ""] for record in ground.records])
    known = ~np.isnan(found.observed)
    hidden = suppressed(found.observed, [np.zeros(len(known), dtype=np.intp), of_borough])
    observed = float(found.observed[known].sum())
    told: dict[str, Any] = {
        "speaks": not found.refusal,
        "refusal": found.refusal or None,
        "model": "negative binomial (NB2), errors clustered in blocks of the city",
        "level": LEVEL,
        "metric": found.metric,
        "period_days": found.days,
        "radius_m": radius,
        "places": found.places,
        "observed": observed if known.any() and observed >= SHOWN_FROM else None,
        "suppressed": int((hidden & known).sum()),
        "notes": list(found.notes),
        "caveats": list(CAVEATS),
    }
    fitted, result = found.fitted, found.result
    if fitted is None or result is None:
        return told
    residents = ground.residents
    told |= {
        "reference_coverage": found.reference,
        "blocks": fitted.blocks,
        "coefficients": _coefficients(fitted),
        "dispersion": fitted.dispersion,
        "correlation": {
            "shared": fitted.correlation.shared,
            "own": fitted.correlation.own,
            "reach_m": fitted.correlation.reach,
        },
        "use_rises_with_coverage": found.rises,
        "unmet": {
            "total": result.total,
            "low": result.total_low,
            "high": result.total_high,
            "neighbourhoods": int(found.speaks.sum()),
            "residents": float(residents[found.speaks].sum()),
        },
        "silent": [
            {"why": why, "neighbourhoods": count, "residents": people}
            for why, count, people in found.silences(residents)
        ],
        "neighbourhoods": [
            _neighbourhood(ground, shares, found, i, hidden=bool(hidden[i]))
            for i in np.argsort(-np.nan_to_num(result.unmet, nan=-np.inf), kind="stable").tolist()
        ],
    }
    return told


def _coefficients(fitted: Fitted) -> list[dict[str, Any]]:
    """What each covariate does to use, as a factor: more than 1 is more use."""
    draws = fitted.draws()
    tail = (1 - LEVEL) / 2
    rows = [("coverage", "10 points more of the ground covered", 1, TENTH)]
    for k, name in enumerate(fitted.names):
        unit = "10 points more of the time" if name == "uptime" else "one standard deviation more"
        step = TENTH / float(fitted.scales[k]) if name == "uptime" else 1.0
        rows.append((name, unit, k + 2, step))
    told = []
    for name, unit, column, step in rows:
        low, high = np.exp(np.quantile(draws[:, column] * step, (tail, 1 - tail)))
        factor = float(np.exp(fitted.coefficients[column] * step))
        told.append(
            {"name": name, "per": unit, "factor": factor, "low": float(low), "high": float(high)}
        )
    return told


def _neighbourhood(
    ground: Ground, shares: Floats, found: UnmetDemand, i: int, *, hidden: bool
) -> dict[str, Any]:
    record, result = ground.records[i], found.result
    assert result is not None  # noqa: S101 - only told where the model speaks
    counted = float(found.observed[i])
    told: dict[str, Any] = {
        "id": record.id,
        "name": record.name,
        "borough": record.borough,
        "residents": None if np.isnan(ground.population[i]) else float(ground.population[i]),
        "coverage": float(shares[i]),
        "observed": None if hidden or np.isnan(counted) else round(counted, 1),
        "suppressed": hidden,
        "why_silent": found.why_silent[i] or None,
    }
    if found.speaks[i]:
        told |= {
            "expected": float(result.actual[i]),
            "expected_at_reference": float(result.reference[i]),
            "unmet": float(result.unmet[i]),
            "low": float(result.low[i]),
            "high": float(result.high[i]),
            "at_least": bool(found.understated[i]),
        }
    return told
