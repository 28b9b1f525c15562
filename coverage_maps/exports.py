"""Plans and coverage as JSON and GeoJSON, with the keys that other programs rely on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from coverage_maps.groups import Group, Grouping
from coverage_maps.plans import Plan, PlannedSite


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


def plan_json(plan: Plan) -> dict[str, Any]:
    """The result of `farola plan`, as it is printed and kept. Residents to a thousandth."""
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
    }


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
