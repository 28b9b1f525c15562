"""A made-up city's rows and an InfluxDB server of its own, for the benchmarks of the store."""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from timeseries.base import SCHEMA, Batch

BANDS = (("radio0", "2.4"), ("radio1", "5"), ("radio2", "6"))
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
BOROUGHS, NEIGHBOURHOODS = 16, 2_430
"""As many as Mexico City has."""


@dataclass(frozen=True)
class City:
    """`devices` that are polled every `interval_ms` from `first_ms` on. Same seed, same rows."""

    devices: int
    first_ms: int
    interval_ms: int = MINUTE_MS
    bands: tuple[tuple[str, str], ...] = BANDS
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Name the devices."""
        self.names.extend(f"cdmx-{i:05}-ap" for i in range(self.devices))

    def at(self, number: int) -> int:
        """When the `number`th poll is."""
        return self.first_ms + number * self.interval_ms

    def poll(self, number: int) -> list[Batch]:
        """Device and radio rows of the `number`th poll."""
        return [self.device(number), self.radio(number)]

    def device(self, number: int) -> Batch:
        """A row a device: 98 of 100 answer; the clocks of those that were not restarted go on."""
        dice = np.random.default_rng((1, number))
        answers = dice.random(self.devices) < 0.98
        since = np.random.default_rng(1).uniform(0, 1e7, self.devices).round(2)
        uptime = (since + number * self.interval_ms / 1000).round(2).tolist()
        fields: dict[str, list[Any]] = {
            "answered": answers.tolist(),
            "state": np.where(answers, "up", "unknown").tolist(),
            "rtt_ms": dice.exponential(20, self.devices).round(3).tolist(),
            "uptime_s": uptime,
            "agent_uptime_s": uptime,
            "clients": dice.integers(0, 60, self.devices).tolist(),
            "cpu_pct": dice.uniform(0, 100, self.devices).round(1).tolist(),
            "mem_pct": dice.uniform(0, 100, self.devices).round(1).tolist(),
            "reboots": [3] * self.devices,
        }
        return Batch("device", [self.at(number)] * self.devices, {"device": self.names}, fields)

    def history(self, some: slice, polls: int) -> Batch:
        """Rows as `device` makes them of some devices' first `polls`, device by device: so a server
        takes them with a quarter of the work.
        """
        names, dice = self.names[some], np.random.default_rng((4, some.start))
        size = (len(names), polls)
        answers = dice.random(size) < 0.98
        passed = np.arange(polls) * self.interval_ms / 1000
        uptime = (dice.uniform(0, 1e7, (len(names), 1)) + passed).round(2).ravel().tolist()
        fields: dict[str, list[Any]] = {
            "answered": answers.ravel().tolist(),
            "state": np.where(answers, "up", "unknown").ravel().tolist(),
            "rtt_ms": dice.exponential(20, size).round(3).ravel().tolist(),
            "uptime_s": uptime,
            "agent_uptime_s": uptime,
            "clients": dice.integers(0, 60, size).ravel().tolist(),
            "cpu_pct": dice.uniform(0, 100, size).round(1).ravel().tolist(),
            "mem_pct": dice.uniform(0, 100, size).round(1).ravel().tolist(),
            "reboots": [3] * (len(names) * polls),
        }
        times = [self.at(number) for number in range(polls)] * len(names)
        return Batch("device", times, {"device": [n for n in names for _ in range(polls)]}, fields)

    def radio(self, number: int) -> Batch:
        """A row a radio."""
        dice, rows = np.random.default_rng((2, number)), len(self.bands) * self.devices
        channels = np.array([1, 6, 11, 36, 149])
        fields: dict[str, list[Any]] = {
            "clients": dice.integers(0, 30, rows).tolist(),
            "channel": dice.choice(channels, rows).tolist(),
            "utilization_pct": dice.uniform(0, 100, rows).round(1).tolist(),
            "noise_dbm": (-dice.integers(80, 100, rows)).astype(float).tolist(),
            "tx_power_dbm": [20.0] * rows,
        }
        tags = {
            "device": [name for name in self.names for _ in self.bands],
            "radio": [name for name, _ in self.bands] * self.devices,
            "band": [band for _, band in self.bands] * self.devices,
        }
        return Batch("radio", [self.at(number)] * rows, tags, fields)

    def uplink(self, number: int) -> Batch:
        """A row of each device's uplink, with its traffic since the poll before."""
        dice = np.random.default_rng((3, number))
        moved = dice.integers(0, 50_000_000, (2, self.devices)).tolist()
        fields: dict[str, list[Any]] = {
            "rx_bytes": moved[0],
            "tx_bytes": moved[1],
            "rx_bytes_total": [one + number * 25_000_000 for one in moved[0]],
            "tx_bytes_total": [one + number * 25_000_000 for one in moved[1]],
            "interval_s": [self.interval_ms / 1000] * self.devices,
            "uplink": [True] * self.devices,
        }
        tags = {"device": self.names, "interface": ["eth0"] * self.devices}
        return Batch("interface", [self.at(number)] * self.devices, tags, fields)


def rollup_rows(
    measurement: str, tags: dict[str, list[str]], times: list[int], seed: int = 5
) -> Batch:
    """A row of each combination of tags (the lists in step) at each of `times`, in that order."""
    shape, names = SCHEMA[measurement], len(next(iter(tags.values())))
    rows, dice = names * len(times), np.random.default_rng(seed)
    fields: dict[str, list[Any]] = {}
    for name, kind in shape.fields.items():
        some = dice.integers(0, 60_000, rows)
        fields[name] = some.tolist() if kind is int else (some / 10).tolist()
    repeated = {tag: [one for one in column for _ in times] for tag, column in tags.items()}
    return Batch(measurement, times * names, repeated, fields)


def groups(neighbourhoods: int = NEIGHBOURHOODS) -> dict[str, list[str]]:
    """Tags of the city, its boroughs and so many neighbourhoods."""
    parts = (("city", 1), ("borough", BOROUGHS), ("neighbourhood", neighbourhoods))
    named = [(kind, "city" if kind == "city" else group(i)) for kind, n in parts for i in range(n)]
    return {"kind": [kind for kind, _ in named], "group": [name for _, name in named]}


def group(number: int) -> str:
    """The id of a borough or neighbourhood."""
    return f"0900{number:07}"


@dataclass(frozen=True)
class Influxd:
    """A server that runs: its address, its process and its files."""

    url: str
    pid: int
    folder: Path

    def cpu_s(self) -> float:
        """CPU seconds that it has used."""
        parts = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def data_bytes(self) -> int:
        """Bytes of its files of points, the log of those that are not in one yet included."""
        every = [p for part in ("data", "wal") for p in (self.folder / part).rglob("*")]
        return sum(p.stat().st_size for p in every if p.is_file())


@contextmanager
def influxd() -> Iterator[Influxd | None]:
    """A fresh influxd, or None where Debian's influxdb is not installed."""
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
            f'[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\nquery-log-enabled = false\n'
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
            yield Influxd(url, server.pid, Path(folder))
        finally:
            server.terminate()
            server.wait()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of `work`, threads of this process included."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def median(values: list[float]) -> float:
    """The middle one."""
    return float(statistics.median(values))


def row(
    job: str, metric: str, ours: float, target: float | None = None, *,
    peer: tuple[str, float] | None = None, stretch: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A row of benchmarks/results.json in which less is better."""
    name, value = peer or (None, None)
    return {
        "job": job, "metric": metric, "ours": _short(ours), "peer": name,
        "peer_value": None if value is None else _short(value),
        "ratio": None if value is None else round(ours / value, 3),
        "target": target, "met": None if target is None else ours <= target, "stretch": stretch,
    }  # fmt: skip


def _short(value: float) -> float:
    return round(value, 4 if abs(value) < 1 else 3)
