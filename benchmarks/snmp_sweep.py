"""CPU of polling a city over SNMP: sweep, decoding and hand-off to the store, which is measured in
store_city_poll.py. Each figure is that of a process of its own, the best of its last polls: the
first finds out which family each device is, and those after it which tables it has and how to ask
for them in few packets. What these cost is told beside it.

The fleet is a child process that replays recordings (snmp_replay.py): one made up here, those
made up for the tests, and those of real devices under FAROLA_TESTDATA, where there are any.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from snmp_replay import fleet  # noqa: E402 - after the path

from collectors.poll import Collector  # noqa: E402
from collectors.snmp.book import read_book  # noqa: E402
from collectors.snmp.model import Target  # noqa: E402
from collectors.snmp.read import Reader  # noqa: E402
from collectors.snmp.sweep import SweepPoller  # noqa: E402
from timeseries.base import Aggregate, Batch, Health, Table  # noqa: E402
from timeseries.checking import checked_query  # noqa: E402

CITY = 35_000
SIZES = (1_000, 2_000, 5_000, 10_000, 20_000, CITY)
SAMPLE = 2_000
"""Devices of a real family that are polled; their CPU is told for a whole city."""
POLLS, LEARNING = 9, 5
"""Polls of a family, and how many of them come before it is asked as it will be from then on."""
CITY_POLLS = 5
"""The same of the made up devices, of which there is less to learn."""
CITY_TARGET_S = 6.0
FLOOR_TARGET, TIMEOUT_S, RETRIES = 1.5, 1.0, 1
GROWTH_TARGET = 1.05
"""Linear, and what a busy machine makes of it."""
ROUNDS = 2
BIG_CONTROLLER, CONTROLLER_TARGET_S = 3_000, 60.0
DEADLINE_S = 50.0
PLOT = HERE / "snmp_sweep.svg"
FAMILIES = ROOT / "tests" / "collectors" / "snmp" / "families"

PROFILE = """
family: bench
title: Twelve scalars and a table of three columns
match: {sys_object_id: [1.3.6.1.4.1.8072.3.2.10]}
device:
  agent_uptime_s: {oid: 1.3.6.1.2.1.1.3.0, scale: 0.01}
  uptime_s: {oid: 1.3.6.1.2.1.25.1.1.0, scale: 0.01}
  cpu_pct: {oid: 1.3.6.1.4.1.2021.11.11.0, scale: -1, offset: 100}
  mem_pct:
    percent:
      total: {oid: 1.3.6.1.4.1.2021.4.5.0}
      free:
        sum:
          - {oid: 1.3.6.1.4.1.2021.4.6.0}
          - {oid: 1.3.6.1.4.1.2021.4.14.0}
          - {oid: 1.3.6.1.4.1.2021.4.15.0}
  clients: {sum: [{oid: 1.3.6.1.4.1.99999.1.0}, {oid: 1.3.6.1.4.1.99999.2.0}]}
tables:
  interfaces:
    rows: changing   # walked in every poll: that is what is measured
    name: 1.3.6.1.2.1.31.1.1.1.1
    rx64: 1.3.6.1.2.1.31.1.1.1.6
    tx64: 1.3.6.1.2.1.31.1.1.1.10
interfaces: {uplink: ['^eth0$'], radio: '^wlan'}
"""
SCALARS = """
1.3.6.1.2.1.1.1.0|4|Linux lamp-post 5.15 made up for a benchmark
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072.3.2.10
1.3.6.1.2.1.1.3.0|67|500000000
1.3.6.1.2.1.1.5.0|4|lamp-post
1.3.6.1.2.1.25.1.1.0|67|500001000
1.3.6.1.4.1.2021.4.5.0|2|250000
1.3.6.1.4.1.2021.4.6.0|2|100000
1.3.6.1.4.1.2021.4.14.0|2|20000
1.3.6.1.4.1.2021.4.15.0|2|30000
1.3.6.1.4.1.2021.11.11.0|2|93
1.3.6.1.4.1.99999.1.0|66|12
1.3.6.1.4.1.99999.2.0|66|7
"""


def made_up() -> list[str]:
    """Recording of a device with the twelve scalars and 20 interfaces."""
    names = ["lo", "eth0", "wlan0", "wlan1", *(f"veth{n}" for n in range(16))]
    rows = [
        (f"1.3.6.1.2.1.31.1.1.1.{column}.{index}", kind, value)
        for index, name in enumerate(names, 1)
        for column, kind, value in (
            (1, 4, name), (6, 70, index * 10**11 + 7), (10, 70, index * 10**10 + 3)
        )
    ]  # fmt: skip
    return [*SCALARS.split("\n"), *(f"{oid}|{kind}|{value}" for oid, kind, value in rows)]


def big_controller() -> list[str]:
    """Recording of a controller whose one access point that is up stands there many times."""
    lines = (FAMILIES / "ruckus-zonedirector.snmprec").read_text(encoding="utf-8").splitlines()
    up, down = ".2.250.1.0.0.1", ".2.250.1.0.0.2"
    copies = [f".2.250.9.0.{n // 250}.{n % 250}" for n in range(BIG_CONTROLLER)]
    return [
        copy
        for line in lines
        if down not in line
        for copy in ([line.replace(up, one) for one in copies] if up in line else [line])
    ]


def address(number: int, net: int = 40) -> str:
    """A loopback address of its own for each device."""
    return f"127.{net + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


class NoStore:
    """Takes every poll and keeps nothing: the store's own CPU is measured elsewhere."""

    def write(self, batches: Sequence[Batch]) -> int:
        return sum(len(batch.times) for batch in batches)

    def latest(
        self,
        measurement: str,
        fields: Sequence[str] = (),
        since: datetime | None = None,  # noqa: ARG002 - the Store protocol
        where: Mapping[str, str] | None = None,
    ) -> Table:
        shape, names, _ = checked_query(measurement, fields, where)
        return Table([], {tag: [] for tag in shape.tags}, {name: [] for name in names})

    def series(
        self,
        measurement: str,
        where: Mapping[str, str],  # noqa: ARG002 - the Store protocol
        start: datetime,  # noqa: ARG002
        end: datetime,  # noqa: ARG002
        fields: Sequence[str] = (),
    ) -> Table:
        return self.latest(measurement, fields)

    def aggregates(
        self,
        measurement: str,
        of: Mapping[str, Aggregate],
        start: datetime,  # noqa: ARG002 - the Store protocol
        end: datetime,  # noqa: ARG002
        *,
        by: Sequence[str] = (),
        every_s: int = 0,  # noqa: ARG002
        where: Mapping[str, str] | None = None,
    ) -> Table:
        checked_query(measurement, (), where)
        return Table([], {tag: [] for tag in by}, {name: [] for name in of})

    def health(self) -> Health:
        return Health(True, "none", "keeps nothing")

    def close(self) -> None:
        """Nothing to close."""


def poll(port: int, devices: int, dead: int, polls: int, own_profile: bool) -> list[dict[str, Any]]:
    """What each of `polls` polls of a fleet took; runs in a process of its own."""
    targets = [
        Target(f"ap-{n:05}", address(n) if n >= dead else address(n, 200), port,
               timeout_s=TIMEOUT_S, retries=RETRIES, deadline_s=DEADLINE_S)
        for n in range(devices)
    ]  # fmt: skip
    poller = SweepPoller()
    collector = Collector(poller, NoStore())
    if own_profile:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "bench.yaml").write_text(PROFILE)
            collector._reader = Reader(poller, read_book(Path(folder)))
    found = []

    async def run() -> None:
        for _ in range(polls):
            wall, cpu = time.monotonic(), time.process_time()
            summary = await collector.poll(targets)
            found.append(
                {
                    "cpu_s": time.process_time() - cpu,
                    "wall_s": time.monotonic() - wall,
                    "devices": summary.devices,
                    "silent": len(summary.not_answered),
                    "partial": len(summary.partial),
                    "points": summary.points,
                    "sent": summary.sent,
                    "retried": summary.retried,
                    "kernel_drops": summary.kernel_drops,
                    "memory_mb": most_memory_mb(),
                }
            )

    asyncio.run(run())
    return found


def most_memory_mb() -> float:
    """The most memory this process had resident so far. Not what getrusage says: that counts the
    memory of the process that started this one, too.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def polled(
    port: int, devices: int, *, dead: int = 0, polls: int = 2, own_profile: bool = False
) -> list[dict[str, Any]]:
    """`poll` in a fresh process. Raises where not all living devices answered in full."""
    command = [
        sys.executable, __file__, f"--port={port}", f"--devices={devices}", f"--dead={dead}",
        f"--polls={polls}",
    ]  # fmt: skip
    done = subprocess.run(
        [*command, "--own-profile"] if own_profile else command,
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)
    for one in found:
        told = one["devices"] - devices  # access points that controllers tell of
        if one["silent"] - dead not in range(told + 1) or one["partial"]:
            raise SystemExit(f"not every device answered: {one}")
    return found


def recordings() -> Iterator[tuple[str, Path]]:
    """Families and what to replay; those made up for the tests are called so."""
    real = Path(os.environ.get("FAROLA_TESTDATA") or ROOT.parent / "shared") / "snmprec"
    for path in sorted(real.glob("*.snmprec")):
        yield f"{path.stem} (recording)", path
    for path in sorted(FAMILIES.glob("*.snmprec")):
        yield f"{path.stem} (made up)", path


def measure() -> list[dict[str, Any]]:
    """Rows of benchmarks/results.json, and the plot."""
    rows, curve = [], []
    with fleet(made_up()) as port:
        for devices in SIZES:
            polls = [
                one
                for _ in range(ROUNDS)
                for one in polled(port, devices, polls=CITY_POLLS, own_profile=True)[-2:]
            ]
            warm = min(polls, key=_cpu)
            curve.append((devices, warm["cpu_s"]))
        rows.append(
            _row(
                f"{CITY:,} devices × (GET of 12 + 20 rows of 3 columns), CPU s;"
                f" {warm['points']:,} rows, {warm['memory_mb']:.0f} MB at most",
                warm["cpu_s"], CITY_TARGET_S,
            )
        )  # fmt: skip
        rows.append(
            _row(
                f"CPU grows with devices to the power of (1 is linear), {SIZES[0]:,} to {CITY:,}",
                exponent(curve), GROWTH_TARGET,
            )
        )  # fmt: skip
        with_dead = polled(port, 10_000, dead=500, polls=4, own_profile=True)[1:]
        floor_s = TIMEOUT_S * (1 + RETRIES)
        rows.append(
            _row(
                f"10,000 devices, 5 % dead: wall time ÷ floor of {floor_s:.0f} s",
                min(one["wall_s"] for one in with_dead) / floor_s, FLOOR_TARGET,
            )
        )  # fmt: skip
    for name, path in recordings():
        with fleet(path.read_text(encoding="utf-8").splitlines()) as port:
            polls = polled(port, SAMPLE, polls=POLLS)
        rows += _family(name, polls)
    with fleet(big_controller()) as port:
        warm = min(polled(port, 1, polls=3)[1:], key=_cpu)
    if warm["devices"] != 1 + BIG_CONTROLLER:
        raise SystemExit(f"the big controller tells of {warm['devices'] - 1} access points")
    metric = f"a controller of {BIG_CONTROLLER:,} access points (made up): wall s of its poll"
    rows.append(_row(metric, warm["wall_s"], CONTROLLER_TARGET_S))
    plot(curve)
    return rows


def _family(name: str, polls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How a family does once it is known, and in its first polls, which have no target."""
    warm = min(polls[LEARNING:], key=_cpu)
    devices = warm["devices"]
    each = CITY / devices
    metric = (
        f"{name}: CPU s of {CITY:,} devices, from {devices:,};"
        f" {warm['sent'] / devices:.1f} packets and {warm['points'] / devices:.1f} rows each"
    )
    told = ", ".join(f"{one['cpu_s'] * each:.1f}" for one in polls[:LEARNING])
    learning = _row(
        f"{name}: CPU s of the dearest poll after a start, while devices are learned;"
        f" poll by poll {told}",
        max(one["cpu_s"] for one in polls[:LEARNING]) * each, None,
    )  # fmt: skip
    return [_row(metric, warm["cpu_s"] * each, CITY_TARGET_S), learning]


def exponent(curve: Sequence[tuple[int, float]]) -> float:
    """The slope of the line through the logarithms, by least squares."""
    import numpy as np

    devices, cpu = np.log(np.array(curve, dtype=float)).T
    return float(np.polyfit(devices, cpu, 1)[0])


def plot(curve: Sequence[tuple[int, float]]) -> None:
    """CPU seconds by devices, beside the line through the smallest fleet."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "farola", "svg.fonttype": "none"}  # the same each time, small
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    devices = [one for one, _ in curve]
    each = curve[0][1] / curve[0][0]
    axes.plot(devices, [one * each for one in devices], "--", color="0.6", label="in proportion")
    axes.plot(devices, [cpu for _, cpu in curve], "o-", label="measured")
    axes.axhline(CITY_TARGET_S, color="C3", linewidth=0.8, label="target for the city")
    axes.set(xlabel="devices", ylabel="CPU seconds of one poll", xlim=0, ylim=0)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(PLOT, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)


_cpu: Callable[[Mapping[str, Any]], float] = lambda one: one["cpu_s"]  # noqa: E731 - a key


def _row(metric: str, ours: float, target: float | None) -> dict[str, Any]:
    return {
        "job": "SNMP sweep", "metric": metric, "ours": round(ours, 3), "peer": None,
        "peer_value": None, "ratio": None, "target": target,
        "met": None if target is None else ours <= target,
        "stretch": None,
    }  # fmt: skip


def main() -> None:
    """One fleet's polls as JSON, for `polled`; without arguments, all of it."""
    parser = argparse.ArgumentParser()
    for name in ("port", "devices", "dead", "polls"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--own-profile", action="store_true")
    given = parser.parse_args()
    if given.port:
        found = poll(given.port, given.devices, given.dead, given.polls, given.own_profile)
    else:
        found = measure()
    json.dump(found, sys.stdout, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    main()
