"""`farola plan`: where to deploy next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from farola.errors import PlanningError
from farola.output import json_option, note, plain, print_json, print_table, progress
from farola.settings import load_settings

if TYPE_CHECKING:
    from coverage_maps.plan.plans import Plan, PlanRequest
    from coverage_maps.telling.messages import Language
    from coverage_maps.telling.report import Background

FILE = click.Path(dir_okay=False, path_type=Path)
FILES = {
    "geojson": "Sites", "gpkg": "GeoPackage", "kml": "KML", "csv": "Table", "report": "Report",
}  # fmt: skip


class PartPrice(click.ParamType[tuple[str, float]]):
    """`hardware=1200` as (hardware, 1200.0)."""

    name = "price"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """The part and its price; a usage error where it is none."""
        part, sign, amount = str(value).partition("=")
        try:
            return part.strip(), float(amount if sign else "")
        except ValueError:
            self.fail(
                f"{value} is no price: give a part and an amount, as hardware=1200", param, ctx
            )


@click.command()
@click.option("--sites", type=int, help="How many sites to propose.")
@click.option("--budget", type=float, help="What the sites may cost together.")
@click.option("--radius", type=float, default=80.0, show_default=True, help="Reach in metres.")
@click.option(
    "--equity",
    type=float,
    help="0 reaches most people, 1 serves the worst-off fifth first; by default 0.25 where "
    "deprivation is known, about where fairness begins to cost more.",
)
@click.option(
    "--candidates",
    type=click.Choice(["auto", "imported", "generated"]),
    default="auto",
    show_default=True,
    help="Places to choose from; auto takes the imported ones where there are any.",
)
@click.option("--default-cost", type=float, help="Cost of a candidate that has none.")
@click.option("--must", multiple=True, metavar="ID", help="Candidate that is taken; repeatable.")
@click.option("--forbid", multiple=True, metavar="ID", help="Candidate not to take; repeatable.")
@click.option(
    "--price",
    "prices",
    multiple=True,
    metavar="PART=X",
    type=PartPrice(),
    help="What a part of a site costs: hardware, power, backhaul, backhaul-km (to the nearest "
    "live site) or fee; repeatable.",
)
@click.option("--spacing", type=float, default=0.0, help="Metres two new sites are apart at least.")
@click.option("--capacity", type=float, help="Clients that a site can serve at the busy hour.")
@click.option(
    "--busy-share",
    type=float,
    default=0.05,
    show_default=True,
    help="Share of the residents in reach who are connected at the busy hour.",
)
@click.option("--vans", type=int, default=0, help="Stops of a van to propose beside the sites.")
@click.option("--explain", is_flag=True, help="Say why, site by site.")
@click.option(
    "--lang", default="en", show_default=True, help="Of words: en, es, ar, or as in es-MX."
)
@click.option("--geojson", type=FILE, help="Write the sites there.")
@click.option("--gpkg", type=FILE, help="Write the sites there as a GeoPackage.")
@click.option("--kml", type=FILE, help="Write the sites there as KML.")
@click.option("--csv", type=FILE, help="Write the sites there as a table.")
@click.option("--report", type=FILE, help="Write a report there that prints well (HTML).")
@click.option("--save", metavar="NAME", help="Keep request and plan as a scenario of that name.")
@click.option("--note", "remark", default="", help="What the scenario is about.")
@click.option("--fresh", is_flag=True, help="Search anew, though the same was planned before.")
@json_option
def plan(
    *,
    explain: bool,
    lang: str,
    save: str | None,
    remark: str,
    fresh: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Propose where to deploy next, ranked, each site with its reasons."""
    from coverage_maps.plan.keeping import make_and_keep
    from coverage_maps.plan.planning import check_request
    from coverage_maps.plan.scenarios import check_name
    from coverage_maps.telling.files import check_writable
    from coverage_maps.telling.messages import language

    files = {kind: asked.pop(kind) for kind in FILES}
    request = _request(asked)
    check_request(request)
    if save is not None:
        check_name(save)
    for path in files.values():
        if path is not None:
            check_writable(path)
    settings = load_settings()
    say = language(lang, settings.city.timezone)
    made = make_and_keep(
        settings, request, explained=say if explain or lang != "en" else None,
        fresh=fresh, progress=progress,
    )  # fmt: skip
    if save is not None:
        _keep(save, request, made.id, remark)
    _write(files, made.plan, say, made.around)
    if as_json:
        print_json({"plan_id": made.id} | made.told)
        return
    _print_plan(made.plan, explain, say)
    if made.again:
        note(f"Nothing has changed since plan {made.id}, told again; --fresh searches anew.")
    else:
        note(f"Saved as plan {made.id}; `farola web` shows it on the map.")
    if save is not None:
        note(f"Kept as scenario {save}; `farola scenario compare` holds it against others.")
    for kind, path in files.items():
        if path is not None:
            note(f"{FILES[kind]} written to {path}.")


def _request(asked: dict[str, Any]) -> PlanRequest:
    from coverage_maps.plan.plans import PlanRequest

    prices, forbidden = dict(asked.pop("prices")), asked.pop("forbid")
    return PlanRequest(prices=prices, forbidden=forbidden, **asked)


def _keep(name: str, request: PlanRequest, plan_id: int, remark: str) -> None:
    from coverage_maps.plan.scenarios import keep
    from inventory.db import open_inventory

    with open_inventory(load_settings()).session() as session:
        keep(session, name, request, plan_id, note=remark)


def _write(files: dict[str, Path | None], result: Plan, say: Language, around: Background) -> None:
    from coverage_maps.telling.files import WRITERS
    from coverage_maps.telling.report import report_bytes

    for kind, path in files.items():
        if path is None:
            continue
        if kind == "report":
            content = report_bytes(result, replace(say, isolate=True), around)
        else:
            content = WRITERS[kind](result, say)
        try:
            path.write_bytes(content)
        except OSError as error:
            raise PlanningError(
                f"{path}: cannot be written: {error.strerror}; the plan itself is saved"
            ) from None


def _print_words(result: Plan, say: Language) -> None:
    from coverage_maps.telling.summaries import summary
    from coverage_maps.telling.words import explain, site_name

    for line in summary(result, say):
        click.echo(_spaced(line))
    click.echo("")
    for site in result.sites:
        click.echo(
            _spaced(f"{site.rank}. {site_name(site, say)}: {' '.join(explain(site, result, say))}")
        )
    click.echo("")


def _spaced(text: str) -> str:
    """For a terminal, with a plain space where a language keeps a number and its unit together."""
    return plain(text.replace("\u00a0", " ").replace("\u202f", " "))


def _print_plan(result: Plan, explain: bool, say: Language) -> None:
    from coverage_maps.telling.words import several, site_name, van_stop

    groups = [] if len(result.group_names) < 2 else list(result.group_names)
    print_table(
        f"{several(len(result.sites), 'site')} with a reach of {result.radius:g} m; "
        "residents newly covered",
        ["#", "site", "borough", "lat", "lon", "new", *groups],
        [
            (
                site.rank, site.name, site.borough or "", f"{site.lat:.5f}", f"{site.lon:.5f}",
                f"{site.newly_covered:,.0f}", *(f"{site.by_grade[g]:,.0f}" for g in groups),
            )
            for site in result.sites
        ],
        right=(0, 3, 4, *range(5, 6 + len(groups))),
    )  # fmt: skip
    if explain:
        _print_words(result, say)
    for stop in result.vans:
        click.echo(_spaced(f"{site_name(stop, say)}: {van_stop(stop, result, say)}"))
    gained = result.covered_after - result.covered_before
    click.echo(
        f"Covered: {result.covered_before:,.0f} → {result.covered_after:,.0f} of "
        f"{result.population:,.0f} residents (+{gained:,.0f})"
    )
    if groups and gained >= 0.5:
        shares = {g: sum(site.by_grade[g] for site in result.sites) / gained for g in groups}
        told = ", ".join(f"{group} {share:.0%}" for group, share in shares.items())
        click.echo(f"Newly covered by {result.groups}: {told}")
    if result.equity > 0:
        click.echo(
            f"Equity {result.equity:g} gives up {result.forgone:.1%} of the residents that would "
            "be reached without it"
        )
    if result.caveats:
        click.echo(
            f"Weighing places by portal use gives up {result.forgone_to_demand:.1%} of the "
            "residents that counting heads alone would reach"
        )
    click.echo(
        f"Objective {result.objective:,.0f} {result.unit}; no plan from these "
        f"{result.candidates:,} {result.candidate_source} candidates passes "
        f"{result.upper_bound:,.0f} (gap {result.gap:.2%})"
    )
    if result.total_cost is not None:
        click.echo(f"Cost: {result.total_cost:,.2f}")
    for remark in result.remarks:
        note(say.said(remark))
    for caveat in result.caveats:
        note(say.text(caveat))
