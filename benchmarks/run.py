"""Runs every benchmark here that has a `measure()`, prints the figures beside the targets and
writes benchmarks/results.json. Name some (`run.py beacons`) to run those alone: their jobs' rows
replace those that stand there.

`measure()` returns rows with the keys job, metric, ours, peer, peer_value, ratio, target, met and
stretch. Exit code 1 where a target was missed or a benchmark failed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
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
        measure = load(known[name])
        if measure is None:
            continue
        note(f"{name} …")
        try:
            rows += measure()
        except Exception:  # one that fails must not hide the others' figures
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


def load(path: Path) -> Callable[[], list[dict[str, Any]]] | None:
    """The `measure` of the benchmark at `path`, if it has one."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return getattr(module, "measure", None)


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
