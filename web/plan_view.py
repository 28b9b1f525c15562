"""A stored plan as the pages show it: its sites, its price in residents, its proof in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inventory.models import PlanRecord
from web.formats import THIN, number


@dataclass(frozen=True)
class Proposed:
    """A proposed site: residents newly covered, in all and by group, and why."""

    rank: int
    lat: float
    lon: float
    name: str
    borough: str
    newly_covered: float
    by_group: dict[str, float]
    why: str
    generated: bool


@dataclass(frozen=True)
class PlanView:
    """A plan; `covered_before` and `covered_after` in residents, `gap` as a share of the bound."""

    id: int
    created_at: datetime
    sites: tuple[Proposed, ...]
    covered_before: float
    covered_after: float
    gap: float | None
    radius: float | None
    """Metres."""
    grouped_by: str
    candidates: int | None
    candidate_source: str
    equity: float | None
    forgone: float | None
    """Share of new residents that weighing by deprivation and demand gives up."""
    remarks: tuple[str, ...]

    @property
    def gained(self) -> float:
        """Residents covered anew by the whole plan, overlaps counted once."""
        return self.covered_after - self.covered_before

    @property
    def by_group(self) -> dict[str, float]:
        """Residents newly covered by grade or fifth, summed over the sites."""
        total: dict[str, float] = {}
        for site in self.sites:
            for group, residents in site.by_group.items():
                total[group] = total.get(group, 0.0) + residents
        return total

    @property
    def proof(self) -> str:
        """What the bound means, for somebody who never heard of one."""
        if self.gap is None:
            return "No bound was computed: how much better another plan could be is not known."
        share = self.gap * 100
        among = f"{number(self.candidates)} {self.candidate_source} candidates"
        among = among if self.candidates else "same candidates"
        if share < 0.01:
            return f"Proven: no other choice among the {among} is better by even 0.01{THIN}%."
        return (
            f"At most {share:.{2 if share < 0.1 else 1}f}{THIN}% better is possible: no other "
            f"choice among the {among} can beat that."
        )

    @property
    def price(self) -> str:
        """What fairness costs in residents; empty where nothing was weighed."""
        if not self.equity or self.forgone is None:
            return ""
        share = self.forgone * 100
        lost = f"{share:.{2 if share < 0.1 else 1}f}{THIN}%" if share >= 0.005 else "nothing"
        return (
            f"Serving the most deprived first (equity {self.equity:g}) gives up {lost} of the "
            "residents that would be reached without it."
        )


def plan_view(record: PlanRecord) -> PlanView:
    """Read a plan as `farola plan` stored it."""
    result = record.result
    sites = tuple(_proposed(site, rank) for rank, site in enumerate(result.get("sites", ()), 1))
    candidates = _float(result.get("candidates"))
    remarks = (*result.get("warnings", ()), *result.get("caveats", ()))
    return PlanView(
        record.id, record.created_at, sites,
        covered_before=_float(result.get("covered_before")) or 0.0,
        covered_after=_float(result.get("covered_after")) or 0.0,
        gap=_float(result.get("gap")),
        radius=_float(result.get("radius_m") or record.parameters.get("radius_m")),
        grouped_by=str(result.get("groups") or "grade"),
        candidates=None if candidates is None else int(candidates),
        candidate_source=str(result.get("candidate_source") or ""),
        equity=_float(result.get("equity")),
        forgone=_float(result.get("forgone")),
        remarks=tuple(str(remark) for remark in remarks),
    )  # fmt: skip


def _float(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _proposed(site: Mapping[str, Any], rank: int) -> Proposed:
    groups = site.get("by_grade") or {}
    why = str(site.get("why") or "")
    return Proposed(
        int(site.get("rank", rank)), float(site["lat"]), float(site["lon"]),
        str(site.get("name") or site.get("site_id") or ""), str(site.get("borough") or ""),
        float(site.get("newly_covered") or 0), {str(k): float(v or 0) for k, v in groups.items()},
        why[:1].upper() + why[1:], site.get("source") == "generated",
    )  # fmt: skip


def plan_geojson(record: PlanRecord) -> bytes:
    """The proposed sites with all that is stored of them, to hand on (RFC 7946)."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [site["lon"], site["lat"]]},
            "properties": {k: v for k, v in site.items() if k not in {"lat", "lon"}},
        }
        for site in record.result.get("sites", ())
    ]
    return _dump(features)


def plan_points(plan: PlanView) -> bytes:
    """The proposed sites for the map: where, and which rank."""
    return _dump(
        [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [site.lon, site.lat]},
                "properties": {"rank": site.rank},
            }
            for site in plan.sites
        ]
    )


def _dump(features: list[dict[str, Any]]) -> bytes:
    collection = {"type": "FeatureCollection", "features": features}
    return json.dumps(collection, ensure_ascii=False, separators=(",", ":")).encode()
