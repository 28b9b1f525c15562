"""A street to check, for the whole session of tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.collectors.checks.place import Street
from tests.conftest import require


@pytest.fixture(scope="session")
def street(needs_program, tmp_path_factory) -> Iterator[Street]:
    """A client's place with DHCP, DNS (dnsmasq) and a portal behind a veth."""
    require(os.geteuid() == 0, "network namespaces need root")
    needs_program("ip", "iproute2")
    dnsmasq = needs_program("dnsmasq", "dnsmasq-base")
    with Street(tmp_path_factory.mktemp("street"), dnsmasq, os.getpid() % 100_000) as one:
        yield one
