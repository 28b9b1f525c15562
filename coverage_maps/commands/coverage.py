"""`farola coverage`: who is covered by the live sites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coverage_maps.commands.street_options import refuse_street_options, street_options
from farola.errors import PlanningError
from farola.output import json_option, note, print_json, print_table, progress
from farola.settings import load_settings

if TYPE_CHECKING:
    from coverage_maps.cover.groups import Group, Grouping
    from inventory.records import SiteRecord

BAR = 24
DAYS = 30


@click.command()
@click.option(
    "--model",
    type=click.Choice(["disc", "street"]),
    default="disc",
    help="How far a site reaches: a given radius, or what propagation in streets says.",
)
@click.option("--radius", type=float, default=80.0, show_default=True, help="Metres, for disc.")
@click.option(
    "--by",
    type=click.Choice(["grade", "fifth", "borough", "neighbourhood"]),
    help="Groups of residents; by default grades where imported, else fifths by deprivation.",
)
@click.option(
    "--live", is_flag=True, help="Weigh each site by the time it was up, as the store knows it."
)
@click.option(
    "--days", type=click.IntRange(1, 366), help="Days that --live looks back; 30 if not given."
)
@click.option(
    "--footprints",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what each access point or radio reaches there, as GeoJSON.",
)
@street_options
@json_option
def coverage(
    *, model: str, radius: float, by: str | None, live: bool, days: int | None,
    footprints: Path | None, as_json: bool, **values: Any,
) -> None:  # fmt: skip
    """Show who is covered by the live sites, by group of residents, the worst off first."""
    from coverage_maps.commands.footprint_file import check_target, write_footprints
    from coverage_maps.cover.cache import cached_cover
    from coverage_maps.cover.emitters import from_sites
    from coverage_maps.cover.footprint import check_radius
    from coverage_maps.cover.ground import lay_out, positions
    from coverage_maps.cover.groups import grouping, summarise
    from coverage_maps.telling.exports import coverage_json
    from coverage_maps.telling.words import several
    from inventory import queries
    from inventory.db import open_inventory

    if days is not None and not live:
        raise PlanningError("--days is how far --live looks back: give --live with it")
    days = (days or DAYS) if live else None
    if footprints is not None:
        check_target(footprints)
    if model == "street":
        source = click.get_current_context().get_parameter_source("radius")
        if source is not click.core.ParameterSource.DEFAULT:
            raise PlanningError("--radius belongs to --model disc: the street model works it out")
        from coverage_maps.commands.street_coverage import street_coverage

        street_coverage(by, values, days=days, footprints=footprints, as_json=as_json)
        return
    refuse_street_options(values)
    check_radius(radius)
    settings = load_settings()
    with open_inventory(settings).session() as session:
        ground = lay_out(queries.neighbourhoods(session))
        sites = without_vans(queries.sites(session, ("live",)))
    if not sites:
        raise PlanningError(
            "no live sites in the inventory: run `farola import access-points FILE` first"
        )
    groups = grouping(ground, by)
    title = f"Residents within {radius:g} m of {several(len(sites), 'live site')}, outdoors"
    emitters = from_sites(ground, sites, radius)
    if footprints is not None:
        note(f"{write_footprints(footprints, ground, emitters):,} footprints: {footprints}")
    if days is not None:
        from coverage_maps.commands.live_report import show_live

        show_live(
            settings, ground, sites, emitters, groups=groups, days=days,
            title=title, extra={"model": model, "radius_m": radius}, as_json=as_json,
        )  # fmt: skip
        return
    with progress("Clipping neighbourhoods", len(ground.records)) as advance:
        covered = cached_cover(
            ground, positions(ground, sites), radius, settings.home / "cache", advance
        )
    total, each = summarise(ground, covered.shares, groups)
    if as_json:
        print_json(
            coverage_json(
                groups,
                total,
                each,
                radius=radius,
                sites=len(sites),
                positions=len(covered.positions),
            )
            | {"model": model}
        )
        return
    print_groups(
        title,
        groups,
        total,
        each,
    )


def without_vans(live: Sequence[SiteRecord]) -> list[SiteRecord]:
    """`live` without the stops of vans, whose number is told."""
    from coverage_maps.telling.words import several

    stay = [site for site in live if site.stands]
    if len(stay) < len(live):
        stops = several(len(live) - len(stay), "stop")
        note(f"left out: {stops} of vans, which are there for some hours a week only")
    return stay


def print_groups(title: str, groups: Grouping, total: Group, each: list[Group]) -> None:
    """Print residents covered by group, and what was left out of them."""
    from coverage_maps.telling.words import several

    print_table(
        title,
        [groups.by, "residents", "covered", "not covered", "share", ""],
        [
            (
                group.group, f"{group.population:,.0f}", f"{group.covered_population:,.0f}",
                f"{group.population - group.covered_population:,.0f}", f"{group.share:.1%}",
                "█" * round(group.share * BAR) + "░" * (BAR - round(group.share * BAR)),
            )
            for group in [*each, total]
        ],
        right=(1, 2, 3, 4),
    )  # fmt: skip
    for out in groups.left_out:
        people = "" if out.population is None else f" ({out.population:,.0f} residents)"
        note(f"left out: {several(out.neighbourhoods, 'neighbourhood')}{people}, {out.why}")
    for line in groups.notes:
        note(line)
