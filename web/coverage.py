"""The planner's picture of the city: coverage per neighbourhood, computed once for a radius and a
state of the inventory, in a thread of its own; coverage itself is kept in the home's cache, which
the command line shares.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from sqlalchemy import func, select

from farola.errors import FarolaError, PlanningError
from inventory import queries
from inventory.db import Inventory
from inventory.models import Neighbourhood, Site
from inventory.records import NeighbourhoodRecord
from web.bivariate import cell, thirds
from web.geo import Bounds, bounds_of, points_geojson, polygons_geojson, simplify

LOG = logging.getLogger("farola.web")
DEFAULT_RADIUS = 80.0
KEPT_PICTURES = 6
"""Megabytes each, for a whole city."""
RADII = (50.0, 80.0, 150.0)
"""Metres that the page offers: indoors through a wall, a street, an open square."""
BUILT = ("live",)
"""Statuses of sites that cover somebody now."""


@dataclass(frozen=True)
class Area:
    """A neighbourhood with its covered share (0..1) and its cell of gap × deprivation."""

    id: str
    name: str
    borough: str | None
    population: float | None
    deprivation: float | None
    badness: float | None
    grade: str | None
    lon: float
    lat: float
    """A point inside it, WGS84 degrees."""
    share: float
    gap_third: int
    need_third: int

    @property
    def cell(self) -> str:
        """`a1` to `c3`; empty where residents or deprivation are unknown."""
        return cell(self.gap_third, self.need_third)

    @property
    def uncovered(self) -> float | None:
        """Residents without coverage."""
        return None if self.population is None else self.population * (1 - self.share)


@dataclass(frozen=True)
class GroupFigures:
    """A group's residents and how many are covered."""

    name: str
    population: float
    covered: float

    @property
    def uncovered(self) -> float:
        """Residents without coverage."""
        return self.population - self.covered

    @property
    def share(self) -> float:
        """Covered share, 0..1."""
        return self.covered / self.population if self.population else 0.0


@dataclass(frozen=True)
class Picture:
    """All that the planner's page shows of the present; `rated` is whether deprivation is known."""

    version: str
    radius: float
    areas: dict[str, Area]
    total: GroupFigures
    groups: dict[str, tuple[GroupFigures, ...]]
    cells: dict[str, float]
    """Residents per cell."""
    rated: bool
    sites: int
    bounds: Bounds | None
    neighbourhoods_geojson: bytes
    sites_geojson: bytes


@dataclass(frozen=True)
class Working:
    """The picture is being computed; come back in a moment."""


@dataclass(frozen=True)
class Failed:
    """There is no picture, and this is why."""

    reason: str


class CoverageCache:
    """Keeps the newest picture of each of the radii last asked for; one is computed at a time."""

    def __init__(self, inventory: Inventory, home: Path) -> None:
        self._inventory, self._folder = inventory, home / "cache"
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._done: OrderedDict[float, tuple[str, Picture | Failed]] = OrderedDict()
        """By radius, with the version; the one asked for last stands last."""
        self._running: dict[tuple[float, str], threading.Thread] = {}

    def get(self, radius: float, patience: float = 1.5) -> Picture | Failed | Working:
        """The picture for `radius` metres, waiting at most `patience` seconds for a new one."""
        version = self.version()
        with self._lock:
            if found := self._found(radius, version):
                return found
            key = (radius, version)
            thread = self._running.get(key)
            if thread is None:
                thread = threading.Thread(target=self._work, args=key, daemon=True)
                self._running[key] = thread
                thread.start()
        thread.join(patience)
        with self._lock:
            return self._found(radius, version) or Working()

    def _found(self, radius: float, version: str) -> Picture | Failed | None:
        made, answer = self._done.get(radius, ("", None))
        if answer is None or made != version:
            return None
        self._done.move_to_end(radius)
        return answer

    def version(self) -> str:
        """Fingerprint of what a picture is made from; the database adds up, no row is fetched."""
        n, s = Neighbourhood, Site
        names = (n.id, n.name, func.coalesce(n.borough, ""))
        with self._inventory.session() as session:
            neighbourhoods = session.execute(
                select(
                    n.grade, n.high_is_worse, func.count(), func.sum(n.population),
                    func.sum(n.deprivation), func.sum(n.deprivation * n.population),
                    func.sum(func.length(n.geometry)),
                    *(func.aggregate_strings(text, "\n") for text in names),
                ).group_by(n.grade, n.high_is_worse).order_by(n.grade, n.high_is_worse)
            ).all()  # fmt: skip
            sites = session.execute(
                select(
                    s.kind, func.count(), func.sum(s.lat), func.sum(s.lon), func.sum(s.lat * s.lon)
                ).where(s.status.in_(BUILT)).group_by(s.kind).order_by(s.kind)
            ).all()  # fmt: skip
        told = repr((neighbourhoods, sites)).encode()
        return hashlib.sha256(told).hexdigest()[:12]

    def _work(self, radius: float, version: str) -> None:
        answer: Picture | Failed
        try:
            with self._turn:
                answer = self._compute(radius, version)
        except FarolaError as error:
            answer = Failed(str(error))
        except Exception as error:
            LOG.exception("coverage failed")  # and the page tells, as no request sees this thread
            answer = Failed(f"coverage could not be computed: {error}; see `farola coverage`")
        with self._lock:
            self._done[radius] = (version, answer)
            self._done.move_to_end(radius)
            while len(self._done) > KEPT_PICTURES:
                self._done.popitem(last=False)
            self._running.pop((radius, version), None)

    def _compute(self, radius: float, version: str) -> Picture:
        from coverage_maps.cover.cache import cached_cover
        from coverage_maps.cover.ground import lay_out, positions

        with self._inventory.session() as session:
            records = queries.neighbourhoods(session)
            sites = queries.sites(session, BUILT)
        ground = lay_out(records)
        standing = [site for site in sites if site.stands]
        covered = cached_cover(ground, positions(ground, standing), radius, self._folder)
        shares = {r.id: float(v) for r, v in zip(ground.records, covered.shares, strict=True)}
        points = [(site.lon, site.lat) for site in sites]
        return picture(
            version, radius, ground, shares=shares,
            sites=len(sites),
            sites_geojson=points_geojson(points, [{"id": site.id} for site in sites]),
        )  # fmt: skip


def picture(
    version: str, radius: float, ground: Any, *, shares: dict[str, float], sites: int,
    sites_geojson: bytes,
) -> Picture:  # fmt: skip
    """Join shares, deprivation and geometry; `ground` is `coverage_maps.cover.ground.Ground`."""
    areas = classify(list(ground.records), shares)
    total, groups = _groups(ground, shares)
    residents: dict[str, float] = {}
    for area in areas.values():
        residents[area.cell] = residents.get(area.cell, 0.0) + (area.population or 0.0)
    shapes = [record.geometry for record in ground.records]
    properties = [{"id": area.id, "name": area.name, "cell": area.cell} for area in areas.values()]
    return Picture(
        version, radius, areas, total, groups, residents,
        rated=any(area.need_third >= 0 for area in areas.values()),
        sites=sites,
        bounds=bounds_of(shapes),
        neighbourhoods_geojson=polygons_geojson(simplify(shapes), properties),
        sites_geojson=sites_geojson,
    )  # fmt: skip


def classify(records: list[NeighbourhoodRecord], shares: dict[str, float]) -> dict[str, Area]:
    """Each neighbourhood with its thirds. Where no deprivation is known, all count as alike."""
    population = [record.population for record in records]
    gaps = thirds([1 - shares[record.id] for record in records], population)
    badness = [record.badness for record in records]
    needs = thirds(badness, population)
    inside = shapely.point_on_surface([record.geometry for record in records])
    return {
        r.id: Area(
            r.id, r.name, r.borough, r.population, r.deprivation, r.badness, r.grade,
            point.x, point.y, shares[r.id], int(gap), int(need),
        )
        for r, point, gap, need in zip(records, inside, gaps, needs, strict=True)
    }  # fmt: skip


def _groups(
    ground: Any, shares: dict[str, float]
) -> tuple[GroupFigures, dict[str, tuple[GroupFigures, ...]]]:
    import numpy as np

    from coverage_maps.cover.groups import grouping, summarise

    values = np.array([shares[record.id] for record in ground.records])
    total, _each = summarise(ground, values, grouping(ground, "neighbourhood"))
    found: dict[str, tuple[GroupFigures, ...]] = {}
    for by in ("fifth", "grade"):
        try:
            _sum, members = summarise(ground, values, grouping(ground, by))
        except PlanningError:  # no grades, or no deprivation, were imported
            continue
        found[by] = tuple(
            GroupFigures(g.group, g.population, g.covered_population) for g in members
        )
    return GroupFigures("all", total.population, total.covered_population), found
