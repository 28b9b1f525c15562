"""An access point that names a radio and a network after a client: its poll is stored, the client
is not. Real agents, real stores, and a look at every byte that they left on disk.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from farola.keys import Keyring
from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.models import Device
from inventory.queries import store_secrets
from tests.collectors.snmp.conftest import free_port
from timeseries import open_store
from timeseries.opening import open_spool

pytestmark = pytest.mark.service
CLIENT = ("f2:3c:91:a5:0e:7d", "f23c91a50e7d", "F2-3C-91-A5-0E-7D", "f23c.91a5.0e7d")
TELLING = """
sysDescr Linux lamp 5.15.134 #0 SMP armv7l
sysName lamp
extend distro /bin/echo OpenWrt 23.05
extend interfaces /bin/sh -c "echo wlan0; echo wlan0-f23c91a50e7d"
extend clients-wlan0 /bin/echo 7
extend frequency-wlan0 /bin/echo 5180
extend ssid-wlan0 /bin/echo City Free
extend clients-wlan0-f23c91a50e7d /bin/echo 1
extend frequency-wlan0-f23c91a50e7d /bin/echo 5180
extend ssid-wlan0-f23c91a50e7d /bin/echo Ana F2-3C-91-A5-0E-7D
"""


@pytest.fixture
def lamp(snmpd):
    """Adds one such access point to the city, its own id a hardware address."""

    def add() -> None:
        settings = load_settings()
        inventory = open_inventory(settings)
        with inventory.session() as session:
            keyring = Keyring(settings.home)
            store_secrets(session, "city", "", {"snmp_community": "public"}, keyring)
            session.add(
                Device(
                    id="0c:8d:db:11:22:33", name="lamp", management_address="127.8.0.1",
                    snmp_port=snmpd(TELLING), credential_name="city",
                )
            )  # fmt: skip
        inventory.close()

    return add


def told_of(folder: Path, needles: tuple[str, ...]) -> list[str]:
    """The files below `folder` in which a needle stands, in either case."""
    return [
        f"{path.relative_to(folder)}: {needle}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for needle in needles
        if needle.lower().encode() in path.read_bytes().lower()
    ]


def tags_of(measurement: str) -> dict[str, list[str]]:
    store = open_store(load_settings())
    try:
        return store.latest(measurement).tags
    finally:
        store.close()


def test_no_client_is_in_any_file_of_the_home(run, home, lamp):
    run("init", "--name", "Test")
    lamp()
    for _ in range(2):
        summary = json.loads(run("collect", "once", "--json").stdout)
        assert summary["answered"] == 1
    assert tags_of("device") == {"device": ["0c:8d:db:11:22:33"]}
    assert tags_of("radio")["radio"] == ["wlan0", "wlan0-(MAC)"]
    assert tags_of("ssid")["ssid"] == ["Ana (MAC)", "City Free"]
    assert told_of(home, CLIENT) == []
    # The look finds what is there: the access point's own address, which is its id.
    assert told_of(home / "series", ("0c:8d:db:11:22:33",))


def test_no_client_waits_for_a_server_that_is_away(run, home, lamp):
    run("init", "--name", "Test", "--influx", f"http://127.0.0.1:{free_port()}")
    lamp()
    run("collect", "once", "--json")
    spool = open_spool(load_settings())
    waiting = [zlib.decompress(body, 31) for *_, body in spool.newest_first("radio", 0)]
    spool.close()
    assert waiting
    for body in waiting:
        assert b"radio=wlan0-(MAC) " in body
        assert b"ssid=Ana\\ (MAC) " in body
        assert not [needle for needle in CLIENT if needle.lower().encode() in body.lower()]
    assert told_of(home, CLIENT) == []
