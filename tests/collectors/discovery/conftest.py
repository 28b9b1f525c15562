"""Agents on a few addresses of 127/8 only, a socket that counts who is asked, a city's home."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from collectors.pollers import standard_poller
from collectors.snmp.model import Target
from collectors.snmp.probe import read_one
from tests.collectors.snmp.conftest import free_port
from tests.inventory.conftest import Done, cli, db

__all__ = ["cli", "db"]

IP_PKTINFO = 8
BRIDGE = """
override 1.3.6.1.2.1.17.1.1.0 octet_str 0x0000EA10{n:04x}
override 1.3.6.1.2.1.47.1.1.1.1.5.1 integer 3
override 1.3.6.1.2.1.47.1.1.1.1.11.1 octet_str "SN-{n}"
override 1.3.6.1.2.1.47.1.1.1.1.13.1 octet_str "Lamp 9000"
"""


@contextmanager
def started(command: list[str], target: Target, log: Path, **env: object) -> Iterator[None]:
    """A child process, from the first answer of `target` until the end."""
    more = {name: str(value) for name, value in env.items()}
    with log.open("wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **more})
        try:
            until = time.monotonic() + 30
            while not asyncio.run(read_one(standard_poller(), target)).answered:
                alive = child.poll() is None and time.monotonic() < until
                assert alive, f"no answer from {command}: {log.read_text()[-2000:]}"
            yield
        finally:
            child.terminate()
            child.wait(10)


@contextmanager
def agents(program: str, folder: Path, *names: str, port: int = 0, community: str = "public"):
    """snmpd for each of `names` at 127.20.0.10 and the following addresses, and nowhere else;
    yields their port.
    """
    port = port or free_port()
    with ExitStack() as stack:
        for number, name in enumerate(names):
            home = folder / f"snmpd-{name}-{port}"
            home.mkdir()
            (home / "snmpd.conf").write_text(
                f"agentAddress udp:127.20.0.{10 + number}:{port}\n"
                f"rocommunity {community} 127.0.0.0/8\nsysName {name}\n{BRIDGE.format(n=number)}"
            )
            command = [program, "-f", "-Lo", "-C", "-c", str(home / "snmpd.conf"), "-I", "-smux"]
            target = Target(name, f"127.20.0.{10 + number}", port, community, timeout_s=0.5)
            stack.enter_context(started(command, target, home / "log", SNMP_PERSISTENT_DIR=home))
        yield port


class Ears:
    """A UDP port on all of 127/8 that answers nothing and counts who was asked."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked: Counter[str] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self._socket.bind(("0.0.0.0", self.port))
        self._socket.settimeout(0.1)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                _, ancillary, _, _ = self._socket.recvmsg(65_535, 256)
            except TimeoutError:
                if self._stopped.is_set():
                    return
                continue
            for _, kind, data in ancillary:
                if kind == IP_PKTINFO:
                    self.asked[socket.inet_ntoa(struct.unpack("=I4s4s", data[:12])[2])] += 1

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def ears() -> Iterator[Ears]:
    one = Ears()
    yield one
    one.close()


@pytest.fixture
def city(cli: Callable[..., Done]) -> Callable[..., Done]:
    """`cli` in a new home."""
    cli("init", "--name", "Test")
    return cli
