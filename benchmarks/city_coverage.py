"""Mexico City as it is: exact coverage of 2,430 neighbourhoods by 27,489 positions, one site
that moves, and a plan of 200 sites with its proof.

The open data is read from FAROLA_TESTDATA (default: a folder `shared` beside the checkout) and
imported through the command line into a temporary home. Without it the rows say so and nothing is
measured. Beside it geopandas does the same: buffers of the same area with as many corners, united,
and the overlay of the neighbourhoods with that; for one site that moves it too takes only what is
near. Where no program does the like the design's target stands as the peer.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
RADIUS, SITES, MOVES = 80.0, 200, 15
TARGETS = {
    "whole city, wall seconds": 10.0,
    "whole city, CPU seconds": 10.0,
    "one access point moved, milliseconds": 50.0,
    "one access point moved, CPU milliseconds": 50.0,
    f"plan of {SITES} sites, gap in percent": 0.1,
    f"plan of {SITES} sites, search and bound, wall seconds": 5.0,
}
PEER = "geopandas overlay"
AGREE = 1e-3
"""Shares of a neighbourhood may differ by so much from geopandas' own."""
T = TypeVar("T")


def measure() -> list[dict[str, Any]]:
    """Rows of benchmarks/results.json."""
    shared = Path(os.environ.get("FAROLA_TESTDATA") or ROOT.parent / "shared")
    data = shared / "data" / "cdmx"
    if not data.is_dir():
        return [_row(metric, None, f"not measured: no {data}") for metric in TARGETS]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        import_city(home, data)
        found = city(home)
    return [_row(metric, found[metric], peer=found.get(f"{PEER}: {metric}")) for metric in TARGETS]


def import_city(home: Path, data: Path) -> None:
    """Neighbourhoods, access points and candidate sites, as the guide tells."""
    variables = {
        "FAROLA_HOME": str(home), "FAROLA_KEY_FILE": str(home.parent / "keys" / "key"),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    neighbourhoods = [
        "import", "neighbourhoods", data / "ageb_urbana_09a.shp", "--id", "CVEGEO",
        "--population", "POB_TOTAL", "--deprivation", "OVSINT", "--deprivation-order",
        "high-is-worse", "--grade", "GM_2020", "--join", data / "imu_2020_ageb.csv",
        "--join-key", "CVE_AGEB",
    ]  # fmt: skip
    access_points = [
        "import", "access-points", data / "wifi_cdmx.xlsx", "--id", "id", "--lat", "latitud",
        "--lon", "longitud", "--programme", "programa",
    ]  # fmt: skip
    start = ["init", "--name", "Ciudad de México", "--timezone", "America/Mexico_City"]
    for words in (start, neighbourhoods, access_points):
        subprocess.run(
            [sys.executable, "-c", "from farola.cli import main; main()", *map(str, words)],
            env={**os.environ, **variables}, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def city(home: Path) -> dict[str, float]:
    """The figures, by metric; nothing is read from a cache."""
    from coverage_maps.cover.coverage import Coverage, cover, move
    from coverage_maps.cover.ground import lay_out, positions
    from farola.settings import Settings
    from inventory import queries
    from inventory.db import open_inventory

    inventory = open_inventory(Settings(home=home))
    with inventory.session() as session:
        records = queries.neighbourhoods(session)
        sites = queries.sites(session, ("live",))
    inventory.close()
    ground = lay_out(records)
    xy = positions(ground, sites)
    before, wall, cpu = timed(lambda: cover(ground, xy, RADIUS))

    def moved(k: int) -> Callable[[], Coverage]:
        place = before.positions[k : k + 1]
        return lambda: move(ground, before, place, place + 40.0)

    chosen = np.random.default_rng(1).choice(len(before.positions), MOVES, replace=False)
    gap, seconds = _plan(ground, before)
    values = (wall, cpu, *_medians(moved, chosen), 100 * gap, seconds)
    ours = dict(zip(TARGETS, values, strict=True))
    return ours | _geopandas(ground, before, chosen)


def _medians(moved: Callable[[int], Callable[[], Any]], chosen: Any) -> tuple[float, float]:
    """Wall and CPU milliseconds of what `moved` makes of each of the `chosen`."""
    moved(int(chosen[0]))()
    times = [timed(moved(int(k)))[1:] for k in chosen]
    wall, cpu = zip(*times, strict=True)
    return 1000 * statistics.median(wall), 1000 * statistics.median(cpu)


def _geopandas(ground: Any, before: Any, chosen: Any) -> dict[str, float]:
    """The same by geopandas: the whole city, and one site that moves."""
    import geopandas
    import shapely

    from coverage_maps.cover.emitters import CORNERS, OUTER

    areas = geopandas.GeoDataFrame({"k": range(len(ground.areas))}, geometry=ground.polygons)
    ours = 1 - shapely.area(before.uncovered) / ground.areas

    def covered(areas: Any, sites: Any) -> Any:
        """Square metres of each of `areas` that discs about `sites` cover, by `k`."""
        reach = sites.buffer(RADIUS * OUTER, quad_segs=CORNERS // 4)
        union = geopandas.GeoDataFrame(geometry=[reach.union_all()]).explode()
        both = areas.overlay(union, how="intersection", keep_geom_type=True)
        return both.area.groupby(both["k"]).sum()

    sites = geopandas.GeoSeries(shapely.points(before.positions))
    found, wall, cpu = timed(lambda: covered(areas, sites))
    shares = np.zeros(len(areas))
    shares[found.index] = found / ground.areas[found.index]
    apart = float(np.abs(shares - ours).max())
    if apart > AGREE:
        raise SystemExit(f"geopandas covers another share: {apart:g} apart")
    index, places = areas.sindex, sites.sindex

    def moved(k: int) -> Callable[[], Any]:
        def work() -> Any:
            there = sites.iloc[[k]].translate(40.0, 40.0)
            both = shapely.union_all([*sites.iloc[[k]].buffer(RADIUS), *there.buffer(RADIUS)])
            touched = areas.iloc[index.query(both, predicate="intersects")]
            left, bottom, right, top = touched.total_bounds
            reach = OUTER * RADIUS
            near = places.query(
                shapely.box(left - reach, bottom - reach, right + reach, top + reach)
            )
            rest = sites.iloc[near[near != k]]
            return covered(touched, geopandas.GeoSeries([*rest, *there]))

        return work

    seconds = wall, cpu, *_medians(moved, chosen)
    return {f"{PEER}: {metric}": value for metric, value in zip(TARGETS, seconds, strict=False)}


def _plan(ground: Any, before: Any) -> tuple[float, float]:
    """Gap and seconds of the search that `farola plan` makes, on generated candidates."""
    from coverage_maps.cover.cells import covers_matrix, demand_points
    from coverage_maps.plan.candidates import choose_candidates
    from coverage_maps.plan.planning import DEFAULT_EQUITY, SEARCH_SECONDS
    from coverage_maps.plan.plans import PlanRequest
    from coverage_maps.plan.weights import resident_weights
    from coverage_maps.siting import maximal_coverage

    request = PlanRequest(sites=SITES, radius=RADIUS, candidates="generated")
    pool = choose_candidates(ground, before, (), request)
    points = demand_points(ground, before, pool.xy, pool.grid)
    covers = covers_matrix(pool.xy, points.xy, RADIUS)
    weigh = resident_weights(ground, DEFAULT_EQUITY, np.ones(len(ground.records)))
    answer, wall, _cpu = timed(
        lambda: maximal_coverage(
            covers, points.residents * weigh[points.owner], budget=SITES, time_limit=SEARCH_SECONDS
        )
    )
    return answer.gap, wall


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """What `work` returns, its wall and its CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work()
    return answer, time.perf_counter() - wall, time.process_time() - cpu


def _row(
    metric: str, ours: float | None, note: str | None = None, *, peer: float | None = None
) -> dict[str, Any]:
    target = TARGETS[metric]
    beside = target if peer is None else peer
    return {
        "job": "city coverage", "metric": metric, "ours": None if ours is None else round(ours, 4),
        "peer": "target" if peer is None else PEER, "peer_value": round(beside, 4),
        "ratio": None if ours is None else round(ours / beside, 3), "target": target,
        "met": None if ours is None else ours <= target, "stretch": note,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
