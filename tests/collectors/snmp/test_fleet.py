"""The collector against a fleet of pretend access points on real sockets."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.models import Device
from inventory.queries import events
from simulator.city import make_city
from simulator.city_files import write_city
from simulator.fleet import Fleet

pytestmark = pytest.mark.service
ROOT = Path(__file__).resolve().parents[3]
APS = 8


@pytest.fixture
def pretend_city(run, home, tmp_path, trap_port) -> tuple[Path, list[str]]:
    """A home that knows APS access points, and the folder to start them from."""
    folder = tmp_path / "city"
    folder.mkdir()
    write_city(make_city(11, APS), folder)
    run("init")
    with (folder / "access-points.csv").open(encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        for row in rows:
            session.add(
                Device(
                    id=row["id"], name=row["id"], management_address=row["management_address"],
                    snmp_port=int(row["snmp_port"]), platform="openwrt",
                )
            )  # fmt: skip
    inventory.close()
    return folder, [row["id"] for row in rows]


def test_a_fleet_is_polled_and_its_silent_devices_are_named(pretend_city, run):
    folder, ids = pretend_city
    with Fleet(folder, faults={ids[0]: "dead", ids[3]: "snmp-silent"}) as fleet:
        summary = json.loads(run("collect", "once", "--json").stdout)
        one = fleet.devices[5]
        probed = json.loads(run("snmp", "probe", f"{one.address}:{one.snmp_port}", "--json").stdout)
    assert (summary["devices"], summary["answered"]) == (APS, APS - 2)
    assert summary["not_answered"] == sorted([ids[0], ids[3]])
    # One device row each, and of those that answer two radios and three interfaces at least.
    assert summary["points"] >= APS + (APS - 2) * 5 + 1
    assert probed["family"] == "openwrt"
    assert {radio["band"] for radio in probed["radios"]} == {"2.4", "5"}
    assert all(radio["channel"] for radio in probed["radios"])
    assert probed["mem_pct"] is not None
    assert {one["role"] for one in probed["interfaces"]} == {"uplink", "radio"}


def test_a_starting_fleet_tells_so_by_traps(pretend_city, home, trap_port):
    folder, ids = pretend_city
    collector = subprocess.Popen(
        [sys.executable, "-c", "from farola.cli import main; main()", "collect", "run",
         "--interval", "60", "--traps", f"127.0.0.1:{trap_port}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        # The note about communities comes once the socket is open.
        assert any("community" in line for line in iter(collector.stderr.readline, ""))
        with Fleet(folder, trap_to=f"127.0.0.1:{trap_port}"):
            started: set[str | None] = set()
            until = time.monotonic() + 30
            while started != set(ids) and time.monotonic() < until:
                time.sleep(0.2)
                inventory = open_inventory(load_settings())
                with inventory.session() as session:
                    found = events(session, kind="trap.cold-start")
                inventory.close()
                started = {event.device_id for event in found}
    finally:
        collector.send_signal(signal.SIGTERM)
        collector.communicate(timeout=30)
    assert collector.returncode == 0
    assert started == set(ids)
