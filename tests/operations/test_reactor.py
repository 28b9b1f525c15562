"""The reactor: a trap that says that a config changed leads to that config, once, whatever dies."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import paramiko
import pytest
import sqlalchemy

from collectors.lease import LeaseTable
from farola.keys import Keyring
from farola.settings import load_settings
from inventory import events, queries
from inventory.db import Inventory, open_inventory
from inventory.models import Device, utcnow
from operations.reactions import Seen
from operations.reactor import LEASE, LEASE_S, Reactor
from operations.reactor_jobs import FACT, Jobs
from provisioning.history.configs import REPOSITORY, History
from simulator.fleet import Fleet
from tests.fleets import PASSWORD, free_block

ROOT = Path(__file__).resolve().parents[2]
QUIET = timedelta(seconds=5)
SECRET = "do-not-tell-anyone"


@pytest.fixture
def history(cli: Any, home: Path) -> History:
    cli("init")
    return History(home, Keyring(home))


@pytest.mark.parametrize("text", ['{"cursor": 7, "jobs": []}', '{"cursor'])
def test_what_is_kept_of_the_events_and_cannot_be_read_is_begun_afresh(
    cli: Any, home: Path, text: str
) -> None:
    cli("init")
    inventory = open_inventory(load_settings(home))
    with inventory.session() as session:
        queries.set_fact(session, FACT, {})
        session.flush()
        session.execute(
            sqlalchemy.text("UPDATE fact SET value = :v WHERE key = :k"), {"v": text, "k": FACT}
        )
        session.add(Device(id="ap-1", name="ap-1"))
        session.flush()
        events.record(session, "trap.config-changed", "a trap", device_id="ap-1")
    done = cli("reactor", "--once")
    assert done.err.count("starting afresh, 10 minutes back") == 1
    with inventory.session() as session:
        kept = queries.fact(session, FACT)
        told = {event.kind for event in queries.events(session) if event.device_id == "ap-1"}
    assert Seen.read(kept) is not None
    assert any(kind.startswith("config.") for kind in told), "the trap was not looked into"
    assert "afresh" not in cli("reactor", "--once").err
    inventory.close()


# --- with access points --------------------------------------------------------------------------


class City:
    """A home with two adopted devices that send their traps to `traps`."""

    def __init__(self, fleet: Fleet, inventory: Inventory, traps: str) -> None:
        self.fleet, self.inventory, self.traps = fleet, inventory, traps

    def shell(self, device: str, command: str) -> None:
        """What somebody does who signs in to a device."""
        one = self.fleet.device(device)
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            one.address, one.ssh_port, "root", PASSWORD, allow_agent=False, look_for_keys=False
        )
        with client:
            out = client.exec_command(command)[1]
            out.read()
            assert out.channel.recv_exit_status() == 0, command

    def trap(self, device: str | None, kind: str = "config-changed") -> int:
        with self.inventory.session() as session:
            event = events.record(session, f"trap.{kind}", kind, device_id=device, actor="snmp")
            session.flush()
            return event.id

    def told(self) -> list[Any]:
        with self.inventory.session() as session:
            found = [e for e in queries.events(session, limit=1000) if e.actor == "reactor"]
        return list(reversed(found))

    def react(self, **options: Any) -> dict[str, int]:
        """The reactor until nothing is due."""
        reactor = Reactor(self.inventory, timedelta(0), per_s=1000, **options)
        return reactor.run(threading.Event(), once=True)


@pytest.fixture(scope="module")
def trap_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, trap_port: int) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with free_block() as block:
        with (folder / "access-points.csv").open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(
                ["id", "management_address", "ssh_port", "snmp_port", "mac", "serial", "bssid"]
            )
            for n in (1, 2):
                mac = f"02:00:00:00:{n:02x}"
                writer.writerow([f"ap{n}", f"{block}.{n}", 2222, 1161, f"{mac}:00", f"S-{n}",
                                 f"{mac}:01;{mac}:02"])  # fmt: skip
        with Fleet(folder, password=PASSWORD, trap_to=f"127.0.0.1:{trap_port}") as running:
            for device in running.devices:
                shutil.copytree(device.root / "etc" / "config", device.folder / "factory")
            yield running


@pytest.fixture
def city(cli: Any, home: Path, fleet: Fleet, trap_port: int) -> Iterator[City]:
    cli("init")
    for device in fleet.devices:
        etc = device.root / "etc"
        shutil.rmtree(etc / "config")
        shutil.copytree(device.folder / "factory", etc / "config")
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        values = {"password": PASSWORD, "snmp_community": "public"}
        queries.store_secrets(session, "ap", "root", values, Keyring(home))
        for device in fleet.devices:
            session.add(Device(
                id=device.id, name=device.id, platform="openwrt", management_address=device.address,
                ssh_port=device.ssh_port, snmp_port=device.snmp_port, credential_name="ap",
                host_key=device.host_key,
            ))  # fmt: skip
    yield City(fleet, inventory, f"127.0.0.1:{trap_port}")
    inventory.close()


@contextmanager
def begun(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Python at work in the background; killed if the test ends before it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        print(process.communicate()[1])


def test_a_change_by_hand_is_told_with_its_masked_diff(city: City) -> None:
    first = city.trap("ap1")
    assert city.react() == {"recorded": 1}
    city.shell("ap1", f"uci set wireless.default_radio0.key='{SECRET}';"
               "uci set system.@system[0].hostname=renamed; uci commit")  # fmt: skip
    second = city.trap("ap1")
    assert city.react() == {"changed": 1}
    city.trap("ap1", "agent-restart")
    assert city.react() == {"unchanged": 1}
    recorded, changed, unchanged = city.told()
    assert [one.kind for one in city.told()] == [
        "config.recorded",
        "config.changed",
        "config.unchanged",
    ]
    assert (recorded.detail["events"], changed.detail["events"]) == ([first], [second])
    assert changed.text == "config changed, not by a push of ours"
    assert changed.detail["by_hand"] is True
    assert "+\toption hostname 'renamed'" in changed.detail["diff"]
    assert "--- before/system" in changed.detail["diff"]
    assert "+\toption key '•••'" in changed.detail["diff"]
    assert unchanged.detail["version"] == changed.detail["version"]
    with city.inventory.session() as session:
        assert SECRET not in repr(queries.events(session, limit=1000))


def test_a_push_of_ours_is_told_as_that_and_what_else_changed_with_it(city: City, cli: Any) -> None:
    cli("provision", "fetch", "--all")
    cli("provision", "prepare", "--all")
    cli("provision", "push", "1", "--bake", "0", "--no-checks")
    # As it is before the wave's configs are kept, when the traps come.
    repository = city.inventory.settings.home / REPOSITORY
    git = ["git", "--git-dir", str(repository)]
    first = subprocess.run([*git, "rev-list", "--max-parents=0", "main"], check=True, text=True,
                           capture_output=True).stdout.strip()  # fmt: skip
    subprocess.run([*git, "update-ref", "refs/heads/main", first], check=True)
    city.shell("ap2", "uci set network.lan.mtu=1400; uci commit")
    for device in ("ap1", "ap2"):
        city.trap(device, "agent-restart")
    assert city.react() == {"changed": 2}
    told = {one.device_id: one for one in city.told()}
    assert told["ap1"].text == "config changed by our change 1"
    assert told["ap2"].text == "config changed by our change 1, and more by others"
    assert {one.detail["change"] for one in told.values()} == {1}


def test_a_reactor_that_was_killed_between_keeping_and_telling_tells_it_once(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.trap("ap1")
    city.react()
    city.shell("ap1", "uci set system.@system[0].hostname=renamed; uci commit")
    city.trap("ap1")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("operations.reactor._tell", killed)
        with pytest.raises(KeyboardInterrupt):
            city.react()
    assert len(city.told()) == 1
    assert city.react() == {"changed": 1}
    assert city.react() == {}
    assert [one.kind for one in city.told()] == ["config.recorded", "config.changed"]
    assert "renamed" in city.told()[-1].detail["diff"]


def test_what_cannot_be_fetched_is_told_only_where_a_config_did_change(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    with city.inventory.session() as session:
        session.get_one(Device, "ap2").host_key = None
        session.add(
            Device(id="switch", name="switch", platform="ios", management_address="127.0.0.9")
        )
    for kind in ("cold-start", "agent-restart"):
        city.trap("ap2", kind)
    city.trap(None)
    city.trap("gone")
    city.trap("switch")
    assert city.react() == {"refused": 3}
    told = {one.device_id: one for one in city.told()}
    assert set(told) == {"gone", "switch"}
    assert "retired or gone" in told["gone"].text
    monkeypatch.setattr("operations.reactions.RETRY", ())
    with city.inventory.session() as session:
        session.get_one(Device, "ap2").host_key = city.fleet.device("ap2").host_key
        session.get_one(Device, "ap2").ssh_port = 1
    city.trap("ap2", "agent-restart")
    assert city.react() == {"unreachable": 1}
    assert city.told()[-1].kind == "config.unreachable"


def test_only_one_reactor_works_on_an_inventory(city: City, run: Any) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=lambda: Reactor(city.inventory, QUIET).run(stop))
    thread.start()
    try:
        until = time.monotonic() + 30
        while LeaseTable(city.inventory, LEASE_S, LEASE).seen() is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        refused = run("reactor", "--once", code=1)
        assert "another reactor works on this inventory" in refused.stderr
        assert refused.stderr.count("\n") == 1
    finally:
        stop.set()
        thread.join(30)
    assert city.react() == {}


def test_fetch_and_history_on_the_command_line(city: City, cli: Any) -> None:
    city.trap("ap1")
    city.react()
    city.shell("ap1", f"uci set wireless.default_radio0.key='{SECRET}'; uci commit")
    with city.inventory.session() as session:
        session.get_one(Device, "ap2").ssh_port = 1
    failed = cli("provision", "fetch", "ap1", "ap2", "--json", code=1)
    done = json.loads(failed.out)
    assert [one["device"] for one in done["changed"]] == ["ap1"]
    assert [one["device"] for one in done["failed"]] == ["ap2"]
    assert failed.err.startswith("farola: ap2: ")
    listed = json.loads(cli("provision", "history", "ap1", "--json").out)["versions"]
    assert len(listed) == 2
    shown = cli("provision", "history", "ap1", "--diff", listed[1]["version"][:6]).out
    assert "+\toption key '•••'" in shown
    assert SECRET not in shown + failed.out
    assert "no version" in cli("provision", "history", "ap1", "--diff", "zz", code=1).err
    assert "no config of 'nobody'" in cli("provision", "history", "nobody", code=1).err


@pytest.mark.slow
def test_up_turns_a_change_by_hand_into_an_event_with_its_diff(
    city: City, cli: Any, unused_port: int
) -> None:
    """Somebody signs in and renames an access point: its trap, the collector, the reactor."""
    cli("provision", "fetch", "ap1")
    with begun(
        "from farola.cli import main; main()", "up", "--port", str(unused_port), "--interval", "5",
        "--quiet", "0.2", "--traps", city.traps,
    ) as process:  # fmt: skip
        rename = "uci set system.@system[0].hostname=by-hand; uci commit; /etc/init.d/system reload"
        until = time.monotonic() + 60
        while not city.told() and time.monotonic() < until:
            city.shell("ap1", rename)  # until somebody listens
            time.sleep(0.5)
        changed = next(one for one in city.told() if one.device_id == "ap1")
        assert changed.kind == "config.changed"
        assert "+\toption hostname 'by-hand'" in changed.detail["diff"]
        with city.inventory.session() as session:
            causes = [e for e in queries.events(session, 1000) if e.id in changed.detail["events"]]
        assert {(e.kind, e.actor) for e in causes} == {("trap.agent-restart", "snmp")}
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "Traceback" not in told


def test_a_device_that_hangs_does_not_hold_up_the_end(city: City, cli: Any) -> None:
    """It takes the connection and says nothing; the work is still there afterwards."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(60)
        with city.inventory.session() as session:
            device = session.get_one(Device, "ap1")
            device.management_address, device.ssh_port = silent.getsockname()
        city.trap("ap1")
        impatient = "import operations.reactor as r; r.GRACE_S = 0.1"
        with begun(f"{impatient}; from farola.cli import main; main()", "reactor", "--quiet", "0") \
                as process:  # fmt: skip
            connection, _ = silent.accept()
            with connection:
                process.send_signal(signal.SIGTERM)
                _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "")
    (kept,) = Jobs(city.inventory).due(utcnow(), 9)
    # Its own time-out would have counted as a try.
    assert (kept.device_id, kept.tries) == ("ap1", 0)
