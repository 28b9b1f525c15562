"""A pretend device without sockets, and a fleet for the tests that need one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
import pytest

from simulator.city import make_city
from simulator.city_files import write_city
from simulator.device import Device, Settings
from simulator.fleet import Fleet
from simulator.shell.interpreter import Shell
from simulator.shell.parse import ShellSyntaxError, parse
from simulator.shell.streams import Bytes, Collected
from simulator.stock_config import Identity


@dataclass(frozen=True)
class Ran:
    """What a script left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    """A device that has booted, its files under tmp_path."""
    identity = Identity(
        "ap-1", "02:fa:00:00:01:00", "S-1", "02:fa:00:00:01:10", "02:fa:00:00:01:20"
    )
    settings = Settings(identity, "127.0.0.1", 2222, 1161, tmp_path / "ap-1", "seed", "secret", 5.0)
    device = Device(settings)
    asyncio.run(device.boot(first=True))
    yield device
    device.close()


@pytest.fixture
def sh(device: Device) -> Callable[..., Ran]:
    """`sh(script, stdin=b"", cwd="/root")` runs a script on the device."""

    def run(script: str, stdin: bytes = b"", cwd: str = "/root") -> Ran:
        async def main() -> Ran:
            process = device.processes.new("sh")
            process.task = asyncio.current_task()
            shell = Shell(device, process, "sh")
            shell.cwd = shell.vars["PWD"] = cwd
            out, err = Collected(), Collected()
            shell.fds = {0: Bytes(stdin), 1: out, 2: err}
            try:
                status = await shell.main(parse(script))
            except ShellSyntaxError as error:
                shell.complain(str(error))
                status = 2
            device.processes.end(process)
            return Ran(
                status, *(bytes(s.data).decode("utf-8", "surrogateescape") for s in (out, err))
            )

        return asyncio.run(main())

    return run


PASSWORD = "a pretend secret"
FAULTS = {
    "ap-0002": "dead", "ap-0003": "snmp-silent", "ap-0004": "ssh-refuses", "ap-0005": "flash-full",
    "ap-0006": "flaky", "ap-0007": "wrong-host-key",
}  # fmt: skip


def own_network() -> str:
    """Loopback addresses that no other test run on this machine uses."""
    return f"127.{20 + os.getpid() % 200}"


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Nine devices; ap-0001, ap-0008 and ap-0009 are sound, the others have a fault each."""
    folder = tmp_path_factory.mktemp("fleet")
    write_city(make_city(5, 9, network=own_network()), folder)
    with Fleet(folder, seed=5, faults=FAULTS, password=PASSWORD, boot_seconds=0.3) as running:
        yield running


@pytest.fixture
def ssh(fleet: Fleet) -> Callable[..., paramiko.SSHClient]:
    """`ssh("ap-0001")` signs in as root, the host key checked against the fleet's known_hosts."""

    def connect(
        identifier: str,
        *,
        username: str = "root",
        password: str | None = PASSWORD,
        pkey: paramiko.PKey | None = None,
    ) -> paramiko.SSHClient:
        device = fleet.device(identifier)
        client = paramiko.SSHClient()
        client.load_host_keys(str(fleet.folder / "known_hosts"))
        client.connect(
            device.address, device.ssh_port, username, password, pkey=pkey, timeout=10,
            allow_agent=False, look_for_keys=False,
        )  # fmt: skip
        return client

    return connect
