"""Waves that a real Ansible brings, whatever becomes of Ansible; what a turn does is played."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from farola.errors import ProvisioningError
from inventory.records import DeviceRecord
from provisioning.rollout import carrier, push
from provisioning.rollout.carrier import AnsibleCarrier, Host
from provisioning.turn.apply import Applied, Means

pytestmark = pytest.mark.slow
NAMES = ("a", "b 'x'", "c", "d", "bad", "worse")


@dataclass
class Stage:
    """A carrier of change 3, and what was seen of it."""

    carrier: AnsibleCarrier
    turns: list[str]
    runs: list[push.AnsibleRun]

    def carry(self, *wave: str, ahead: Sequence[Sequence[str]] = ()) -> dict[str, tuple[str, str]]:
        told: dict[str, tuple[str, str]] = {}

        def on_host(host: Host) -> None:
            told[host.device_id] = (host.status, host.why)

        assert self.carrier.carry(wave, lambda: [wave, *ahead], on_host) == ""
        return told

    def ansible(self) -> int:
        """Its process, a child of ours."""
        for pid in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for child in pid.read_text().split():
                if b"ansible-playbook" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        raise AssertionError("no Ansible runs")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    turns: list[str] = []
    runs: list[push.AnsibleRun] = []

    def take(_means: Any, change: int, device: str) -> Applied:
        assert change == 3
        turns.append(device)
        if device == "bad":
            raise ProvisioningError("bad is retired")
        if device == "worse":
            raise RuntimeError("a slip")
        return Applied("pushed")

    class Counted(push.AnsibleRun):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            runs.append(self)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(carrier, "take_turn", take)
    monkeypatch.setattr(carrier, "AnsibleRun", Counted)
    means = cast(Means, SimpleNamespace(settings=SimpleNamespace(home=tmp_path), actor="ana"))
    devices = {name: _device(name) for name in NAMES}
    with AnsibleCarrier(means, 3, devices, forks=2) as one:
        yield Stage(one, turns, runs)
    assert not list(Path(tempfile.gettempdir()).glob(f"{push.PREFIX}{os.getpid()}-*"))


def _device(name: str) -> DeviceRecord:
    return DeviceRecord(
        name, name, "access-point", "openwrt", "127.0.0.1", 22, 161, None, None, None, None,
        "live", "imported", None,
    )  # fmt: skip


def test_one_ansible_brings_all_waves_that_come_as_foreseen(stage: Stage) -> None:
    foreseen = [("b 'x'", "c"), ("bad", "worse"), ("d",)]
    assert stage.carry("a", ahead=foreseen) == {"a": ("pushed", "")}
    assert stage.carry("b 'x'", "c") == {"b 'x'": ("pushed", ""), "c": ("pushed", "")}
    assert stage.carry("bad", "worse") == {
        "bad": ("", "bad is retired"), "worse": ("", "RuntimeError: a slip"),
    }  # fmt: skip
    assert len(stage.runs) == 1
    assert stage.carry("d", "a") == {"d": ("pushed", ""), "a": ("pushed", "")}
    assert len(stage.runs) == 2, "another wave than was foreseen"
    assert sorted(stage.turns) == sorted([*NAMES, "a"])


def test_an_ansible_that_is_killed_between_two_waves_costs_no_device_its_turn(stage: Stage) -> None:
    stage.carry("a", ahead=[("c", "d")])
    os.kill(stage.ansible(), signal.SIGKILL)
    assert stage.carry("c", "d") == {"c": ("pushed", ""), "d": ("pushed", "")}
    assert stage.turns[0] == "a"
    assert len(stage.runs) == 2


def test_an_ansible_that_hangs_is_ended_and_another_one_brings_the_wave(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.carry("a", ahead=[("c",)])
    os.kill(stage.ansible(), signal.SIGSTOP)
    monkeypatch.setattr(push, "SILENT_S", 0.1)

    def anew() -> list[tuple[str]]:
        monkeypatch.setattr(push, "SILENT_S", 600.0)
        return [("c",)]

    told: list[Host] = []
    assert stage.carrier.carry(("c",), anew, told.append) == ""
    assert told == [Host("c", "pushed")]


def test_turns_that_wait_are_not_begun_where_nobody_can_judge_any_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(_means: Any, _change: int, device: str) -> Applied:
        stage.turns.append(device)
        time.sleep(0.02)
        return Applied("pushed")

    monkeypatch.setattr(carrier, "take_turn", take)

    def heard(_host: Host) -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        stage.carrier.take([f"d{number}" for number in range(200)], heard)
    assert len(stage.turns) < 200


def test_what_ansible_says_when_it_cannot_run_is_told(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    monkeypatch.setattr(push, "PLAYBOOKS", tmp_path)
    said = stage.carrier.carry(("a",), lambda: [("a",)], lambda _host: None)
    assert "push.yml could not be found" in said
    assert stage.turns == []
