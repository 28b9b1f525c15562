"""Real agents for the SNMP tests: Debian's snmpd, and snmpsim replaying recordings."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from collectors.snmp.book import IDENTITY
from collectors.snmp.model import Answer, Oid, Question, RawValue, Reply, Target
from collectors.snmp.sweep import SweepPoller

OPENWRT = """
sysDescr Linux ap-0042 5.15.134 #0 SMP armv7l
sysName ap-0042
extend distro /bin/echo OpenWrt 23.05
extend interfaces /bin/sh -c "echo wlan0,wl-5G; echo wlan1,wl-2.4G"
extend clients-wlan /bin/echo 12
extend clients-wlan0 /bin/echo 7
extend clients-wlan1 /bin/echo 5
extend frequency-wlan0 /bin/echo 5180
extend frequency-wlan1 /bin/echo 2437
extend noise-floor-wlan0 /bin/echo -95
extend txpower-wlan0 /bin/echo 20.00 dBm
extend utilization-wlan0 /bin/echo 31
extend ssid-wlan0 /bin/echo City Free
extend ssid-wlan1 /bin/echo City Free
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ask(*targets: Target) -> list[Answer]:
    """Who `targets` are, in the order in which they answered."""

    def identify(_target: Target):
        yield Question(IDENTITY)

    async def collect() -> list[Answer]:
        return [answer async for answer in SweepPoller().ask(targets, identify)]

    return asyncio.run(collect())


@contextmanager
def running(arguments: list[str], port: int, community: str, log: Path, **env: str):
    """An agent as a child process, from its first answer until the end of the test."""
    with log.open("wb") as output:
        child = subprocess.Popen(arguments, stdout=output, stderr=output, env={**os.environ, **env})
        try:
            until = time.monotonic() + 30
            probe = Target("agent", "127.0.0.1", port, community, timeout_s=0.5)
            while not ask(probe)[0].answered:
                alive = child.poll() is None and time.monotonic() < until
                assert alive, f"no answer from {arguments[0]}: {log.read_text()[-2000:]}"
            yield child
        finally:
            child.terminate()
            child.wait(10)


class Agents:
    """Starts and stops snmpd: `agents("sysName one")` returns the port of a new one."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.stacks: dict[int, ExitStack] = {}

    def __call__(self, config: str = "sysName agent", port: int = 0) -> int:
        port = port or free_port()
        folder = self.folder / f"snmpd-{port}-{time.monotonic_ns()}"
        folder.mkdir()
        file = folder / "snmpd.conf"
        file.write_text(
            f"agentAddress udp:0.0.0.0:{port}\nrocommunity public 127.0.0.0/8\n{config}\n"
        )
        command = [self.program, "-f", "-Lo", "-C", "-c", str(file), "-I", "-smux"]
        stack = self.stacks[port] = ExitStack()
        stack.enter_context(
            running(command, port, "public", folder / "log", SNMP_PERSISTENT_DIR=str(folder))
        )
        return port

    def stop(self, port: int) -> None:
        self.stacks.pop(port).close()


@pytest.fixture
def snmpd(needs_program, tmp_path: Path) -> Iterator[Agents]:
    """Debian's snmpd on all of 127/8: each of its addresses is a device of its own."""
    agents = Agents(needs_program("snmpd", "snmpd"), tmp_path)
    yield agents
    for port in list(agents.stacks):
        agents.stop(port)


@pytest.fixture
def trap_port() -> int:
    """A free UDP port."""
    return free_port()


@pytest.fixture(scope="session")
def replay(testdata: Path, needs_program, tmp_path_factory) -> Iterator[int]:
    """Port of snmpsim replaying every recording; the community is the recording's name."""
    program = Path(sys.executable).with_name("snmpsim-command-responder")
    if not program.exists():
        needs_program("snmpsim-command-responder", "nothing: pip install snmpsim")
    folder, port = tmp_path_factory.mktemp("snmpsim"), free_port()
    (folder / "data").mkdir()
    for recording in (testdata / "snmprec").glob("*.snmprec"):
        shutil.copy(recording, folder / "data")
    command = [
        str(program),
        f"--data-dir={folder / 'data'}", f"--cache-dir={folder / 'cache'}",
        f"--agent-udpv4-endpoint=127.0.0.1:{port}", "--log-level=error",
    ]  # fmt: skip
    if os.geteuid() == 0:
        command += ["--process-user=root", "--process-group=root"]
    with running(command, port, "openwrt", folder / "log"):
        yield port


@pytest.fixture
def openwrt_config() -> str:
    """snmpd as OpenWrt's scripts make it: a renamed access point with two radios."""
    return OPENWRT


def reply_to(question: Question, values: Mapping[Oid, RawValue]) -> Reply:
    """What an agent that holds `values` says to `question`."""
    return Reply(
        [values.get(oid) for oid in question.scalars],
        [
            [
                {oid[len(column) :]: v for oid, v in values.items() if oid[: len(column)] == column}
                for column in columns
            ]
            for columns in question.tables
        ],
    )


@pytest.fixture(scope="session")
def said() -> Callable[[Question, Mapping[Oid, RawValue]], Reply]:
    """Replies made of values by OID, without a network."""
    return reply_to
