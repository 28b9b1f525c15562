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
    from coverage_maps.messages import Language
    from coverage_maps.plans import Plan, PlanRequest
    from coverage_maps.report import Background

FILE = click.Path(dir_okay=False, path_type=Path)
FILES = {
    "geojson": "Sites", "gpkg": "GeoPackage", "kml": "KML", "csv": "Table", "report": "Report",
}  # fmt: skip


@click.command()
@click.option("--sites", type=int, help="How many sites to propose.")
@click.option("--budget", type=float, help="What the sites may cost together.")
@click.option("--radius", type=float, default=80.0, show_default=True, help="Reach in metres.")
@click.option(
    "--equity",
    type=float,
    help="0 counts heads, 1 serves the most deprived; by default 0.25 where deprivation is known.",
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
@json_option
def plan(
    *,
    explain: bool,
    lang: str,
    save: str | None,
    remark: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """Propose where to deploy next, ranked, each site with its reasons."""
    from coverage_maps.messages import language
    from coverage_maps.plan_files import check_writable
    from coverage_maps.planning import check_request
    from coverage_maps.scenarios import check_name

    files = {kind: asked.pop(kind) for kind in FILES}
    request = _request(asked)
    check_request(request)
    if save is not None:
        check_name(save)
    for path in files.values():
        if path is not None:
            check_writable(path)
    say = language(lang, load_settings().city.timezone)
    result, told, saved, around = _make_and_save(request, say if explain or lang != "en" else None)
    if save is not None:
        _keep(save, request, saved, remark)
    _write(files, result, say, around)
    if as_json:
        print_json({"plan_id": saved} | told)
        return
    _print_plan(result, explain, say)
    note(f"Saved as plan {saved}; `farola web` shows it on the map.")
    if save is not None:
        note(f"Kept as scenario {save}; `farola scenario compare` holds it against others.")
    for kind, path in files.items():
        if path is not None:
            note(f"{FILES[kind]} written to {path}.")


def _request(asked: dict[str, Any]) -> PlanRequest:
    from coverage_maps.plans import PlanRequest

    return PlanRequest(forbidden=asked.pop("forbid"), **asked)


def _make_and_save(
    request: PlanRequest, say: Language | None
) -> tuple[Plan, dict[str, Any], int, Background]:
    """Plan from the inventory and keep it there: itself, as it is told, its number, and what is
    around it.
    """
    from coverage_maps.exports import plan_json
    from coverage_maps.planning import make_plan
    from coverage_maps.report import Background
    from coverage_maps.scenarios import parameters_of
    from coverage_maps.uptime_of_usage import uptime_of_usage
    from coverage_maps.usage import recent_use
    from inventory import events, queries
    from inventory.db import open_inventory
    from inventory.models import PlanRecord

    settings = load_settings()
    inventory = open_inventory(settings)
    with inventory.session() as session:
        neighbourhoods = queries.neighbourhoods(session)
        known = queries.sites(session)
        usage = queries.usage(session)
    uptime, _ = uptime_of_usage(settings, known, recent_use(usage))
    with progress("Clipping neighbourhoods", len(neighbourhoods)) as advance:
        result = make_plan(
            neighbourhoods, known, usage, request,
            uptime=uptime, cache=settings.home / "cache", advance=advance,
        )  # fmt: skip
    told = plan_json(result, say)
    parameters = parameters_of(request) | {
        "equity": result.equity, "candidates": result.candidate_source,
    }  # fmt: skip
    with inventory.session() as session:
        record = PlanRecord(parameters=parameters, result=told)
        session.add(record)
        session.flush()
        gained = result.covered_after - result.covered_before
        text = f"plan {record.id}: {len(result.sites)} sites for {gained:,.0f} more residents"
        events.record(session, "plan.made", text, detail={"plan": record.id})
        around = Background(settings.city.name, neighbourhoods, known, settings.home / "cache")
        return result, told, record.id, around


def _keep(name: str, request: PlanRequest, plan_id: int, remark: str) -> None:
    from coverage_maps.scenarios import keep
    from inventory.db import open_inventory

    with open_inventory(load_settings()).session() as session:
        keep(session, name, request, plan_id, note=remark)


def _write(files: dict[str, Path | None], result: Plan, say: Language, around: Background) -> None:
    from coverage_maps.plan_files import WRITERS
    from coverage_maps.report import report_bytes

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
    from coverage_maps.words import explain, site_name, summary

    for line in summary(result, say):
        click.echo(plain(line))
    click.echo("")
    for site in result.sites:
        click.echo(
            plain(f"{site.rank}. {site_name(site, say)}: {' '.join(explain(site, result, say))}")
        )
    click.echo("")


def _print_plan(result: Plan, explain: bool, say: Language) -> None:
    from coverage_maps.words import several

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
    gained = result.covered_after - result.covered_before
    click.echo(
        f"Covered: {result.covered_before:,.0f} → {result.covered_after:,.0f} of "
        f"{result.population:,.0f} residents (+{gained:,.0f})"
    )
    shares = {g: sum(site.by_grade[g] for site in result.sites) / gained for g in groups}
    if shares and gained > 0:
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
    for line in (*result.warnings, *result.caveats):
        note(line)
