"""Runs every benchmark here that has a `measure()`, prints the figures beside the targets and
writes benchmarks/results.json. Name some (`run.py beacons`) to run those alone: their jobs' rows
replace those that stand there. Each runs in a process of its own, as what it measures would: what
another imported and left on the heap costs it nothing.

`measure()` returns rows with the keys job, metric, ours, peer, peer_value, ratio, target, met and
stretch. Exit code 1 where a target was missed or a benchmark failed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
RESULTS = HERE / "results.json"
COLUMNS = ("job", "metric", "ours", "peer", "peer_value", "ratio", "target", "met")


def main(names: list[str]) -> int:
    """Run the benchmarks `names`, or all."""
    from farola.output import note, print_table

    known = {path.stem: path for path in sorted(HERE.glob("*.py")) if path.stem != "run"}
    for name in names:
        if name not in known:
            note(f"no benchmark {name!r}; there are {', '.join(known)}")
            return 2
    rows, failed = [], []
    for name in names or known:
        if not re.search(r"^def measure\(", known[name].read_text("utf-8"), re.MULTILINE):
            continue
        note(f"{name} …")
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:
            try:
                rows += apart.submit(measured, known[name]).result()
            except (Exception, SystemExit):  # one that fails must not hide the others' figures
                traceback.print_exc()
                failed.append(name)
    if names and RESULTS.exists():
        jobs = {row["job"] for row in rows}
        before = json.loads(RESULTS.read_text(encoding="utf-8"))["results"]
        write([row for row in before if row["job"] not in jobs] + rows)
    else:
        write(rows)
    print_table(
        "Benchmarks", COLUMNS, [[shown(row.get(c)) for c in COLUMNS] for row in rows], (2, 4, 5, 6)
    )
    missed = [row["metric"] for row in rows if row.get("met") is False]
    for text in (f"failed: {', '.join(failed)}", f"missed: {'; '.join(missed)}"):
        if not text.endswith(": "):
            note(text)
    return 1 if failed or missed else 0


def measured(path: Path) -> list[dict[str, Any]]:
    """The rows of the benchmark at `path`."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    rows: list[dict[str, Any]] = module.measure()
    return rows


def write(rows: list[dict[str, Any]]) -> None:
    """Write results.json whole or not at all."""
    data = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "results": rows,
    }
    part = RESULTS.with_suffix(".part")
    part.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(RESULTS)


def shown(value: object) -> object:
    """A figure for the table."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:,.3g}" if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
