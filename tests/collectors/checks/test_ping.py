"""Devices without SNMP are watched by ICMP: real echo requests, on loopback and in a namespace."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from collectors.checks.ping import PingPoller
from collectors.checks.run import checks_job
from collectors.pollers import CompositePoller, standard_poller
from collectors.snmp.model import Answer, Target
from farola.settings import ChecksSettings, Settings, load_settings
from inventory.db import open_inventory
from inventory.models import Device
from tests.conftest import ROOT, require
from timeseries.opening import open_store

pytestmark = pytest.mark.service


@pytest.fixture(scope="module", autouse=True)
def _raw_sockets() -> None:
    require(os.geteuid() == 0, "echo requests need root or CAP_NET_RAW")


def ask(*targets: Target, poller=None) -> Mapping[str, Answer]:
    async def collect():
        return [answer async for answer in (poller or PingPoller()).ask(targets, None)]

    return {answer.target.device_id: answer for answer in asyncio.run(collect())}


def test_living_addresses_answer_and_names_that_are_none_are_told():
    poller = PingPoller(in_flight=2)
    targets = [Target(f"a{n}", f"127.7.7.{n}") for n in range(1, 6)]
    odd = [Target("none", "no.such.invalid"), Target("link", "fe80::1%lo")]
    for _ in range(2):  # the second in another event loop
        found = ask(*odd, *targets, poller=poller)
        assert "no link-local address is pinged" in found["link"].error
        assert all(found[one.device_id].answered for one in targets)
        assert all((found[one.device_id].rtt_ms or 0) > 0 for one in targets)
        assert "is not an address" in found["none"].error
    assert (poller.figures.sent, poller.figures.received) == (5, 5)


IN_THE_STREET = """
import asyncio, json
from collectors.checks.ping import PingPoller
from collectors.snmp.model import Target

async def main():
    poller = PingPoller()
    dead = Target("dead", "10.213.0.66", timeout_s=0.2, retries=2)
    targets = [dead, Target("gateway", "10.213.0.1")]
    found = [(a.target.device_id, a.answered, a.error) async for a in poller.ask(targets, None)]
    print(json.dumps([sorted(found), poller.figures.sent, poller.figures.retried]))

asyncio.run(main())
"""


def test_a_silent_address_is_asked_again_and_told(street):
    done = subprocess.run(
        ["ip", "netns", "exec", street.street, sys.executable, "-c", IN_THE_STREET],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    found, sent, retried = json.loads(done.stdout)
    assert found == [["dead", False, "no answer to ICMP"], ["gateway", True, ""]]
    assert (sent, retried) == (4, 2)


def test_a_device_without_snmp_has_a_row_of_its_own(run, home):
    run("init")
    run("device", "credential", "dumb", "--field", "snmp_version", input="none")
    inventory = open_inventory(load_settings(home))
    with inventory.session() as session:
        session.add(Device(id="mast", name="mast", role="switch", management_address="127.0.0.9",
                           credential_name="dumb"))  # fmt: skip
    inventory.close()
    polled = json.loads(run("collect", "once", "--json").stdout)
    assert (polled["devices"], polled["answered"]) == (1, 1)
    store = open_store(load_settings(home))
    rows = store.latest("device", ["answered", "state", "rtt_ms"])
    store.close()
    assert list(rows.tags["device"]) == ["mast"]
    assert list(rows.fields["state"]) == ["up"]
    assert rows.fields["rtt_ms"][0] > 0


def test_every_version_has_its_poller_and_their_figures_add_up():
    poller = standard_poller()
    assert isinstance(poller, CompositePoller)
    found = ask(
        Target("v1", "127.0.0.1", 9, version="1", timeout_s=0.1, retries=0),
        Target("v2c", "127.0.0.1", 9, timeout_s=0.1, retries=0),
        Target("v3", "127.0.0.1", 9, version="3", timeout_s=0.1),
        Target("icmp", "127.0.0.1", version="none"),
        Target("odd", "127.0.0.1", version="7"),
        poller=_Talking(poller),
    )
    assert {name for name, one in found.items() if one.answered} == {"icmp"}
    assert "SNMPv3 without a user" in found["v3"].error
    assert "no way to ask" in found["odd"].error
    assert poller.figures.sent == 3
    assert poller.figures.received == 1


class _Talking:
    """Asks with a conversation that wants nothing."""

    def __init__(self, poller) -> None:
        self.poller = poller

    def ask(self, targets, _converse):
        from collectors.snmp.book import IDENTITY
        from collectors.snmp.model import Question

        def converse(_target):
            yield Question(IDENTITY)

        return self.poller.ask(targets, converse)


def test_no_settings_are_no_job_and_a_job_stores_what_came(home):
    inventory = store = None
    settings = Settings(home, checks=ChecksSettings())
    assert checks_job(settings, inventory, store, "here") is None  # type: ignore[arg-type]
    checks = ChecksSettings(interval_s=7, portal_url="http://127.0.0.1:9/", timeout_s=1)
    settings = Settings(home, checks=checks)
    store = open_store(settings)
    job = checks_job(settings, inventory, store, "here")  # type: ignore[arg-type]
    assert job is not None
    assert (job.name, job.interval_s) == ("checks", 7)
    asyncio.run(job.work())
    rows = store.latest("check", ["ok", "reason"])
    store.close()
    assert list(rows.tags["device"]) == ["collector:here"]
    assert list(rows.fields["reason"]) == ["connection refused or broken off"]
