"""The impact of deployments as JSON, and as it is printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import numpy as np

from coverage_maps.demand.suppression import SHOWN_FROM, suppressed
from coverage_maps.impact.deployments import Known
from coverage_maps.impact.matching import LEVEL
from coverage_maps.impact.outcome import CAVEATS, Compared, Impact, Outcome
from farola.output import note, print_table


def impact_json(
    found: Impact, known: Sequence[Known], *, radius: float, days: int
) -> dict[str, Any]:
    """The result of `farola deployments impact`; effects are factors of use, 1 is none."""
    by_id = {one.id: one for one in known}
    # The sum of what is observed can be had from the rows: so no row alone is hidden.
    counts = np.array(
        [
            o.observed if o.observed is not None else (0.0 if o.hidden else np.nan)
            for o in found.outcomes
        ]
    )
    hidden = suppressed(counts, [np.zeros(len(counts), dtype=np.intp)])
    rows = [
        _outcome(outcome, by_id[outcome.deployed.id], found.metric, hide=bool(hide))
        for outcome, hide in zip(found.outcomes, hidden, strict=True)
    ]
    effect = found.effect
    # Their sum would give away a count that is hidden.
    further = None if any(_few_after(one) for one in found.compared) else found.further
    forecast = [row["coverage"]["forecast"] for row in rows]
    return {
        "radius_m": radius,
        "days": days,
        "level": LEVEL,
        "metric": found.metric,
        "deployments": rows,
        "coverage": {
            "forecast": float(sum(f for f in forecast if f is not None)),
            "observed": float(sum(row["coverage"]["observed"] for row in rows)),
        },
        "neighbourhoods": [_compared(one) for one in found.compared],
        "effect": {
            "factor": _factor(effect.effect),
            "low": _factor(effect.low),
            "high": _factor(effect.high),
            "neighbourhoods": sum(one.matched is not None for one in found.compared),
            "further_use_30_days": None if further is None else further[0],
            "further_low": None if further is None else further[1],
            "further_high": None if further is None else further[2],
            "why": effect.why or None,
        },
        "notes": list(found.notes),
        "caveats": list(CAVEATS),
    }


def _outcome(outcome: Outcome, known: Known, metric: str, *, hide: bool) -> dict[str, Any]:
    forecast = known.forecast
    use = forecast.get("use") or {}
    return {
        "id": known.id,
        "site_id": known.site_id,
        "name": known.name,
        "status": known.status,
        "live_on": outcome.deployed.live_on.isoformat(),
        "neighbourhood": outcome.neighbourhood,
        "coverage": {"forecast": forecast.get("newly_covered"), "observed": outcome.covered},
        "use": {
            "metric": metric,
            "days": outcome.observed_days,
            "forecast": use.get("expected"),
            "low": use.get("low"),
            "high": use.get("high"),
            "no_forecast": forecast.get("use_silent") or None,
            "observed": None if hide else outcome.observed,
            "suppressed": hide,
            "days_with_figures": outcome.days_seen,
        },
    }


def _few_after(one: Compared) -> bool:
    """Whether too few were counted afterwards for anything that they could be reckoned from."""
    return one.matched is not None and one.after < SHOWN_FROM


def _compared(one: Compared) -> dict[str, Any]:
    match = None if _few_after(one) else one.matched
    return {
        "neighbourhood": one.neighbourhood,
        "before": _shown(one.before),
        "after": _shown(one.after),
        "factor": None if match is None else _factor(match.change),
        "factor_of_matches": None if match is None else _factor(match.expected),
        "matches": list(one.matches),
        "suppressed": _few_after(one),
        "why": one.why or None,
    }


def _shown(count: float) -> float | None:
    return None if np.isnan(count) or count < SHOWN_FROM else count


def _factor(log: float | None) -> float | None:
    return None if log is None else float(np.exp(log))


def print_impact(told: dict[str, Any]) -> None:
    """The same for a person."""
    print_table(
        f"Deployments that are live; residents newly covered within {told['radius_m']:g} m, and "
        f"{told['metric']}",
        ["#", "site", "live on", "forecast", "covered", "use forecast", "80 %", "observed", "days"],
        [
            (
                row["id"], row["name"], row["live_on"], _number(row["coverage"]["forecast"]),
                _number(row["coverage"]["observed"]), _number(row["use"]["forecast"]),
                "" if row["use"]["forecast"] is None
                else f"{row['use']['low']:,.0f} to {row['use']['high']:,.0f}",
                "hidden" if row["use"]["suppressed"] else _number(row["use"]["observed"]),
                f"{row['use']['days']:.0f}",
            )
            for row in told["deployments"]
        ],
        right=(0, 3, 4, 5, 6, 7, 8),
    )  # fmt: skip
    for one in told["neighbourhoods"]:
        if one["why"]:
            note(f"{one['neighbourhood']}: not compared: {one['why']}")
        elif one["suppressed"]:
            note(
                f"{one['neighbourhood']}: fewer than {SHOWN_FROM:.0f} were counted after, not shown"
            )
        else:
            click.echo(
                f"{one['neighbourhood']}: use × {one['factor']:.2f}, in {len(one['matches'])} like "
                f"it ({', '.join(one['matches'])}) × {one['factor_of_matches']:.2f}"
            )
    effect = told["effect"]
    if effect["factor"] is None:
        note(f"no effect on use can be told: {effect['why']}")
    else:
        held = (
            f"80 % interval {effect['low']:.2f} to {effect['high']:.2f}"
            if effect["low"] is not None
            else f"no interval: {effect['why']}"
        )
        line = f"Use against neighbourhoods like them: × {effect['factor']:.2f} ({held})"
        if effect["further_use_30_days"] is not None:
            line += (
                f", about {effect['further_use_30_days']:,.0f} {told['metric']} in 30 days that "
                "would not be without"
            )
        click.echo(line)
    for line in (*told["notes"], *told["caveats"]):
        note(line)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
