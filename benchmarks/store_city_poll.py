"""One city poll (35,000 device and 105,000 radio rows) into each store: CPU seconds of the client.

Each store is the one that `open_store` opens, with the marks that rollups are made by: SQLite, and
InfluxDB behind the spool, whose figure holds the writing to disk, the sending, and the newest rows
that are kept for `latest`; without a spool it is measured beside. The peer is influxdb-client's
`Point`, the documented way to write, on the same rows in the same run and through the same HTTP
calls, so that only the making of lines differs. InfluxDB is Debian's influxd on a loopback port;
its own CPU is told apart.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from store_rows import BANDS, MINUTE_MS, City, influxd, median, row, timed  # noqa: E402 - after path

from farola.settings import Settings, StoreSettings  # noqa: E402
from timeseries.base import SCHEMA, Batch, Store  # noqa: E402
from timeseries.influx import InfluxStore, prepare  # noqa: E402
from timeseries.influx_http import Server  # noqa: E402
from timeseries.lines import CHUNK_LINES  # noqa: E402
from timeseries.opening import open_store  # noqa: E402
from timeseries.spooled import SpooledStore  # noqa: E402

DEVICES, POLLS = 35_000, 5
JOB, PEER = "store: one city poll", "influxdb-client Point"
SQLITE_TARGET_S, INFLUX_TARGET_S = 1.5, 1.0


def write_points(server: Server, poll: Sequence[Batch]) -> None:
    """The peer: a `Point` for each row, as the client's documentation shows."""
    from influxdb_client import Point, WritePrecision

    written: list[str] = []
    for batch in poll:
        shape = SCHEMA[batch.measurement]
        for i, at in enumerate(batch.times):
            point = Point(shape.name).time(at, WritePrecision.MS)
            for tag in shape.tags:
                point.tag(tag, batch.tags[tag][i])
            for name, column in batch.fields.items():
                point.field(name, column[i])
            written.append(point.to_line_protocol())
    for first in range(0, len(written), CHUNK_LINES):
        server.write("\n".join(written[first : first + CHUNK_LINES]).encode())


def cpu_seconds(write: Callable[[list[Batch]], object], polls: list[list[Batch]]) -> float:
    """Median CPU seconds of a poll, the first (which makes tables and files) left out."""
    return median([timed(lambda poll=poll: write(poll))[1] for poll in polls][1:])


def through_spool(store: Store, polls: list[list[Batch]]) -> tuple[float, float]:
    """Median CPU seconds of a poll until the server has it, and wall seconds until it is safe on
    this machine's disk; the first poll left out.
    """
    assert isinstance(store, SpooledStore)
    safe, cpu = [], []
    store.latest("device")  # from now on the newest rows are kept beside the spool
    for poll in polls:
        before = time.process_time()
        safe.append(timed(lambda poll=poll: store.write(poll))[0])
        if not store.flush(120):
            raise RuntimeError(f"the server did not take a poll: {store.backlog()}")
        cpu.append(time.process_time() - before)
    return median(cpu[1:]), median(safe[1:])


def measure(devices: int = DEVICES) -> list[dict[str, Any]]:
    """Rows of benchmarks/results.json."""
    # Of the last minutes: a spool sends what is live at once, and what is old with pauses.
    now = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    city = City(devices, now - POLLS * MINUTE_MS)
    polls = [city.poll(number) for number in range(POLLS + 1)]
    count = f"{devices:,} device + {devices * len(BANDS):,} radio rows"
    with tempfile.TemporaryDirectory() as folder, influxd() as server:
        embedded = open_store(Settings(Path(folder)))
        found = {"SQLite": cpu_seconds(embedded.write, polls)}
        embedded.close()
        if server is None:
            return [row(JOB, "SQLite, CPU s", found["SQLite"], SQLITE_TARGET_S, stretch=count)]
        store = StoreSettings("influx", server.url, "v1", "bench/autogen")
        settings = Settings(Path(folder), store=store)
        prepare(settings)
        before = server.cpu_s()
        direct = InfluxStore(store)
        found["InfluxDB, no spool"] = cpu_seconds(direct.write, polls)
        serving = (server.cpu_s() - before) / len(polls)
        stored = len(direct.latest("device"))
        assert stored == devices, f"only {stored} devices arrived"
        direct.close()
        behind = open_store(settings)
        found["InfluxDB, spool and sender"], safe_s = through_spool(behind, polls)
        behind.close()
        client = Server(store, "")
        point = cpu_seconds(lambda poll: write_points(client, poll), polls[:3])
        client.close()
    seconds = found.pop("SQLite")
    rows = [row(JOB, "SQLite, CPU s", seconds, SQLITE_TARGET_S, peer=(PEER, point), stretch=count)]
    for kind, seconds in found.items():
        metric = f"{kind}, CPU s of the client"
        rows.append(row(JOB, metric, seconds, INFLUX_TARGET_S, peer=(PEER, point)))
    rows.append(row(JOB, "InfluxDB, spool: on disk after, wall s", safe_s))
    rows.append(row(JOB, "InfluxDB, CPU s of the server", serving))
    return rows


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:])), indent=2))
