"""The reach of each radio of the city by a propagation model: the inventory's radios and sites →
emitters, with what had to be assumed of those that it does not describe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from coverage_maps.cover.emitters import Emitter, from_sites
from coverage_maps.cover.ground import Ground
from coverage_maps.propagation import CARRIERS, SERVICES, Link, Reach, Tuning, check_link, reach
from coverage_maps.radio.antennas import Antenna
from coverage_maps.radio.walls import Obstacles, behind_walls, budget
from farola.errors import PlanningError
from inventory.records import RadioRecord, SiteRecord

DEFAULT = Link()
MOST_WARNINGS = 8


@dataclass(frozen=True)
class StreetRequest:
    """What is asked of the street model. `band`, power, antenna and height stand in where the
    inventory does not say; None is the default of `propagation.Link`.
    """

    environment: str = DEFAULT.environment
    band: str | None = None
    """Only radios of this band count; None takes all, and 5 GHz where no band is known."""
    power_dbm: float | None = None
    antenna_dbi: float | None = None
    height_m: float | None = None
    phone_dbm: float | None = None
    service: str = "data"
    needed_dbm: float | None = None
    """Takes the place of the service's level."""
    reliability: float = DEFAULT.reliability
    interference_db: float = 0.0
    indoor: bool = False
    building: str = DEFAULT.building
    country: str | None = None
    tuning: Tuning | None = None

    def link(self) -> Link:
        """The link of an access point of which nothing is known.

        Raises
        ------
        PlanningError
            A value cannot be.
        """
        if self.service not in SERVICES:
            raise PlanningError(f"no service {self.service!r}: choose {' or '.join(SERVICES)}")
        band = self.band or DEFAULT.band
        if band not in CARRIERS:
            raise PlanningError(f"no band {band!r}: choose one of {', '.join(CARRIERS)} (GHz)")
        antenna = DEFAULT.antenna if self.antenna_dbi is None else Antenna(self.antenna_dbi)
        return check_link(
            Link(
                environment=self.environment, band=band, antenna=antenna,
                needed_dbm=SERVICES[self.service] if self.needed_dbm is None else self.needed_dbm,
                reliability=self.reliability, interference_db=self.interference_db,
                indoor=self.indoor, building=self.building, country=self.country,
                tuning=self.tuning, power_dbm=_or(self.power_dbm, DEFAULT.power_dbm),
                height_m=_or(self.height_m, DEFAULT.height_m),
                phone_dbm=_or(self.phone_dbm, DEFAULT.phone_dbm),
            )
        )  # fmt: skip


@dataclass(frozen=True)
class Street:
    """Emitters of a city with their reach, and what was said of them."""

    emitters: list[Emitter]
    links: dict[str, Link] = field(repr=False)
    """By the emitter's id."""
    typical: Reach
    """Of an access point of which the inventory knows nothing."""
    assumed: dict[str, int]
    """How many emitters had to be taken at the default, by what."""
    limited_by: dict[str, int]
    warnings: tuple[str, ...]
    skipped: int = 0
    """Radios of another band than the one asked for."""
    walled: int | None = None
    """Emitters near which building outlines stand; None where outlines were not asked for."""
    measured: int | None = None
    """Emitters whose footprint walks corrected; None where they were not asked."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; ranges in metres."""
        ranges = np.array([e.range_m for e in self.emitters] or [0.0])
        return {
            "emitters": len(self.emitters),
            "range_m": {
                "least": round(float(ranges.min()), 1),
                "median": round(float(np.median(ranges)), 1),
                "most": round(float(ranges.max()), 1),
            },
            "typical": {
                "range_m": round(self.typical.range_m, 1),
                "level_dbm": _finite(self.typical.level_dbm),
                "uplink_dbm": _finite(self.typical.uplink_dbm),
                "margin_db": round(self.typical.margin_db, 1),
                "limited_by": self.typical.limited_by,
            },
            "limited_by": self.limited_by,
            "assumed": self.assumed,
            "radios_of_other_bands": self.skipped,
            "behind_walls": self.walled,
            "measured": self.measured,
            "warnings": list(self.warnings),
        }


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _finite(level: float) -> float | None:
    """A level for JSON, which knows no infinity: None where nothing is sent."""
    return round(level, 1) if np.isfinite(level) else None


def street_emitters(
    ground: Ground, sites: Sequence[SiteRecord], radios: Sequence[RadioRecord],
    request: StreetRequest,
) -> Street:  # fmt: skip
    """One emitter for each radio at one of `sites`, and one for each site without known radios.

    Raises
    ------
    PlanningError
        A value asked for, or imported of a radio, cannot be: the radio is named.
    """
    typical = request.link()
    base = {emitter.site_id: emitter for emitter in from_sites(ground, sites, 0.0)}
    by_site = {site.id: site for site in sites}
    here = _described([radio for radio in radios if radio.site_id in by_site])
    taken = [r for r in here if request.band is None or r.band in ("", request.band)]
    pairs: list[tuple[Emitter, Link]] = []
    assumed: Counter[str] = Counter()
    for radio in taken:
        site = by_site[str(radio.site_id)]
        emitter = replace(
            base[site.id], id=f"{radio.device_id}/{radio.name}", device_id=radio.device_id
        )
        pairs.append((emitter, _link_of(typical, site, radio, assumed)))
    known = {radio.site_id for radio in here}
    for site in sites:
        if site.id not in known:
            pairs.append((base[site.id], _link_of(typical, site, None, assumed)))
    told: Counter[str] = Counter()
    emitters, links = [], {}
    for emitter, link in pairs:
        try:
            found = reach(link)
        except PlanningError as error:
            raise PlanningError(f"radio {emitter.id}: {error}") from None
        told.update(found.warnings)
        emitters.append(
            replace(
                emitter, range_m=found.range_m, ranges_m=found.ranges_m, kind=link.environment,
                band=link.band, place=found.place, limited_by=found.limited_by,
            )
        )  # fmt: skip
        links[emitter.id] = link
    return Street(
        emitters, links, reach(typical), dict(assumed),
        dict(Counter(emitter.limited_by for emitter in emitters)),
        _several(told, len(emitters)), len(here) - len(taken),
    )  # fmt: skip


def with_walls(
    street: Street, obstacles: Obstacles, advance: Callable[[int], None] = lambda _n: None
) -> Street:
    """`street` with building outlines in the way, where there are any.

    `advance` is called with the number of emitters done.
    """
    emitters = []
    walled = 0
    for emitter in street.emitters:
        link = street.links[emitter.id]
        behind = behind_walls(emitter, link, budget(link), obstacles)
        walled += behind is not None
        emitters.append(behind or emitter)
        advance(1)
    return replace(street, emitters=emitters, walled=walled)


def _described(radios: Sequence[RadioRecord]) -> list[RadioRecord]:
    """`radios` without those that nothing is known of at a device that has others: they hold
    BSSIDs of which nobody said which radio sends them.
    """
    known = {radio.device_id for radio in radios if radio.band}
    return [radio for radio in radios if radio.band or radio.device_id not in known]


def _link_of(
    typical: Link, site: SiteRecord, radio: RadioRecord | None, assumed: Counter[str]
) -> Link:
    """`typical` with what is known of this site and radio; what is not is counted."""
    link = typical
    if site.height_m is None:
        assumed["height"] += 1
    else:
        link = replace(link, height_m=site.height_m)
    if site.indoor:
        link = replace(link, site_indoor=True)
    if radio is None:
        assumed.update(("band", "power", "antenna"))
        return link
    if radio.band:
        link = replace(link, band=radio.band, channel=radio.channel)
    else:
        assumed["band"] += 1
    if radio.power_dbm is None:
        assumed["power"] += 1
    else:
        link = replace(link, power_dbm=radio.power_dbm)
    if radio.antenna_dbi is None:
        assumed["antenna"] += 1
    antenna = Antenna(
        link.antenna.dbi if radio.antenna_dbi is None else radio.antenna_dbi,
        radio.azimuth_deg if radio.beamwidth_deg is not None else None,
        radio.beamwidth_deg,
        radio.tilt_deg,
    )
    return replace(link, antenna=antenna)


def _several(told: Counter[str], emitters: int) -> tuple[str, ...]:
    """The commonest warnings, each with how many emitters it is of."""
    lines = [
        line if count == emitters else f"{line} ({count:,} of {emitters:,})"
        for line, count in told.most_common(MOST_WARNINGS)
    ]
    rest = len(told) - MOST_WARNINGS
    return (*lines, f"and {rest:,} other warnings") if rest > 0 else tuple(lines)
