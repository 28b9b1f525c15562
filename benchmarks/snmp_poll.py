"""CPU of one SNMP poll: a v2c GET of 12 values from an address of its own, decoded and made into
the batches that the store is given; beside Debian's prometheus-snmp-exporter and pysnmp's hlapi.

The agent is Debian's snmpd on all of 127/8, which answers every address as a device of its own.
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

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from collectors.snmp.book import oid_of, packaged  # noqa: E402 - after the path
from collectors.snmp.decode import decode  # noqa: E402
from collectors.snmp.memory import Past  # noqa: E402
from collectors.snmp.model import Answer, Question, Target  # noqa: E402
from collectors.snmp.outcome import settle  # noqa: E402
from collectors.snmp.series import PollFigures, batches  # noqa: E402
from collectors.snmp.sweep import SweepPoller  # noqa: E402

TWELVE = [
    "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.4.0",
    "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.6.0", "1.3.6.1.2.1.1.7.0", "1.3.6.1.2.1.2.1.0",
    "1.3.6.1.2.1.4.1.0", "1.3.6.1.2.1.11.1.0", "1.3.6.1.2.1.11.3.0", "1.3.6.1.2.1.25.1.1.0",
]  # fmt: skip
POLLS = 2000
HLAPI_POLLS = 300
EXPORTER_TARGET = 1 / 8
HLAPI_TARGET = 1 / 200
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def address(number: int) -> str:
    """A loopback address of its own for each device."""
    return f"127.{40 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


def ours(port: int) -> float:
    """CPU seconds of POLLS polls, decode and store hand-off included."""
    question = Question(tuple(oid_of(oid) for oid in TWELVE))
    generic = next(p for p in packaged().profiles if p.name == "generic")
    targets = [Target(str(n), address(n), port, timeout_s=5) for n in range(POLLS)]

    def converse(_target: Target) -> Iterator[Question]:
        yield question

    async def poll() -> list[Answer]:
        return [answer async for answer in SweepPoller().ask(targets, converse)]

    before = time.process_time()
    answers = asyncio.run(poll())
    outcomes = [settle(decode(answer, generic), Past(), 0) for answer in answers]
    batches(outcomes, PollFigures(POLLS, POLLS, 0, 0, 0.0, 0.0), 0, "bench")
    spent = time.process_time() - before
    complete = sum(len(answer.values) == len(TWELVE) for answer in answers)
    if complete != POLLS:
        raise SystemExit(f"only {complete} of {POLLS} polls brought all 12 values")
    return spent


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
    """CPU seconds that prometheus-snmp-exporter spends on POLLS polls (its clients not counted)."""
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
            good = sum(pool.map(scrape, range(POLLS)))
        spent = cpu_of(pid) - before
    if good != POLLS:
        raise SystemExit(f"prometheus-snmp-exporter: {good} of {POLLS} polls brought all 12 values")
    return spent


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
            mine = ours(port) / POLLS * 1000
            program = shutil.which("prometheus-snmp-exporter", path=SYSTEM_PATH)
            if program:
                theirs = exporter(port, folder, program) / POLLS * 1000
                rows.append(row(mine, "prometheus-snmp-exporter", theirs, EXPORTER_TARGET))
            theirs = hlapi(port) / HLAPI_POLLS * 1000
            rows.append(row(mine, "pysnmp hlapi v3arch", theirs, HLAPI_TARGET))
    return rows


def row(mine: float, peer: str, theirs: float, target: float) -> dict[str, Any]:
    """One line of the results; `met` says whether the ratio is within the target."""
    ratio = mine / theirs
    return {
        "job": "SNMP poll of 12 values",
        "metric": "CPU ms per poll",
        "ours": round(mine, 4),
        "peer": peer,
        "peer_value": round(theirs, 4),
        "ratio": round(ratio, 4),
        "target": target,
        "met": ratio <= target,
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
