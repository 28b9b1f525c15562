"""How a city's SQLite store grows with days: raw rows until `raw_days` have passed, hourly rollups
until `hour_days` have, daily ones for ever. Writes benchmarks/store_growth.svg.

A simulated city of 200 devices, each with three radios and an uplink, polled every twenty minutes
of its own clock; its store, marks, keeper and retention are the real ones. The days that rows are
kept are cut short (raw rows 5, hours 10, of 16 days), so that both limits show.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from store_day import START, open_keeper  # noqa: E402 - after the path
from store_rows import BANDS, DAY_MS, City, row  # noqa: E402

from farola import settings as farola_settings  # noqa: E402
from farola.settings import Settings, StoreSettings  # noqa: E402
from timeseries.opening import open_store  # noqa: E402
from timeseries.sqlite_files import ROLLUPS, size_of  # noqa: E402
from timeseries.sqlite_retention import raw_days  # noqa: E402
from timeseries.windows import instant  # noqa: E402

DEVICES, DAYS, POLLS = 200, 16, 72
RAW_DAYS, HOUR_DAYS = 5, 10
PLOT = HERE / "store_growth.svg"
JOB = "store: growth with days"
ALLOWED = 1.05
"""Pages that are not full yet."""


class Grown(NamedTuple):
    """Bytes at the end of a day."""

    raw: int
    rollups: int


def simulated(home: Path, devices: int = DEVICES, days: int = DAYS) -> list[Grown]:
    """The sizes at the end of each day."""
    clock = farola_settings.City(timezone="America/Mexico_City")
    kept = StoreSettings(raw_days=RAW_DAYS, hour_days=HOUR_DAYS)
    settings = Settings(home, clock, kept)
    city = City(devices, int(START.timestamp()) * 1000, DAY_MS // POLLS, BANDS)
    store, keeper = open_store(settings), open_keeper(settings, city)
    grown = []
    for day in range(days):
        for number in range(day * POLLS, (day + 1) * POLLS):
            store.write([*city.poll(number), city.uplink(number)])
        keeper.run_due(instant(city.at((day + 1) * POLLS)) + timedelta(minutes=5))
        raw = sum(one.size for one in raw_days(home / "series"))
        grown.append(Grown(raw, size_of(home / "series" / ROLLUPS)))
    keeper.close()
    store.close()
    return grown


def measure(devices: int = DEVICES, days: int = DAYS) -> list[dict[str, Any]]:
    """Rows of benchmarks/results.json, and the plot."""
    with tempfile.TemporaryDirectory() as home:
        grown = simulated(Path(home), devices, days)
    plot(grown, devices)
    # A day more than `raw_days` is there: that of today, and that which is not wholly too old.
    raw, full = RAW_DAYS + 2, HOUR_DAYS + 2
    hours = grown[HOUR_DAYS - 1].rollups / (24 * HOUR_DAYS * devices)
    polled = grown[RAW_DAYS - 1].raw / (RAW_DAYS * POLLS * devices)
    of_city = f"{devices} devices, {POLLS} polls a day"
    return [
        _flat("raw rows", raw, [one.raw for one in grown], of_city),
        _flat("rollups", full, [one.rollups for one in grown], "hours and days, groups too"),
        row(JOB, "bytes a device and poll", polled, stretch="its row, three radios, an uplink"),
        row(JOB, "bytes of rollups a device and hour", hours, stretch="its groups' with them"),
    ]


def _flat(what: str, day: int, sizes: Sequence[int], note: str) -> dict[str, Any]:
    """Megabytes of the last day beside those of the day from which on it should not grow."""
    early = sizes[day - 1] / 1e6
    return row(
        JOB, f"{what} after {len(sizes)} days, MB", sizes[-1] / 1e6, round(ALLOWED * early, 3),
        peer=(f"day {day}", early), stretch=note,
    )  # fmt: skip


def plot(grown: Sequence[Grown], devices: int) -> None:
    """Megabytes by days."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "farola", "svg.fonttype": "none"}  # the same each time, small
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    days = range(1, len(grown) + 1)
    axes.plot(days, [one.raw / 1e6 for one in grown], "o-", label="raw rows")
    axes.plot(days, [one.rollups / 1e6 for one in grown], "s-", label="rollups")
    for kept, name in ((RAW_DAYS, "raw_days"), (HOUR_DAYS, "hour_days")):
        axes.axvline(kept, color="0.6", linewidth=0.8, linestyle="--")
        axes.annotate(name, (kept, 0), xytext=(3, 3), textcoords="offset points", color="0.4")
    axes.set(
        xlabel="days", xlim=0, ylim=0,
        ylabel=f"MB of {devices} simulated devices, {POLLS} polls a day",
    )  # fmt: skip
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(PLOT, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:])), indent=2))
