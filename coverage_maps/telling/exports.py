"""Plans and coverage as JSON and GeoJSON, with the keys that other programs rely on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from coverage_maps.cover.groups import Group, Grouping
from coverage_maps.plan.equity import Equity
from coverage_maps.plan.plans import Alternative, Change, Plan, PlannedSite, Rival, Unmet
from coverage_maps.telling.messages import Language, Remark
from coverage_maps.telling.summaries import summary
from coverage_maps.telling.words import explain
from farola.errors import PlanningError

KEPT_AS_THEY_ARE = (
    "objective", "upper_bound", "gap", "covered_before", "covered_after", "population", "unit",
    "groups", "equity", "candidates", "candidate_source", "total_cost", "forgone",
    "forgone_to_demand",
)  # fmt: skip


def coverage_json(
    groups: Grouping, total: Group, each: list[Group], *, radius: float, sites: int, positions: int
) -> dict[str, Any]:
    """The result of `farola coverage`; shares 0..1, the rest residents."""
    return {
        "model": "disc",
        "radius_m": radius,
        "by": groups.by,
        "sites": sites,
        "distinct_positions": positions,
        "total": asdict(total),
        "groups": [asdict(group) for group in each],
        "left_out": [asdict(out) for out in groups.left_out],
        "notes": list(groups.notes),
    }


def plan_json(plan: Plan, say: Language | None = None) -> dict[str, Any]:
    """The result of `farola plan`, as it is printed and kept. Residents to a thousandth.

    With `say`, the plan and each site are explained in that language too.
    """
    told = _plan_json(plan)
    if say is not None:
        told |= {"lang": say.tag, "summary": summary(plan, say)}
        for site, entry in zip(plan.sites, told["sites"], strict=True):
            entry["explained"] = explain(site, plan, say)
    return told


def _plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "sites": [_site(site) for site in plan.sites],
        "objective": plan.objective,
        "upper_bound": plan.upper_bound,
        "gap": plan.gap,
        "unit": plan.unit,
        "covered_before": round(plan.covered_before, 3),
        "covered_after": round(plan.covered_after, 3),
        "population": plan.population,
        "radius_m": plan.radius,
        "equity": plan.equity,
        "groups": plan.groups,
        "group_names": list(plan.group_names),
        "candidates": plan.candidates,
        "candidate_source": plan.candidate_source,
        "total_cost": plan.total_cost,
        "forgone": plan.forgone,
        "forgone_to_demand": plan.forgone_to_demand,
        "warnings": list(plan.warnings),
        "caveats": list(plan.caveats),
        "remarks": [asdict(remark) for remark in plan.remarks],
        "changes": {by: [asdict(c) for c in changes] for by, changes in plan.changes.items()},
        "inequality": {
            "before": None if plan.before is None else asdict(plan.before),
            "after": None if plan.after is None else asdict(plan.after),
        },
        "weightings": [asdict(other) for other in plan.weightings],
        "own": None if plan.own is None else asdict(plan.own),
        "vans": [_site(site) for site in plan.vans],
        "inputs": plan.inputs,
    }


def read_plan(told: Mapping[str, Any]) -> Plan:
    """The plan that `plan_json` told, to a thousandth of a resident.

    Raises
    ------
    PlanningError
        It was kept by an earlier Farola, which did not keep all of it.
    """
    fairness = told.get("inequality") or {}
    try:
        return Plan(
            **{key: told[key] for key in KEPT_AS_THEY_ARE},
            sites=tuple(_read_site(site) for site in told["sites"]),
            radius=told["radius_m"],
            group_names=tuple(told["group_names"]),
            warnings=tuple(told["warnings"]),
            caveats=tuple(told["caveats"]),
            remarks=tuple(Remark(**remark) for remark in told.get("remarks", ())),
            changes={
                by: tuple(Change(**change) for change in changes)
                for by, changes in told.get("changes", {}).items()
            },
            before=Equity(**fairness["before"]) if fairness.get("before") else None,
            after=Equity(**fairness["after"]) if fairness.get("after") else None,
            weightings=tuple(Alternative(**other) for other in told.get("weightings", ())),
            own=Alternative(**told["own"]) if told.get("own") else None,
            vans=tuple(_read_site(site) for site in told.get("vans", ())),
            inputs=dict(told.get("inputs", {})),
        )
    except (KeyError, TypeError) as error:
        raise PlanningError(
            f"an earlier Farola kept this plan, and it cannot be read ({error}): make it anew with "
            "`farola plan`"
        ) from None


def _read_site(told: Mapping[str, Any]) -> PlannedSite:
    values = {field.name: told[field.name] for field in fields(PlannedSite) if field.name in told}
    values["timetable"] = tuple(told.get("timetable") or ())
    if told.get("runner_up"):
        values["runner_up"] = Rival(**told["runner_up"])
    if told.get("unmet"):
        values["unmet"] = Unmet(**told["unmet"])
    return PlannedSite(**values)


def plan_geojson(plan: Plan) -> dict[str, Any]:
    """The proposed sites as a FeatureCollection of points (RFC 7946: WGS84, longitude first)."""
    features = []
    for site in plan.sites:
        properties = _site(site)
        lon, lat = properties.pop("lon"), properties.pop("lat")
        features.append(
            {
                "type": "Feature",
                "id": site.site_id,
                "geometry": {"type": "Point", "coordinates": [lon, lat]},
                "properties": properties,
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _site(site: PlannedSite) -> dict[str, Any]:
    return asdict(site) | {
        "lat": round(site.lat, 7),
        "lon": round(site.lon, 7),
        "newly_covered": round(site.newly_covered, 3),
        "by_grade": {name: round(count, 3) for name, count in site.by_grade.items()},
        "demand": None if site.demand is None else round(site.demand, 3),
    }
