"""`farola demand`: where people would use the portal more if they were covered as others are."""

from __future__ import annotations

import sys
from typing import Any

import click

from farola.errors import PlanningError
from farola.output import json_option, note, print_json, print_table, progress
from farola.settings import load_settings


@click.command()
@click.option("--radius", type=float, default=80.0, show_default=True, help="Reach in metres.")
@click.option(
    "--reference",
    type=float,
    help="Share of the ground covered (0..1) that unmet demand is told against; by default what "
    "a quarter of the residents with figures have or pass.",
)
@click.option("--top", type=int, default=20, show_default=True, help="Neighbourhoods to list.")
@json_option
def demand(radius: float, reference: float | None, top: int, as_json: bool) -> None:
    """Tell how much more the portal would be used with more coverage, with 80 % intervals."""
    from coverage_maps.commands.demand_report import demand_json
    from coverage_maps.cover.cache import cached_cover
    from coverage_maps.cover.footprint import check_radius
    from coverage_maps.cover.ground import lay_out, positions
    from coverage_maps.demand.unmet import check_reference, estimate
    from coverage_maps.demand.uptime_of_usage import uptime_of_usage
    from coverage_maps.demand.usage import recent_use
    from coverage_maps.demand.use_of_places import bring_home
    from inventory import queries
    from inventory.db import open_inventory

    check_radius(radius)
    check_reference(reference)
    if top < 0:
        raise PlanningError(f"--top {top} lists nothing: give 0 or more")
    settings = load_settings()
    with open_inventory(settings).session() as session:
        ground = lay_out(queries.neighbourhoods(session))
        sites = queries.sites(session)
        usage = queries.usage(session)
        simulated = queries.fact(session, "simulated") is not None
    live = [site for site in sites if site.stands]
    if not live:
        raise PlanningError(
            "no live sites in the inventory: run `farola import access-points FILE` first"
        )
    with progress("Clipping neighbourhoods", len(ground.records)) as advance:
        before = cached_cover(
            ground, positions(ground, live), radius, settings.home / "cache", advance
        )
    recent = recent_use(usage)
    uptime, remarks = uptime_of_usage(settings, sites, recent)
    places = bring_home(ground, radius, sites, recent, uptime)
    found = estimate(ground, before, places, reference)
    told = demand_json(ground, before.shares, found, radius=radius)
    told["notes"] = [*told["notes"], *remarks]
    told["simulated"] = simulated
    if as_json:
        print_json(told)
    else:
        _print(told, top)
    if found.refusal:
        if as_json:
            note(f"farola: the model of demand is silent: {found.refusal}")
        sys.exit(1)


def _print(told: dict[str, Any], top: int) -> None:
    """The result for a person: totals and neighbourhoods on stdout, the rest as notes."""
    if told["simulated"]:
        note("simulated: a pretend city")
    if not told["speaks"]:
        note(f"farola: the model of demand is silent: {told['refusal']}")
        for line in told["notes"]:
            note(line)
        return
    what = f"{told['metric']} in {told['period_days']:.0f} days"
    listed = [row for row in told["neighbourhoods"] if row["why_silent"] is None][:top]
    if listed:
        print_table(
            f"Unmet demand, {what}, against {told['reference_coverage']:.0%} of the ground covered",
            ["neighbourhood", "borough", "residents", "covered", "counted", "unmet", "80 %"],
            [
                (
                    row["name"], row["borough"] or "", f"{row['residents']:,.0f}",
                    f"{row['coverage']:.0%}", _counted(row),
                    f"{'≥ ' if row['at_least'] else ''}{row['unmet']:,.0f}",
                    f"{row['low']:,.0f} to {row['high']:,.0f}",
                )
                for row in listed
            ],
            right=(2, 3, 4, 5, 6),
        )  # fmt: skip
    print_table(
        f"What goes with use, in {told['places']} neighbourhoods with figures",
        ["", "for", "use times", "80 %"],
        [
            (row["name"], row["per"], f"{row['factor']:.3g}",
             f"{row['low']:.3g} to {row['high']:.3g}")
            for row in told["coefficients"]
        ],
        right=(2, 3),
    )  # fmt: skip
    unmet = told["unmet"]
    click.echo(
        f"Unmet demand: {unmet['total']:,.0f} {what} (80 % interval {unmet['low']:,.0f} to "
        f"{unmet['high']:,.0f}) in {unmet['neighbourhoods']:,} neighbourhoods with "
        f"{unmet['residents']:,.0f} residents"
    )
    if not told["use_rises_with_coverage"]:
        click.echo(
            "Use does not rise with coverage beyond doubt here: no plan should go by these figures"
        )
    for row in told["silent"]:
        note(
            f"silent of {row['neighbourhoods']:,} neighbourhoods with {row['residents']:,.0f} "
            f"residents: {row['why']}"
        )
    for line in (*told["notes"], *told["caveats"]):
        note(line)


def _counted(row: dict[str, Any]) -> str:
    if row["suppressed"]:
        return "hidden"
    return "unknown" if row["observed"] is None else f"{row['observed']:,.0f}"
