"""Devices that are not what they should be, as a person at the command line meets them: one clear
line, an exit code, nothing half done, no traceback.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from napalm_openwrt import OpenWrtDriver
from provisioning.platforms import drivers as platforms
from simulator.faults import Fault
from tests.fleets import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_ansible", "sound")]
ALL = ("ap1", "ap2", "ap3", "full")
NEW = "internet de todos"
TEN_YEARS_S = 10 * 365 * 86_400.0


@pytest.fixture
def sound(fleet: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Devices without faults afterwards; nobody waits half a minute for one that hangs."""
    monkeypatch.setattr(platforms, "TIMEOUT_S", 4)
    yield
    for name in ALL:
        fleet.device(name).strings.clear()


def prepare(city: Any, *names: str, code: int = 0) -> Any:
    which = [part for name in names for part in ("--device", name)]
    return json.loads(city.run("provision", "prepare", *which, "--json", code=code).stdout)


def push(
    city: Any, change: int, *options: str, code: int | None = 0
) -> tuple[dict[str, str], list[str]]:
    """Push; what each device is then, and the lines that were told of those that failed."""
    done = city.run("provision", "push", change, "--no-checks", "--waves", "9", *options, code=code)
    told = json.loads(city.run("provision", "status", change, "--json").stdout)
    return {d["device"]: d["status"] for d in told["devices"]}, done.stderr.splitlines()


def whole(city: Any, name: str, *, new: bool) -> None:
    """All files that a push touches are new, or all are old, and nothing waits."""
    device = city.fleet.device(name)
    factory = device.folder / "factory"
    for file in ("wireless", "system", "snmpd"):
        assert (city.config(name, file) != (factory / file).read_text()) is new, file
    assert (NEW in city.config(name, "wireless")) is new
    options = {"port": device.ssh_port, "host_key": device.host_key}
    with OpenWrtDriver(device.address, "root", PASSWORD, optional_args=options) as driver:
        assert not driver.has_pending_commit()


def test_four_devices_bad_each_in_its_own_way_are_told_in_a_line_each(
    adopted: Any, tmp_path: Path
) -> None:
    change = prepare(adopted, *ALL)["change"]
    adopted.change("ap1", host_key=adopted.fleet.device("ap2").host_key)
    adopted.fleet.device("ap2").strings.order(Fault("hang", "exec"))
    adopted.fleet.device("ap3").strings.order(Fault("garbage", "exec", seed=5))
    statuses, lines = push(adopted, change, code=1)
    assert statuses == dict.fromkeys(ALL, "failed")
    said = {name: [line for line in lines if f" {name}: " in line] for name in ALL}
    assert [len(told) for told in said.values()] == [1, 1, 1, 1], lines
    assert "the host key has CHANGED" in said["ap1"][0]
    assert "nothing was sent" in said["ap1"][0]
    assert "`farola device adopt DEVICE --known-hosts FILE` accepts it" in said["ap1"][0]
    assert "no end of a command after 4 s" in said["ap2"][0]
    assert "it answers garbage" in said["ap3"][0]
    assert "no room left" in said["full"][0]
    assert "the old config is untouched" in said["full"][0]
    for name in ALL:
        whole(adopted, name, new=False)

    # The way that was told: the key that was read on the device itself is accepted, and it goes on.
    adopted.run("device", "adopt", "ap1", "--known-hosts", adopted.known_hosts)
    statuses, _ = push(adopted, change, code=1)
    assert statuses == {"ap1": "pushed", "ap2": "pushed", "ap3": "pushed", "full": "failed"}
    for name in ALL:
        whole(adopted, name, new=name != "full")


def test_who_cannot_be_asked_when_a_change_is_prepared_is_named(adopted: Any) -> None:
    adopted.fleet.device("ap1").strings.order(Fault("garbage", "exec", seed=9))
    adopted.fleet.device("ap2").strings.order(Fault("hang", "login"))
    adopted.run("device", "credential", "other", input="not-the-password")
    adopted.change("ap3", credential_name="other")
    told = prepare(adopted, "ap1", "ap2", "ap3", code=1)
    why = {d["device"]: (d["status"], d["why"]) for d in told["devices"]}
    assert {status for status, _ in why.values()} == {"unreachable"}
    assert "it answers garbage" in why["ap1"][1]
    assert "no end of a command after 4 s" in why["ap2"][1]
    assert "user 'root' was refused: check its password" in why["ap3"][1]
    assert "not-the-password" not in json.dumps(told)


def test_a_device_that_drops_every_connection_in_its_commit(adopted: Any) -> None:
    change = prepare(adopted, "ap1")["change"]
    fault = Fault("drop", steps=("rename",), path="etc/config/", when="after")
    adopted.fleet.device("ap1").strings.order(fault)
    statuses, lines = push(adopted, change)
    assert adopted.fleet.device("ap1").strings.state().struck == (fault,)
    assert (statuses["ap1"], [line for line in lines if "ap1" in line]) == ("pushed", [])
    whole(adopted, "ap1", new=True)


@pytest.mark.parametrize("seconds", [-TEN_YEARS_S, TEN_YEARS_S])
def test_a_date_that_jumps_while_a_commit_waits_neither_hastens_nor_delays_it(
    adopted: Any, seconds: float
) -> None:
    change = prepare(adopted, "ap1")["change"]
    strings = adopted.fleet.device("ap1").strings
    held, _ = push(adopted, change, "--hold", "--confirm-within", "300", code=None)
    assert held == {"ap1": "unconfirmed"}
    strings.jump(seconds)
    strings.advance(100)
    assert NEW in adopted.config("ap1", "wireless")
    if seconds > 0:
        adopted.run("provision", "confirm", change)
        whole(adopted, "ap1", new=True)
    else:
        strings.advance(250)
        told = adopted.run("provision", "confirm", change, code=1)
        assert "no commit waits to be confirmed" in told.stdout
        (row,) = json.loads(adopted.run("provision", "status", change, "--json").stdout)["devices"]
        assert row["status"] == "failed", "it runs what it ran"
        whole(adopted, "ap1", new=False)
    strings.jump(-seconds)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("templates/access-point.yaml", "general: {hostname: '{{nosuch}}'}", "unknown variable"),
        ("variables.yaml", "city: {channel_2g: 14}", "channel_2g (from city) is 14"),
        ("variables.yaml", "devices: {ap1: {channel_5g: 169}}", "channel_5g (from devices ap1)"),
    ],
)
def test_a_wrong_intent_is_told_before_any_device_is_asked(
    adopted: Any, home: Path, file: str, text: str, said: str
) -> None:
    (home / file).parent.mkdir(exist_ok=True)
    (home / file).write_text(text)
    done = adopted.run("provision", "prepare", "--device", "ap1", code=1)
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert adopted.run("provision", "status", code=1).stdout == ""
