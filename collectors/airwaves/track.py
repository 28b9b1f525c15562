"""Where a capture was made: a fixed position, or the nearest point in time of a GPS track."""

from __future__ import annotations

import csv
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.parsers.expat import ExpatError

from collectors.airwaves.sighting import check_position
from farola.errors import InputError
from inventory.importers.report import BadCellError

NEAR = timedelta(seconds=5)
"""A point of the track counts for readings up to this long before or after it."""
Position = tuple[float, float]


@dataclass(frozen=True)
class Track:
    """Points in order of time; a fixed position is a track of no time."""

    times: tuple[datetime, ...] = ()
    positions: tuple[Position, ...] = ()
    fixed: Position | None = None

    def at(self, when: datetime) -> Position | None:
        """Latitude and longitude at `when` (aware), or None where no point is near in time."""
        if self.fixed is not None or not self.times:
            return self.fixed
        after = bisect_left(self.times, when)
        near = min(
            (n for n in (after - 1, after) if 0 <= n < len(self.times)),
            key=lambda n: abs(self.times[n] - when),
        )
        return self.positions[near] if abs(self.times[near] - when) <= NEAR else None


def parse_position(text: str) -> Position:
    """`LAT,LON` in degrees; InputError otherwise."""
    try:
        lat, lon = (float(part) for part in text.split(","))
        return check_position(lat, lon)
    except ValueError:
        raise InputError(f"{text!r} is no position: write LAT,LON such as 19.43,-99.13") from None
    except BadCellError as error:
        raise InputError(f"{text!r} is no position: {error.why}") from None


def parse_time(text: str) -> datetime:
    """An ISO 8601 instant (UTC where it has no zone) or seconds since 1970; else ValueError."""
    text = text.strip()
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (OverflowError, OSError):
        raise ValueError(text) from None
    except ValueError:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def read_track(path: Path) -> Track:
    """A GPX file, or a CSV table with the columns time, lat, lon.

    Raises
    ------
    InputError
        Neither, or a point that is no place or time: it names the file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text: export the track as GPX or CSV") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    points = _gpx(path, text) if text.lstrip().startswith("<") else _csv(path, text)
    if not points:
        raise InputError(f"{path}: no point with a time in it")
    points.sort(key=lambda point: point[0])
    return Track(tuple(p[0] for p in points), tuple(p[1] for p in points))


def _point(path: Path, where: str, time: str, lat: str, lon: str) -> tuple[datetime, Position]:
    try:
        return parse_time(time), check_position(float(lat), float(lon))
    except ValueError:
        raise InputError(
            f"{path}: {where}: {time!r}, {lat!r}, {lon!r} is not a time and a position"
        ) from None
    except BadCellError as error:
        raise InputError(f"{path}: {where}: {error.field} {error.value}: {error.why}") from None


def _csv(path: Path, text: str) -> list[tuple[datetime, Position]]:
    reader = csv.DictReader(text.splitlines())
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    missing = [name for name in ("time", "lat", "lon") if name not in columns]
    if missing:
        raise InputError(
            f"{path}: no column {missing[0]!r}: a track has the columns time, lat, lon (or is GPX)"
        )
    try:
        return [
            _point(path, f"line {n}", *(row[columns[c]] or "" for c in ("time", "lat", "lon")))
            for n, row in enumerate(reader, start=2)
        ]
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV table: {error}") from None


def _gpx(path: Path, text: str) -> list[tuple[datetime, Position]]:
    from xml.etree import ElementTree as Tree

    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"{path}: a GPX file has no document type: export it again")
    try:
        root = Tree.fromstring(text)  # noqa: S314 - without entities there is nothing to expand
    except (Tree.ParseError, ExpatError, ValueError) as error:
        raise InputError(f"{path}: not GPX: {error}") from None
    points: list[tuple[datetime, Position]] = []
    for element in root.iter():
        if element.tag.rpartition("}")[2] != "trkpt":
            continue
        time = next((c.text for c in element if c.tag.rpartition("}")[2] == "time"), None)
        if time:
            where = f"point {len(points) + 1}"
            lat, lon = element.get("lat") or "", element.get("lon") or ""
            points.append(_point(path, where, time, lat, lon))
    return points
