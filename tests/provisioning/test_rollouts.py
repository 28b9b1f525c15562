"""A rollout over pretend access points: waves, stops, gates, approval, rollback, queues."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farola.errors import ProvisioningError
from farola.people import person
from farola.settings import load_settings, write_settings
from inventory import audit_log
from inventory.db import open_inventory
from provisioning.change import changes, journal
from provisioning.change.prepare import prepare_change
from provisioning.platforms.choosing import choose
from provisioning.rollout.health import Check
from provisioning.rollout.policy import Policy
from provisioning.rollout.rollout import PushResult, push_change
from provisioning.turn import apply
from provisioning.turn.apply import apply_change

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_ansible")]
THREE = ("ap1", "ap2", "ap3")
QUICK = Policy(waves=(1, 25), bake_s=0, linger_s=0, confirm_s=30, checks=False)
TABLES = ("change", "change_device")
NEW = "internet de todos"


def prepare(city: Any, *names: str, needs_approval: bool | None = None) -> int:
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        devices = choose(session, names or THREE, None, everything=False)
    return prepare_change(
        inventory, devices, author=person(), needs_approval=needs_approval
    ).id  # fmt: skip


def status(city: Any, change: int, *more: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        city.run("provision", "status", change, "--json", *more).stdout
    )
    return found


def statuses(city: Any, change: int) -> dict[str, str]:
    with open_inventory(city.settings).session() as session:
        return {d.device_id: d.status for d in changes.load(session, change).devices}


def settle(city: Any, **values: Any) -> None:
    """Change the home's settings of provisioning."""
    settings = load_settings(city.settings.home)
    write_settings(replace(settings, provisioning=replace(settings.provisioning, **values)))


@pytest.fixture
def push(adopted: Any) -> Callable[..., PushResult]:
    inventory = open_inventory(adopted.settings)

    def pushed(change: int, policy: Policy = QUICK, **options: Any) -> PushResult:
        return push_change(inventory, change, policy, **options)

    return pushed


def test_a_wave_that_fails_is_taken_back_and_the_push_goes_on_when_told_to(
    adopted: Any, push: Callable[..., PushResult]
) -> None:
    change = prepare(adopted, *THREE, "full")
    result = push(change)
    assert (result.status, result.pushed, result.waves) == ("halted", 1, 2)
    assert "of the wave failed" in result.halted_because
    assert dict(result.failed).keys() == {"ap2", "ap3", "full"}
    assert "no room left" in dict(result.failed)["full"]
    assert NEW in adopted.config("ap1", "wireless")
    for name in ("ap2", "ap3", "full"):
        assert "OpenWrt" in adopted.config(name, "wireless")
    told = status(adopted, change)
    assert told["next"].startswith("look at it, then `farola provision push 1`")
    by_name = {d["device"]: d for d in told["devices"]}
    assert by_name["ap1"]["wave"] == 1
    assert by_name["full"]["status"] == "failed"
    assert {by_name["ap2"]["status"], by_name["ap3"]["status"]} <= {"rolled_back", "pending"}

    again = push(change, replace(QUICK, stop_count=9, stop_sample=1, stop_share=1))
    assert (again.status, again.pushed, again.pushed_before) == ("failed", 2, 1)
    assert NEW in adopted.config("ap3", "wireless")

    back = adopted.run("provision", "rollback", change, "--json")
    assert {d["status"] for d in json.loads(back.stdout)["devices"]} == {"rolled_back"}
    assert "OpenWrt" in adopted.config("ap1", "wireless")
    assert status(adopted, change)["status"] == "rolled_back"
    assert "is rolled_back" in adopted.run("provision", "push", change, code=1).stderr
    with open_inventory(adopted.settings).session() as session:
        log = [e.action for e in audit_log.entries(session, change_id=change)]
        assert not audit_log.verify(session).why
    assert log[0] == "change.prepared"
    assert {"change.pushing", "device.pushed", "device.rolled_back", "change.halted",
            "change.rolled_back"} <= set(log)  # fmt: skip


def test_a_wave_whose_checks_fail_is_taken_back(
    adopted: Any, push: Callable[..., PushResult]
) -> None:
    change = prepare(adopted)
    waves = []

    def watch(devices: Any, pushed_at: Any, _settled: Any) -> Any:
        waves.append([d.id for d in devices])
        assert pushed_at.keys() == set(waves[-1])
        bad = {"clients": Check(False, "nobody came back"), "ssh": Check(True, "")}
        return {d.id: bad if d.id == "ap2" else {"ssh": Check(None, "")} for d in devices}

    result = push(change, watch=watch)
    assert [len(wave) for wave in waves] == [1, 2]
    assert (result.status, result.pushed) == ("halted", 1)
    assert "nobody came back" in result.halted_because
    assert NEW in adopted.config("ap1", "wireless")
    assert "OpenWrt" in adopted.config("ap2", "wireless")
    assert "OpenWrt" in adopted.config("ap3", "wireless")
    found = {d["device"]: d for d in status(adopted, change)["devices"]}
    assert found["ap2"]["status"] == "rolled_back"
    assert found["ap2"]["checks"]["clients"] == {"ok": False, "detail": "nobody came back"}


def test_a_device_that_is_offline_gets_the_change_when_it_is_back(
    adopted: Any, push: Callable[..., PushResult]
) -> None:
    change = prepare(adopted)
    port = adopted.fleet.device("ap2").ssh_port
    adopted.change("ap2", ssh_port=1)
    first = push(change)
    assert (first.status, first.pushed, first.queued) == ("pushing", 2, ("ap2",))
    told = status(adopted, change)
    assert "goes on when the devices that are offline are back" in told["next"]
    waiting = next(d for d in told["devices"] if d["device"] == "ap2")
    assert waiting["status"] == "queued"
    assert "gets it when it is back, until" in waiting["next"]
    adopted.change("ap2", ssh_port=port)
    second = push(change)
    assert (second.status, second.pushed, second.queued) == ("pushed", 1, ())
    assert NEW in adopted.config("ap2", "wireless")


def test_another_person_must_approve_where_that_is_asked_for(
    adopted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAROLA_USER", "ana")
    change = prepare(adopted, "ap1", needs_approval=True)
    refused = adopted.run("provision", "push", change, code=1).stderr
    assert "waits for another person" in refused
    assert f"farola provision approve {change}" in refused
    assert "another person" in adopted.run("provision", "approve", change, code=1).stderr
    monkeypatch.setenv("FAROLA_USER", "berta")
    approved = json.loads(adopted.run("provision", "approve", change, "--json").stdout)
    assert (approved["status"], approved["approved_by"]) == ("approved", "berta")
    assert "approved by berta" in adopted.run("provision", "approve", change, code=1).stderr
    monkeypatch.setenv("FAROLA_USER", "ana")
    assert json.loads(adopted.run("provision", "push", change, "--json").stdout)["pushed"] == 1


def test_the_settings_can_ask_for_approval_of_every_change(adopted: Any) -> None:
    settle(adopted, require_approval=True)
    adopted.run("provision", "prepare", "--device", "ap1")
    change = 1
    assert "waits for another" in adopted.run("provision", "push", change, code=1).stderr


EDITS = {
    "UPDATE change_device SET diff = '' WHERE device_id = 'ap2'": "ap2 was edited",
    "UPDATE change_device SET candidate = (SELECT candidate FROM change_device WHERE "
    "device_id = 'ap1') WHERE device_id = 'ap2'": "ap2 was edited",
    "UPDATE change_device SET base_hash = goal_hash WHERE device_id = 'ap2'": "ap2 was edited",
    "UPDATE change SET needs_approval = 1 - needs_approval": "was edited",
    "UPDATE change SET author = 'nobody'": "was edited",
    "DELETE FROM change_device WHERE device_id = 'ap2'": "was edited",
}


def test_a_change_that_was_edited_is_refused(
    adopted: Any, home: Path, push: Callable[..., PushResult]
) -> None:
    change = prepare(adopted, "ap1", "ap2")
    for edit, said in EDITS.items():
        with sqlite3.connect(home / "inventory.db") as database:
            frozen = [database.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]
            database.execute(edit)
        with pytest.raises(ProvisioningError, match=said):
            push(change)
        with sqlite3.connect(home / "inventory.db") as database:
            for table, rows in zip(TABLES, frozen, strict=True):
                database.execute(f"DELETE FROM {table}")
                marks = ", ".join("?" * len(rows[0]))
                database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    with sqlite3.connect(home / "inventory.db") as database:
        database.execute("UPDATE change_device SET diff = '' WHERE device_id = 'ap2'")
    # By hand, past the rollout: each device's own turn verifies its own part.
    with pytest.raises(ProvisioningError, match="ap2 was edited"):
        apply_change(home, change, "ap2")
    refused = adopted.run("provision", "push", change, code=1)
    assert "ap2 was edited" in refused.stderr
    assert "OpenWrt" in adopted.config("ap2", "wireless")


def test_a_pause_holds_every_push_and_no_option_gets_past_it(adopted: Any) -> None:
    change = prepare(adopted, "ap1")
    adopted.run("provision", "pause", "--reason", "a storm")
    assert "paused" in adopted.run("provision", "pause", "--reason", "again", code=1).stderr
    held = json.loads(adopted.run("provision", "push", change, "--now", "--json", code=1).stdout)
    assert (held["status"], held["waves"]) == ("halted", 0)
    assert "a storm" in held["halted_because"]
    assert statuses(adopted, change) == {"ap1": "pending"}
    adopted.run("provision", "resume")
    assert "no push is paused" in adopted.run("provision", "resume", code=1).stderr
    assert json.loads(adopted.run("provision", "push", change, "--json").stdout)["pushed"] == 1


def test_a_freeze_holds_and_now_gets_past_a_window_only(adopted: Any) -> None:
    change = prepare(adopted, "ap1")
    number = json.loads(
        adopted.run("provision", "freeze", "add", "--reason", "elections", "--json").stdout
    )["freeze"]
    listed = json.loads(adopted.run("provision", "freeze", "list", "--json").stdout)
    assert [(one["freeze"], one["end"]) for one in listed] == [(number, None)]
    held = adopted.run("provision", "push", change, "--now", code=1)
    assert "elections" in held.stderr
    adopted.run("provision", "freeze", "end", number)
    assert "has ended already" in adopted.run("provision", "freeze", "end", number, code=1).stderr
    # A window that is never now: the day before yesterday, on the city's clock.
    settle(adopted, windows=f"{_far_day()} 01:00-01:01")
    closed = adopted.run("provision", "push", change, code=1)
    assert "outside the maintenance windows" in closed.stderr
    assert json.loads(
        adopted.run("provision", "push", change, "--now", "--json").stdout
    )["pushed"] == 1  # fmt: skip


def _far_day() -> str:
    from datetime import UTC, datetime, timedelta

    return f"{datetime.now(UTC) + timedelta(days=3):%a}"


def test_what_is_held_waits_for_a_person(adopted: Any, push: Callable[..., PushResult]) -> None:
    change = prepare(adopted)
    held = push(change, replace(QUICK, hold=True, confirm_s=600))
    assert (held.status, held.waves, held.failed, held.held) == ("held", 1, (), ("ap1",))
    assert f"`farola provision confirm {change}` by " in held.halted_because
    assert statuses(adopted, change)["ap1"] == "unconfirmed"
    with pytest.raises(ProvisioningError, match="ap1 waits to be confirmed"):
        push(change)
    assert NEW in adopted.config("ap1", "wireless")
    told = status(adopted, change, "--resolve")
    assert f"farola provision confirm {change}" in told["next"]
    assert next(d for d in told["devices"] if d["device"] == "ap1")["next"].startswith("reverts by")
    confirmed = json.loads(adopted.run("provision", "confirm", change, "--json").stdout)
    assert [d["status"] for d in confirmed["devices"]] == ["pushed"]
    assert status(adopted, change)["status"] == "halted"
    assert "no device waits" in adopted.run("provision", "confirm", change, code=1).stderr
    assert push(change).status == "pushed"


def test_what_runs_unconfirmed_is_not_taken_for_what_a_device_runs(
    adopted: Any, push: Callable[..., PushResult]
) -> None:
    first, second = prepare(adopted, "ap1"), prepare(adopted, "ap1")
    push(first, replace(QUICK, hold=True, confirm_s=600))
    third = status(adopted, prepare(adopted, "ap1"))["devices"][0]
    assert third["status"] == "unreachable"
    assert f"(change {first} by " in third["why"]
    assert "waits to be confirmed for " in third["why"]
    result = push(second)
    assert (result.status, result.pushed) == ("halted", 0)
    assert "waits to be confirmed" in dict(result.failed)["ap1"]
    adopted.run("provision", "rollback", first)
    assert push(second).pushed == 1
    assert NEW in adopted.config("ap1", "wireless")


def test_of_two_processes_at_one_device_one_begins_and_the_other_stores_nothing(
    adopted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = prepare(adopted, "ap1")
    with open_inventory(adopted.settings).session() as session:
        journal.begin(session, change, replace(QUICK, confirm_s=60), "ana")
    look, both = apply._look, threading.Barrier(2)

    def together(*arguments: Any) -> apply.Applied:
        found = look(*arguments)
        both.wait()
        return found

    monkeypatch.setattr(apply, "_look", together)
    said: list[str] = []

    def turn() -> None:
        try:
            said.append(apply_change(adopted.settings.home, change, "ap1").status)
        except ProvisioningError as error:
            said.append(str(error))

    turns = [threading.Thread(target=turn) for _ in range(2)]
    for one in turns:
        one.start()
    for one in turns:
        one.join()
    assert sum(words == "pushed" for words in said) == 1
    assert sum("another process is, or was, at it" in words for words in said) == 1
    assert statuses(adopted, change) == {"ap1": "pushed"}
    adopted.run("provision", "rollback", change)
    assert "OpenWrt" in adopted.config("ap1", "wireless")


def test_a_whole_wave_is_held_and_none_of_it_counts_as_failed(
    adopted: Any, push: Callable[..., PushResult]
) -> None:
    change = prepare(adopted)
    strict = Policy(waves=(3,), bake_s=0, linger_s=0, confirm_s=600, checks=False, hold=True)
    told: list[int] = []
    result = push(change, strict, forks=1, done=told.append)
    assert (result.status, result.held, result.failed, told) == ("held", THREE, (), [1, 1, 1])
    assert "failed" not in result.halted_because
    assert set(statuses(adopted, change).values()) == {"unconfirmed"}
    adopted.run("provision", "rollback", change)
    assert status(adopted, change)["status"] == "rolled_back"
    assert "OpenWrt" in adopted.config("ap1", "wireless")


def test_what_is_held_too_long_goes_back_and_says_so(
    adopted: Any, push: Callable[..., PushResult]
) -> None:
    change = prepare(adopted, "ap1")
    push(change, replace(QUICK, hold=True, confirm_s=5))
    assert status(adopted, change)["status"] == "held"
    gone = threading.Event()
    for _ in range(60):
        if "OpenWrt" in adopted.config("ap1", "wireless"):
            break
        gone.wait(0.5)
    late = json.loads(adopted.run("provision", "confirm", change, "--json", code=1).stdout)
    assert late["devices"][0]["status"] == "failed"
    assert status(adopted, change)["status"] == "halted"
    assert push(change).status == "pushed"


def test_a_mesh_parent_is_held_back_while_its_child_did_not_get_it(
    adopted: Any, push: Callable[..., PushResult]
) -> None:
    adopted.run("device", "uplink", "full", "ap1")
    change = prepare(adopted, "full", "ap1", "ap2")
    lenient = replace(QUICK, stop_count=9, stop_sample=2, stop_share=1.0, waves=(9,))
    result = push(change, lenient)
    assert dict(result.failed).keys() == {"full", "ap1"}
    assert "full, which hangs on it" in dict(result.failed)["ap1"]
    assert "OpenWrt" in adopted.config("ap1", "wireless")
    anyway = push(change, replace(lenient, parents_anyway=True), only=frozenset({"ap1"}))
    assert dict(anyway.failed).keys() == {"full"}


def test_a_change_can_be_given_up(adopted: Any) -> None:
    change = prepare(adopted, "ap1")
    adopted.run("provision", "withdraw", change, "--reason", "not needed")
    assert status(adopted, change)["status"] == "withdrawn"
    for command in ("push", "approve", "withdraw"):
        assert "withdrawn" in adopted.run("provision", command, change, code=1).stderr


def test_a_person_stops_it_after_the_devices_under_way(
    adopted: Any, push: Callable[..., PushResult]
) -> None:
    change = prepare(adopted)
    stop = threading.Event()
    result = push(change, replace(QUICK, waves=(1, 1, 1)), stop=stop, done=lambda _n: stop.set())
    assert (result.status, result.pushed) == ("halted", 1)
    assert "a person stopped it" in result.halted_because
    assert sorted(statuses(adopted, change).values()) == ["pending", "pending", "pushed"]
    assert push(change).status == "pushed"
