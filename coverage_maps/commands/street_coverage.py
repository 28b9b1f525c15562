"""`farola coverage --model street`: who is covered by what propagation in streets says of each
radio.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from coverage_maps.commands.footprint_file import write_footprints
from coverage_maps.commands.street_options import street_request
from coverage_maps.cover.cache import cached_cover_emitters
from coverage_maps.cover.ground import Ground, lay_out
from coverage_maps.cover.groups import grouping, summarise
from coverage_maps.radio.measured import Levels, levels_by_emitter
from coverage_maps.radio.raster import CELL_M, with_measured
from coverage_maps.radio.street import Street, StreetRequest, street_emitters, with_walls
from coverage_maps.radio.walks import heard, own_sources
from coverage_maps.radio.walls import obstacles
from coverage_maps.telling.exports import coverage_json
from coverage_maps.telling.words import several
from farola.errors import PlanningError
from farola.output import note, print_json, progress
from farola.settings import load_settings
from inventory import queries
from inventory.db import open_inventory


def street_coverage(
    by: str | None, values: Mapping[str, Any], *, days: int | None = None,
    footprints: Path | None = None, as_json: bool,
) -> None:  # fmt: skip
    """Print the coverage that the live sites' radios give, by group of residents; with `days` that
    of the time in which they were up.
    """
    from coverage_maps.commands.coverage import print_groups, without_vans

    settings = load_settings()
    with open_inventory(settings).session() as session:
        ground = lay_out(queries.neighbourhoods(session))
        live = without_vans(queries.sites(session, ("live",)))
        radios = queries.radios(session)
        request, notes = street_request(session, settings, values)
        buildings = [] if values["walls"] is False else queries.buildings(session)
        levels = _levels(session, ground, request, values["measured"])
    if not live:
        raise PlanningError(
            "no live sites in the inventory: run `farola import access-points FILE` first"
        )
    groups = grouping(ground, by)
    street = street_emitters(ground, live, radios, request)
    standing = obstacles(ground, buildings) if buildings else None
    if standing is not None:
        with progress("Looking around corners", len(street.emitters)) as advance:
            street = with_walls(street, standing, advance)
    elif values["walls"]:
        raise PlanningError(
            "no building outlines in the inventory: run `farola import buildings FILE` first"
        )
    if footprints is not None:
        note(f"{write_footprints(footprints, ground, street.emitters):,} footprints: {footprints}")
    if levels is not None:
        street = with_measured(street, levels, standing)
    senders = several(len(street.emitters), "radio"), several(len(live), "live site")
    title = (
        f"Residents that {senders[0]} of {senders[1]} reach {street.typical.place}s with "
        f"{request.service}, {request.reliability:.0%} reliable at the edge "
        f"({request.environment})"
    )
    if days is not None:
        from coverage_maps.commands.live_report import show_live

        extra = {"model": "street", "radius_m": None} | asked(request) | street.as_dict()
        show_live(
            settings, ground, live, street.emitters, groups=groups, days=days, title=title,
            extra=extra | {"notes": [*groups.notes, *notes]}, as_json=as_json,
        )  # fmt: skip
        for line in () if as_json else (*tell(street, request), *notes):
            note(line)
        return
    with progress("Clipping neighbourhoods", len(ground.records)) as advance:
        covered = cached_cover_emitters(
            ground, street.emitters, settings.home / "cache", advance=advance
        )
    total, each = summarise(ground, covered.shares, groups)
    if as_json:
        result = coverage_json(
            groups, total, each, radius=street.typical.range_m, sites=len(live),
            positions=len(covered.positions),
        )  # fmt: skip
        print_json(
            result
            | {"model": "street", "radius_m": None, "notes": [*result["notes"], *notes]}
            | asked(request)
            | street.as_dict()
        )
        return
    print_groups(
        title,
        groups,
        total,
        each,
    )
    for line in (*tell(street, request), *notes):
        note(line)


def _levels(
    session: Session, ground: Ground, request: StreetRequest, wanted: bool | None
) -> dict[str, Levels] | None:
    """What walks measured of each emitter; None where there is nothing or it is not wanted.

    Raises
    ------
    PlanningError
        It is wanted, and no walk heard an access point of ours.
    """
    if wanted is False:
        return None
    own = heard(session, (), {}, own=True)
    levels = levels_by_emitter(ground, own, own_sources(session, request.link())) if own else {}
    if wanted and not levels:
        raise PlanningError(
            "no walk heard an access point of ours: import them with --bssid, and walks with "
            "`farola survey import FILE`"
        )
    return levels or None


def asked(request: StreetRequest) -> dict[str, Any]:
    """What the map is of, for `--json`."""
    link = request.link()
    return {
        "place": link.place,
        "environment": link.environment,
        "needed_dbm": link.needed_dbm,
        "reliability": link.reliability,
        "interference_db": link.interference_db,
        "country": link.country,
        "calibrated": link.tuning is not None,
    }


def tell(street: Street, request: StreetRequest) -> list[str]:
    """What a reader must know of the ranges: how far, what ends them, what was assumed."""
    link = request.link()
    ranges = street.as_dict()["range_m"]
    limits = ", ".join(f"{by} {count:,}" for by, count in sorted(street.limited_by.items()))
    lines = [
        f"ranges {ranges['least']:g} to {ranges['most']:g} m, half of them up to "
        f"{ranges['median']:g} m; ended by: {limits or 'nothing'}",
        f"needed both ways: {link.needed_dbm:g} dBm; a phone sends {link.phone_dbm:g} dBm",
    ]
    if street.assumed:
        values = {
            "band": f"{link.band} GHz", "power": f"{link.power_dbm:g} dBm",
            "antenna": f"{link.antenna.dbi:g} dBi", "height": f"{link.height_m:g} m",
        }  # fmt: skip
        said = ", ".join(
            f"{what} {values[what]} ({count:,})" for what, count in sorted(street.assumed.items())
        )
        lines.append(f"assumed where the inventory does not say: {said}")
    if street.walled is not None:
        lines.append(
            f"building outlines stand around {street.walled:,} of {len(street.emitters):,}; the "
            "others are taken by the environment alone"
        )
    if street.measured is not None:
        lines.append(
            f"walks corrected {street.measured:,} of {len(street.emitters):,} footprints, on a "
            f"grid of {CELL_M:g} m"
        )
    if street.skipped:
        lines.append(f"{several(street.skipped, 'radio')} of other bands left out")
    return [*lines, *street.warnings]
