"""A push that is killed with SIGKILL leaves no device in an unknown state, and goes on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farola.settings import load_settings, write_settings
from napalm_openwrt import OpenWrtDriver
from tests.conftest import ROOT
from tests.fleets import PASSWORD

# But for the push that is killed, which is a process of its own.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_ansible")]
DEVICES = ("ap1", "ap2", "ap3")
NEW = "internet de todos"
DOUBT = {"applying", "unconfirmed"}


def rows(home: Path) -> dict[str, str]:
    with sqlite3.connect(home / "inventory.db") as database:
        return dict(database.execute("SELECT device_id, status FROM change_device"))


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until `condition`, or the process has ended: no moment is too late to look."""
    pause = threading.Event()
    while process.poll() is None and not condition():
        pause.wait(0.01)


def commits(city: Any, name: str) -> list[str]:
    device = city.fleet.device(name)
    options = {"port": device.ssh_port, "host_key": device.host_key}
    with OpenWrtDriver(device.address, "root", PASSWORD, optional_args=options) as driver:
        return [commit["state"] for commit in driver.commits()]


@pytest.mark.parametrize(
    ("status", "later_s"),
    [("applying", 0.0), ("applying", 0.15), ("applying", 0.4), ("applying", 0.8), ("pushed", 0.0)],
)
def test_a_push_that_is_killed_is_accounted_for_and_goes_on(
    adopted: Any, home: Path, status: str, later_s: float
) -> None:
    settings = load_settings(home)
    provisioning = replace(settings.provisioning, confirm_s=5, waves="3", bake_s=1)
    write_settings(replace(settings, provisioning=provisioning))
    which = [part for name in DEVICES for part in ("--device", name)]
    adopted.run("provision", "prepare", *which)

    killed = subprocess.Popen(
        [sys.executable, "-m", "farola", "provision", "push", "1", "--no-checks"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=home.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    wait_for(lambda: status in rows(home).values(), killed)
    time.sleep(later_s)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    pause, found = threading.Event(), {}
    for _ in range(60):
        told = json.loads(adopted.run("provision", "status", 1, "--resolve", "--json").stdout)
        found = {d["device"]: d for d in told["devices"]}
        if not {d["status"] for d in found.values()} & DOUBT:
            break
        assert all(d["next"] for d in found.values() if d["status"] in DOUBT)
        pause.wait(1)
    for name in DEVICES:
        runs_new = NEW in adopted.config(name, "wireless")
        assert found[name]["status"] in {"pushed", "pending", "failed"}
        assert runs_new is (found[name]["status"] == "pushed"), found[name]
        states = commits(adopted, name)
        assert "pending" not in states
        assert states[:1] == ["confirmed"] if runs_new else "confirmed" not in states

    done = json.loads(adopted.run("provision", "push", 1, "--no-checks", "--json").stdout)
    assert (done["status"], done["failed"]) == ("pushed", [])
    assert done["pushed"] + done["pushed_before"] == len(DEVICES)
    assert all(NEW in adopted.config(name, "wireless") for name in DEVICES)


def test_what_a_killed_push_left_is_seen_to_by_farola_up(adopted: Any, home: Path) -> None:
    adopted.run("provision", "prepare", "--device", "ap1", "--device", "ap2")
    with sqlite3.connect(home / "inventory.db") as database:
        database.execute("UPDATE change SET status = 'pushing'")
        database.execute(
            "UPDATE change_device SET status = 'applying', commit_id = '00000000000001-0000000a' "
            "WHERE device_id = 'ap1'"
        )
    went = json.loads(adopted.run("rollouts", "--once", "--json").stdout)
    assert [(one["change"], one["resolved"]) for one in went] == [(1, {"ap1": "pending"})]
    told = json.loads(adopted.run("provision", "status", 1, "--json").stdout)
    assert (told["status"], told["halted_because"]) == ("halted", "its push was cut off")


def test_a_device_that_was_offline_is_pushed_to_when_it_is_back(adopted: Any, home: Path) -> None:
    adopted.run("provision", "prepare", "--device", "ap1", "--device", "ap2")
    port = adopted.fleet.device("ap2").ssh_port
    adopted.change("ap2", ssh_port=1)
    adopted.run("provision", "push", 1, "--no-checks", code=1)
    assert rows(home) == {"ap1": "pushed", "ap2": "queued"}
    assert json.loads(adopted.run("rollouts", "--once", "--json").stdout) == []
    adopted.change("ap2", ssh_port=port)
    adopted.run("provision", "pause", "--reason", "a storm")
    assert json.loads(adopted.run("rollouts", "--once", "--json").stdout) == []
    assert rows(home)["ap2"] == "queued"
    adopted.run("provision", "resume")
    went = json.loads(adopted.run("rollouts", "--once", "--json").stdout)
    assert (went[0]["back"], went[0]["result"]["status"]) == (["ap2"], "pushed")
    assert NEW in adopted.config("ap2", "wireless")


def test_a_device_that_stays_away_is_given_up(adopted: Any, home: Path) -> None:
    adopted.run("provision", "prepare", "--device", "ap2")
    adopted.change("ap2", ssh_port=1)
    adopted.run("provision", "push", 1, "--no-checks", code=1)
    with sqlite3.connect(home / "inventory.db") as database:
        database.execute("UPDATE change_device SET queued_at = '2020-01-01 00:00:00.000000'")
    went = json.loads(adopted.run("rollouts", "--once", "--json").stdout)
    assert went[0]["given_up"] == ["ap2"]
    told = json.loads(adopted.run("provision", "status", 1, "--json").stdout)
    assert told["status"] == "failed"
    assert "offline for 7 days" in told["devices"][0]["why"]
