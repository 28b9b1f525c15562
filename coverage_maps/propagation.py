"""From a radio to its reach: path loss, both antennas, margins, the phone's way back, and the law.

A place is reached where the phone hears the access point and the access point hears the phone, both
at the level that the service needs, with the stated reliability at the edge. Levels are out of
doors unless `indoor` is set; every result says which.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from coverage_maps.cover.projection import Floats
from coverage_maps.radio.antennas import Antenna, check_antenna
from coverage_maps.radio.building_entry import VALID_GHZ, entry_loss_db
from coverage_maps.radio.path_loss import (
    P1411,
    Branch,
    Model,
    Path,
    free_space_db,
    median_db,
    model,
    outside,
)
from farola.errors import PlanningError

FARTHEST = 50_000.0
SERVICES = {"voice": -67.0, "data": -70.0}
"""dBm that a phone needs: for voice and video, and for data."""
CARRIERS = {"2.4": 2.442, "5": 5.5, "6": 6.2}
"""GHz in the middle of a band, where the channel is not known."""
ALL_AROUND = Antenna(5.0)
"""The antenna that most outdoor access points are sold with."""
_SAMPLES = 64
"""Equally likely values that stand for the spread of building entry loss."""


@dataclass(frozen=True)
class Tuning:
    """What a calibration says of an environment: it takes the place of the model's slope."""

    offset_db: float
    exponent: float
    sigma_db: float


@dataclass(frozen=True)
class Link:
    """A radio, the phone it serves and what is asked of them; dBm, dBi, dB and metres."""

    environment: str = "residential"
    band: str = "5"
    channel: int | None = None
    power_dbm: float = 20.0
    """Conducted, before the antenna."""
    antenna: Antenna = ALL_AROUND
    height_m: float = 6.0
    terminal_m: float = 1.5
    phone_dbm: float = 15.0
    """What a phone radiates, the hand around it included."""
    needed_dbm: float = SERVICES["data"]
    """The level that the service needs, at both ends alike."""
    reliability: float = 0.9
    """Share of the places at the edge that must have that level; 0.5 is no margin at all."""
    interference_db: float = 0.0
    """How much others raise the floor above noise."""
    indoor: bool = False
    """Whether the phone is in a building, which costs ITU-R P.2109's entry loss."""
    building: str = "traditional"
    country: str | None = None
    """ISO 3166 code whose limits hold; None holds none."""
    site_indoor: bool = False
    """Whether the access point itself stands in a building: its signal must first get out."""
    tuning: Tuning | None = None

    @property
    def ghz(self) -> float:
        """The carrier."""
        return carrier_ghz(self.band, self.channel)

    @property
    def path(self) -> Path:
        """Its path, for the models."""
        return Path(self.ghz, self.height_m, self.terminal_m)

    @property
    def entries(self) -> int:
        """How many buildings' outer walls lie between access point and phone, at least."""
        return int(self.indoor) + int(self.site_indoor)

    @property
    def place(self) -> Literal["indoor", "outdoor"]:
        """Where the phone is."""
        return "indoor" if self.indoor else "outdoor"


@dataclass(frozen=True)
class Reach:
    """How far a link goes, on the ground."""

    range_m: float
    """Metres; 0 reaches nobody. Of a sector antenna the largest."""
    limited_by: str
    """`downlink`, `uplink`, or `country` where the law lets nothing be sent there."""
    level_dbm: float
    """Median level that a phone hears at that range."""
    uplink_dbm: float
    """Median level that the access point hears there."""
    margin_db: float
    """Kept above the level needed, for the stated reliability and for interference."""
    place: str
    """`outdoor` or `indoor`."""
    ranges_m: tuple[float, ...] = field(default=(), repr=False)
    """By bearing clockwise from north, of a sector antenna."""
    warnings: tuple[str, ...] = ()


def carrier_ghz(band: str, channel: int | None = None) -> float:
    """The carrier of a channel, or the middle of its band; PlanningError for no such band."""
    if band not in CARRIERS:
        raise PlanningError(f"no band {band!r}: choose one of {', '.join(CARRIERS)} (GHz)")
    if channel is None:
        return CARRIERS[band]
    last = {"2.4": 14, "5": 196, "6": 233}[band]
    if not 1 <= channel <= last:
        raise PlanningError(f"there is no channel {channel} in the band of {band} GHz")
    if band == "2.4":
        return 2.484 if channel == 14 else 2.407 + 0.005 * channel
    return (5.0 if band == "5" else 5.95) + 0.005 * channel


def check_link(link: Link) -> Link:
    """Return `link`; PlanningError where no radio, phone or demand can be so."""
    model(link.environment)
    carrier_ghz(link.band, link.channel)
    check_antenna(link.antenna)
    for value, low, high, what in (
        (link.power_dbm, -30, 40, "a radio's power in dBm"),
        (link.height_m, 0.5, 500, "a height in metres"),
        (link.terminal_m, 0.2, 100, "a phone's height in metres"),
        (link.phone_dbm, -30, 40, "a phone's power in dBm"),
        (link.needed_dbm, -110, 0, "a level in dBm"),
        (link.reliability, 0.5, 0.999, "a reliability"),
        (link.interference_db, 0, 40, "an interference margin in dB"),
    ):
        if not low <= value <= high:  # false for nan too
            raise PlanningError(f"{value:g} cannot be {what}: give {low:g} to {high:g}")
    if link.entries:
        entry_loss_db(0.5, link.ghz, link.building)
    return link


def loss_db(link: Link, ground_m: ArrayLike) -> Floats:
    """Median loss of the path in dB, out of doors, without antennas."""
    ground = np.asarray(ground_m, dtype=np.float64)
    if link.tuning is None:
        return median_db(model(link.environment), ground, link.path)
    return _tuned(link, np.atleast_1d(ground))[0].loss_db.reshape(ground.shape)


def loss_not_exceeded_db(link: Link, ground_m: ArrayLike, chance: float | None = None) -> Floats:
    """Loss in dB that shadowing, a missing line of sight and, indoors, walls do not exceed with
    `chance`, by default the link's reliability; shape as `ground_m` in metres.
    """
    ground = np.asarray(ground_m, dtype=np.float64)
    flat = np.atleast_1d(ground).ravel()
    branches = _branches(link, flat)
    share = link.reliability if chance is None else chance
    if len(branches) == 1 and not link.entries:
        only = branches[0]
        return np.asarray(only.loss_db + only.sigma_db * ndtri(share)).reshape(ground.shape)
    walls = _walls_db(link.entries, link.ghz, link.building)
    return _quantile(branches, walls, share).reshape(ground.shape)


@functools.lru_cache(maxsize=256)
def _walls_db(entries: int, ghz: float, building: str) -> Floats:
    """Equally likely losses of entering that many buildings, one after the other."""
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    once = entry_loss_db(steps, ghz, building)
    sums = np.zeros(1)
    for _ in range(entries):
        every = np.sort(np.add.outer(sums, once), axis=None)
        sums = every[len(every) // _SAMPLES // 2 :: len(every) // _SAMPLES]
    return sums


def _branches(link: Link, ground: Floats) -> tuple[Branch, ...]:
    if link.tuning is not None:
        return _tuned(link, ground)
    chosen: Model = model(link.environment)
    return chosen.branches(ground, link.path)


def _tuned(link: Link, ground: Floats) -> tuple[Branch, ...]:
    """The calibrated model: the environment's loss at one metre and the slope that was measured,
    never below free space.
    """
    tuning = link.tuning
    assert tuning is not None  # noqa: S101 - callers looked
    slant = link.path.slant(ground)
    first = reference_db(link.environment, link.ghz) + tuning.offset_db
    sloped = first + 10 * tuning.exponent * np.log10(slant)
    loss = np.asarray(np.maximum(sloped, free_space_db(slant, link.ghz)))
    return (Branch(np.ones_like(loss), loss, tuning.sigma_db),)


def reference_db(environment: str, ghz: float) -> float:
    """The loss at one metre that a calibration of `environment` adds its offset to, in dB."""
    chosen = model(environment)
    if isinstance(chosen, P1411):
        return float(chosen.beta + 10 * chosen.gamma * np.log10(ghz))
    level = Path(ghz, 10.0, 10.0)
    return float(chosen.branches(np.ones(1), level)[-1].loss_db[0])


def _quantile(branches: tuple[Branch, ...], walls: Floats, share: float) -> Floats:
    """The loss below which `share` of all outcomes lie: branches by their chances, each spread
    normally, plus one of the equally likely `walls`. By bisection, for all distances at once.
    """
    spread = [(b.chance[:, None], b.loss_db[:, None] + walls, b.sigma_db) for b in branches]
    low = np.min([loss.min(axis=1) for _, loss, _ in spread], axis=0) - 60
    high = np.max([loss.max(axis=1) for _, loss, _ in spread], axis=0) + 60
    for _ in range(40):
        middle = (low + high) / 2
        below = sum(
            (chance * ndtr((middle[:, None] - loss) / sigma)).mean(axis=1)
            for chance, loss, sigma in spread
        )
        enough = below >= share
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return np.asarray(high)


def level_dbm(link: Link, ground_m: ArrayLike, bearing_deg: ArrayLike | None = None) -> Floats:
    """Median level that a phone hears, in dBm, at distances on the ground in metres.

    `bearing_deg`, clockwise from north, is of the shape of `ground_m`; without it the antenna's
    peak is taken. Indoors the median entry loss is in it. What the law caps is not in it: see
    `lawful`.
    """
    ground = np.asarray(ground_m, dtype=np.float64)
    antenna = link.antenna.dbi - _pattern(link, ground, bearing_deg)
    return np.asarray(link.power_dbm + antenna - _median(link, ground))


def uplink_dbm(link: Link, ground_m: ArrayLike, bearing_deg: ArrayLike | None = None) -> Floats:
    """Median level that the access point hears of the phone; as `level_dbm`."""
    ground = np.asarray(ground_m, dtype=np.float64)
    antenna = link.antenna.dbi - _pattern(link, ground, bearing_deg)
    return np.asarray(link.phone_dbm + antenna - _median(link, ground))


def _median(link: Link, ground: Floats) -> Floats:
    return loss_not_exceeded_db(link, ground, 0.5)


def _pattern(link: Link, ground: Floats, bearing_deg: ArrayLike | None) -> Floats:
    antenna = link.antenna
    if bearing_deg is None:
        bearing_deg = antenna.azimuth_deg or 0.0
    rise = link.height_m - link.terminal_m
    return antenna.loss_db(bearing_deg, np.degrees(np.arctan2(rise, np.maximum(ground, 0.01))))


def lawful(link: Link) -> tuple[Link, tuple[str, ...]]:
    """`link` with no more power than its country allows, and what was said about it.

    A radio that may not send there at all has a power of -inf. Without a channel the best one of
    the band is taken.
    """
    from farola import regulatory

    if link.country is None:
        return link, ()
    country = link.country.upper()
    known = regulatory.allowed(country, link.band[0])
    whose = country if regulatory.is_listed(country) else f"{country} (taken for the world domain)"
    told = []
    if link.channel is not None:
        known = {c: rule for c, rule in known.items() if c == link.channel}
    outside_too = {c: rule for c, rule in known.items() if link.site_indoor or not rule.indoors}
    if not outside_too:
        band = f"{link.band} GHz" + (f", channel {link.channel}," if link.channel else "")
        why = "may be used indoors only" if known else "may not be used"
        told.append(f"{band} {why} in {whose}: such a radio reaches nobody out of doors")
        return replace(link, power_dbm=-np.inf), tuple(told)
    most = max(rule.power for rule in outside_too.values())
    eirp = link.power_dbm + link.antenna.dbi
    if eirp <= most:
        return link, ()
    told.append(
        f"{eirp:g} dBm EIRP at {link.band} GHz is above the {most} dBm of {whose}: held to that"
    )
    return replace(link, power_dbm=most - link.antenna.dbi), tuple(told)


@functools.lru_cache(maxsize=4096)
def reach(link: Link) -> Reach:
    """How far `link` serves a phone, both ways, at its reliability.

    Raises
    ------
    PlanningError
        A value is not possible, or an environment, band, channel or building is not known.
    """
    check_link(link)
    sending, warnings = lawful(link)
    if sending.power_dbm == -np.inf:
        low = float("-inf")
        return Reach(0.0, "country", low, low, 0.0, link.place, (), warnings)
    bearings = np.arange(0, 360, 5.0) if link.antenna.is_sector else np.zeros(1)
    ranges = ranges_m(sending, bearings)
    far = float(ranges.max())
    edge = max(far, 1.0)
    told = [*warnings, *_doubts(sending, far)]
    by = "uplink" if sending.phone_dbm < sending.power_dbm else "downlink"
    margin = float(loss_not_exceeded_db(sending, edge) - _median(sending, np.array(edge)))
    return Reach(
        far, by, float(level_dbm(sending, edge)), float(uplink_dbm(sending, edge)),
        margin + sending.interference_db, link.place,
        tuple(ranges.tolist()) if link.antenna.is_sector else (), tuple(told),
    )  # fmt: skip


def ranges_m(link: Link, bearings_deg: Floats, extra_db: ArrayLike = 0.0) -> Floats:
    """Range in metres towards each bearing with `extra_db` of loss on the way, shape (n,).

    It is the farthest distance at which both ways have the level needed. 0 where not even one
    metre is reached, at most 50 km.
    """
    bearings, extra = np.broadcast_arrays(
        np.asarray(bearings_deg, dtype=np.float64), np.asarray(extra_db, dtype=np.float64)
    )
    weaker = min(link.power_dbm, link.phone_dbm) + link.antenna.dbi
    budget = weaker - link.needed_dbm - link.interference_db
    steps = np.geomspace(1.0, FARTHEST, 257)
    spent = loss_not_exceeded_db(link, steps)
    need = spent[None, :] + np.stack([_pattern(link, steps, b) for b in bearings.ravel()])
    over = need + extra.ravel()[:, None] - budget
    good = over <= 0
    last = np.where(good.any(axis=1), len(steps) - 1 - np.argmax(good[:, ::-1], axis=1), -1)
    after = np.clip(last + 1, 1, len(steps) - 1)
    row = np.arange(len(over))
    a, b = over[row, after - 1], over[row, after]
    part = np.clip(np.divide(-a, b - a, out=np.zeros_like(a), where=b > a), 0.0, 1.0)
    found = np.exp(np.log(steps[after - 1]) * (1 - part) + np.log(steps[after]) * part)
    found = np.where(last < 0, 0.0, np.where(last == len(steps) - 1, FARTHEST, found))
    return np.asarray(found.reshape(bearings.shape))


def _doubts(link: Link, range_m: float) -> list[str]:
    """What lies outside of what the models were measured for."""
    told = outside(model(link.environment).limits, link.path, range_m if range_m > 0 else None)
    if link.tuning is not None:
        told = []
    if link.entries and not VALID_GHZ[0] <= link.ghz <= VALID_GHZ[1]:
        told.append(f"building entry loss is not known at {link.ghz:g} GHz")
    if range_m >= FARTHEST:
        told.append("the range is cut at 50 km")
    return [f"{link.environment}: {line}" for line in told]
