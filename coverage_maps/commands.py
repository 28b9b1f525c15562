"""`farola plan`: where to deploy next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from farola.errors import InputError, PlanningError
from farola.output import json_option, note, print_json, print_table, progress
from farola.settings import load_settings

if TYPE_CHECKING:
    from coverage_maps.plans import Plan


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
@click.option("--explain", is_flag=True, help="Say why, site by site.")
@click.option(
    "--geojson", type=click.Path(dir_okay=False, path_type=Path), help="Write the sites there."
)
@json_option
def plan(
    *,
    sites: int | None,
    budget: float | None,
    radius: float,
    equity: float | None,
    candidates: str,
    default_cost: float | None,
    explain: bool,
    geojson: Path | None,
    as_json: bool,
) -> None:
    """Propose where to deploy next, ranked, each site with its reasons."""
    from coverage_maps.planning import check_request
    from coverage_maps.plans import PlanRequest

    request = PlanRequest(sites, budget, radius, equity, default_cost, candidates)
    check_request(request)
    if geojson is not None and not geojson.absolute().parent.is_dir():
        raise InputError(
            f"{geojson} cannot be written: there is no folder {geojson.absolute().parent}"
        )
    result, saved = _make_and_save(request)
    if geojson is not None:
        _write_geojson(geojson, result)
    if as_json:
        from coverage_maps.exports import plan_json

        print_json({"plan_id": saved} | plan_json(result))
        return
    _print_plan(result, explain)
    note(f"Saved as plan {saved}; `farola web` shows it on the map.")
    if geojson is not None:
        note(f"Sites written to {geojson}.")


def _make_and_save(request: Any) -> tuple[Plan, int]:
    """Plan from the inventory, keep the plan there, and return it with its number."""
    from coverage_maps.exports import plan_json
    from coverage_maps.planning import make_plan
    from inventory import events, queries
    from inventory.db import open_inventory
    from inventory.models import PlanRecord

    settings = load_settings()
    inventory = open_inventory(settings)
    with inventory.session() as session:
        neighbourhoods = queries.neighbourhoods(session)
        known = queries.sites(session)
        usage = queries.usage(session)
    with progress("Clipping neighbourhoods", len(neighbourhoods)) as advance:
        result = make_plan(
            neighbourhoods, known, usage, request, cache=settings.home / "cache", advance=advance
        )
    parameters = {
        "sites": request.sites, "budget": request.budget, "radius_m": request.radius,
        "equity": result.equity, "candidates": result.candidate_source,
        "default_cost": request.default_cost,
    }  # fmt: skip
    with inventory.session() as session:
        record = PlanRecord(parameters=parameters, result=plan_json(result))
        session.add(record)
        session.flush()
        gained = result.covered_after - result.covered_before
        text = f"plan {record.id}: {len(result.sites)} sites for {gained:,.0f} more residents"
        events.record(session, "plan.made", text, detail={"plan": record.id})
        return result, record.id


def _write_geojson(path: Path, result: Plan) -> None:
    from coverage_maps.exports import plan_geojson

    try:
        path.write_text(json.dumps(plan_geojson(result), ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise PlanningError(
            f"{path}: cannot be written: {error.strerror}; the plan itself is saved"
        ) from None


def _print_plan(result: Plan, explain: bool) -> None:
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
        for site in result.sites:
            click.echo(f"{site.rank}. {site.name}: {site.why}")
        click.echo("")
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
