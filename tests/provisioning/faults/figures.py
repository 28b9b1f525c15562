"""What many pushes that were struck came to. Each run adds a line to a file (JSON), which may be
read meanwhile: `python -m tests.provisioning.faults.figures FILE`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.provisioning.faults.runs import Run
from tests.timeseries.faults.figures import SURE, append, bound


def add(log: Path, run: Run) -> None:
    """One line more."""
    line = {
        "seed": run.plan.seed, "candidate": run.plan.candidate, "planned": run.plan.words(),
        "struck": run.struck, "ended": run.ended, "status": run.status, "told": run.told,
        "night": run.night, "took_s": run.took_s, "cpu_s": run.cpu_s, "faults": run.faults,
    }  # fmt: skip
    append(log, line)


def report(lines: Sequence[dict[str, Any]]) -> str:
    """A table by what befell the push, the ends, and the bound."""
    rows: dict[str, Counter[str]] = {}
    for line in lines:
        for name in {*(line["struck"] or ["nothing"]), "all"}:
            row = rows.setdefault(name, Counter())
            row["runs"] += 1
            row[line["ended"] if line["ended"] in {"old", "new"} else "neither"] += 1
            row["failed"] += bool(line["faults"])
    columns = ("runs", "old", "new", "neither", "failed")
    text = [f"{'what happened':16}" + "".join(f"{name:>9}" for name in columns)]
    for name in sorted(rows, key=lambda name: (name == "all", name)):
        text.append(f"{name:16}" + "".join(f"{rows[name][column]:>9,}" for column in columns))
    for what in ("candidate", "status", "told"):
        counted = Counter(line[what] for line in lines)
        text.append(f"{what}: " + ", ".join(f"{name} {n:,}" for name, n in counted.most_common()))
    cpu = sum(line["cpu_s"] for line in lines) / max(len(lines), 1)
    twice = sum(len(line["struck"]) > 1 for line in lines)
    failed = [line for line in lines if line["faults"]]
    text += [
        f"{twice:,} runs with two faults; {cpu:.1f} s of CPU a run",
        f"{len(failed)} of {len(lines):,} runs ended with a device unknown, unreachable or on "
        f"neither config: at {SURE:.0%} below {bound(len(failed), len(lines)):.2%} of such runs",
    ]
    text += [f"failed: seed {line['seed']}: {'; '.join(line['faults'])}" for line in failed]
    return "\n".join(text)


if __name__ == "__main__":
    log = Path(sys.argv[1])
    found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    print(report(found) if found else "no run yet")
