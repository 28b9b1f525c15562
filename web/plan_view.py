"""A stored plan as the pages show it: its sites, and its proof in plain words."""

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
    newly_covered: float
    by_group: dict[str, float]
    why: str
    generated: bool


@dataclass(frozen=True)
class PlanView:
    """A plan; `covered_before` and `covered_after` in residents, `gap` as a share of the bound."""

    id: int
    created_at: datetime
    parameters: Mapping[str, Any]
    sites: tuple[Proposed, ...]
    covered_before: float
    covered_after: float
    gap: float | None
    notes: tuple[str, ...]

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
    def radius(self) -> float | None:
        """Metres, as the plan was made with."""
        value = self.parameters.get("radius")
        return float(value) if isinstance(value, int | float) else None

    @property
    def proof(self) -> str:
        """What the bound means, for somebody who never heard of one."""
        if self.gap is None:
            return "No bound was computed: how much better another plan could be is not known."
        if self.gap < 0.00005:
            return "Proven best: no other choice of sites reaches more."
        share = self.gap * 100
        digits = 2 if share < 0.1 else 1
        return (
            f"At most {share:.{digits}f}{THIN}% better is possible: no choice of "
            f"{number(len(self.sites))} sites among the same candidates can beat that."
        )


def plan_view(record: PlanRecord) -> PlanView:
    """Read a plan as `farola plan` stored it."""
    result = record.result
    sites = tuple(_proposed(site, rank) for rank, site in enumerate(result.get("sites", ()), 1))
    gap = result.get("gap")
    return PlanView(
        record.id, record.created_at, record.parameters, sites,
        float(result.get("covered_before") or 0), float(result.get("covered_after") or 0),
        float(gap) if isinstance(gap, int | float) else None,
        tuple(str(n) for n in result.get("notes", ()) if n),
    )  # fmt: skip


def _proposed(site: Mapping[str, Any], rank: int) -> Proposed:
    groups = site.get("by_grade") or {}
    return Proposed(
        int(site.get("rank", rank)), float(site["lat"]), float(site["lon"]),
        str(site.get("name") or site.get("id") or ""), float(site.get("newly_covered") or 0),
        {str(k): float(v or 0) for k, v in groups.items()}, _words(site.get("why")),
        site.get("source") == "generated" or bool(site.get("generated")),
    )  # fmt: skip


def _words(why: Any) -> str:
    return " ".join(str(part) for part in why) if isinstance(why, list) else str(why or "")


def plan_geojson(plan: PlanView) -> bytes:
    """The proposed sites as GeoJSON, to hand on."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [site.lon, site.lat]},
            "properties": {
                "rank": site.rank, "name": site.name, "newly_covered": round(site.newly_covered, 1),
                "why": site.why,
                **{f"newly_covered: {k}": round(v, 1) for k, v in site.by_group.items()},
            },
        }
        for site in plan.sites
    ]  # fmt: skip
    collection = {"type": "FeatureCollection", "name": f"plan {plan.id}", "features": features}
    return json.dumps(collection, ensure_ascii=False).encode()
