"""The recordings that survey and scan read: their options, and what was heard in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

from farola.output import progress

if TYPE_CHECKING:
    from collectors.airwaves.hearing import Whereabouts
    from collectors.airwaves.sighting import Sighting
    from inventory.importers.report import Report

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = (
    click.argument("files", metavar="FILE…", nargs=-1, required=True, type=Path),
    click.option("--ssid", default="", help="The city's network name (default: [city] ssid)."),
    click.option("--position", default="", metavar="LAT,LON", help="Where a capture was made."),
    click.option(
        "--track", type=Path, help="GPS track of a capture: GPX, or CSV with time,lat,lon."
    ),
    click.option("--encoding", default="", help="Of a WiGLE log (default: UTF-8)."),
    click.option("--timezone", default="UTC", help="Of times in a WiGLE log that name none."),
)


def recordings(command: F) -> F:
    """Add the argument and options that name recordings and say how to read them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def whereabouts(position: str, track: Path | None) -> Whereabouts | None:
    """Where a capture was made; InputError for both, or for one that cannot be read."""
    from collectors.airwaves.track import Track, parse_position, read_track
    from farola.errors import InputError

    if position and track:
        raise InputError("--position and --track exclude each other: give one")
    if position:
        return Track(fixed=parse_position(position))
    return read_track(track) if track else None


def heard_in(
    path: Path, report: Report, where: Whereabouts | None, encoding: str, timezone: str
) -> Iterator[Sighting]:
    """What was heard in one recording, with a bar; `report` counts what is rejected."""
    from collectors.airwaves.hearing import sightings

    with progress(f"reading {path.name}", None) as advance:
        for sighting in sightings(path, report, where, encoding=encoding, zone=ZoneInfo(timezone)):
            advance(1)
            yield sighting
