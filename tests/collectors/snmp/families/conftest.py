"""The made-up recordings beside this file, served by one agent on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collectors.pollers import standard_poller
from collectors.snmp.model import DeviceReading, Target
from collectors.snmp.probe import read_one
from tests.collectors.snmp.families.agent import Agent, Device, Oid, oid_of, value_bytes

HERE = Path(__file__).parent
Read = Callable[[str], DeviceReading]


def recording(path: Path) -> dict[Oid, bytes]:
    """A recording (`OID|type|value` a line) as an agent's values."""
    lines = [line.split("|", 2) for line in path.read_text().splitlines()]
    return {oid_of(oid): value_bytes(kind, text) for oid, kind, text in lines}


@pytest.fixture(scope="session")
def agent() -> Iterator[Agent]:
    """An agent whose communities are the names of the recordings in this folder."""
    running = Agent()
    for path in HERE.glob("*.snmprec"):
        running.devices[path.stem.encode()] = Device(recording(path))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def read(agent: Agent) -> Read:
    """Reads the device of a community, as `farola snmp probe` does."""

    def one(community: str) -> DeviceReading:
        target = Target(community, "127.0.0.1", agent.port, community, timeout_s=5, deadline_s=60)
        return asyncio.run(read_one(standard_poller(), target))

    return one
