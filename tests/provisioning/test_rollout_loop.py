"""The loop over waves, whatever devices do: a fleet of rows in a real inventory, whose devices are
played here in the place of a playbook's run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farola.keys import Keyring, create_key
from farola.settings import City, Settings, write_settings
from inventory import audit_log
from inventory.db import Inventory, open_inventory, upgrade
from inventory.models import Device, Placement, Site
from inventory.records import DeviceRecord
from provisioning.change import changes, journal
from provisioning.change.changes import Prepared
from provisioning.rollout import actions, wave_run
from provisioning.rollout.actions import Action
from provisioning.rollout.carrier import Host
from provisioning.rollout.fleet import Fleet
from provisioning.rollout.health import Check
from provisioning.rollout.policy import Policy
from provisioning.rollout.rollout import push_change
from provisioning.rollout.waves import Domains
from provisioning.turn.undo import Undone

NAMES = [f"d{number:02}" for number in range(24)]
OUTCOMES = ("pushed", "failed", "queued", "drifted", "cut off")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inventory]:
    """24 devices at 6 sites."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAROLA_HOME", str(home))
        patch.setenv("FAROLA_KEY_FILE", str(tmp_path_factory.mktemp("keys") / "key"))
        made = Settings(home, City("Prueba", "UTC", "x", "MX"))
        write_settings(made)
        create_key(home)
        audit_log.begin(home)
        inventory = open_inventory(made)
        upgrade(inventory.engine)
        with inventory.session() as session:
            for number in range(6):
                session.add(Site(id=f"s{number}", name="", lat=0, lon=0))
            session.flush()
            for number, name in enumerate(NAMES):
                where = [Placement(site_id=f"s{number % 6}")]
                session.add(Device(id=name, name=name, platform="openwrt", placements=where))
        yield inventory
        inventory.close()


def playing(inventory: Inventory, outcomes: Mapping[str, str]) -> type:
    """A carrier: each device of a wave does what `outcomes` say, one after the other."""

    class Playing:
        def __init__(self, means: Any, change_id: int, *_: Any, **__: Any) -> None:
            self.actor, self.change_id = means.actor, change_id

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def carry(self, wave: Any, ahead: Any, on_host: Any) -> str:
            foreseen = ahead()
            assert tuple(foreseen[0]) == tuple(wave)
            assert len({name for one in foreseen for name in one}) == sum(map(len, foreseen))
            with inventory.session() as session:
                rows = changes.load_devices(session, self.change_id)
            for row in rows:
                if row.device_id in wave and row.status in changes.OPEN:
                    self.turn(row.device_id, on_host)
            return ""

        def turn(self, name: str, on_host: Any) -> None:
            outcome = outcomes.get(name, "pushed")
            with inventory.session() as session:
                if changes.row_of(session, self.change_id).status == "halted":
                    outcome = "pending"
                elif outcome in {"pushed", "failed", "cut off"}:
                    journal.applying(
                        session, self.change_id, name, commit_id=f"id-{name}", reverts_at=None,
                        actor=self.actor,
                    )  # fmt: skip
                if outcome not in {"pending", "cut off"}:
                    journal.record_result(session, self.change_id, name, outcome, actor=self.actor)
            told = {"cut off": ""}.get(outcome, outcome)
            on_host(Host(name, told, "" if outcome == "pushed" else "as played"))

    return Playing


@given(
    outcomes=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(OUTCOMES), max_size=8),
    sick=st.frozensets(st.sampled_from(NAMES), max_size=3),
    policy=st.builds(
        Policy, waves=st.sampled_from([(1, 3, 9), (2,), (24,)]), bake_s=st.just(0),
        stop_count=st.integers(1, 6), stop_sample=st.integers(1, 8),
        stop_share=st.sampled_from([0.1, 0.5, 1.0]),
    ),
)  # fmt: skip
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_device_is_accounted_for_whatever_they_do(
    fleet: Inventory, outcomes: dict[str, str], sick: frozenset[str], policy: Policy
) -> None:
    def watch(devices: Any, _pushed_at: Any, _settled: Any) -> Any:
        return {d.id: {"ssh": Check(d.id not in sick, "as played")} for d in devices}

    undone: list[str] = []

    def undo(device: Any, _secrets: Any, _mine: Any) -> Undone:
        undone.append(device.id)
        return Undone(device.id, True)

    def ask(_device: Any, _secrets: Any, _mine: Any, *_: Any, **__: Any) -> tuple[str, str]:
        return "failed", "it went back by itself"

    keyring = Keyring(fleet.settings.home)
    candidate = "package system\n"
    with fleet.session() as session:
        frozen = [Prepared(name, "pending", candidate, "a diff", "base") for name in NAMES]
        change = changes.freeze(session, frozen, keyring, author="ana", reason="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wave_run, "AnsibleCarrier", playing(fleet, outcomes))
        patch.setitem(actions.ACTIONS, "config", Action("push.yml", ask=ask, undo=undo))
        result = push_change(fleet, change, policy, watch=watch, actor="ana")

    with fleet.session() as session:
        record = changes.load(session, change)
    status = {d.device_id: d.status for d in record.devices}
    wave_of = {d.device_id: d.wave for d in record.devices}
    did = {name: outcomes.get(name, "pushed") for name in NAMES}
    assert "applying" not in status.values(), "nobody is left in doubt"
    for name in NAMES:
        if status[name] == "pushed":
            assert did[name] == "pushed"
            assert name not in sick, "who fails its checks is rolled back"
        elif status[name] == "rolled_back":
            assert did[name] == "pushed"
            assert name in undone
        elif status[name] == "pending":
            assert result.status == "halted"
        else:
            assert status[name] == {"cut off": "failed"}.get(did[name], did[name])
    assert {name for name, _why in result.failed} == {n for n in NAMES if status[n] != "pushed"}
    assert all(why for _name, why in result.failed)
    if result.status != "halted":
        assert "pending" not in status.values()
    if not sick and not set(did.values()) - {"pushed", "drifted"}:
        assert result.status == ("pushed" if set(did.values()) == {"pushed"} else "failed")
    if "failed:" in result.halted_because or " failed" in result.halted_because:
        last = {n for n in NAMES if wave_of[n] == record.wave}
        assert not {n for n in last if status[n] == "pushed"}, "the wave that failed is taken back"


def test_a_parent_waits_for_a_child_of_a_platform_that_cannot_confirm() -> None:
    def device(name: str, platform: str) -> DeviceRecord:
        return DeviceRecord(
            name, name, "access-point", platform, None, 22, 161, None, None, None, None, "live",
            "imported", None,
        )  # fmt: skip

    fleet = Fleet(
        {"up": device("up", "openwrt"), "child": device("child", "mikrotik_routeros"),
         "other": device("other", "openwrt")},
        {"child": "up"}, Domains(), frozenset({"up"}),
    )  # fmt: skip
    nobody = cast(Any, None)
    rollout = wave_run.Rollout(
        nobody, 1, Policy(waves=(9,)), "ana", fleet, nobody, nobody, 1, nobody, nobody, nobody,
        _left=dict.fromkeys(fleet.devices),
    )  # fmt: skip
    assert rollout._ahead(("other",), 0) == [("other",), ("child",), ("up",)]
    assert rollout._pick(dict.fromkeys(fleet.devices), 0) == ("other",)


def test_who_stops_a_push_while_ansible_starts_is_told_so(fleet: Inventory) -> None:
    stop = threading.Event()

    class Ended(playing(fleet, {})):  # type: ignore[misc]  # a class made by a function
        def carry(self, _wave: Any, _ahead: Any, _on_host: Any) -> str:
            stop.set()
            return "it ended with status 254 (canceled)"

    with fleet.session() as session:
        frozen = [Prepared(NAMES[0], "pending", "package system\n", "a diff", "base")]
        keyring = Keyring(fleet.settings.home)
        change = changes.freeze(session, frozen, keyring, author="ana", reason="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wave_run, "AnsibleCarrier", Ended)
        result = push_change(fleet, change, Policy(), actor="ana", stop=stop)
    assert (result.halted_because, result.told_to_wait) == (wave_run.STOPPED, True)
    assert result.became == {NAMES[0]: "pending"}
