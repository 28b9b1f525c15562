"""A plan as an HTML report for a meeting: one file, maps and plots within, made to be printed.

It tells nothing of the hour or the machine: the same plan gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverage_maps.cover.cache import cached_cover
from coverage_maps.cover.ground import lay_out, positions
from coverage_maps.plan.plans import Alternative, Plan
from coverage_maps.plan.weights import blend
from coverage_maps.telling.messages import Language
from coverage_maps.telling.pictures import Scene, bars, city_map, growth, legend_square, site_map
from coverage_maps.telling.summaries import better_at_most, summary
from coverage_maps.telling.tradeoff import curve
from coverage_maps.telling.words import explain, group_name, site_name, van_stop, weighting_name
from farola import __version__
from inventory.records import NeighbourhoodRecord, SiteRecord

if TYPE_CHECKING:
    from jinja2 import Template

CARDS = 100
"""Sites that are explained one by one; the table lists all."""


@dataclass(frozen=True)
class Background:
    """What a report shows around the plan."""

    city: str
    neighbourhoods: Sequence[NeighbourhoodRecord]
    sites: Sequence[SiteRecord]
    cache: Path | None = None


def report_bytes(plan: Plan, say: Language, background: Background) -> bytes:
    """The report, UTF-8. `say` should isolate names, whose script may be another.

    Raises
    ------
    PlanningError
        The inventory has no neighbourhoods to draw.
    """
    scene = _scene(plan, background)
    cards = [
        {
            "site": site,
            "sentences": explain(site, plan, say),
            "map": site_map(
                scene, k, site,
                say.text("Surroundings of site {rank}", rank=say.number(site.rank)),
            ),
        }
        for k, site in enumerate(plan.sites[:CARDS])
    ]  # fmt: skip
    counts = blend(scene.ground, plan.equity)
    told = _template().render(
        plan=plan,
        say=say,
        t=say.text,
        site_name=lambda site: site_name(site, say),
        city=background.city,
        gained=plan.covered_after - plan.covered_before,
        better=better_at_most(plan),
        summary=summary(plan, say),
        map=city_map(scene, say.text("Map of the city with the proposed sites")),
        legend=legend_square(),
        rated=any(record.badness is not None for record in scene.ground.records),
        growth=growth(plan.sites, say, say.text("Residents newly covered, by number of sites")),
        groups=_groups(plan, say),
        fairness=_fairness(plan, say),
        others=[(weighting_name(other.name, say), other) for other in plan.weightings],
        counts=(float(counts.min()), float(counts.max())),
        curve=curve(plan, say, say.text("What fairness costs")),
        own=plan.own or _exactly(plan),
        boroughs=any(site.borough for site in plan.sites),
        cards=cards,
        van_stop=van_stop,
        left_out=len(plan.sites) - len(cards),
        remarks=[say.said(remark) for remark in plan.remarks],
        caveats=[say.text(caveat) for caveat in plan.caveats],
        version=__version__,
    )
    return told.encode("utf-8", "backslashreplace")


def _scene(plan: Plan, background: Background) -> Scene:
    ground = lay_out(background.neighbourhoods)
    live = positions(ground, [site for site in background.sites if site.stands])
    before = cached_cover(ground, live, plan.radius, background.cache)
    proposed = ground.plane.xy([s.lat for s in plan.sites], [s.lon for s in plan.sites])
    return Scene(ground, before.shares, before.positions, proposed, plan.radius)


def _exactly(plan: Plan) -> Alternative:
    """Stands for what a plan of an earlier Farola did not keep."""
    fifths = plan.changes.get("fifth", ())
    return Alternative(
        "plan",
        plan.covered_after - plan.covered_before,
        fifths[0].after - fifths[0].before if fifths else None,
        None if plan.after is None else plan.after.kolm_pollak,
    )


def _groups(plan: Plan, say: Language) -> list[dict[str, Any]]:
    """Tables of coverage before and after, by fifth and by grade."""
    titles = {
        "fifth": say.text("By fifth of the population, from the most deprived"),
        "grade": say.text("By grade of deprivation"),
    }
    return [
        {
            "title": titles[by],
            "rows": [
                {
                    "name": group_name(change.group, say),
                    "change": change,
                    "share": [value / change.population if change.population else 0.0
                              for value in (change.before, change.after)],
                    "bar": bars(change, ""),
                }
                for change in changes
            ],
        }
        for by, changes in plan.changes.items()
        if len(changes) > 1
    ]  # fmt: skip


def _fairness(plan: Plan, say: Language) -> list[tuple[str, str, str, str]]:
    """Measure, before, after, and how to read it."""
    before, after = plan.before, plan.after
    if before is None or after is None:
        return []

    def told(value: float | None) -> str:
        return "–" if value is None else say.number(value, 4)

    return [
        (
            say.text("Gini coefficient"), told(before.gini), told(after.gini),
            say.text("0 where all neighbourhoods have the same share covered; lower is fairer."),
        ),
        (
            say.text("Concentration index"), told(before.concentration), told(after.concentration),
            say.text("Above 0 the better off are covered more, below 0 the worse off."),
        ),
        (
            say.text("Kolm–Pollak equivalent"), say.percent(before.kolm_pollak, 2),
            say.percent(after.kolm_pollak, 2),
            say.text("The equal share for all that would be worth as much; higher is better."),
        ),
    ]  # fmt: skip


@lru_cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html")
