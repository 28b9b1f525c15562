"""What many fault runs came to. Each adds a line to a file (JSON), which may be read meanwhile:
`python -m tests.timeseries.faults.figures FILE`.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.timeseries.faults.runs import Run

SURE = 0.95
COLUMNS = ("runs", "kills", "polls", "points", "requests", "lost", "wrong", "invented", "double")


def add(log: Path, run: Run) -> None:
    """One line more."""
    told = run.verdict
    line = {
        "seed": run.seed, "path": run.path, "play": run.play, "took_s": run.took_s,
        "faultless": run.faultless, "kills": run.kills, "polls": run.polls,
        "points": told.points, "requests": run.sent, "lost": len(told.lost),
        "wrong": len(told.wrong), "invented": len(told.invented), "double": len(told.double),
        "refused": run.refused, "faults": run.faults, "left": run.left,
        "unmarked": len(run.unmarked),
    }  # fmt: skip
    append(log, line)


def append(log: Path, line: dict[str, Any]) -> None:
    """One line of JSON more; several processes may do so at once."""
    log.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(file)


def bound(failed: int, runs: int) -> float:
    """The share of runs that fail is below this, one may be 95 % sure (Clopper and Pearson; for
    none of n, the rule of three: about 3 / n).
    """
    from scipy.stats import beta

    return float(beta.ppf(SURE, failed + 1, runs - failed)) if failed < runs else 1.0


def report(lines: Sequence[dict[str, Any]]) -> str:
    """A table by what befell whom, the sums, and the bound."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    faults: dict[tuple[str, str], Counter[str]] = {}
    for line in lines:
        for key in ((line["path"], line["play"]), ("all", "")):
            one = sums.setdefault(key, Counter())
            one.update({"runs": 1, **{name: line[name] for name in COLUMNS[1:]}})
            met = faults.setdefault(key, Counter())
            met.update(line["faults"])
            met["write refused"] += sum(line["refused"].values())
    text = [f"{'':8}{'':18}" + "".join(f"{name:>10}" for name in COLUMNS) + "  faults met"]
    for key in sorted(sums, key=lambda key: (key[0] == "all", key)):
        met_there = ", ".join(f"{what} x {n}" for what, n in sorted(faults[key].items()) if n)
        numbers = "".join(f"{sums[key][name]:>10,}" for name in COLUMNS)
        text.append(f"{key[0]:8}{key[1]:18}{numbers}  {met_there}")
    failed = [line["seed"] for line in lines if not line["faultless"]]
    took = sum(line["took_s"] for line in lines) / max(len(lines), 1)
    text.append(
        f"{len(failed)} of {len(lines):,} runs lost or spoilt a point: at {SURE:.0%} below "
        f"{bound(len(failed), len(lines)):.2%} of runs; {took:.1f} s a run"
    )
    text += [f"failed: seed {seed}" for seed in failed]
    return "\n".join(text)


if __name__ == "__main__":
    log = Path(sys.argv[1])
    found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    print(report(found) if found else "no run yet")
