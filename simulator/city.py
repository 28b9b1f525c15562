"""A pretend city, the same for the same seed: neighbourhoods, access points, candidate sites
and the use residents make of the portal. It lies in the open Atlantic; nothing in it is real.

The centre is well covered, the rim is poor and is not: the gap that Farola is there to find.
`simulator.city_files` writes it as the files that a city would import.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from simulator import figures
from simulator.names import BOROUGHS, CITY, neighbourhood_names

if TYPE_CHECKING:
    from shapely import Point, Polygon

CENTRE_LAT, CENTRE_LON = 4.0, -27.0
TIMEZONE = "Etc/GMT+2"
METRES_PER_DEGREE = 111_195.0
"""Length of a degree of latitude on a sphere of radius 6,371 km."""

GRADES = ("very low", "low", "medium", "high", "very high")
"""Grades of deprivation, the worst last."""

LAST_DAY = date(2026, 6, 30)
"""Usage ends here unless told otherwise, so that a seed gives the same files on any day."""


@dataclass(frozen=True)
class Neighbourhood:
    """A neighbourhood; `polygon` is in metres east and north of the centre."""

    id: str
    name: str
    borough: str
    population: int
    deprivation: float
    """0..100, higher is worse."""
    grade: str
    polygon: Polygon


@dataclass(frozen=True)
class AccessPoint:
    """An access point, one a site; its site carries the same id."""

    id: str
    name: str
    kind: str
    neighbourhood: str
    lat: float
    lon: float
    management_address: str
    ssh_port: int
    snmp_port: int
    mac: str
    serial: str
    bssid_2g: str
    bssid_5g: str
    users_month: float
    """Users in a mean month."""

    @property
    def mean_clients(self) -> float:
        """Clients at a time over a mean week: sessions × their length ÷ the month's minutes."""
        minutes = figures.BY_NAME[self.kind].minutes_per_session
        return self.users_month * figures.SESSIONS_PER_USER * minutes / (30.4 * 24 * 60)


@dataclass(frozen=True)
class Candidate:
    """A place where one could build; cost in whole units of money."""

    id: str
    name: str
    kind: str
    lat: float
    lon: float
    cost: int


@dataclass(frozen=True)
class UsageRow:
    """A month of one site's portal."""

    site: str
    month: str
    kind: str
    users: int
    sessions: int
    minutes: int


@dataclass(frozen=True)
class City:
    """All of it; `simulated` says so wherever it is written."""

    seed: int
    name: str
    timezone: str
    neighbourhoods: tuple[Neighbourhood, ...]
    access_points: tuple[AccessPoint, ...]
    candidates: tuple[Candidate, ...]
    usage: tuple[UsageRow, ...]
    simulated: bool = True


def make_city(
    seed: int,
    aps: int,
    *,
    network: str | None = None,
    ssh_port: int = 2222,
    snmp_port: int = 1161,
    last_day: date = LAST_DAY,
) -> City:
    """Make the city of `seed` with `aps` access points (1 to 60,000).

    `network` is the start of their loopback addresses, such as "127.77"; by default it follows
    from the seed. Usage covers the twelve whole months up to `last_day`.
    """
    from simulator.geography import make_neighbourhoods

    if not 1 <= aps <= 60_000:
        raise ValueError(f"a pretend city has 1 to 60,000 access points, not {aps}")
    source = random.Random(f"farola city {seed}")  # noqa: S311 - a pretend city, no secret
    names = neighbourhood_names(70, source)
    neighbourhoods = make_neighbourhoods(seed, aps, names, BOROUGHS, GRADES)
    network = network or f"127.{16 + seed % 200}"
    placed = _place(source, neighbourhoods, aps)
    users = _users(source, [kind for kind, _, _ in placed])
    access_points = tuple(
        _access_point(
            source,
            number,
            placed[number],
            users=users[number],
            management=(f"{network}.{1 + number // 250}.{1 + number % 250}", ssh_port, snmp_port),
        )
        for number in range(aps)
    )
    return City(
        seed=seed,
        name=CITY,
        timezone=TIMEZONE,
        neighbourhoods=neighbourhoods,
        access_points=access_points,
        candidates=_candidates(source, neighbourhoods),
        usage=tuple(_usage(source, access_points, last_day)),
    )


def to_degrees(x: float, y: float) -> tuple[float, float]:
    """(lat, lon) of a point `x` metres east and `y` metres north of the centre."""
    lat = CENTRE_LAT + y / METRES_PER_DEGREE
    return lat, CENTRE_LON + x / (METRES_PER_DEGREE * math.cos(math.radians(CENTRE_LAT)))


def _point_in(source: random.Random, polygon: Polygon) -> Point:
    from shapely import Point

    west, south, east, north = polygon.bounds
    while True:
        point = Point(source.uniform(west, east), source.uniform(south, north))
        if polygon.contains(point):
            return point


def _place(
    source: random.Random, neighbourhoods: tuple[Neighbourhood, ...], count: int
) -> list[tuple[str, Neighbourhood, Point]]:
    """Unevenly: a neighbourhood's share falls by e for each 12 points of deprivation."""
    weights = [math.exp(-n.deprivation / 12) * n.population for n in neighbourhoods]
    kinds = [kind.name for kind in figures.KINDS]
    shares = [kind.site_share for kind in figures.KINDS]
    homes = source.choices(neighbourhoods, weights, k=count)
    return [
        (source.choices(kinds, shares)[0], home, _point_in(source, home.polygon)) for home in homes
    ]


def _users(source: random.Random, kinds: list[str]) -> list[float]:
    """Users of a mean month, skewed as Newcastle's branches, at the level of the site's kind."""
    middle = math.log(figures.USERS_GEOMETRIC_MEAN)
    return [
        figures.level(figures.BY_NAME[kind])
        * source.lognormvariate(middle, figures.USERS_LOG_SIGMA)
        for kind in kinds
    ]


def _access_point(
    source: random.Random,
    number: int,
    placed: tuple[str, Neighbourhood, Point],
    *,
    users: float,
    management: tuple[str, int, int],
) -> AccessPoint:
    kind, home, where = placed
    lat, lon = to_degrees(where.x, where.y)
    # The bit 02 marks an address that no maker was given.
    stem = f"02:fa:{source.randrange(256):02x}:{number >> 8:02x}:{number & 255:02x}"
    return AccessPoint(
        id=f"ap-{number + 1:04d}",
        name=f"{home.name} {kind} {number + 1}",
        kind=kind,
        neighbourhood=home.id,
        lat=round(lat, 6),
        lon=round(lon, 6),
        management_address=management[0],
        ssh_port=management[1],
        snmp_port=management[2],
        mac=f"{stem}:00",
        serial=f"PRETEND-{number + 1:05d}",
        bssid_2g=f"{stem}:10",
        bssid_5g=f"{stem}:20",
        users_month=round(users, 1),
    )


def _candidates(
    source: random.Random, neighbourhoods: tuple[Neighbourhood, ...]
) -> tuple[Candidate, ...]:
    """Schools, markets and other places, where people live, each with a cost."""
    costs = {
        "school": 1400,
        "market": 1900,
        "health centre": 1600,
        "square": 2600,
        "bus stop": 2100,
    }
    found: list[Candidate] = []
    for home in neighbourhoods:
        for _ in range(max(2, round(home.population / 700))):
            kind = source.choice(list(costs))
            point = _point_in(source, home.polygon)
            lat, lon = to_degrees(point.x, point.y)
            number = len(found) + 1
            cost = round(costs[kind] * source.uniform(0.7, 1.6), -1)
            found.append(
                Candidate(f"place-{number:04d}", f"{home.name} {kind} {number}", kind,
                          round(lat, 6), round(lon, 6), int(cost))
            )  # fmt: skip
    return tuple(found)


def _usage(
    source: random.Random, access_points: tuple[AccessPoint, ...], last_day: date
) -> list[UsageRow]:
    months = whole_months(last_day, 12)
    rows = []
    for point in access_points:
        kind = figures.BY_NAME[point.kind]
        for month in months:
            # Paris's months scatter about their season by some 6 to 10 %.
            noise = source.lognormvariate(0, 0.08)
            sessions = point.users_month * figures.SESSIONS_PER_USER
            sessions *= kind.months[month.month - 1] * noise
            users = sessions / figures.SESSIONS_PER_USER
            minutes = sessions * kind.minutes_per_session
            rows.append(
                UsageRow(point.id, f"{month:%Y-%m}", point.kind, round(users), round(sessions),
                         round(minutes))
            )  # fmt: skip
    return rows


def whole_months(last_day: date, count: int) -> list[date]:
    """First days of the last `count` months that are over by the end of `last_day`, in order."""
    first = (last_day + timedelta(days=1)).replace(day=1)
    months = []
    for _ in range(count):
        first = (first - timedelta(days=1)).replace(day=1)
        months.append(first)
    return months[::-1]
