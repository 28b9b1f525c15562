"""Where to build: plans of Mexico City with their proof, networks of streets where discs overlap,
and what a plan costs as candidates grow. spopt's MCLP (PuLP, HiGHS) stands beside it.

The city: candidates every 50 m and cells every 25 m on ground that nobody covers yet, discs of
80 m. spopt wants a dense matrix of candidates × cells, which for the city would be about a
terabyte, so it solves a square cut from the middle of the city, and so do we. The street networks
are simulated: districts with a grid of their own each, every crossing a candidate and a demand
point; there a run of `LONG` seconds stands for the best known.

Memory is the peak of the whole process, coverage of the city included.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import KDTree

ROOT = Path(__file__).resolve().parent.parent
RADIUS, CANDIDATES_M, SECONDS = 80.0, 50.0, 4.0
PLANS = (200, 1000)
CUT_CANDIDATES, CUT_SITES = 1_500, 30
NETWORKS = ((4_000, 60.0, 600.0, 75), (7_700, 120.0, 600.0, 75))
"""Nodes, km², radius in metres, sites."""
SHORT, LONG = 10.0, 60.0


def measure() -> list[dict[str, Any]]:
    """Rows of benchmarks/results.json."""
    shared = Path(os.environ.get("FAROLA_TESTDATA") or ROOT.parent / "shared")
    data = shared / "data" / "cdmx"
    rows = networks()
    if not data.is_dir():
        why = f"not measured: no {data}"
        return [*rows, *(_row(f"city plan of {p} sites, gap in percent", None, 0.1, stretch=why)
                         for p in PLANS)]  # fmt: skip
    covers, residents, xy, _worst = city(data)
    return [*rows, *plans(covers, residents), *growth(covers, residents),
            *cut(covers, residents, xy)]  # fmt: skip


def city(data: Path) -> tuple[csr_array, Any, Any, Any]:
    """Which candidate covers which cell, the residents of cells, where the candidates are, and
    which cells are of the fifth of residents with the highest deprivation."""
    from coverage_maps.cover.cells import covers_matrix, demand_points, inhabited_grid
    from coverage_maps.cover.coverage import cover
    from coverage_maps.cover.ground import lay_out, positions
    from farola.settings import Settings
    from inventory import queries
    from inventory.db import open_inventory

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        _beside("city_coverage").import_city(home, data)
        inventory = open_inventory(Settings(home=home))
        with inventory.session() as session:
            ground = lay_out(queries.neighbourhoods(session))
            xy = positions(ground, queries.sites(session, ("live",)))
        inventory.close()
    before = cover(ground, xy, RADIUS)
    candidates = inhabited_grid(ground, before.uncovered, CANDIDATES_M)
    cells = demand_points(ground, before, candidates.xy, CANDIDATES_M)
    known = np.flatnonzero(np.isfinite(ground.badness) & (ground.residents > 0))
    ordered = known[np.argsort(-ground.badness[known], kind="stable")]
    people = np.cumsum(ground.residents[ordered])
    worst = np.isin(cells.owner, ordered[people <= people[-1] / 5])
    return covers_matrix(candidates.xy, cells.xy, RADIUS), cells.residents, candidates.xy, worst


def plans(covers: csr_array, residents: Any) -> list[dict[str, Any]]:
    from coverage_maps.siting import maximal_coverage

    terabytes = covers.shape[0] * covers.shape[1] * 8 / 1e12
    rows = []
    for sites in PLANS:
        answer, wall, cpu = _timed(
            lambda sites=sites: maximal_coverage(
                covers, residents, budget=sites, time_limit=SECONDS
            )
        )
        what = f"city plan of {sites} sites"
        rows.append(
            _row(
                f"{what}, gap in percent",
                100 * answer.gap,
                0.1,
                peer="spopt MCLP",
                stretch=f"spopt needs {terabytes:.1f} TB dense",
            )
        )
        rows.append(_row(f"{what}, plan and bound, wall seconds", wall, 5.0))
        rows.append(_row(f"{what}, plan and bound, CPU seconds", cpu, 5.0))
    return rows  # fmt: skip


def growth(covers: csr_array, residents: Any) -> list[dict[str, Any]]:
    """The first quarter, half and all of the candidates: CPU seconds until it is proven to 0.1 %
    or the limit is reached, and peak memory."""
    from coverage_maps.siting import maximal_coverage

    rows = []
    for share in (0.25, 0.5, 1.0):
        few = csr_array(covers[: int(share * covers.shape[0])])
        answer, _wall, cpu = _timed(
            lambda few=few: maximal_coverage(few, residents, budget=200, time_limit=SECONDS)
        )
        told = f"{few.shape[0]:,} candidates × {few.shape[1]:,} cells"
        rows.append(
            _row(
                f"200 sites of {told}, CPU seconds",
                cpu,
                5.0,
                stretch=f"gap {100 * answer.gap:.3f} %",
            )
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return [*rows, _row("city of candidates, peak memory, GB", peak, 8.0)]  # fmt: skip


def cut(covers: csr_array, residents: Any, xy: Any) -> list[dict[str, Any]]:
    """The candidates nearest to the middle of the city, and what they cover."""
    import pulp
    from spopt.locate import MCLP

    from coverage_maps.siting import maximal_coverage

    near = np.sort(KDTree(xy).query(np.median(xy, axis=0), CUT_CANDIDATES)[1])
    few = csr_array(covers[near])
    met = np.flatnonzero(np.bincount(few.indices, minlength=few.shape[1]))
    few, weights = csr_array(few[:, met]), residents[met]
    ours, _wall, cpu = _timed(
        lambda: maximal_coverage(few, weights, budget=CUT_SITES, time_limit=SECONDS)
    )

    def spopt() -> float:
        far = np.where(few.toarray().T, 0.0, 1.0)
        model = MCLP.from_cost_matrix(far, weights, 0.5, CUT_SITES)
        solver = pulp.HiGHS(msg=False, timeLimit=LONG, threads=1)
        return float(model.solve(solver, results=False).problem.objective.value())

    theirs, _wall, their_cpu = _timed(spopt)
    what = f"cut of {few.shape[0]:,} candidates × {few.shape[1]:,} cells, {CUT_SITES} sites"
    return [
        _row(f"{what}, residents covered", ours.covered, 0.999, peer="spopt MCLP, HiGHS",
             peer_value=theirs, more=True),
        _row(f"{what}, CPU seconds", cpu, 1.0, peer="spopt MCLP, HiGHS", peer_value=their_cpu),
    ]  # fmt: skip


def networks() -> list[dict[str, Any]]:
    from coverage_maps.siting import maximal_coverage

    rows = []
    for nodes, km2, radius, sites in NETWORKS:
        covers, weights = street_network(nodes, km2, radius)
        runs = [
            maximal_coverage(covers, weights, budget=sites, time_limit=seconds).covered
            for seconds in (SHORT, LONG)
        ]
        below = 100 * (1 - runs[0] / max(runs))
        rows.append(_row(
            f"simulated streets, {nodes:,} nodes, {radius:g} m, {sites} sites: below the best "
            f"known after {SHORT:g} s, percent", below, 0.5, peer=f"the better of {LONG:g} s",
            peer_value=max(runs), stretch=f"covered {runs[0]:,.0f}",
        ))  # fmt: skip
    return rows


def street_network(nodes: int, km2: float, radius: float, seed: int = 0) -> tuple[csr_array, Any]:
    """Crossings of a made-up city, which covers which, and what each is worth."""
    rng = np.random.default_rng((seed, nodes))
    side = 1000 * np.sqrt(km2)
    block = side / np.sqrt(nodes)
    centres = rng.uniform(0, side, (12, 2))
    parts = []
    for k, centre in enumerate(centres):
        angle, long = rng.uniform(0, np.pi / 2), rng.uniform(1, 1.6)
        steps = np.arange(-1.5 * side, 1.5 * side, block * rng.uniform(0.75, 1.1))
        x, y = (a.ravel() for a in np.meshgrid(steps * long, steps / long))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        xy = np.column_stack((x, y)) @ turn + centre
        xy = xy[((xy > 0) & (xy < side)).all(axis=1)]
        parts.append(xy[KDTree(centres).query(xy)[1] == k])
    xy = np.concatenate(parts)
    xy = xy[rng.permutation(len(xy))[:nodes]] + rng.normal(0, block / 20, (min(len(xy), nodes), 2))
    near = KDTree(xy).sparse_distance_matrix(KDTree(xy), radius, output_type="ndarray")
    ones = np.ones(len(near), dtype=bool)
    covers = csr_array((ones, (near["i"], near["j"])), shape=(len(xy), len(xy)))
    return covers, rng.integers(1, 101, len(xy)).astype(float)


def _beside(name: str) -> ModuleType:
    """Another benchmark of this folder."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _timed(work: Any) -> tuple[Any, float, float]:
    answer: tuple[Any, float, float] = _beside("city_coverage").timed(work)
    return answer


def _row(
    metric: str, ours: float | None, target: float, *, peer: str = "target",
    peer_value: float | None = None, more: bool = False, stretch: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A row; beside a peer that was measured, `target` is of the ratio (at least, with `more`)."""
    against = target if peer == "target" else peer_value
    ratio = None if ours is None or not against else ours / against
    judged = ratio if peer.startswith("spopt") and peer_value is not None else ours
    met = None if judged is None else (judged >= target if more else judged <= target)
    return {
        "job": "siting", "metric": metric, "ours": None if ours is None else round(ours, 4),
        "peer": peer, "peer_value": None if against is None else round(against, 4),
        "ratio": None if ratio is None else round(ratio, 4), "target": target, "met": met,
        "stretch": stretch,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
