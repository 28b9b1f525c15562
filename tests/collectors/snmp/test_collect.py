"""`farola collect` as an operator runs it: real agents, the real store, Debian's snmptrap."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from farola.keys import Keyring
from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.models import Device
from inventory.queries import events, store_secrets
from tests.conftest import require
from timeseries.base import SCHEMA
from timeseries.opening import open_store

pytestmark = pytest.mark.service
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def city(run, home):
    """`city("ap-1", port=…)` adds devices to a fresh city; returns them by id."""
    run("init", "--name", "Test")

    def add(
        *ids: str, port: int, community: str | None = "public", address: str | None = ""
    ) -> None:
        inventory = open_inventory(load_settings())
        with inventory.session() as session:
            if community is not None:
                keyring = Keyring(load_settings().home)
                store_secrets(session, "city", "", {"snmp_community": community}, keyring)
            for number, one in enumerate(ids, 1):
                here = f"127.8.0.{number}" if address == "" else address
                session.merge(
                    Device(
                        id=one, name=one, management_address=here, snmp_port=port,
                        credential_name="city" if community is not None else None,
                    )
                )  # fmt: skip
        inventory.close()

    return add


def stored(measurement: str) -> dict:
    """Newest rows of a measurement by device (or collector), as dicts."""
    store = open_store(load_settings())
    table = store.latest(measurement)
    store.close()
    keys = list(zip(*table.tags.values(), strict=True))
    return {
        key: {name: values[row] for name, values in table.fields.items()}
        for row, key in enumerate(keys)
    }


def trap_events() -> list:
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        found = [one for one in events(session) if one.kind.startswith("trap.")]
    inventory.close()
    return found


def once(run, *more: object, code: int = 0) -> dict:
    return json.loads(run("collect", "once", "--json", *more, code=code).stdout)


def test_one_poll_writes_the_series_of_every_device(run, city, snmpd, openwrt_config):
    city("ap-1", "ap-2", "ap-3", port=snmpd(openwrt_config))
    summary = once(run)
    assert (summary["devices"], summary["answered"], summary["not_answered"]) == (3, 3, [])
    devices = stored("device")
    assert set(devices) == {("ap-1",), ("ap-2",), ("ap-3",)}
    for row in devices.values():
        assert (row["answered"], row["state"], row["clients"]) == (True, "up", 12)
        assert row["rtt_ms"] > 0
        assert row["reboots"] == 0
    radios = stored("radio")
    assert len(radios) == 6
    assert radios[("ap-1", "wlan0", "5")]["channel"] == 36
    assert stored("ssid")[("ap-2", "City Free")]["clients"] == 12
    (poll,) = stored("poll").values()
    assert (poll["devices"], poll["answered"], poll["timed_out"]) == (3, 3, 0)
    rows = sum(len(stored(name)) for name in SCHEMA)
    assert summary["points"] == rows


def test_the_second_poll_has_the_difference_to_the_first(run, city, snmpd):
    city("ap-1", port=snmpd("sysName a"))
    once(run)
    before = stored("interface")
    require(bool(before), "this machine has no interface but the loopback: add a dummy one")
    assert all(row["rx_bytes"] is None for row in before.values())
    once(run)
    for key, row in stored("interface").items():
        assert row["rx_bytes"] == row["rx_bytes_total"] - before[key]["rx_bytes_total"]
        assert row["interval_s"] > 0


def test_a_dead_device_is_named_and_down_only_after_three_polls(run, city, snmpd):
    port = snmpd("sysName a")
    city("ap-1", "ap-2", port=port)
    once(run)
    city("ap-2", port=9)  # nobody answers there
    states = []
    for _ in range(3):
        summary = once(run)
        assert (summary["answered"], summary["timed_out"]) == (1, 1)
        assert summary["not_answered"] == ["ap-2"]
        row = stored("device")[("ap-2",)]
        assert row["answered"] is False
        assert row["uptime_s"] is None
        states.append(row["state"])
    assert states == ["up", "up", "down"]
    assert summary["down"] == ["ap-2"]
    city("ap-2", port=port)
    once(run)
    assert stored("device")[("ap-2",)]["state"] == "up"


def test_an_agent_restart_is_no_reboot(run, city, snmpd):
    port = snmpd("sysName a")
    city("ap-1", port=port)
    once(run)
    once(run)
    first = stored("device")[("ap-1",)]
    snmpd.stop(port)
    restart = time.monotonic()
    snmpd("sysName a", port)
    once(run)
    since_s = time.monotonic() - restart
    second = stored("device")[("ap-1",)]
    assert 0 <= second["agent_uptime_s"] <= since_s  # an agent that had run on would tell more
    assert second["uptime_s"] > first["uptime_s"]
    assert second["reboots"] == 0


def test_what_cannot_be_polled_is_counted_and_told(run, city, snmpd):
    city("ap-1", port=snmpd("sysName a"), community=None)
    city("ap-2", port=1, community=None, address=None)
    done = run("collect", "once", "--json")
    summary = json.loads(done.stdout)
    assert (summary["devices"], summary["answered"], summary["skipped"]) == (1, 1, 1)
    assert "'public': 1" in done.stderr
    assert "no management address: 1" in done.stderr


def test_the_community_comes_from_the_credential_and_shows_nowhere(run, city, snmpd):
    port = snmpd("rocommunity s3cret-word 127.0.0.0/8")
    city("ap-1", port=port, community="s3cret-word")
    done = run("collect", "once")
    assert "1 of 1 devices answered" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr
    city("ap-1", port=port, community="not-this-one")
    assert once(run)["not_answered"] == ["ap-1"]


def test_a_store_that_fails_is_one_line_and_exit_1(run, city, snmpd, home):
    city("ap-1", port=snmpd("sysName a"))
    text = (home / "farola.toml").read_text()
    (home / "farola.toml").write_text(
        text.replace('kind = "sqlite"', 'kind = "influx"').replace(
            'url = ""', 'url = "http://127.0.0.1:9"'
        )
    )
    (home / "spool").write_text("in the way")  # a server that is away alone costs no poll
    done = run("collect", "once", code=1)
    assert done.stdout == ""
    assert done.stderr.strip().count("\n") == 0
    assert done.stderr.startswith("farola: ")
    assert "spool" in done.stderr


def test_without_a_city_it_says_what_to_do(run):
    assert "farola init" in run("collect", "once", code=1).stderr


@pytest.mark.parametrize("where", ["127.0.0.1:0", "nonsense:x", "127.0.0.1:99999"])
def test_a_bad_trap_address_is_named(run, city, where):
    assert "HOST" in run("collect", "once", "--traps", where, code=1).stderr


@pytest.mark.parametrize("command", ["once", "run"])
def test_a_trap_port_in_use_ends_in_one_line(run, city, command):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{other.getsockname()[1]}"
        done = run("collect", command, "--traps", where, code=1)
    assert done.stderr.count("\n") == 1
    assert f"cannot listen for traps on {where}: Address already in use" in done.stderr


class Running:
    """`farola collect run` as a child process."""

    def __init__(self, home: Path, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from farola.cli import main; main()", "collect", "run",
             *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=home.parent, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def until(self, true) -> None:
        limit = time.monotonic() + 30
        while not true():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < limit, "waited 30 s"
            time.sleep(0.1)

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err
        assert "Traceback" not in err
        return out + err


def polls() -> int:
    store = open_store(load_settings())
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    table = store.series(
        "poll", {}, now - timedelta(hours=1), now + timedelta(hours=1), ["devices"]
    )
    store.close()
    return len(table)


def test_the_collector_polls_on_and_ends_on_sigterm(home, city, snmpd):
    port = snmpd("sysName a")
    city("ap-1", port=port)
    running = Running(home, "--interval", 1)
    running.until(lambda: polls() >= 2)
    city("ap-1", "ap-2", port=port)  # the inventory is read again before each poll
    running.until(lambda: ("ap-2",) in stored("device"))
    assert "2 of 2 devices answered" in running.stop()


def test_an_inventory_that_fails_costs_a_poll_and_not_the_collector(home, city, snmpd):
    def rename(old: str, new: str) -> None:
        database = sqlite3.connect(home / "inventory.db")
        database.execute("PRAGMA legacy_alter_table = ON")  # leave references to it alone
        database.execute(f"ALTER TABLE {old} RENAME TO {new}")
        database.close()

    city("ap-1", port=snmpd("sysName a"))
    running = Running(home, "--interval", 1)
    running.until(lambda: polls() >= 1)
    rename("device", "gone")
    told = iter(running.process.stderr.readline, "")
    assert any(line.startswith("farola: poll left out: inventory") for line in told)
    rename("gone", "device")
    before = polls()
    running.until(lambda: polls() > before)
    running.stop()


def test_the_collector_stops_after_count_polls(run, city, snmpd):
    city("ap-1", port=snmpd("sysName a"))
    run("collect", "run", "--interval", 1, "--count", 2)
    assert polls() == 2


def test_late_polls_are_left_out_and_counted(run, city):
    city("ap-1", port=9)
    done = run("collect", "run", "--interval", 1, "--count", 2)
    assert polls() == 2
    assert "polls late" in done.stderr
    assert max(row["late"] for row in stored("poll").values()) >= 1


def test_traps_and_informs_become_events(home, city, snmpd, needs_program, trap_port):
    snmptrap, inform = needs_program("snmptrap", "snmp"), needs_program("snmpinform", "snmp")
    city("ap-1", "ap-2", port=snmpd("sysName a"))
    running = Running(home, "--interval", 1, "--traps", f"127.0.0.1:{trap_port}")
    running.until(lambda: polls() >= 1)

    def send(program, community, source, *what):
        subprocess.run(
            [program, "-v", "2c", "-c", community, f"--clientaddr={source}",
             f"127.0.0.1:{trap_port}", "", *what],
            check=True, timeout=20,
        )  # fmt: skip

    send(snmptrap, "public", "127.8.0.1", "1.3.6.1.6.3.1.1.5.1")
    send(snmptrap, "public", "127.8.0.1", "1.3.6.1.6.3.1.1.5.1")
    send(snmptrap, "wrong", "127.8.0.1", "1.3.6.1.6.3.1.1.5.2")
    # Returns 0 only if the inform was acknowledged, which happens after it is stored.
    send(inform, "public", "127.8.0.2", "1.3.6.1.6.3.1.1.5.3",
         "1.3.6.1.2.1.31.1.1.1.1.4", "s", "wlan0")  # fmt: skip
    kinds = {(one.kind, one.device_id) for one in trap_events()}
    assert kinds == {("trap.cold-start", "ap-1"), ("trap.link-down", "ap-2")}
    assert len(trap_events()) == 2
    told = running.stop()
    assert "2 stored, 1 duplicate, 0 rate_limited, 1 wrong_community" in told


def test_a_real_agent_s_own_trap_is_received_during_one_poll(run, city, snmpd, trap_port):
    port = snmpd("sysName ap-1")
    city("ap-1", port=port, address="127.0.0.1")
    command = [sys.executable, "-c", "from farola.cli import main; main()", "collect", "once",
               "--json", "--traps", f"127.0.0.1:{trap_port}", "--linger", "6"]  # fmt: skip
    child = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, stdout=subprocess.PIPE
    )
    limit = time.monotonic() + 20
    while ("ap-1",) not in stored("device") and time.monotonic() < limit:
        time.sleep(0.1)
    snmpd(f"trap2sink 127.0.0.1:{trap_port} public")  # sends coldStart when it starts
    out, _ = child.communicate(timeout=60)
    assert json.loads(out)["traps"]["stored"] >= 1
    assert ("trap.cold-start", "ap-1") in {(one.kind, one.device_id) for one in trap_events()}
