"""Draws docs/images/equity-curve.svg: what fairness costs in Mexico City, 200 and 1,000 sites.

`python benchmarks/equity_curve.py` reads the open data as benchmarks/siting.py does. The dots of
the plain weighted greedy, computed on the same candidates and cells, stand beside the curve.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "equity-curve.svg"
Curve = list[tuple[float, float]]


def draw(
    curves: dict[int, Curve], greedy: dict[int, Curve], knees: dict[int, tuple[float, float]]
) -> None:
    """By number of sites: percent given up, percent of the new coverage."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "farola"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for sites, colour in ((200, "#1b5e8c"), (1000, "#b3541e")):
        x, y = zip(*curves[sites], strict=True)
        axes.plot(x, y, marker="o", color=colour, label=f"{sites:,} sites")
        axes.plot(*knees[sites], marker="o", ms=12, mfc="none", color=colour)
        axes.plot(*zip(*greedy[sites], strict=True), "x", color=colour, label="greedy alone")
    axes.set_xlim(-0.3, 14)
    axes.set_xlabel("newly covered residents given up, %")
    axes.set_ylabel("of the new coverage, to the fifth\nwith the least Internet, %")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(PICTURE, metadata={"Date": None})


def greedy_points(covers: Any, residents: Any, worst: Any, sites: int, most: float) -> Curve:
    """What greedy alone reaches with some of the bonuses."""
    from coverage_maps.siting import greedy

    found = []
    for bonus in (0.0, 0.1, 0.25, 0.5):
        chosen = greedy(covers, residents * (1 + bonus * worst), np.ones(covers.shape[0]), sites)
        met = np.zeros(len(residents), dtype=bool)
        for j in chosen:
            met[covers.indices[covers.indptr[j] : covers.indptr[j + 1]]] = True
        people = float(residents[met].sum())
        found.append(
            (100 * (1 - people / most), 100 * float(residents[met & worst].sum()) / people)
        )
    return found


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from coverage_maps.solving.tradeoff import knee, trade_off_curve

    spec = importlib.util.spec_from_file_location("siting", Path(__file__).with_name("siting.py"))
    assert spec
    assert spec.loader
    siting: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(siting)
    data = Path(os.environ.get("FAROLA_TESTDATA") or ROOT.parent / "shared") / "data" / "cdmx"
    covers, residents, _xy, worst = siting.city(data)
    curves, plain, knees = {}, {}, {}
    for sites in (200, 1000):
        points = trade_off_curve(covers, residents, worst, budget=sites, time_limit=5.0)
        curves[sites] = [(100 * p.loss, 100 * p.share) for p in points]
        plain[sites] = greedy_points(covers, residents, worst, sites, points[0].residents)
        best = knee(points)
        knees[sites] = (100 * best.loss, 100 * best.share)
    draw({n: [p for p in points if p[0] <= 14] for n, points in curves.items()}, plain, knees)
    print(np.round(curves[200], 2).tolist(), np.round(curves[1000], 2).tolist(), knees)


if __name__ == "__main__":
    main()
