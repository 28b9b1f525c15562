"""What exact coverage costs as a city grows: with access points up to 100,000, and with polygons up
to 1.2 million (Mexico City in squares of 25 m). Writes docs/images/coverage-growth.svg.

A simulated city of 750 km² with access points in clusters, some of them alone, and neighbourhoods
of four jittered corners that tile it. Each size runs in a process of its own: CPU seconds of laying
out the ground and of covering it, and the most memory that the process ever held, Python and its
libraries included.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
PLOT = HERE.parent / "docs" / "images" / "coverage-growth.svg"
JOB = "coverage: growth"
SIDE = 27_400.0
"""Metres: 750 km²."""
RADIUS, MOVES = 80.0, 9
NEIGHBOURHOODS = 2_500
POINTS = (5_000, 10_000, 25_000, 50_000, 100_000)
POLYGONS = (2_500, 10_000, 100_000, 1_200_000)
MOST = {"CPU seconds": 15.0, "MB": 1_000.0, "moved": 50.0}
"""Allowed for 100,000 access points over the neighbourhoods."""
MOST_CELLS = {"CPU seconds": 300.0, "MB": 6_000.0, "moved": 100.0}
"""Allowed for as many over 1.2 million cells."""


class Cost(NamedTuple):
    """Of one size."""

    polygons: int
    points: int
    lay_out_s: float
    cover_s: float
    mb: float
    move_ms: float
    share: float


def cost(polygons: int, points: int) -> Cost:
    """What `points` access points over `polygons` neighbourhoods cost; in a process of its own."""
    from coverage_maps.cover.coverage import cover_emitters, move_emitters
    from coverage_maps.cover.emitters import Emitter
    from coverage_maps.cover.ground import lay_out

    random = np.random.default_rng(8)
    records = tiles(polygons, random)
    began = time.process_time()
    ground = lay_out(records)
    laid = time.process_time()
    emitters = [
        Emitter(f"ap{k}", f"ap{k}", x, y, RADIUS)
        for k, (x, y) in enumerate(places(points, random).tolist())
    ]
    ready = time.process_time()
    covered = cover_emitters(ground, emitters)
    done = time.process_time()
    moves = []
    for k in random.choice(points, MOVES, replace=False).tolist():
        moved = replace(emitters[k], x=emitters[k].x + 40.0)
        start = time.process_time()
        move_emitters(ground, covered, [emitters[k].id], [moved])
        moves.append(time.process_time() - start)
    share = float(np.average(covered.shares, weights=ground.residents))
    return Cost(
        len(records), points, laid - began, done - ready,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        1000 * statistics.median(moves), share,
    )  # fmt: skip


def tiles(count: int, random: np.random.Generator) -> list[Any]:
    """Neighbourhoods in a square of SIDE about the middle of a made-up city."""
    import shapely

    from coverage_maps.cover.projection import LocalPlane
    from inventory.records import NeighbourhoodRecord

    n = round(count**0.5)
    step = SIDE / n
    corners = np.stack(np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij"), axis=-1)
    metres = (corners * step - SIDE / 2) + random.uniform(-0.2, 0.2, corners.shape) * step
    lat, lon = LocalPlane(19.4, -99.1).degrees(metres.reshape(-1, 2))
    at = np.column_stack((lon, lat)).reshape(n + 1, n + 1, 2)
    rings = np.stack((at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]), axis=2)
    people = random.gamma(2.0, 2_000_000 / n**2, n**2).tolist()
    return [
        NeighbourhoodRecord(f"n{k}", f"n{k}", None, shape, residents, None, True, None)
        for k, (shape, residents) in enumerate(
            zip(shapely.polygons(rings.reshape(-1, 4, 2)), people, strict=True)
        )
    ]


def places(count: int, random: np.random.Generator) -> Any:
    """Positions in metres: half of them in clusters of some ten within 200 m, half alone."""
    middles = random.uniform(-SIDE / 2, SIDE / 2, (max(count // 20, 1), 2))
    near = middles[random.integers(0, len(middles), count // 2)]
    clustered = near + random.normal(0, 200, near.shape)
    alone = random.uniform(-SIDE / 2, SIDE / 2, (count - len(near), 2))
    return np.clip(np.vstack((clustered, alone)), -SIDE / 2, SIDE / 2)


def measure(
    points: Sequence[int] = POINTS, polygons: Sequence[int] = POLYGONS
) -> list[dict[str, Any]]:
    """Rows of benchmarks/results.json, and the plot."""
    by_points = [_apart(NEIGHBOURHOODS, count) for count in points]
    by_polygons = [by_points[-1], *(_apart(count, points[-1]) for count in polygons[1:])]
    plot(by_points, by_polygons)
    rows = []
    for found, most in ((by_points[-1], MOST), (by_polygons[-1], MOST_CELLS)):
        of = f"{found.points:,} access points, {found.polygons:,} polygons"
        rows += [
            _row(f"{of}: CPU seconds", found.lay_out_s + found.cover_s, most["CPU seconds"]),
            _row(f"{of}: most memory, MB", found.mb, most["MB"]),
            _row(f"{of}: one moved, CPU milliseconds", found.move_ms, most["moved"]),
        ]
    return rows


def _apart(polygons: int, points: int) -> Cost:
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        found = process.submit(cost, polygons, points).result()
    print(found, flush=True)
    return found


def plot(by_points: Sequence[Cost], by_polygons: Sequence[Cost]) -> None:
    """CPU seconds and memory against both sizes."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "farola", "svg.fonttype": "none"}  # the same each time, small
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for ax, costs, name in (
        (axes[0], by_points, "points"), (axes[1], by_polygons, "polygons"),
    ):  # fmt: skip
        sizes = [getattr(one, name) for one in costs]
        ax.loglog(sizes, [one.lay_out_s + one.cover_s for one in costs], "o-", label="CPU seconds")
        ax.loglog(sizes, [one.mb for one in costs], "s--", label="MB")
        ax.loglog(sizes, [one.move_ms for one in costs], "^:", label="one moved, CPU ms")
        ax.grid(alpha=0.3, which="both")
    axes[0].set(xlabel=f"access points over {by_points[-1].polygons:,} neighbourhoods")
    axes[1].set(xlabel=f"polygons under {by_polygons[-1].points:,} access points")
    axes[0].legend(frameon=False)
    figure.savefig(PLOT, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)


def _row(metric: str, ours: float, target: float) -> dict[str, Any]:
    return {
        "job": JOB, "metric": metric, "ours": round(ours, 2), "peer": "target",
        "peer_value": target, "ratio": round(ours / target, 3), "target": target,
        "met": ours <= target, "stretch": None,
    }  # fmt: skip


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    print(json.dumps(measure(), indent=2))
