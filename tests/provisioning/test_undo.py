"""The order in which a change is taken back: whoever got it last goes back first."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola.people import person
from inventory.db import open_inventory
from napalm_openwrt import OpenWrtDriver
from provisioning.change.prepare import prepare_change
from provisioning.platforms.choosing import choose
from provisioning.rollout.fleet import Fleet
from provisioning.rollout.policy import Policy
from provisioning.rollout.rollout import push_change
from provisioning.rollout.waves import Domains
from provisioning.turn import undo
from provisioning.turn.undo import go_first, rollback_change
from tests.fleets import PASSWORD

THREE = ("ap1", "ap2", "ap3")


def fleet(parents: dict[str, str], *, retired: str = "") -> Fleet:
    names = {*parents, *parents.values()} - {retired}
    return Fleet(
        dict.fromkeys(names), parents, Domains(), frozenset(parents.values()),  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_parent_that_got_it_after_its_child_goes_back_before_it() -> None:
    chain = fleet({"leaf": "middle", "middle": "root"})
    assert go_first({"leaf": 1, "middle": 2, "root": 3}, chain) == {
        "leaf": {"middle"}, "middle": {"root"}, "root": set(),
    }  # fmt: skip
    assert go_first({"leaf": 5, "middle": 2}, chain) == {"leaf": set(), "middle": {"leaf"}}


def test_one_that_is_retired_holds_nobody_up() -> None:
    assert go_first({"leaf": 1, "root": 2}, fleet({"leaf": "root"}, retired="root")) == {
        "leaf": set(), "root": set(),
    }  # fmt: skip


class Air:
    """Who speaks to whom: a child is reached where its config and its parent's met before."""

    def __init__(self, parents: dict[str, str], order: list[str]) -> None:
        self.parents, self.new = parents, set[str]()
        self.met = {self.pair(name) for name in parents}
        for name in order:
            self.new.add(name)
            self.met |= {self.pair(child) for child in parents}

    def pair(self, child: str) -> tuple[str, bool, bool]:
        return child, child in self.new, self.parents[child] in self.new

    def all_reached(self) -> bool:
        return all(self.pair(child) in self.met for child in self.parents)


@given(
    order=st.permutations(["root", "middle", "a", "b"]),
    stuck=st.sets(st.sampled_from(["root", "middle", "a", "b"])),
)
def test_no_pair_of_configs_meets_that_had_not_met_in_the_rollout(
    order: list[str], stuck: set[str]
) -> None:
    parents = {"a": "middle", "b": "middle", "middle": "root"}
    air, waves = Air(parents, order), {name: n for n, name in enumerate(order, 1)}
    first, keep = go_first(waves, fleet(parents)), set(stuck)
    for name in reversed(order):
        if first[name] & keep:
            keep.add(name)
        if name not in keep:
            air.new.remove(name)
        assert air.all_reached()
    assert air.new == keep


@pytest.fixture
def meshed(adopted: Any, without_ansible: None) -> int:
    """A change that all three run, ap3 last: ap1 hangs on it by radio."""
    del without_ansible
    adopted.run("device", "uplink", "ap1", "ap3")
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        devices = choose(session, THREE, None, everything=False)
    change = prepare_change(inventory, devices, author=person()).id
    policy = Policy(waves=(1,), bake_s=0, linger_s=0, confirm_s=30, checks=False)
    assert push_change(inventory, change, policy).status == "pushed"
    inventory.close()
    return change


def roll_back(city: Any, change: int, *more: str, code: int = 0) -> dict[str, tuple[str, str]]:
    answer = city.run("provision", "rollback", change, *more, "--json", code=code)
    return {
        one["device"]: (one["status"], one["why"]) for one in json.loads(answer.stdout)["devices"]
    }


@pytest.mark.slow
def test_a_child_keeps_the_change_for_as_long_as_its_parent_runs_it(
    adopted: Any, meshed: int
) -> None:
    only = roll_back(adopted, meshed, "--device", "ap1", code=1)
    assert only.keys() == {"ap1"}
    assert only["ap1"][1].startswith("ap3, on which it hangs, got the change after it")
    device = adopted.fleet.device("ap3")
    driver = OpenWrtDriver(
        device.address, "root", PASSWORD,
        optional_args={"port": device.ssh_port, "known_hosts": str(adopted.known_hosts)},
    )  # fmt: skip
    with driver:
        driver.load_merge_candidate(config="package system\nconfig system\n option notes 'by hand'")
        driver.commit_config()
        found = roll_back(adopted, meshed, code=1)
        assert found["ap2"] == ("rolled_back", "")
        assert "came after" in found["ap3"][1]
        assert "roll that one back first" in found["ap1"][1]
        assert "todos" in adopted.config("ap1", "wireless")
        driver.rollback()
    assert roll_back(adopted, meshed) == {"ap1": ("rolled_back", ""), "ap3": ("rolled_back", "")}
    log = json.loads(adopted.run("provision", "log", "--change", meshed, "--json").stdout)
    back = [entry["device"] for entry in log if entry["action"] == "device.rolled_back"]
    assert back == ["ap2", "ap3", "ap1"]


@pytest.mark.slow
def test_a_child_whose_link_is_down_since_its_parent_went_back_is_waited_for(
    adopted: Any, meshed: int
) -> None:
    child = adopted.fleet.device("ap1")
    went: list[str] = []

    def cut_off(_count: int) -> None:
        if went:
            return
        went.append("ap3")
        os.kill(child.pid, signal.SIGHUP)  # it boots
        while not down():
            time.sleep(0.01)

    def down() -> bool:
        with socket.socket() as probe:
            return bool(probe.connect_ex((child.address, child.ssh_port)))

    inventory = open_inventory(adopted.settings)
    results = rollback_change(inventory, meshed, ["ap1", "ap3"], person(), cut_off)
    inventory.close()
    assert [(one.device_id, one.ok, one.message) for one in results] == [
        ("ap3", True, ""), ("ap1", True, ""),
    ]  # fmt: skip
    assert "OpenWrt" in adopted.config("ap1", "wireless")


@pytest.mark.slow
def test_a_parent_in_doubt_is_asked_before_its_child_goes_back(
    adopted: Any, home: Path, meshed: int
) -> None:
    with sqlite3.connect(home / "inventory.db") as database:  # as a push leaves it that was killed
        database.execute("UPDATE change_device SET status = 'applying' WHERE device_id = 'ap3'")
        database.execute("UPDATE change SET status = 'pushing'")
    assert roll_back(adopted, meshed) == dict.fromkeys(THREE, ("rolled_back", ""))
    log = json.loads(adopted.run("provision", "log", "--change", meshed, "--json").stdout)
    back = [entry["device"] for entry in log if entry["action"] == "device.rolled_back"]
    assert back.index("ap3") < back.index("ap1")


@pytest.mark.slow
def test_what_went_back_before_ctrl_c_is_stored(adopted: Any, home: Path, meshed: int) -> None:
    def interrupted(_count: int) -> None:
        raise KeyboardInterrupt

    inventory = open_inventory(adopted.settings)
    with pytest.raises(KeyboardInterrupt):
        rollback_change(inventory, meshed, (), person(), interrupted)
    inventory.close()
    with sqlite3.connect(home / "inventory.db") as database:
        status = dict(database.execute("SELECT device_id, status FROM change_device"))
    assert status == {"ap1": "pushed", "ap2": "pushed", "ap3": "rolled_back"}
    assert "OpenWrt" in adopted.config("ap3", "wireless")


@pytest.mark.slow
def test_a_rollback_that_is_killed_is_accounted_for(
    adopted: Any, home: Path, meshed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise SystemExit("killed before it could store what came of it")

    inventory = open_inventory(adopted.settings)
    with monkeypatch.context() as patch:
        patch.setattr(undo, "_keep", killed)
        with pytest.raises(SystemExit):
            rollback_change(inventory, meshed, ("ap3",), person())
    inventory.close()
    with sqlite3.connect(home / "inventory.db") as database:
        found = database.execute("SELECT status FROM change_device WHERE device_id = 'ap3'")
        assert found.fetchone() == ("applying",)
    answer = adopted.run("provision", "status", meshed, "--resolve", "--json", code=None)
    told = {one["device"]: one["status"] for one in json.loads(answer.stdout)["devices"]}
    assert told == {"ap1": "pushed", "ap2": "pushed", "ap3": "rolled_back"}
    assert "OpenWrt" in adopted.config("ap3", "wireless")
