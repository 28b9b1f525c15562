"""CPU of one SNMP poll of 12 values, decoding and hand-off to the store included, beside the peers:
prometheus-snmp-exporter, collectd's snmp plugin and pysnmp's hlapi, on the same agent in the same
run. Every poll goes to an address of its own; the agent is Debian's snmpd on all of 127/8, which
answers each of its addresses as a device of its own.

collectd keeps numbers only, so it asks for twelve of those, which are shorter; it hands them on to
a network socket that nobody reads. Its polls are counted by the agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from snmp_sweep import NoStore, address  # noqa: E402 - after the path

from collectors.poll import Collector  # noqa: E402
from collectors.snmp.book import read_book  # noqa: E402
from collectors.snmp.model import Question, Reply, Target  # noqa: E402
from collectors.snmp.read import Reader  # noqa: E402
from collectors.snmp.sweep import SweepPoller  # noqa: E402

TWELVE = [
    "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.4.0",
    "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.6.0", "1.3.6.1.2.1.1.7.0", "1.3.6.1.2.1.2.1.0",
    "1.3.6.1.2.1.4.1.0", "1.3.6.1.2.1.11.1.0", "1.3.6.1.2.1.11.3.0", "1.3.6.1.2.1.25.1.1.0",
]  # fmt: skip
NUMBERS = [
    "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.7.0", "1.3.6.1.2.1.2.1.0", "1.3.6.1.2.1.4.1.0",
    "1.3.6.1.2.1.4.2.0", "1.3.6.1.2.1.11.1.0", "1.3.6.1.2.1.11.3.0", "1.3.6.1.2.1.11.4.0",
    "1.3.6.1.2.1.11.5.0", "1.3.6.1.2.1.11.6.0", "1.3.6.1.2.1.11.13.0", "1.3.6.1.2.1.25.1.1.0",
]  # fmt: skip
PACKETS_IN = (1, 3, 6, 1, 2, 1, 11, 1, 0)
"""snmpInPkts"""
# Every one of TWELVE is asked by exactly one GET: four of them are any device's identity.
PROFILE = """
family: bench
title: Twelve scalars
match: {sys_object_id: [""]}
device:
  agent_uptime_s: {oid: 1.3.6.1.2.1.1.3.0, scale: 0.01}
  uptime_s: {oid: 1.3.6.1.2.1.25.1.1.0, scale: 0.01}
  cpu_pct: [{oid: 1.3.6.1.2.1.1.4.0}, {oid: 1.3.6.1.2.1.1.6.0}, {oid: 1.3.6.1.2.1.1.7.0}]
  mem_pct: {percent: {total: {oid: 1.3.6.1.2.1.11.1.0}, used: {oid: 1.3.6.1.2.1.11.3.0}}}
  clients: {sum: [{oid: 1.3.6.1.2.1.2.1.0}, {oid: 1.3.6.1.2.1.4.1.0}]}
"""
POLLS, ROUNDS = 5000, 3
EXPORTER_POLLS, HLAPI_POLLS = 2000, 300
COLLECTD_HOSTS, COLLECTD_EVERY_S, COLLECTD_FOR_S = 1000, 2, 20
EXPORTER_TARGET, COLLECTD_TARGET, HLAPI_TARGET = 1 / 8, 1.0, 1 / 200
JOB = "SNMP poll of 12 values"
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def ours(port: int) -> float:
    """CPU seconds of a poll, decode and store hand-off included: the best of ROUNDS sweeps over
    POLLS devices that have been seen before.
    """
    targets = [Target(str(n), address(n), port, timeout_s=5) for n in range(POLLS)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench.yaml").write_text(PROFILE)
        book = read_book(Path(folder))
    asked = book.profiles[0].question.scalars
    if {".".join(map(str, oid)) for oid in asked} != set(TWELVE):
        raise SystemExit(f"these are not the twelve values: {asked}")
    poller = SweepPoller()
    collector = Collector(poller, NoStore())
    collector._reader = Reader(poller, book)

    async def polls() -> list[float]:
        spent = []
        for _ in range(ROUNDS + 1):
            before = time.process_time()
            summary = await collector.poll(targets)
            spent.append(time.process_time() - before)
            if (summary.answered, summary.partial) != (POLLS, ()):
                raise SystemExit(f"{POLLS} polls, and not all were answered in full: {summary}")
            if summary.points != POLLS + 1:
                raise SystemExit(f"not one row for each device: {summary.points}")
        return spent[1:]

    return min(asyncio.run(polls())) / POLLS


def hlapi(port: int) -> float:
    """CPU seconds of HLAPI_POLLS polls through pysnmp's v3arch."""
    from pysnmp.hlapi.v3arch.asyncio import (
        CommunityData,
        ContextData,
        ObjectIdentity,
        ObjectType,
        SnmpEngine,
        UdpTransportTarget,
        get_cmd,
    )

    async def poll() -> int:
        engine, places, good = SnmpEngine(), asyncio.Semaphore(64), 0

        async def one(number: int) -> None:
            nonlocal good
            async with places:
                target = await UdpTransportTarget.create((address(number), port), timeout=5)
                error, status, _, _ = await get_cmd(
                    engine, CommunityData("public"), target, ContextData(),
                    *(ObjectType(ObjectIdentity(oid)) for oid in TWELVE), lookupMib=False,
                )  # fmt: skip
                good += not error and not status

        await asyncio.gather(*map(one, range(HLAPI_POLLS)))
        engine.close_dispatcher()
        return good

    before = time.process_time()
    good = asyncio.run(poll())
    spent = time.process_time() - before
    if good != HLAPI_POLLS:
        raise SystemExit(f"hlapi: only {good} of {HLAPI_POLLS} polls were answered")
    return spent


def exporter(port: int, folder: Path, program: str) -> float:
    """CPU seconds that prometheus-snmp-exporter spends on EXPORTER_POLLS polls, its clients' not
    counted.
    """
    config = folder / "snmp.yml"
    metrics = [f"  - {{name: v{n}, oid: {oid}, type: {kind_of(oid)}}}"
               for n, oid in enumerate(TWELVE)]  # fmt: skip
    config.write_text(
        "twelve:\n  version: 2\n  auth: {community: public}\n"
        f"  get: [{', '.join(TWELVE)}]\n  metrics:\n" + "\n".join(metrics) + "\n"
    )
    web = free_port(socket.SOCK_STREAM)
    command = [
        program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{web}",
        "--log.level=error",
    ]  # fmt: skip
    with running(command, folder / "exporter.log") as pid:
        page = f"http://127.0.0.1:{web}/snmp?module=twelve&target="

        def scrape(number: int) -> bool:
            with urllib.request.urlopen(f"{page}{address(number)}:{port}", timeout=30) as reply:
                return b"snmp_scrape_pdus_returned 12" in reply.read()

        wait_for(lambda: scrape(0))
        before = cpu_of(pid)
        with ThreadPoolExecutor(16) as pool:
            good = sum(pool.map(scrape, range(EXPORTER_POLLS)))
        spent = cpu_of(pid) - before
    if good != EXPORTER_POLLS:
        raise SystemExit(f"prometheus-snmp-exporter: only {good} polls brought all 12 values")
    return spent


def collectd(port: int, folder: Path, program: str) -> float:
    """CPU seconds that collectd spends on one poll: those of its process, divided by the packets
    that the agent counted meanwhile.
    """
    types, config = folder / "types.db", folder / "collectd.conf"
    types.write_text("twelve " + ", ".join(f"v{n}:GAUGE:U:U" for n in range(12)) + "\n")
    hosts = "".join(
        f'  <Host "ap-{n}">\n    Address "udp:{address(n)}:{port}"\n    Version 2\n'
        f'    Community "public"\n    Collect "twelve"\n  </Host>\n'
        for n in range(COLLECTD_HOSTS)
    )
    values = " ".join(f'"{oid}"' for oid in NUMBERS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        config.write_text(
            f'BaseDir "{folder}"\nPIDFile "{folder}/pid"\nTypesDB "{types}"\n'
            f"Interval {COLLECTD_EVERY_S}\nReadThreads 16\nFQDNLookup false\nHostname bench\n"
            "LoadPlugin snmp\nLoadPlugin network\n"
            f'<Plugin network>\n  Server "127.0.0.1" "{sink.getsockname()[1]}"\n</Plugin>\n'
            '<Plugin snmp>\n  <Data "twelve">\n    Type "twelve"\n    Table false\n'
            f'    TypeInstance ""\n    Values {values}\n  </Data>\n{hosts}</Plugin>\n'
        )
        with running([program, "-f", "-C", str(config)], folder / "collectd.log") as pid:
            first = packets_in(port)
            wait_for(lambda: packets_in(port) > first + 2 * COLLECTD_HOSTS, 60)
            before, packets, started = cpu_of(pid), packets_in(port), time.monotonic()
            time.sleep(COLLECTD_FOR_S)
            spent, packets = cpu_of(pid) - before, packets_in(port) - packets
            took_s = time.monotonic() - started
            if not sink.recv(65535, socket.MSG_DONTWAIT):
                raise SystemExit("collectd handed nothing on")
    for line in (folder / "collectd.log").read_text().splitlines():
        if "fail" in line.lower() or "error" in line.lower():
            raise SystemExit(f"collectd: {line}")
    if packets < COLLECTD_HOSTS * took_s / COLLECTD_EVERY_S / 4:
        raise SystemExit(f"collectd made {packets} polls only in {took_s:.0f} s")
    return spent / packets


def packets_in(port: int) -> int:
    """How many packets the agent has taken in (snmpInPkts), this one included."""

    def converse(_target: Target) -> Iterator[Question]:
        reply: Reply = yield Question((PACKETS_IN,))
        return reply.scalars[0]

    async def ask() -> int:
        target = Target("agent", "127.0.0.1", port, timeout_s=5)
        async for one in SweepPoller().ask([target], converse):
            return int(one.result or 0)
        return 0

    return asyncio.run(ask())


def kind_of(oid: str) -> str:
    """The exporter's type of one of TWELVE."""
    if oid.startswith("1.3.6.1.2.1.1.") and oid[14] in "1456":
        return "DisplayString"
    return "OctetString" if oid == "1.3.6.1.2.1.1.2.0" else "gauge"


def measure() -> list[dict[str, Any]]:
    """Rows for benchmarks/results.json; a peer that is not installed has no row."""
    snmpd = shutil.which("snmpd", path=SYSTEM_PATH)
    if snmpd is None:
        raise SystemExit("snmpd is missing: apt-get install snmpd")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port(socket.SOCK_DGRAM)
        (folder / "snmpd.conf").write_text(
            f"agentAddress udp:0.0.0.0:{port}\nrocommunity public 127.0.0.0/8\n"
            "sysName bench\nsysContact noc\nsysLocation street\nsysServices 72\n"
        )
        command = [snmpd, "-f", "-Lo", "-C", "-c", str(folder / "snmpd.conf"), "-I", "-smux"]
        with running(command, folder / "snmpd.log", SNMP_PERSISTENT_DIR=name):
            time.sleep(1)
            mine = ours(port) * 1000
            program = shutil.which("prometheus-snmp-exporter", path=SYSTEM_PATH)
            if program:
                theirs = exporter(port, folder, program) / EXPORTER_POLLS * 1000
                rows.append(row(mine, "prometheus-snmp-exporter", theirs, EXPORTER_TARGET))
            program = shutil.which("collectd", path=SYSTEM_PATH)
            if program:
                theirs = collectd(port, folder, program) * 1000
                rows.append(row(mine, "collectd snmp plugin", theirs, COLLECTD_TARGET))
            theirs = hlapi(port) / HLAPI_POLLS * 1000
            rows.append(row(mine, "pysnmp hlapi v3arch", theirs, HLAPI_TARGET))
    return rows


def row(
    mine: float, peer: str, theirs: float, target: float | None, job: str = JOB
) -> dict[str, Any]:
    """One line of the results; `met` says whether the ratio is within a target."""
    ratio = mine / theirs
    return {
        "job": job,
        "metric": "CPU ms per poll",
        "ours": round(mine, 4),
        "peer": peer,
        "peer_value": round(theirs, 4),
        "ratio": round(ratio, 4),
        "target": target,
        "met": None if target is None else ratio <= target,
        "stretch": None,
    }


@contextlib.contextmanager
def running(command: list[str], log: Path, **env: str) -> Iterator[int]:
    """A child process; yields its id."""
    with log.open("wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **env})
        try:
            yield child.pid
        finally:
            child.terminate()
            child.wait(10)


def cpu_of(pid: int) -> float:
    """User and system CPU seconds of a process (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(true: Any, seconds: float = 15) -> None:
    """Wait until `true()` returns a truth without an OSError."""
    until = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if true():
                return
        if time.monotonic() > until:
            raise SystemExit("a server did not come up")
        time.sleep(0.1)


def free_port(kind: int) -> int:
    """A port that is free now."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    import json

    json.dump(measure(), sys.stdout, indent=2)
