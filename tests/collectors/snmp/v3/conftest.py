"""Debian's snmpd with SNMPv3 users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collectors.snmp.model import Usm
from tests.collectors.snmp.v3.agents import AUTH, NOBODY, PRIV, USERS, Agent, Meddler


@pytest.fixture(scope="session")
def agent(needs_program, tmp_path_factory) -> Iterator[Agent]:
    """An snmpd with USERS that nobody restarts."""
    one = Agent(needs_program("snmpd", "snmpd"), tmp_path_factory.mktemp("snmpd-v3"), USERS)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def own_agent(needs_program, tmp_path) -> Iterator[Agent]:
    """An snmpd of this test's own."""
    one = Agent(
        needs_program("snmpd", "snmpd"),
        tmp_path,
        (NOBODY, Usm("city", "sha1", AUTH, "aes128", PRIV)),
    )
    one.start()
    yield one
    one.stop()


@pytest.fixture
def meddler(agent: Agent) -> Iterator[Meddler]:
    one = Meddler(agent.port)
    yield one
    one.close()
