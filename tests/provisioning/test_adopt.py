"""A device is adopted when its key is the one a person vouches for and it is itself."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from farola.errors import DeviceError, InputError
from inventory.records import DeviceRecord
from provisioning.life.adopt import (
    Seen,
    check_identity,
    normal_mac,
    ranked_macs,
)
from provisioning.life.host_keys import fingerprint, read_known_hosts

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8cYQ4pUbV4bAkPxgkcGzYl3OOZ2pn9zsR1kzBrr3yK"


def device(**changed: Any) -> DeviceRecord:
    values: dict[str, Any] = {
        "id": "ap1", "name": "ap1", "role": "access-point", "platform": None,
        "management_address": "127.0.0.1", "ssh_port": 2222, "snmp_port": 161, "mac": None,
        "serial": None, "credential_name": "ap", "host_key": None, "status": "live",
        "source": "imported", "site_id": None,
    }  # fmt: skip
    return DeviceRecord(**{**values, **changed})


def seen(serial: str = "", *macs: str) -> Seen:
    return Seen(KEY, serial, macs, "model", "23.05", "openwrt")


def row(home: Path, name: str) -> dict[str, Any]:
    with sqlite3.connect(home / "inventory.db") as database:
        database.row_factory = sqlite3.Row
        found = database.execute("SELECT * FROM device WHERE id = ?", (name,)).fetchone()
        return dict(found)


@pytest.mark.slow
def test_a_fleet_is_adopted_and_its_keys_are_kept(city: Any, home: Path) -> None:
    done = json.loads(
        city.run("device", "adopt", "--all", "--known-hosts", city.known_hosts, "--json").stdout
    )
    assert [one["device"] for one in done["adopted"]] == ["ap1", "ap2", "ap3", "full"]
    assert done["failed"] == []
    for one in city.fleet.devices:
        assert row(home, one.id)["host_key"] == one.host_key
    with sqlite3.connect(home / "inventory.db") as database:
        kinds = [kind for (kind,) in database.execute("SELECT kind FROM event")]
    assert kinds.count("device.adopted") == 4


@pytest.mark.slow
def test_who_fails_is_named_with_the_reason_and_the_rest_are_adopted(
    city: Any, home: Path, tmp_path: Path
) -> None:
    city.change("ap1", mac="02:ff:ff:ff:ff:ff")
    city.change("ap2", serial="ANOTHER")
    city.change("full", serial=None, mac=None)
    lines = city.known_hosts.read_text().splitlines()
    known = tmp_path / "known_hosts"
    wrong = lines[2].rsplit(" ", 2)[0]
    known.write_text("\n".join([lines[0], lines[1], f"{wrong} {KEY}", lines[3]]) + "\n")
    done = city.run("device", "adopt", "--all", "--known-hosts", known, "--json", code=1)
    found = json.loads(done.stdout)
    assert [one["device"] for one in found["adopted"]] == ["full"]
    why = {one["device"]: one["why"] for one in found["failed"]}
    assert "02:ff:ff:ff:ff:ff" in why["ap1"]
    assert "ANOTHER" in why["ap2"]
    # None was enrolled, so nothing "changed": both keys are named.
    assert "CHANGED" not in why["ap3"]
    assert "enrolled" not in why["ap3"]
    assert fingerprint(KEY) in why["ap3"]
    assert fingerprint(city.fleet.device("ap3").host_key) in why["ap3"]
    assert [row(home, name)["host_key"] for name in ("ap1", "ap2", "ap3")] == [None] * 3
    # What was unknown is learned.
    assert row(home, "full")["serial"] == "S-full"
    assert row(home, "full")["mac"]


@pytest.mark.slow
def test_a_wrong_password_is_told_without_showing_it(city: Any) -> None:
    city.run("device", "credential", "ap", input="not-the-password")
    done = city.run("device", "adopt", "ap1", "--known-hosts", city.known_hosts, code=1)
    assert "was refused" in done.stderr
    assert "not-the-password" not in done.stderr + done.stdout


@pytest.mark.slow
def test_trust_on_first_use_must_be_asked_for_and_is_loud(city: Any, home: Path) -> None:
    assert "--known-hosts" in city.run("device", "adopt", "--all", code=1).stderr
    done = city.run("device", "adopt", "ap1", "--trust-on-first-use")
    assert "WARNING" in done.stderr
    assert row(home, "ap1")["host_key"] == city.fleet.device("ap1").host_key
    # A key that is enrolled is not overwritten by whatever is shown later.
    city.change("ap1", host_key=KEY)
    again = city.run("device", "adopt", "ap1", "--trust-on-first-use", code=1)
    assert "enrolled earlier" in again.stderr
    assert row(home, "ap1")["host_key"] == KEY


@pytest.mark.slow
def test_a_device_imported_without_a_credential_gets_one(city: Any, home: Path) -> None:
    city.change("ap1", credential_name=None)
    city.run("device", "credential", "other", input="not-the-password")
    known = ("--known-hosts", city.known_hosts)
    done = city.run("device", "adopt", "ap1", *known, code=1)
    assert "farola device adopt ap1 --credential NAME" in done.stderr
    done = city.run("device", "adopt", "ap1", "--credential", "none such", *known, code=1)
    assert "no credential 'none such'" in done.stderr
    # With --all only the device without one gets it: the others are let in by theirs.
    done = city.run("device", "adopt", "--all", "--credential", "other", *known, "--json", code=1)
    found = json.loads(done.stdout)
    assert [one["device"] for one in found["failed"]] == ["ap1"]
    assert row(home, "ap1")["credential_name"] is None
    assert row(home, "ap2")["credential_name"] == "ap"
    city.run("device", "adopt", "ap1", "--credential", "ap", *known)
    assert row(home, "ap1")["credential_name"] == "ap"
    # Named, a device's credential is replaced, but not by one that it refuses.
    city.run("device", "adopt", "ap1", "--credential", "other", *known, code=1)
    assert row(home, "ap1")["credential_name"] == "ap"
    city.run("device", "credential", "third", input="pretend-lamp-post")
    city.run("device", "adopt", "ap1", "--credential", "third", *known)
    assert row(home, "ap1")["credential_name"] == "third"


def test_the_known_hosts_forms_that_ssh_writes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(
        f"# a comment\n\n127.0.0.1 {KEY}\n[127.0.0.1]:2222,[127.0.0.2]:2222 {KEY} who@where\n"
    )
    found = read_known_hosts(
        path,
        [device(), device(id="b", ssh_port=22), device(id="c", management_address="127.0.0.3")],
    )
    assert found == {"ap1": [KEY], "b": [KEY], "c": []}


def test_hashed_names_are_read(tmp_path: Path) -> None:
    from paramiko.hostkeys import HostKeys

    path = tmp_path / "known_hosts"
    path.write_text(f"{HostKeys.hash_host('[127.0.0.1]:2222')} {KEY}\n")
    assert read_known_hosts(path, [device()]) == {"ap1": [KEY]}


@pytest.mark.parametrize("text", ["nonsense\n", "127.0.0.1 ssh-ed25519 %%%\n", "\udcff"])
def test_a_line_that_is_no_key_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known_hosts"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="known_hosts"):
        read_known_hosts(path, [device()])


@pytest.mark.parametrize(
    ("inventory", "shown"),
    [
        ({"serial": "A"}, seen("B")),
        ({"mac": "02:00:00:00:00:01"}, seen("", "02:00:00:00:00:02")),
        ({"serial": "A", "mac": "02:00:00:00:00:01"}, seen("A", "02:00:00:00:00:02")),
        ({"serial": "A"}, seen("")),
        ({"mac": "02:00:00:00:00:01"}, seen("B")),
    ],
)
def test_another_device_is_refused(inventory: dict[str, str], shown: Seen) -> None:
    with pytest.raises(DeviceError):
        check_identity(device(**inventory), shown)


@pytest.mark.parametrize(
    ("inventory", "shown"),
    [
        ({}, seen()),
        ({"serial": "a"}, seen("A")),
        ({"mac": "02-00-00-00-00-0A"}, seen("", "02:00:00:00:00:09", "02:00:00:00:00:0a")),
        ({"serial": "A", "mac": "02:00:00:00:00:01"}, seen("A")),
    ],
)
def test_the_device_itself_is_accepted(inventory: dict[str, str], shown: Seen) -> None:
    check_identity(device(**inventory), shown)


@pytest.mark.parametrize(
    ("mac", "normal"), [("02-00-00-00-00-0A", "02:00:00:00:00:0a"), ("0200.0000.000a",
     "02:00:00:00:00:0a"), ("12", ""), ("", "")],
)  # fmt: skip
def test_macs_are_compared_in_one_form(mac: str, normal: str) -> None:
    assert normal_mac(mac) == normal


@pytest.mark.parametrize(
    ("shown", "first"),
    [
        ({"wlan0": "00:11:22:00:00:01", "eth0": "00:11:22:00:00:09"}, "00:11:22:00:00:09"),
        ({"br-lan": "50:11:22:00:00:09", "eth0": "50:11:22:00:00:01"}, "50:11:22:00:00:09"),
        ({"ifb0": "02:00:00:00:00:01", "eth0": "F4:11:22:00:00:01"}, "f4:11:22:00:00:01"),
        ({"br-lan": "0a:00:00:00:00:01", "wlan0": "f4:11:22:00:00:01"}, "f4:11:22:00:00:01"),
        ({"wlan0-1": "02:00:00:00:00:01", "lan1": "02:00:00:00:00:09"}, "02:00:00:00:00:09"),
        ({"lo": "00:00:00:00:00:00", "gre0": "", "wlan1": "f4:11:22:00:00:02"},
         "f4:11:22:00:00:02"),
    ],
)  # fmt: skip
def test_the_mac_that_is_learned_is_not_one_of_a_virtual_interface(
    shown: dict[str, str], first: str
) -> None:
    found = ranked_macs({name: {"mac_address": mac} for name, mac in shown.items()})
    assert found[0] == first
    assert "00:00:00:00:00:00" not in found


def test_the_passphrase_of_a_key_can_be_stored(city: Any) -> None:
    done = city.run("device", "credential", "ap", "--field", "passphrase", "--json", input="hush")
    assert "passphrase" in json.loads(done.stdout)["fields"]
    assert "hush" not in done.stdout
