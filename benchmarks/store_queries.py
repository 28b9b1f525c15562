"""The questions that the design puts to a city's store, on SQLite and on InfluxDB: 12.6 million
device rows (360 polls, a minute apart, of 35,000 devices) and 30 days of rollups. Bytes a row, too.

SQLite is loaded poll by poll, InfluxDB device by device, which it takes sooner; both at once, and
nothing is asked before both are loaded. Of the hourly rollups of devices only some devices' are
made, as what is asked of one does not depend on the others but for the depth of a tree; group
rollups are of the whole city (on InfluxDB hours of every fifth neighbourhood).

InfluxDB is asked as `open_store` opens it. Its last polls go through the spool after one process
asked for the newest rows, which are kept beside it from then on; the one that is measured is opened
after that and knows only what is on the disk. What the server alone takes for the newest rows, as
it does once an hour and for a city that nobody asked about, is a row of its own.

Seconds are those of CPU, the server's with the client's, as wall time depends on what else the
machine does; that is told beside: the median of five questions, each about a device or
neighbourhood that was not asked about before. The files lie in the page cache.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from store_rows import (  # noqa: E402 - after the path
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    NEIGHBOURHOODS,
    City,
    Influxd,
    group,
    groups,
    influxd,
    median,
    rollup_rows,
    row,
    timed,
)

from farola.settings import Settings, StoreSettings  # noqa: E402
from timeseries.base import Batch, Store, Table  # noqa: E402
from timeseries.influx import InfluxStore, prepare  # noqa: E402
from timeseries.opening import open_store  # noqa: E402
from timeseries.spooled import SpooledStore  # noqa: E402
from timeseries.sqlite import SqliteStore  # noqa: E402
from timeseries.windows import instant  # noqa: E402

DAYS, ASKED, AT_ONCE, MORE_POLLS = 30, 5, 100, 2
SETTLED_S, LONGEST_S = 4, 60
"""A server has compacted what it will when its files stay as they are so long."""


@dataclass(frozen=True)
class Load:
    """What a store is given before it is asked; times in milliseconds."""

    devices: int
    polls: int
    rolled: int
    """Devices with hourly rollups."""
    neighbourhoods: int
    """Those with hourly rollups; daily ones all have."""
    until_ms: int

    @property
    def city(self) -> City:
        """Polled each minute until now."""
        return City(self.devices, self.until_ms - (self.polls - 1) * MINUTE_MS)

    def hours(self) -> list[int]:
        """The hours that there are rollups of."""
        end = self.until_ms // HOUR_MS * HOUR_MS
        return list(range(end - 24 * DAYS * HOUR_MS, end, HOUR_MS))

    def days(self) -> list[int]:
        """The days that there are rollups of."""
        end = self.until_ms // DAY_MS * DAY_MS
        return list(range(end - DAYS * DAY_MS, end, DAY_MS))

    def rollup_count(self) -> int:
        """Rows of rollups in all."""
        hours = self.rolled + len(groups(self.neighbourhoods)["kind"])
        return hours * len(self.hours()) + len(groups()["kind"]) * len(self.days())


def write_rollups(store: Store, load: Load) -> None:
    """Hours of some devices, hours and days of groups."""
    names, every = load.city.names[: load.rolled], groups(load.neighbourhoods)
    for first in range(0, len(names), AT_ONCE):
        some = {"device": names[first : first + AT_ONCE]}
        store.write([rollup_rows("device_hour", some, load.hours(), first)])
    for first in range(0, len(every["kind"]), AT_ONCE):
        part = {tag: column[first : first + AT_ONCE] for tag, column in every.items()}
        store.write([rollup_rows("group_hour", part, load.hours(), first)])
    store.write([rollup_rows("group_day", groups(), load.days())])


def load_sqlite(folder: Path, load: Load) -> dict[str, float]:
    """CPU seconds of the device rows and bytes of each kind of row."""
    store, city = SqliteStore(folder), load.city
    cpu = sum(timed(lambda p=poll: store.write([p]))[1] for poll in _polls(city, load.polls))
    write_rollups(store, load)
    store.close()
    raw = sum(path.stat().st_size for path in folder.glob("raw-*.db"))
    rollups = (folder / "rollups.db").stat().st_size
    return {"cpu": cpu, "raw": raw, "rollups": rollups}


def _polls(city: City, polls: int) -> Iterator[Any]:
    return (city.device(number) for number in range(polls))


def load_influx(settings: StoreSettings, server: Influxd, load: Load) -> dict[str, float]:
    """CPU seconds of client and server for the device rows, and bytes of each kind of row."""
    store, city = InfluxStore(settings), load.city
    before, cpu = server.cpu_s(), 0.0
    for first in range(0, load.devices, AT_ONCE):
        batch = city.history(slice(first, min(first + AT_ONCE, load.devices)), load.polls)
        cpu += timed(lambda batch=batch: store.write([batch]))[1]
    raw = settled(server)
    serving = server.cpu_s() - before
    write_rollups(store, load)
    store.close()
    return {"cpu": cpu, "server": serving, "raw": raw, "rollups": settled(server) - raw}


def polled_on(settings: Settings, load: Load, polls: int) -> Store:
    """The city's store after so many more polls through the spool, opened anew."""
    collector, city = open_store(settings), load.city
    assert isinstance(collector, SpooledStore)
    collector.latest("device")
    for number in range(load.polls, load.polls + polls):
        told = {"collector": ["bench"]}, {"devices": [load.devices], "answered": [load.devices]}
        collector.write([city.device(number), Batch("poll", [city.at(number)], *told)])
        if not collector.flush(120):
            raise RuntimeError(f"the server did not take a poll: {collector.backlog()}")
    direct, kept = collector.server.latest("device"), collector.latest("device")
    if direct != kept or set(kept.times) != {city.at(load.polls + polls - 1)}:
        raise RuntimeError("the newest rows that are kept are not those of the server")
    collector.close()
    return open_store(settings)


def settled(server: Influxd) -> int:
    """Bytes of the server's files once they stay as they are."""
    size, since, end = -1, 0.0, time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        now = server.data_bytes()
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > SETTLED_S:
            break
        time.sleep(0.5)
    return size


@dataclass(frozen=True)
class Asked:
    """A question, how many rows its answer has, and within how many seconds it should come."""

    metric: str
    ask: Callable[[int], Table]
    rows: int
    target: float | None


def questions(store: Store, load: Load) -> list[Asked]:
    """The questions of the design; a number says which device or neighbourhood."""
    end = instant(load.until_ms + 1)
    month, hours = (end - timedelta(days=DAYS + 2), end), len(load.hours())
    names = load.city.names[: load.rolled]

    def device(number: int) -> str:
        return names[number * 7919 % len(names)]

    def of_group(kind: str, name: str, when: tuple[datetime, datetime] = month) -> Table:
        return store.series("group_hour", {"kind": kind, "group": name}, *when)

    def by_day(_number: int) -> Table:
        return store.series("group_day", {"kind": "neighbourhood"}, *month, ("polls", "up"))

    return [
        Asked("newest row of all devices", lambda _: store.latest("device"), load.devices, 0.5),
        Asked(
            f"one device's {load.polls} polls",
            lambda n: store.series("device", {"device": device(n)}, end - timedelta(1), end),
            load.polls, 0.1,
        ),
        Asked(
            "one device's 30 days by hour",
            lambda n: store.series("device_hour", {"device": device(n)}, *month), hours, 0.1,
        ),
        Asked(
            "one neighbourhood's 30 days by hour",
            lambda n: of_group("neighbourhood", group(n * 7919 % load.neighbourhoods)), hours, 0.1,
        ),
        Asked("the city's 30 days by hour", lambda _: of_group("city", "city"), hours, 0.1),
        Asked(
            "uptime of all neighbourhoods by day", by_day,
            NEIGHBOURHOODS * len(load.days()), 0.1,
        ),
    ]  # fmt: skip


def answers(kind: str, store: Store, load: Load, server: Influxd | None) -> list[dict[str, Any]]:
    """Rows of what the questions took, each answer counted."""

    def used() -> float:
        return time.process_time() + (server.cpu_s() if server else 0.0)

    found = []
    asked_of = questions(store, load)
    if isinstance(store, SpooledStore):
        alone = partial(store.server.latest, "device")
        whole = "newest row of all devices from the server alone"
        asked_of.insert(1, Asked(whole, lambda _: alone(), load.devices, None))
    for asked in asked_of:
        wall, cpu = [], []
        for number in range(ASKED):
            started, before = time.perf_counter(), used()
            answer = asked.ask(number)
            cpu.append(used() - before)
            wall.append(time.perf_counter() - started)
            if len(answer) != asked.rows:
                raise RuntimeError(f"{kind}: {asked.metric}: {len(answer)} rows, not {asked.rows}")
        note = f"wall {median(wall):.3f} s, the longest {max(wall):.3f} s; {asked.rows:,} rows"
        metric = f"{kind}, {asked.metric}, CPU s"
        found.append(row(job(load), metric, median(cpu), asked.target, stretch=note))
    return found


def job(load: Load) -> str:
    """The name of the rows' job."""
    return f"store: {load.devices * load.polls / 1e6:.3g} million device rows"


def sizes(kind: str, load: Load, loaded: dict[str, float]) -> list[dict[str, Any]]:
    """Rows of what loading took and what it left on the disk."""
    count = load.devices * load.polls
    note = f"hours of {load.rolled:,} devices and {load.neighbourhoods:,} neighbourhoods"
    found = [
        row(job(load), f"{kind}, CPU s of the client a million rows", 1e6 * loaded["cpu"] / count),
        row(job(load), f"{kind}, bytes a device row", loaded["raw"] / count),
        row(
            job(load), f"{kind}, bytes a rollup row", loaded["rollups"] / load.rollup_count(),
            stretch=note,
        ),
    ]  # fmt: skip
    if "server" in loaded:
        seconds = 1e6 * loaded["server"] / count
        metric = f"{kind}, CPU s of the server a million rows, device by device"
        found.append(row(job(load), metric, seconds))
    return found


def measure(devices: int = 35_000, polls: int = 360) -> list[dict[str, Any]]:
    """Rows of benchmarks/results.json."""
    now = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    embedded = Load(devices, polls, min(devices, 3_500), NEIGHBOURHOODS, now)
    served = Load(devices, polls, min(devices, 1_000), NEIGHBOURHOODS // 5, now)
    found = []
    forked = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory() as home,
        influxd() as server,
        ProcessPoolExecutor(2, mp_context=forked) as pool,
    ):
        series = Path(home, "series")
        filling = [pool.submit(load_sqlite, series, embedded)]
        if server is not None:
            settings = StoreSettings("influx", server.url, "v1", "bench/autogen")
            city = Settings(Path(home), store=settings)
            prepare(city)
            filling.append(pool.submit(load_influx, settings, server, served))
        loaded = [one.result() for one in filling]
        asked: list[tuple[str, Store, Load, Influxd | None]] = [
            ("SQLite", SqliteStore(series), embedded, None)
        ]
        if server is not None:
            asked.append(("InfluxDB", polled_on(city, served, MORE_POLLS), served, server))
            settled(server)
        for (kind, store, load, its), sums in zip(asked, loaded, strict=True):
            found += answers(kind, store, load, its) + sizes(kind, load, sums)
            store.close()
    return found


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:])), indent=2))
