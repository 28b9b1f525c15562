"""A push that is cut off, doubled or cannot store its result tells the truth, and can go on."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from napalm.base.exceptions import ConnectionClosedException
from sqlalchemy import text

from napalm_openwrt import OpenWrtDriver
from provisioning.change import journal
from provisioning.turn.apply import apply_change

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_ansible")]


def live_hostname(city: Any, name: str) -> str:
    """What the device itself runs under, whatever stands in its files."""
    device = city.fleet.device(name)
    driver = OpenWrtDriver(
        device.address, "root", "pretend-lamp-post",
        optional_args={"port": device.ssh_port, "host_key": device.host_key},
    )  # fmt: skip
    with driver:
        return str(driver.get_facts()["hostname"])


def prepared(city: Any, *names: str) -> int:
    which = [part for name in names for part in ("--device", name)]
    change: int = json.loads(city.run("provision", "prepare", *which, "--json").stdout)["change"]
    return change


def cut_after(real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, after which the connection is gone for good."""

    def cut(driver: Any, *arguments: Any, **named: Any) -> Any:
        real(driver, *arguments, **named)
        driver.close()
        raise ConnectionClosedException("the connection broke")

    return cut


def test_a_push_cut_off_after_its_commit_is_taken_back_and_can_go_on(
    adopted: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopted.change("ap1", name="cut off")
    change = prepared(adopted, "ap1")
    with monkeypatch.context() as patch:
        patch.setattr(OpenWrtDriver, "commit_config", cut_after(OpenWrtDriver.commit_config))
        first = apply_change(home, change, "ap1")
    assert first.status == "failed"
    assert "was taken back" in first.message
    assert "hostname 'ap1'" in adopted.config("ap1", "system")
    assert live_hostname(adopted, "ap1") == "ap1"
    looked = apply_change(home, change, "ap1", check=True)
    assert "hostname 'cut-off'" in looked.diff
    assert live_hostname(adopted, "ap1") == "ap1"
    again = json.loads(adopted.run("provision", "push", change, "--json").stdout)
    assert (again["pushed"], again["failed"]) == (1, [])
    assert live_hostname(adopted, "ap1") == "cut-off"


def test_a_change_is_pushed_by_one_process_at_a_time(
    adopted: Any, home: Path, run_process: Any
) -> None:
    change = prepared(adopted, "ap1")
    (home / "locks").mkdir(exist_ok=True)
    with (home / "locks" / f"change-{change}").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = run_process("provision", "push", change, code=1)
    assert "is being pushed by another process" in done.stderr
    status = json.loads(adopted.run("provision", "status", "--json").stdout)
    assert (status["status"], status["devices"][0]["status"]) == ("prepared", "pending")
    # The file stays; what counts is who holds it.
    assert json.loads(adopted.run("provision", "push", change, "--json").stdout)["pushed"] == 1


def test_a_result_that_cannot_be_stored_is_told_as_such(adopted: Any, home: Path) -> None:
    change = prepared(adopted, "ap1", "ap2")
    with sqlite3.connect(home / "inventory.db") as database:
        database.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON change_device WHEN NEW.status = 'pushed' AND "
            "NEW.device_id = 'ap2' BEGIN SELECT RAISE(ABORT, 'no room in the inventory'); END"
        )
    done = json.loads(adopted.run("provision", "push", change, "--json", code=1).stdout)
    assert done["pushed"] == 1
    assert [failed["device"] for failed in done["failed"]] == ["ap2"]
    assert "the device is pushed, but that could not be stored" in done["failed"][0]["why"]
    assert "no room in the inventory" in done["failed"][0]["why"]


def test_a_result_is_stored_once_others_let_go_of_the_inventory(
    adopted: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = prepared(adopted, "ap1")
    other = sqlite3.connect(home / "inventory.db", isolation_level=None)
    tries = []
    record = journal.record_result

    def recorded(session: Any, *arguments: Any, **named: Any) -> None:
        tries.append(arguments)
        other.execute("BEGIN IMMEDIATE" if len(tries) == 1 else "ROLLBACK")
        session.execute(text("PRAGMA busy_timeout=1"))
        record(session, *arguments, **named)

    monkeypatch.setattr(journal, "record_result", recorded)
    assert apply_change(home, change, "ap1").status == "pushed"
    assert len(tries) == 2
    status = json.loads(adopted.run("provision", "status", "--json").stdout)
    assert status["devices"][0]["status"] == "pushed"
