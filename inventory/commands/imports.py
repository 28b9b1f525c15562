"""`farola import …`: neighbourhoods, access points, sites and candidate sites from files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from farola.output import json_option

if TYPE_CHECKING:
    from inventory.importers.run import Request

F = TypeVar("F", bound=Callable[..., Any])


def _column(*names: str, help: str) -> Callable[[F], F]:
    return click.option(*names, default="", metavar="COL", help=help)


def _file_options(command: F) -> F:
    """Options that every import from a file has."""
    for option in (
        json_option,
        click.option("--strict", is_flag=True, help="Import nothing if any row is rejected."),
        click.option("--layer", default="", help="Layer of a GeoPackage that has several."),
        click.option("--sheet", default="", help="Sheet of a workbook; the first by default."),
        click.option("--encoding", default="", help="Of a text table or .dbf; UTF-8 if not said."),
        click.option(
            "--crs", default="", metavar="EPSG:N", help="Coordinate system, if the file is wrong."
        ),
        click.argument("file", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


def _point_options(command: F) -> F:
    """Options that say which columns hold a place."""
    for option in (
        _column("--indoor", help="Whether it is in a building: yes or no."),
        _column("--height", help="Height of the antennas above ground, in metres."),
        _column("--borough", help="Borough, checked against the neighbourhoods."),
        _column("--name", help="Name for people."),
        _column("--lon", help="Longitude; guessed by name if not given."),
        _column("--lat", help="Latitude; guessed by name if not given."),
        _column("--id", help="Key; made from the row's content if not given."),
    ):
        command = option(command)
    return command


def _request(values: dict[str, Any]) -> Request:
    """What the options of `_file_options` say; the others choose columns."""
    from inventory.importers.contents import Options
    from inventory.importers.run import Request

    options = Options(values.pop("encoding"), values.pop("sheet"), values.pop("layer"))
    own = {name: values.pop(name) for name in ("file", "crs", "strict", "as_json")}
    return Request(chosen=values, options=options, **own)


@click.command()
@_file_options
@_column("--id", help="Key of the polygons; made from their content if not given.")
@_column("--name", help="Name for people; the key if not given.")
@_column("--population", help="Residents; empty is unknown.")
@_column("--deprivation", help="Deprivation, as published.")
@click.option(
    "--deprivation-order",
    type=click.Choice(["high-is-worse", "low-is-worse"]),
    help="Which end of --deprivation is the poor one.",
)
@_column("--grade", help="The publisher's own grade of deprivation.")
@_column("--no-internet", help="Residents without Internet at home, per cent.")
@click.option(
    "--no-internet-unit",
    type=click.Choice(["percent", "share"]),
    help="Of --no-internet: 0..100 or 0..1; needed only where no number is above 1.",
)
@_column("--borough", help="Borough that the polygon belongs to.")
@click.option("--join", "table", type=click.Path(path_type=Path), help="Table with more columns.")
@_column("--join-key", help="Column of the table that equals --id.")
@click.option("--replace", is_flag=True, help="Remove neighbourhoods that the file has not.")
def neighbourhoods(
    *, deprivation_order: str | None, no_internet_unit: str | None, table: Path | None,
    join_key: str, replace: bool, **values: Any,
) -> None:  # fmt: skip
    """Read polygons with population and deprivation from GeoJSON, a shapefile or a GeoPackage.

    With --join the columns may stand in a table (CSV, XLSX) beside it.
    """
    from inventory.importers.run import Join, import_neighbourhoods

    import_neighbourhoods(
        _request(values),
        Join(table, join_key),
        deprivation_order,
        replace=replace,
        no_internet_unit=no_internet_unit,
    )


@click.command("access-points")
@_file_options
@_point_options
@_column("--programme", help="Programme that the site belongs to.")
@_column("--management-address", help="IP address or host name, without port.")
@_column("--ssh-port", help="SSH port; 22 if not given.")
@_column("--snmp-port", help="SNMP port; 161 if not given.")
@_column("--mac", help="MAC address.")
@_column("--bssid", help="BSSIDs, set apart by spaces or semicolons.")
@_column("--band", help="Bands in GHz: 2.4, 5 or 6; several set apart by a semicolon or slash.")
@_column("--channel", help="Channel, one for each band.")
@_column("--power", help="Power before the antenna, in dBm.")
@_column("--antenna-gain", help="Gain of the antenna, in dBi.")
@_column("--azimuth", help="Where a sector antenna looks, in degrees clockwise from north.")
@_column("--beamwidth", help="Its width between the points 3 dB down, in degrees.")
@_column("--tilt", help="Its tilt below the horizon, in degrees.")
@_column("--serial", help="Serial number.")
@_column("--platform", help="NAPALM's name of the driver, such as openwrt.")
@_column("--credential", help="Name of a stored credential.")
def access_points(**values: Any) -> None:
    """Read access points: one site for each distinct coordinate, one device a row."""
    from inventory.importers.run import import_access_points

    import_access_points(_request(values))


@click.command()
@_file_options
@_point_options
@_column("--programme", help="Programme that the site would belong to.")
@_column("--cost", help="What building there costs, in the city's currency.")
@_column("--hardware", help="Part of the cost: access point, mast, mounting.")
@_column("--power", help="Part of the cost: power.")
@_column("--backhaul", help="Part of the cost: the line or link.")
@_column("--fee", help="Part of the cost: what the pole's owner takes.")
@_column("--kind", help="fixed or mobile (a van's stop).")
@_column("--timetable", help="Of a mobile site: mon-fri 09:00-14:00; sat 10:00-13:00.")
def candidates(**values: Any) -> None:
    """Read places that one could build at."""
    from inventory.importers.run import import_sites

    import_sites(_request(values), "candidate")


@click.command()
@_file_options
@_point_options
@_column("--programme", help="Programme that the site belongs to.")
def sites(**values: Any) -> None:
    """Read places that are live already, such as library branches, without their devices."""
    from inventory.importers.run import import_sites

    import_sites(_request(values), "live")


@click.command()
@_file_options
@_column("--id", help="Key of the outlines; made from their content if not given.")
@_column("--height", help="Height in metres.")
@_column("--levels", help="Storeys, at 3 m each where the height is not said.")
@_column("--wall", help="What outer walls are of: brick, concrete, wood, glass, metal, stone.")
def buildings(**values: Any) -> None:
    """Read building outlines, through whose walls a signal must go."""
    from inventory.importers.buildings import import_buildings

    import_buildings(_request(values))
