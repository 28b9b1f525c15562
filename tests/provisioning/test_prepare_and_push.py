"""A change is frozen, shown and pushed; whoever fails is named and the rest go on."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from farola.keys import Keyring
from provisioning.history.configs import History

pytestmark = pytest.mark.slow
CITY = ZoneInfo("America/Mexico_City")
SECRETS = ("pretend-lamp-post", "city's-own", "city'\\''s-own")


def dumped(home: Path) -> str:
    """All that lies in the home, as text: the database's rows and the other files."""
    text = []
    with sqlite3.connect(home / "inventory.db") as database:
        text += list(database.iterdump())
    text += [
        path.read_text(encoding="utf-8", errors="replace")
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith("inventory.db")
    ]
    return "\n".join(text)


def prepare(city: Any, *which: str, code: int = 0) -> dict[str, Any]:
    done = city.run("provision", "prepare", *(which or ("--all",)), "--json", code=code)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_whole_way_from_prepare_to_status(adopted: Any, home: Path, run_process: Any) -> None:
    run = adopted.run
    change = prepare(adopted, "--all", "--reason", "first")
    assert {d["device"]: d["status"] for d in change["devices"]} == {
        "ap1": "pending", "ap2": "pending", "ap3": "pending", "full": "pending",
    }  # fmt: skip
    diff = change["devices"][0]["diff"]
    assert "-\toption ssid 'OpenWrt'\n+\toption ssid 'L'\\''internet de todos 😀'" in diff
    assert "-\toption community '•••'\n+\toption community '•••'" in diff
    assert "path" not in [line[1:].split()[1] for line in diff.splitlines() if line[:2] == "-\t"]
    # What preparing did on the devices is nothing.
    assert "OpenWrt" in adopted.config("ap1", "wireless")

    pushed = json.loads(run_process("provision", "push", change["change"], "--json", code=1).stdout)
    assert pushed["change"] == change["change"]
    assert (pushed["pushed"], pushed["unchanged"]) == (3, 0)
    assert [failed["device"] for failed in pushed["failed"]] == ["full"]
    assert "no room left" in pushed["failed"][0]["why"]
    assert pushed["took_s"] > 0
    for name in ("ap1", "ap2", "ap3"):
        assert "option ssid 'L'\\''internet de todos 😀'" in adopted.config(name, "wireless")
        assert "option community 'city'\\''s-own'" in adopted.config(name, "snmpd")
        assert "option zonename 'America/Mexico_City'" in adopted.config(name, "system")
        assert "option path 'pci0000:00/0000:00:00.0'" in adopted.config(name, "wireless")
    assert "OpenWrt" in adopted.config("full", "wireless")

    status = json.loads(run("provision", "status", "--json").stdout)
    assert {d["device"]: d["status"] for d in status["devices"]} == {
        "ap1": "pushed", "ap2": "pushed", "ap3": "pushed", "full": "failed",
    }  # fmt: skip
    # A second change finds the three as meant.
    again = prepare(adopted, "--device", "ap1", "--device", "ap2", "--device", "ap3")
    assert {d["status"] for d in again["devices"]} == {"unchanged"}
    done = json.loads(run("provision", "push", again["change"], "--json").stdout)
    assert (done["pushed"], done["unchanged"], done["failed"]) == (0, 3, [])
    assert "pushed already" in run("provision", "push", again["change"], code=1).stderr

    text = dumped(home)
    assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.usefixtures("without_ansible")
def test_what_ran_before_a_change_is_kept_in_one_commit(adopted: Any, home: Path) -> None:
    before = adopted.config("ap1", "system")
    number = prepare(adopted, "--all")["change"]
    history = History(home, Keyring(home))
    kept = [history.versions(name) for name in ("ap1", "ap2")]
    assert [[one.cause for one in some] for some in kept] == [[f"before change {number}"]] * 2
    assert kept[0][0].commit == kept[1][0].commit
    hostname = next(line for line in before.splitlines() if "hostname" in line)
    assert hostname in history.text(kept[0][0])
    prepare(adopted, "--device", "ap1")
    assert len(history.versions("ap1")) == 1, "nothing is new"


def test_a_device_that_failed_is_tried_again_and_the_others_left_alone(adopted: Any) -> None:
    change = prepare(adopted, "--device", "ap1", "--device", "ap2")["change"]
    adopted.edit("ap2", "system", "option timezone 'UTC'", "option timezone 'EST5'")
    first = json.loads(adopted.run("provision", "push", change, "--json", code=1).stdout)
    assert first["pushed"] == 1
    assert [f["device"] for f in first["failed"]] == ["ap2"]
    assert "changed since" in first["failed"][0]["why"]
    assert "option timezone 'EST5'" in adopted.config("ap2", "system")
    adopted.edit("ap2", "system", "option timezone 'EST5'", "option timezone 'UTC'")
    adopted.edit("ap1", "system", "Plaza-1", "touched-by-hand")
    second = json.loads(adopted.run("provision", "push", change, "--json").stdout)
    assert (second["pushed"], second["pushed_before"], second["failed"]) == (1, 1, [])
    assert "touched-by-hand" in adopted.config("ap1", "system")
    assert "Plaza-2" in adopted.config("ap2", "system")


@pytest.mark.usefixtures("without_ansible")
def test_who_cannot_be_reached_is_named_and_the_rest_prepared(adopted: Any) -> None:
    adopted.change("ap2", ssh_port=1)
    done = adopted.run(
        "provision", "prepare", "--device", "ap1", "--device", "ap2", "--json", code=1
    )
    assert {d["device"]: d["status"] for d in json.loads(done.stdout)["devices"]} == {
        "ap1": "pending", "ap2": "unreachable",
    }  # fmt: skip
    shown = adopted.run("provision", "show", 1)
    assert "1 pending, 1 unreachable" in shown.stdout
    assert "ap2" in shown.stderr
    assert "ap1" not in shown.stderr
    pushed = json.loads(adopted.run("provision", "push", 1, "--json", code=1).stdout)
    assert pushed["pushed"] == 1
    assert [f["device"] for f in pushed["failed"]] == ["ap2"]
    assert "cannot connect" in pushed["failed"][0]["why"]
    assert "prepare a new one" in pushed["failed"][0]["why"]
    again = adopted.run("provision", "push", 1, code=1)
    assert "0 pushed (1 were pushed before), 0 unchanged, 0 failed, 1 not prepared" in again.stdout


def test_who_was_never_adopted_is_not_called_unreachable(adopted: Any) -> None:
    adopted.change("ap2", host_key=None)
    done = adopted.run("provision", "prepare", "--device", "ap1", "--device", "ap2", code=1)
    assert "1 not adopted, 1 pending" in done.stdout
    assert "farola device adopt ap2 --known-hosts FILE" in done.stderr
    shown = adopted.run("provision", "status")
    assert "unreachable" not in shown.stdout
    told = json.loads(adopted.run("provision", "status", "--json").stdout)["devices"][1]
    assert told["next"] == "adopt it, then prepare a new change for it"


def test_instants_are_told_with_their_zone(adopted: Any) -> None:
    change = prepare(adopted, "--device", "ap1")
    assert datetime.fromisoformat(change["created_at"]).utcoffset() == timedelta(0)
    assert change["created_at"].endswith("Z")
    assert change["pushed_at"] is None
    at = datetime.fromisoformat(change["devices"][0]["at"]).astimezone(CITY)
    assert f"{at:%Y-%m-%d %H:%M} CST" in adopted.run("provision", "status").stdout


@pytest.mark.parametrize("command", ["show", "push", "status"])
@pytest.mark.parametrize("number", ["99999999999999999999", "0"])
def test_a_number_that_no_change_can_have_is_refused(
    adopted: Any, command: str, number: str
) -> None:
    done = adopted.run("provision", command, number, code=2)
    assert f"{number} is not a whole number from 1 to " in done.stderr


def test_a_device_that_was_not_adopted_is_never_signed_in_to(city: Any) -> None:
    change = prepare(city, "--device", "ap1", code=1)
    assert change["devices"][0]["status"] == "unreachable"
    assert "farola device adopt ap1" in change["devices"][0]["why"]


def test_equal_diffs_are_shown_once(adopted: Any, home: Path) -> None:
    for name in ("ap1", "ap2", "ap3"):
        adopted.edit(name, "system", f"option hostname '{name}'", "option hostname 'x'")
    (home / "templates").mkdir()
    (home / "templates" / "access-point.yaml").write_text(
        "general: {id: system, hostname: lamp}\n", encoding="utf-8"
    )
    shown = adopted.run(
        "provision", "prepare", "--device", "ap1", "--device", "ap2", "--device", "ap3"
    ).stdout
    assert "The same on 3 devices (ap1, ap2, ap3):" in shown
    assert shown.count("+\toption hostname 'lamp'") == 1
    assert adopted.run("provision", "show", 1).stdout == shown


def test_rendering_shows_values_their_origin_and_no_secret(city: Any, home: Path) -> None:
    found = json.loads(city.run("provision", "render", "ap1", "--json").stdout)
    assert found["variables"]["ssid"] == {
        "value": "L'internet de todos 😀", "from": "city settings",
    }  # fmt: skip
    assert found["variables"]["snmp_community"] == {"value": "•••", "from": "credential ap"}
    assert "option community '•••'" in found["candidate"]
    shown = city.run("provision", "render", "ap1").stdout
    assert "option ssid 'L'\\''internet de todos 😀'" in shown
    assert not [secret for secret in SECRETS if secret in shown]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prepare",), "--all"),
        (("prepare", "--device", "nobody"), "nobody"),
        (("prepare", "--site", "nowhere"), "nowhere"),
        (("prepare", "--device", "ap1", "--all"), "one of them"),
        (("show", "99"), "no change 99"),
        (("push", "99"), "no change 99"),
        (("status",), "no change yet"),
        (("render", "nobody"), "nobody"),
    ],
)
def test_a_slip_is_answered_in_one_line(city: Any, arguments: tuple[str, ...], said: str) -> None:
    done = city.run("provision", *arguments, code=1)
    assert said in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_a_wrong_variable_stops_before_any_device_is_asked(adopted: Any, home: Path) -> None:
    (home / "variables.yaml").write_text("devices: {ap2: {ssid: '%s'}}" % ("x" * 33))
    done = adopted.run("provision", "prepare", "--all", code=1)
    assert "ap2: ssid" in done.stderr
    assert "no change yet" in adopted.run("provision", "status", code=1).stderr


def test_plain_ansible_looks_and_pushes_and_nothing_secret_is_said_or_left(
    adopted: Any, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from provisioning.rollout.push import PLAYBOOKS, _ansible_playbook, _environment

    change = prepare(adopted, "--device", "ap1", "--device", "full")["change"]
    left = tmp_path / "left"
    left.mkdir()
    monkeypatch.setenv("TMPDIR", str(left))
    environment = {
        **_environment(home, change),
        "FAROLA_KEY_FILE": str(tmp_path / "keys" / "farola.key"), "HOME": str(tmp_path),
        "TMPDIR": str(left),
    }  # fmt: skip
    # Exactly what docs/provisioning.md tells an engineer to type, in the playbooks' folder.
    del environment["ANSIBLE_CONFIG"], environment["FAROLA_CHANGE"]

    def ansible(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(_ansible_playbook()), "push.yml", "-e", f"change={change}", *arguments],
            cwd=PLAYBOOKS, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    looked = ansible("--check", "--diff", "-vvvv")
    assert looked.returncode == 0, looked.stdout
    assert "+\toption ssid 'L'\\''internet de todos 😀'" in looked.stdout
    assert "OpenWrt" in adopted.config("ap1", "wireless")
    done = ansible("-vvvv")
    assert done.returncode == 2, done.stdout
    assert "ap1                        : ok=1" in done.stdout
    assert "no room left" in done.stdout
    assert "internet de todos" in adopted.config("ap1", "wireless")
    said = looked.stdout + looked.stderr + done.stdout + done.stderr
    assert not [secret for secret in SECRETS if secret in said]
    status = json.loads(adopted.run("provision", "status", change, "--json").stdout)
    assert {d["device"]: d["status"] for d in status["devices"]} == {
        "ap1": "pushed", "full": "failed",
    }  # fmt: skip


def test_a_push_leaves_nothing_in_the_temporary_folder(
    adopted: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = tmp_path / "left"
    left.mkdir()
    monkeypatch.setenv("TMPDIR", str(left))
    monkeypatch.setattr(tempfile, "tempdir", None)
    change = prepare(adopted, "--device", "ap1")["change"]
    adopted.run("provision", "push", change)
    assert [path.name for path in left.iterdir() if "farola" in path.name] == []


def test_a_slip_in_the_names_of_variables_is_told(adopted: Any, home: Path) -> None:
    (home / "variables.yaml").write_text("devices: {AP-9: {ssid: x}, ap1: {ssid: y}}\n")
    for command in (("render", "ap1"), ("prepare", "--device", "ap1")):
        lines = adopted.run("provision", *command).stderr.splitlines()
        assert [line for line in lines if "AP-9" in line and "variables.yaml" in line] == lines[:1]
