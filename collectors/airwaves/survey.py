"""Keeps walked surveys: sightings → readings without anything that names a neighbour's network
→ the inventory's table. Coverage maps calibrate propagation from these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import cos, hypot, radians

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.airwaves.sighting import Sighting
from inventory.models import SurveyReading

PSEUDONYM = "p:"
FAR_KM = 50
"""A reading this far from every neighbourhood is of another city, or its position is wrong."""
KM_PER_DEGREE = 111.2


@dataclass(frozen=True, slots=True)
class Reading:
    """A row to keep: `bssid` is ours or a pseudonym, `ssid` the city's or None, `at` naive UTC."""

    row: int
    bssid: str
    ssid: str | None
    at: datetime
    channel: int | None
    rssi_dbm: float | None
    security: str
    lat: float | None
    lon: float | None
    accuracy_m: float | None


@dataclass
class Thinning:
    """Passes sightings on; `by_second`, one per BSSID and second, at its mean level in dBm and
    the rest as first heard. A capture holds ten beacons a second of each access point: more
    rows, no more knowledge.
    """

    by_second: bool
    heard: int = 0
    """Sightings that came in."""

    def thin(self, sightings: Iterable[Sighting]) -> Iterator[Sighting]:
        """Sightings in the order in which they were first heard."""
        first: dict[tuple[str, datetime], Sighting] = {}
        levels: dict[tuple[str, datetime], tuple[float, int]] = {}
        for s in sightings:
            self.heard += 1
            if not self.by_second:
                yield s
                continue
            key = s.bssid, s.at.replace(microsecond=0)
            first.setdefault(key, s)
            if s.rssi_dbm is not None:
                total, count = levels.get(key, (0.0, 0))
                levels[key] = total + s.rssi_dbm, count + 1
        for key, s in first.items():
            total, count = levels.get(key, (0.0, 0))
            yield replace(s, at=key[1], rssi_dbm=round(total / count, 1) if count else None)


def anonymous(
    s: Sighting, own: Collection[str], ssid: bytes, pseudonym: Callable[[str], str]
) -> Reading:
    """The sighting without what names a network that is not ours.

    `own` are our BSSIDs, `ssid` the city's network name; `pseudonym` makes the same keyed
    digest of the same BSSID, so that readings of one access point can still be told apart.
    """
    return Reading(
        s.row,
        s.bssid if s.bssid in own else PSEUDONYM + pseudonym(s.bssid),
        ssid.decode("utf-8", "replace") if s.ssid == ssid else None,
        s.at.replace(tzinfo=None),
        s.channel,
        s.rssi_dbm,
        s.security,
        s.lat,
        s.lon,
        s.accuracy_m,
    )


Bounds = tuple[float, float, float, float]


def far_from_city(areas: Sequence[Bounds], readings: Iterable[Reading]) -> list[Reading]:
    """Readings more than FAR_KM outside the box (west, south, east, north in degrees) around all
    `areas`; none where there are no areas.
    """
    if not areas:
        return []
    west, south = min(a[0] for a in areas), min(a[1] for a in areas)
    east, north = max(a[2] for a in areas), max(a[3] for a in areas)

    def far(lat: float, lon: float) -> bool:
        high = max(south - lat, lat - north, 0.0)
        wide = max(west - lon, lon - east, 0.0) * cos(radians(lat))
        return hypot(high, wide) * KM_PER_DEGREE > FAR_KM

    return [r for r in readings if r.lat is not None and r.lon is not None and far(r.lat, r.lon)]


_Key = tuple[str, datetime, float | None, float | None]


def store(session: Session, survey: str, readings: Iterable[Reading]) -> dict[str, int]:
    """Keep readings under the name `survey`; how many were created, updated, unchanged, and
    `repeated` (the same network, time and place twice: the first one is kept).

    What was kept before is not rewritten, only filled in where it is the same reading: a second
    import changes nothing.
    """
    rows = session.scalars(select(SurveyReading).where(SurveyReading.survey == survey))
    kept: dict[_Key, SurveyReading] = {(r.bssid, r.at, r.lat, r.lon): r for r in rows}
    counts = dict.fromkeys(("created", "updated", "unchanged", "repeated"), 0)
    seen: set[_Key] = set()
    for reading in readings:
        key = reading.bssid, reading.at, reading.lat, reading.lon
        if key in seen:
            counts["repeated"] += 1
            continue
        seen.add(key)
        values = {
            name: getattr(reading, name)
            for name in ("ssid", "channel", "rssi_dbm", "security", "accuracy_m")
        }
        row = kept.get(key)
        if row is None:
            session.add(
                SurveyReading(
                    survey=survey, bssid=reading.bssid, at=reading.at, lat=reading.lat,
                    lon=reading.lon, **values,
                )
            )  # fmt: skip
            counts["created"] += 1
            continue
        changed = {name: value for name, value in values.items() if getattr(row, name) != value}
        for name, value in changed.items():
            setattr(row, name, value)
        counts["updated" if changed else "unchanged"] += 1
    return counts
