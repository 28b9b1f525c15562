"""24 hours of a city of 2,000 devices on SQLite, polled each minute of its own clock and written as
fast as it goes, while the keeper makes its rollups and forgets old days beside, as in a collector.
Memory and the time to write a poll must be at the end what they were at the beginning.

A simulated city: its rows are made up, its store, marks, keeper and retention are the real ones. It
runs in a process of its own, which tells of each of its hours.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import run
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from store_rows import (  # noqa: E402 - after the path
    BANDS,
    BOROUGHS,
    HOUR_MS,
    City,
    group,
    median,
    row,
    timed,
)

from farola import settings as farola_settings  # noqa: E402
from farola.settings import Settings, StoreSettings  # noqa: E402
from inventory.membership import BOROUGH, NEIGHBOURHOOD, SITE, Membership, Stay  # noqa: E402
from timeseries.keeper import GRACE_MS, Keeper, Kept  # noqa: E402
from timeseries.opening import open_store  # noqa: E402
from timeseries.sqlite import SqliteStore  # noqa: E402
from timeseries.sqlite_retention import SqliteRetention, raw_days  # noqa: E402
from timeseries.windows import instant  # noqa: E402

DEVICES, HOURS, POLLS = 2_000, 24, 60
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""Midnight in Mexico City; 18 hours later a new file begins, and an old day is forgotten."""
DAYS_BEFORE, RAW_DAYS = 4, 2
EARLY, LATE = slice(2, 6), slice(-4, None)
"""The hours compared; in the first two caches fill."""
JOB = "store: 24 simulated hours"
ALLOWED = 1.2
"""What a busy machine makes of what is flat."""


def membership(city: City) -> Membership:
    """Each device at a site of its own, some ten sites a neighbourhood."""
    stays, groups = {}, {}
    for number, name in enumerate(city.names):
        site, area = f"site-{number}", number // 10
        stays[name] = [Stay(None, None, site)]
        groups[site] = [
            (SITE, site), (NEIGHBOURHOOD, group(area)), (BOROUGH, group(area % BOROUGHS)),
        ]  # fmt: skip
    return Membership(stays, groups)


def open_keeper(settings: Settings, city: City) -> Keeper:
    """As the collector's, but for where devices are."""
    members, folder = membership(city), settings.home / "series"
    retention = SqliteRetention(folder, settings.store)
    return Keeper(
        SqliteStore(folder), folder, settings.city.zone, lambda: members, retention
    )  # fmt: skip


class Beside:
    """The keeper's turn in a thread of its own."""

    def __init__(self, keeper: Keeper, now: datetime) -> None:
        self.kept, self.cpu_s = Kept(), 0.0
        self._keeper, self._now = keeper, now
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        before = time.thread_time()
        kept = self._keeper.run_due(self._now)
        self.cpu_s = time.thread_time() - before
        self.kept = kept or self.kept

    def done(self) -> None:
        """Wait for it."""
        self._thread.join()


def simulated(home: Path, devices: int, hours: int) -> Iterator[dict[str, Any]]:
    """What each hour took."""
    clock = farola_settings.City(timezone="America/Mexico_City")
    settings = Settings(home, clock, StoreSettings(raw_days=RAW_DAYS))
    first_ms = int(START.timestamp()) * 1000
    city = City(devices, first_ms, bands=BANDS[:2])
    store = open_store(settings)
    before = City(devices, first_ms - DAYS_BEFORE * 24 * HOUR_MS, HOUR_MS, BANDS[:2])
    for number in range(DAYS_BEFORE * 24):
        store.write([*before.poll(number), before.uplink(number)])
    keeper = open_keeper(settings, city)
    keeper.run_due(START)
    for hour in range(hours):
        beside, cpu, wall = None, [], []
        for number in range(hour * POLLS, (hour + 1) * POLLS):
            poll = [*city.poll(number), city.uplink(number)]
            if city.at(number) % HOUR_MS > GRACE_MS and beside is None:
                beside = Beside(keeper, instant(city.at(number)))
            used = time.thread_time()
            wall.append(timed(lambda poll=poll: store.write(poll))[0])
            cpu.append(time.thread_time() - used)
        assert beside
        beside.done()
        yield {
            "cpu_ms": 1000 * median(cpu), "wall_ms": 1000 * median(wall),
            "longest_ms": 1000 * max(wall), "memory_mb": memory_mb(),
            "keeper_cpu_s": beside.cpu_s, "hours": beside.kept.hours, "days": beside.kept.days,
            "forgot": beside.kept.forgot, "raw_days": len(raw_days(home / "series")),
        }  # fmt: skip
    keeper.close()
    end = instant(city.at(hours * POLLS))
    taken = []
    for number in range(5):
        where, found = {"device": city.names[number * 397 % devices]}, 0
        before_s = time.process_time()
        found = len(store.series("device", where, end - timedelta(hours=hours), end))
        taken.append(time.process_time() - before_s)
        assert found == hours * POLLS, f"{found} rows of a device"
    store.close()
    yield {"day_s": median(taken)}


def memory_mb() -> float:
    """What this process holds in memory now."""
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in s)
    return int(line.split()[1]) / 1024


def measure(devices: int = DEVICES, hours: int = HOURS) -> list[dict[str, Any]]:
    """Rows of benchmarks/results.json."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, __file__, "--child", home, str(devices), str(hours)]
        told = run(command, capture_output=True, check=False, text=True)
    if told.returncode:
        raise RuntimeError(told.stderr)
    *every, last = map(json.loads, told.stdout.splitlines())
    if not any(one["forgot"] for one in every) or sum(one["hours"] for one in every) < hours:
        raise RuntimeError(f"the keeper did not do its work: {every}")
    rows = [
        flat("a poll written, CPU ms", "cpu_ms", every, devices),
        flat("a poll written, wall ms", "wall_ms", every, devices, is_noisy=True),
        flat("memory, MB", "memory_mb", every, devices),
        flat("an hour's rollups and retention, CPU s", "keeper_cpu_s", every, devices),
    ]
    longest = max(one["longest_ms"] for one in every[1:])
    rows.append(row(JOB, "the longest write of a poll, wall ms", longest))
    rows.append(row(JOB, f"one device's day of {hours * POLLS:,} polls, CPU s", last["day_s"], 0.1))
    return rows


def flat(
    metric: str, key: str, every: list[dict[str, Any]], devices: int, *, is_noisy: bool = False
) -> dict[str, Any]:
    """The last hours beside the first; what is noisy has no target."""
    early, late = (median([one[key] for one in every[part]]) for part in (EARLY, LATE))
    note = f"{devices:,} devices; hours {len(every) - 3} to {len(every)} beside hours 3 to 6"
    target = None if is_noisy else round(ALLOWED * early, 3)
    return row(JOB, metric, late, target, peer=("hours 3 to 6", early), stretch=note)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        for one in simulated(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])):
            print(json.dumps(one), flush=True)
    else:
        print(json.dumps(measure(*map(int, sys.argv[1:])), indent=2))
