"""Readings of walked surveys, each with what was sent towards it: what a calibration is made from.

A level counts where the access point's position at that time is known, not nearer than the
position's own error, and once for each few metres walked: standing still makes no knowledge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from coverage_maps.cover.projection import LocalPlane
from coverage_maps.propagation import Link, reference_db
from coverage_maps.radio.antennas import Antenna
from coverage_maps.radio.calibration import Readings
from coverage_maps.radio.source_positions import guess
from inventory.models import Bssid, Device, Placement, Radio, Site, SurveyReading

CELL_M = 3.0
NEAREST_M = 8.0
WORST_ACCURACY_M = 25.0


@dataclass(frozen=True)
class Heard:
    """A mean level in dBm over some metres of a walk."""

    walk: str
    bssid: str
    lat: float
    lon: float
    at: datetime
    level_dbm: float
    channel: int | None
    accuracy_m: float


@dataclass(frozen=True)
class Source:
    """An access point of ours that walks may hear: its link, and where it was from when on."""

    emitter: str
    """`device/radio`."""
    link: Link
    stays: tuple[tuple[datetime, datetime | None, float, float], ...]

    def at(self, when: datetime) -> tuple[float, float]:
        """Latitude and longitude then; before its first placement, that."""
        for start, end, lat, lon in self.stays:
            if start <= when and (end is None or when < end):
                return lat, lon
        return self.stays[0][2:]


@dataclass(frozen=True)
class Walked:
    """Readings to fit, and what became of those that cannot be."""

    readings: Readings
    left_out: Mapping[str, int] = field(default_factory=dict)
    guessed: int = 0
    """Access points whose position was guessed."""


def heard(
    session: Session, surveys: Sequence[str], left_out: dict[str, int], *, own: bool = False
) -> list[Heard]:
    """Levels of the surveys of those names (all if none), averaged over `CELL_M`; with `own` of
    our own networks alone.
    """
    query = select(SurveyReading).order_by(SurveyReading.id)
    if surveys:
        query = query.where(SurveyReading.survey.in_(surveys))
    if own:
        query = query.join(Bssid, Bssid.bssid == SurveyReading.bssid)
    cells: dict[tuple[str, str, int, int], list[SurveyReading]] = defaultdict(list)
    for row in session.scalars(query):
        if row.lat is None or row.lon is None:
            _count(left_out, "without a position")
        elif row.rssi_dbm is None or not -120 <= row.rssi_dbm <= 0:
            _count(left_out, "without a level that can be")
        elif (row.accuracy_m or 0.0) > WORST_ACCURACY_M:
            _count(left_out, f"with a position off by more than {WORST_ACCURACY_M:g} m")
        else:
            wide = 111_320 * float(np.cos(np.radians(row.lat)))
            cell = round(row.lat * 111_320 / CELL_M), round(row.lon * wide / CELL_M)
            cells[row.survey, row.bssid, *cell].append(row)
    return [
        Heard(
            rows[0].survey, rows[0].bssid, _mean([r.lat for r in rows]),
            _mean([r.lon for r in rows]), rows[0].at, _mean([r.rssi_dbm for r in rows]),
            rows[0].channel, max(r.accuracy_m or 0.0 for r in rows),
        )
        for rows in cells.values()
    ]  # fmt: skip


def _mean(values: Sequence[float | None]) -> float:
    return float(np.mean([v for v in values if v is not None]))


def _count(left_out: dict[str, int], why: str) -> None:
    left_out[why] = left_out.get(why, 0) + 1


def own_sources(session: Session, typical: Link) -> dict[str, Source]:
    """Our access points by BSSID, what is not known of them taken from `typical`."""
    stays: dict[str, list[tuple[datetime, datetime | None, float, float]]] = defaultdict(list)
    heights: dict[str, float] = {}
    for device, start, end, lat, lon, height in session.execute(
        select(
            Placement.device_id, Placement.valid_from, Placement.valid_to, Site.lat, Site.lon,
            Site.height_m,
        )
        .join(Site, Site.id == Placement.site_id)
        .order_by(Placement.device_id, Placement.valid_from)
    ):  # fmt: skip
        stays[device].append((start, end, lat, lon))
        if height is not None:
            heights[device] = height
    found = {}
    query = select(Bssid.bssid, Radio).join(Radio).join(Device, Device.id == Radio.device_id)
    for bssid, radio in session.execute(query):
        if radio.device_id in stays:
            link = _link(typical, radio, heights.get(radio.device_id))
            emitter = f"{radio.device_id}/{radio.name}"
            found[bssid] = Source(emitter, link, tuple(stays[radio.device_id]))
    return found


def _link(typical: Link, radio: Radio, height: float | None) -> Link:
    gain = typical.antenna.dbi if radio.antenna_dbi is None else radio.antenna_dbi
    azimuth = radio.azimuth_deg if radio.beamwidth_deg is not None else None
    return replace(
        typical,
        band=radio.band or typical.band,
        channel=radio.channel if radio.band else None,
        power_dbm=typical.power_dbm if radio.power_dbm is None else radio.power_dbm,
        antenna=Antenna(gain, azimuth, radio.beamwidth_deg, radio.tilt_deg),
        height_m=typical.height_m if height is None else height,
    )


def from_known(
    levels: Sequence[Heard], sources: Mapping[str, Source], left_out: dict[str, int]
) -> Walked:
    """Readings of access points whose position is in the inventory."""
    found = []
    for one in levels:
        source = sources.get(one.bssid)
        if source is None:
            _count(left_out, "of networks whose access point's position is not known")
            continue
        lat, lon = source.at(one.at)
        x, y = LocalPlane(lat, lon).xy(one.lat, one.lon)[0]
        metres, bearing = float(np.hypot(x, y)), float(np.degrees(np.arctan2(x, y)) % 360)
        if metres < max(NEAREST_M, one.accuracy_m):
            _count(left_out, "too near for what the position is worth")
            continue
        found.append((one, source.link, metres, bearing))
    return Walked(_readings(found), left_out)


def from_guessed(
    levels: Sequence[Heard],
    typical: Link,
    exponent: float,
    left_out: dict[str, int],
    *,
    without: str = "",
) -> Walked:
    """Readings of access points whose positions are guessed from these very readings, but for
    those of the walk `without`, which is to be predicted.
    """
    if not levels:
        return Walked(_readings([]), left_out)
    plane = LocalPlane(levels[0].lat, levels[0].lon)
    places = plane.xy([one.lat for one in levels], [one.lon for one in levels])
    names = sorted({one.bssid for one in levels})
    number = {bssid: k for k, bssid in enumerate(names)}
    source = np.array([number[one.bssid] for one in levels])
    level = np.array([one.level_dbm for one in levels])
    rise = typical.height_m - typical.terminal_m
    told = np.array([one.walk != without for one in levels])
    guessed = guess(
        places[told], level[told], source[told], len(names), exponent=exponent, rise_m=rise
    )
    found = []
    for one, place, k in zip(levels, places, source.tolist(), strict=True):
        x, y = place - guessed.xy[k]
        if not np.isfinite(x):
            _count(left_out, "of networks heard at too few places to guess where they stand")
        elif np.hypot(x, y) < NEAREST_M:
            _count(left_out, "too near for what the position is worth")
        else:
            found.append((one, typical, float(np.hypot(x, y)), 0.0))
    return Walked(_readings(found), left_out, int(np.isfinite(guessed.xy[:, 0]).sum()))


def _readings(found: Sequence[tuple[Heard, Link, float, float]]) -> Readings:
    """What `calibration.fit` takes. What a walk heard weakest is where its hearing ends."""
    walks = sorted({one.walk for one, *_ in found})
    names = sorted({one.bssid for one, *_ in found})
    floor = {walk: min(o.level_dbm for o, *_ in found if o.walk == walk) for walk in walks}
    decades, excess, limit = [], [], []
    for one, known, metres, bearing in found:
        band, channel = _carrier(known, one.channel)
        link = replace(known, band=band, channel=channel)
        slant = float(link.path.slant(metres))
        down = float(np.degrees(np.arctan2(link.height_m - link.terminal_m, metres)))
        sent = link.power_dbm + link.antenna.dbi - float(link.antenna.loss_db(bearing, down))
        sent -= reference_db(link.environment, link.ghz)
        decades.append(10 * np.log10(slant))
        excess.append(sent - one.level_dbm)
        # half a dB below the weakest: levels are told in whole dB
        limit.append(sent - floor[one.walk] + 0.5)
    return Readings(
        np.array([walks.index(o.walk) for o, *_ in found], dtype=np.intp),
        np.array([names.index(o.bssid) for o, *_ in found], dtype=np.intp),
        np.array(decades), np.array(excess), np.array(limit), tuple(walks),
    )  # fmt: skip


def _carrier(link: Link, channel: int | None) -> tuple[str, int | None]:
    """The band and channel that a reading was made on, where it tells them."""
    if channel is not None and link.band != "6":
        if 1 <= channel <= 14:
            return "2.4", channel
        if 36 <= channel <= 177:
            return "5", channel
    return link.band, link.channel
