"""Draws docs/images/siting-growth.svg: what a plan of 200 sites costs as the city grows, to 1.2
million cells and 165,000 candidates (Mexico City every 25 and 50 m, its live sites built already).

`python benchmarks/siting_growth.py` cuts the city from the west, a quarter at a time, and measures
each part in a process of its own: CPU seconds of coverage, of the matrix and of plan and bound,
and peak memory of it all.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PLOT = ROOT / "docs" / "images" / "siting-growth.svg"
RADIUS, CANDIDATES_M, CELLS_M, SITES, SECONDS = 80.0, 50.0, 25.0, 200, 10.0
PARTS = (0.25, 0.5, 0.75, 1.0)


def part(home: Path, share: float) -> dict[str, float]:
    """What the westernmost `share` of the neighbourhoods costs."""
    from coverage_maps.cover.cells import covers_matrix, inhabited_grid
    from coverage_maps.cover.coverage import cover
    from coverage_maps.cover.ground import lay_out, positions
    from coverage_maps.siting import maximal_coverage
    from farola.settings import Settings
    from inventory import queries
    from inventory.db import open_inventory

    timed = _beside("city_coverage").timed
    inventory = open_inventory(Settings(home=home))
    with inventory.session() as session:
        records = queries.neighbourhoods(session)
        sites = queries.sites(session, ("live",))
    inventory.close()
    whole = lay_out(records)
    west = np.array([polygon.bounds[0] for polygon in whole.polygons])
    few = [whole.records[i] for i in np.sort(np.argsort(west)[: round(share * len(west))])]
    edge = float(np.sort(west)[round(share * len(west)) - 1])
    ground = lay_out(few)
    live = positions(whole, sites)
    lon_lat = [site for site, xy in zip(sites, live, strict=False) if xy[0] <= edge + 1000]
    before, _wall, covering = timed(lambda: cover(ground, positions(ground, lon_lat), RADIUS))
    candidates = inhabited_grid(ground, before.uncovered, CANDIDATES_M)
    cells = inhabited_grid(ground, ground.polygons, CELLS_M)
    places = np.concatenate((candidates.xy, before.positions))
    built = range(len(candidates.xy), len(places))
    covers, _wall, matrix = timed(lambda: covers_matrix(places, cells.xy, RADIUS))
    plan, _wall, planning = timed(
        lambda: maximal_coverage(
            covers, cells.residents, budget=SITES, fixed=built, time_limit=SECONDS
        )
    )
    already = np.zeros(len(cells.xy), dtype=bool)
    already[covers[np.asarray(built)].indices] = True
    new = plan.upper_bound - float(cells.residents[already].sum())
    return {
        "cells": len(cells.xy), "candidates": len(candidates.xy), "built": len(before.positions),
        "coverage": covering, "matrix": matrix, "plan": planning,
        "gap_of_new": (plan.upper_bound - plan.covered) / new,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }  # fmt: skip


def draw(rows: list[dict[str, float]]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "farola"
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    cells = [row["cells"] / 1e6 for row in rows]
    for name in ("coverage", "matrix", "plan"):
        left.plot(cells, [row[name] for row in rows], marker="o",
                  label={"plan": f"plan and bound, {SITES} sites"}.get(name, name))  # fmt: skip
    left.set_ylabel("CPU seconds")
    left.legend()
    right.plot(cells, [row["gigabytes"] for row in rows], marker="o", color="#b3541e")
    right.set_ylabel("peak memory, GB")
    for axes in (left, right):
        axes.set_xlabel("demand cells, millions")
        axes.set_ylim(0)
        axes.grid(alpha=0.3)
    figure.savefig(PLOT, metadata={"Date": None})


def main() -> None:
    sys.path.insert(0, str(ROOT))
    if len(sys.argv) == 3:
        print(json.dumps(part(Path(sys.argv[1]), float(sys.argv[2]))))
        return
    data = Path(os.environ.get("FAROLA_TESTDATA") or ROOT.parent / "shared") / "data" / "cdmx"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        _beside("city_coverage").import_city(home, data)
        for share in PARTS:
            told = subprocess.run(
                [sys.executable, __file__, str(home), str(share)],
                check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
            rows.append(json.loads(told))
            print(told.strip(), flush=True)
    draw(rows)


def _beside(name: str) -> Any:
    """Another benchmark of this folder."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
