"""One city poll (35,000 device and 105,000 radio rows) into each store: CPU seconds of the client.

The peer is influxdb-client's `Point`, the documented way to write, on the same rows in the same
run and through the same HTTP calls, so that only the making of lines differs. InfluxDB is
Debian's influxd on a loopback port; its own CPU is not counted.
"""

from __future__ import annotations

import json
import random
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from farola.settings import Settings, StoreSettings
from timeseries.base import SCHEMA, Batch
from timeseries.influx import InfluxStore, prepare
from timeseries.influx_http import Server
from timeseries.lines import CHUNK_LINES
from timeseries.sqlite import SqliteStore

DEVICES, BANDS, POLLS = 35_000, (("radio0", "2.4"), ("radio1", "5"), ("radio2", "6")), 3
FIRST = 1_700_000_000_000
TARGETS = {"SQLite": 1.5, "InfluxDB": 1.0}


def city_poll(number: int, devices: int = DEVICES) -> list[Batch]:
    """The `number`th poll of a city, one minute after the one before; same seed, same rows."""
    dice = random.Random(number)
    names = [f"cdmx-{i:05}-ap" for i in range(devices)]
    rows = len(BANDS) * devices
    device = {
        "answered": [dice.random() < 0.98 for _ in names],
        "state": [dice.choice(("up", "up", "up", "down")) for _ in names],
        "rtt_ms": [round(dice.expovariate(1 / 20), 3) for _ in names],
        "uptime_s": [round(dice.uniform(0, 1e7), 2) for _ in names],
        "agent_uptime_s": [round(dice.uniform(0, 1e7), 2) for _ in names],
        "clients": [dice.randrange(60) for _ in names],
        "cpu_pct": [round(dice.uniform(0, 100), 1) for _ in names],
        "mem_pct": [round(dice.uniform(0, 100), 1) for _ in names],
        "reboots": [dice.randrange(9) for _ in names],
    }
    radio = {
        "clients": [dice.randrange(30) for _ in range(rows)],
        "channel": [dice.choice((1, 6, 11, 36, 149)) for _ in range(rows)],
        "utilization_pct": [round(dice.uniform(0, 100), 1) for _ in range(rows)],
        "noise_dbm": [float(-dice.randrange(80, 100)) for _ in range(rows)],
        "tx_power_dbm": [20.0] * rows,
    }
    tags = {
        "device": [name for name in names for _ in BANDS],
        "radio": [name for name, _ in BANDS] * devices,
        "band": [band for _, band in BANDS] * devices,
    }
    at = FIRST + number * 60_000
    return [
        Batch("device", [at] * devices, {"device": names}, device),
        Batch("radio", [at] * rows, tags, radio),
    ]


@contextmanager
def influxd() -> Iterator[str | None]:
    """Address of a fresh influxd, or None where Debian's influxdb is not installed."""
    program = shutil.which("influxd")
    if program is None:
        yield None
        return
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "influxd.conf")
        config.write_text(
            f'reporting-disabled = true\nbind-address = "127.0.0.1:{ports[0]}"\n'
            f'[meta]\ndir = "{folder}/meta"\n'
            f'[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n'
            f'[http]\nbind-address = "127.0.0.1:{ports[1]}"\nlog-enabled = false\n'
            "[monitor]\nstore-enabled = false\n"
        )
        with Path(folder, "log").open("wb") as log:
            server = subprocess.Popen(
                [program, "run", "-config", str(config)], stdout=log, stderr=log
            )
        url = f"http://127.0.0.1:{ports[1]}"
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"{url}/ping", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield url
        finally:
            server.terminate()
            server.wait()


def write_points(server: Server, polls: Sequence[Batch]) -> None:
    """The peer: a `Point` for each row, as the client's documentation shows."""
    from influxdb_client import Point, WritePrecision

    written: list[str] = []
    for batch in polls:
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
    taken = []
    for poll in polls:
        before = time.process_time()
        write(poll)
        taken.append(time.process_time() - before)
    return statistics.median(taken[1:])


def measure() -> list[dict[str, Any]]:
    """Rows of benchmarks/results.json."""
    polls = [city_poll(number) for number in range(POLLS + 1)]
    with tempfile.TemporaryDirectory() as folder, influxd() as url:
        embedded = SqliteStore(Path(folder, "series"))
        ours = {"SQLite": cpu_seconds(embedded.write, polls)}
        embedded.close()
        if url is None:
            return [_row("SQLite", ours["SQLite"], None)]
        settings = StoreSettings("influx", url, "v1", "bench/autogen")
        prepare(Settings(Path(folder), store=settings))
        store = InfluxStore(settings)
        ours["InfluxDB"] = cpu_seconds(store.write, polls)
        stored = len(store.latest("device"))
        assert stored == DEVICES, f"only {stored} devices arrived"
        store.close()
        server = Server(settings, "")
        peer = cpu_seconds(lambda poll: write_points(server, poll), polls[:2])
        server.close()
    return [_row(kind, seconds, peer) for kind, seconds in ours.items()]


def _row(kind: str, ours: float, peer: float | None) -> dict[str, Any]:
    return {
        "job": "store: one city poll", "metric": f"{kind}, CPU s of the client",
        "ours": round(ours, 3), "peer": "influxdb-client Point",
        "peer_value": None if peer is None else round(peer, 3),
        "ratio": None if peer is None else round(ours / peer, 3),
        "target": TARGETS[kind], "met": ours <= TARGETS[kind], "stretch": None,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
