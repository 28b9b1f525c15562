"""What is forecast of a site as it is accepted: residents covered, and use of the portal there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scipy.stats import norm

from coverage_maps.cover.ground import Ground
from coverage_maps.demand.model import LEVEL
from coverage_maps.demand.unmet import UnmetDemand


def forecast(
    site: Mapping[str, Any], home: int, ground: Ground, radius: float, found: UnmetDemand | None
) -> dict[str, Any]:
    """The forecast of a plan's `site` in the neighbourhood number `home`.

    Use is what the model expects of each resident newly covered, times those; its interval is of
    what will be counted, so it takes in how much such places differ, and is wide. Without a model
    that speaks there is none, and `use_silent` says why.
    """
    told: dict[str, Any] = {
        "radius_m": radius,
        "newly_covered": float(site["newly_covered"]),
        "by_grade": dict(site.get("by_grade") or {}),
        "neighbourhood": ground.records[home].id,
        "cost": site.get("cost"),
        "rank": site.get("rank"),
        "use": None,
        "use_silent": "",
    }
    if found is None or found.refusal:
        told["use_silent"] = found.refusal if found else "no portal use is known"
    elif not found.rises:
        told["use_silent"] = "use does not rise with coverage beyond doubt"
    elif not found.speaks[home]:
        told["use_silent"] = found.why_silent[home]
    else:
        told["use"] = _use(found, home, float(site["newly_covered"]))
    return told


def _use(found: UnmetDemand, home: int, residents: float) -> dict[str, Any]:
    assert found.fitted is not None and found.result is not None  # noqa: S101, PT018 - it speaks
    expected = residents * float(found.per_resident[home])
    side = float(norm.ppf(0.5 + LEVEL / 2))
    unmet = float(found.result.unmet[home])
    spread = float(found.result.high[home] - found.result.low[home])
    if unmet > 0:
        parameters = (spread / (2 * side * unmet)) ** 2
    else:  # covered as others are already: as uncertain as the city's sum
        whole = found.result
        parameters = ((whole.total_high - whole.total_low) / (2 * side * whole.total)) ** 2
    places = found.fitted.correlation.shared + found.fitted.correlation.own
    counting = 1 / expected if expected > 0 else 0.0
    # Log-normal: what will be counted is never negative, and may be much more than expected.
    width = math.sqrt(math.log1p(parameters + places + counting))
    middle = expected * math.exp(-(width**2) / 2)
    return {
        "metric": found.metric,
        "days": found.days,
        "expected": expected,
        "low": middle * math.exp(-side * width),
        "high": middle * math.exp(side * width),
    }
