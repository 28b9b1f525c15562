"""The history in git: nothing lost, nothing secret in any object, one device's versions at once."""

from __future__ import annotations

import base64
import multiprocessing
import os
import re
import shutil
import subprocess
import zlib
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from farola.errors import ProvisioningError
from farola.files import written_whole
from farola.keys import Keyring, create_key
from farola.settings import Settings, load_settings, write_settings
from inventory import queries
from inventory.change_models import ConfigSecret
from inventory.db import open_engine, open_inventory, upgrade
from inventory.models import Device
from napalm_openwrt.uci_text import Package, Section, format_config
from provisioning.history import secret_references as references
from provisioning.history.configs import ASIDE, INDEX, REPOSITORY, History, Kept, path_of

COMMUNITY, WIFI, PASSWORD = "city's-own-community", "a key of nobody", "hunter22-of-root"
CONFIG = f"""package snmpd

config com2sec 'public'
	option community '{references.uci_escaped(COMMUNITY)}'

package wireless

config wifi-iface 'city'
	option ssid 'Free WiFi'
	option key '{WIFI}'
	option note 'user:{PASSWORD}@host'
	option url 'https://me:url-password@host/x'

"""


@pytest.fixture
def kept(home):
    write_settings(Settings(home))
    keyring = Keyring(home) if create_key(home) else None
    upgrade(open_engine(load_settings().inventory_url))
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        values = {"password": PASSWORD, "snmp_community": COMMUNITY}
        queries.store_secrets(session, "a b", "root", values, keyring)
        session.add(Device(id="ap1", name="ap1", credential_name="a b"))
    inventory.close()
    return History(home, keyring)


def git(history, *words):
    done = subprocess.run(
        ["git", "--git-dir", history.home / REPOSITORY, *words],
        capture_output=True, check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"},
    )  # fmt: skip
    return done.stdout.decode("utf-8", "replace")


def everything(history):
    """All that any object of the repository holds, and its files as they are."""
    listed = git(history, "cat-file", "--batch-check", "--batch-all-objects").split("\n")
    objects = [git(history, "cat-file", "-p", line.split()[0]) for line in listed if line]
    files = [p.read_bytes() for p in (history.home / REPOSITORY).rglob("*") if p.is_file()]
    return "\n".join(objects).encode() + b"".join(files)


def test_what_differs_is_kept_and_comes_back_as_it_was(kept):
    first, new = kept.add("../ap/1", CONFIG, author="ana", cause="change 7")
    assert new
    assert kept.add("../ap/1", CONFIG) == (first, False)
    kept.add("../ap/1", CONFIG.replace("Free", "Paid"))
    back, new = kept.add("../ap/1", CONFIG)
    assert new
    versions = kept.versions("../ap/1")
    assert [v.mark == first.mark for v in versions] == [True, False, True]
    assert (versions[0].author, versions[0].cause) == ("ana", "change 7")
    assert kept.text(back) == CONFIG
    assert kept.mark(CONFIG) == first.mark
    assert kept.marked("../ap/1", first.mark) == back
    assert kept.newest("nobody") is None
    assert git(kept, "log", "-1", "--format=%an %s", f"{versions[0].commit}") == "ana change 7\n"
    assert [p.name for p in kept.home.parent.iterdir() if "ap" in p.name] == []


@pytest.mark.parametrize("text", ["", "other", "option key 'no config'\udcff", "x" * 100_000])
def test_what_is_no_config_comes_back_too_and_shows_nothing(kept, text):
    version, _ = kept.add("x" * 300 + "é", text)
    assert kept.text(version) == text
    assert not text or text not in kept.kept_text(version)


def test_no_secret_is_in_any_object_and_each_is_referred_to(kept):
    version, _ = kept.add("ap1", CONFIG)
    kept.add("ap1", CONFIG.replace(WIFI, "another key"))
    kept.store.tidy()
    text = kept.kept_text(version)
    said = everything(kept)
    for secret in (COMMUNITY, WIFI, PASSWORD, "url-password", "another key", "own-comm"):
        assert secret not in text
        assert secret.encode() not in said
    named = [(one.name, one.field) for one in references.references(text)]
    assert named == [("a b", "snmp_community"), ("", ""), ("a b", "password"), ("", "")]
    assert "option ssid 'Free WiFi'" in text
    assert kept.text(version) == CONFIG


def test_a_secret_that_changed_is_another_version_and_a_renamed_credential_none(kept, home):
    first, _ = kept.add("ap1", CONFIG)
    assert kept.add("ap1", CONFIG.replace(WIFI, "b"))[1]
    assert kept.add("ap1", CONFIG)[1]
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        values = {"token": WIFI, "password": "Free WiFi"}
        queries.store_secrets(session, "AAA", "root", values, Keyring(home))
    inventory.close()
    later = History(home, Keyring(home))
    assert not later.add("ap1", CONFIG)[1], "that a credential holds it is no change of the device"
    assert later.text(first) == CONFIG


def test_text_that_looks_like_a_reference_is_never_filled(kept):
    version, _ = kept.add("ap1", CONFIG)
    stolen = references.references(kept.kept_text(version))[1]
    evil = CONFIG.replace("Free WiFi", f"{stolen}")
    again, _ = kept.add("ap2", evil)
    assert kept.text(again) == evil
    assert WIFI in kept.text(again).split("option key")[1]
    assert WIFI not in kept.text(again).split("option key")[0]


VALUES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1)
OPTIONS = st.sampled_from(["key", "ssid", "password", "wpa_psk", "auth_secret", "note"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(OPTIONS, VALUES | st.lists(VALUES, min_size=1).map(tuple)), max_size=6))
def test_any_value_is_taken_out_and_put_back(options):
    section = Section("wifi-iface", "one", tuple(dict(options).items()))
    text = format_config({"wireless": Package("wireless", (section,))})
    taken = {}

    def seal(raw):
        print_ = f"{len(taken):016x}"
        taken[print_] = raw
        return str(references.Reference("", "", print_))

    stored = references.without_secrets(text, seal)
    assert references.filled(stored, lambda one: taken[one.fingerprint]) == text
    for line in stored.splitlines():
        if match := re.match(r"\t(?:option|list) (key|password|wpa_psk|auth_secret) '(.*)", line):
            assert references.REFERENCE.match(match[2]), line


SWITCHES = {
    "eos": (
        "username ana privilege 15 secret sha512 $6$abcsecret\n"
        "snmp-server community s3cretcomm ro\n"
        "snmp-server host 10.0.0.1 version 2c s3cretcomm\n"
        "snmp-server host 10.0.0.2 version 2c oths3cret\n"
        "radius-server host 10.1.1.1 key 7 070s3cret\ninterface Ethernet1\n   description uplink\n",
        ["$6$abcsecret", "s3cretcomm", "oths3cret", "070s3cret"], "description uplink",
    ),
    "ios": ("enable secret 5 $1$s3cret\nline vty 0 4\n password 7 094s3cret\nhostname sw1\n"
            "crypto isakmp key pres3cret\nip ospf authentication-key osps3cret\n",
            ["$1$s3cret", "094s3cret", "pres3cret", "osps3cret"], "hostname sw1"),
    "junos": ('system {\n    root-authentication {\n'
              '        encrypted-password "$6$s3cret"; ## SECRET-DATA\n    }\n'
              '    host-name sw2;\n}\nsnmp {\n    community s3comm {\n    }\n}\n',
              ["$6$s3cret", "s3comm"], "host-name sw2"),
    "mikrotik_routeros": ("/snmp community\nset [ find default=yes ] name=public "
                          'authentication-password=auths3cret\n/interface wifi security\n'
                          'add passphrase="two words s3"\n',
                          ["auths3cret", "two words s3"], "/interface wifi"),
    "cisco_wlc": ("config wlan security psk s3cret\n", ["s3cret"], ""),
}  # fmt: skip


@pytest.mark.parametrize("platform", SWITCHES)
def test_secrets_of_switches_are_found_by_their_platform(kept, platform):
    text, secrets, plain = SWITCHES[platform]
    version, _ = kept.add("sw1", text, platform=platform)
    stored = kept.kept_text(version)
    for secret in secrets:
        assert secret not in stored
    assert plain in stored
    assert kept.text(version) == text
    assert version.mark == kept.mark(text, platform)


def test_a_wave_is_one_commit_and_only_what_changed_is_in_it(kept):
    kept.add_many([Kept(f"ap{n}", CONFIG) for n in range(5)], cause="nightly")
    changed = [Kept(f"ap{n}", CONFIG + "\n" * (n % 2)) for n in range(5)]
    changed[2] = Kept("ap2", CONFIG.replace("Free", "Paid"))
    added = kept.add_many(changed, author="ana", cause="change 3")
    assert [d for d, (_, new) in added.items() if new] == ["ap1", "ap2", "ap3"]
    assert len({version.commit for version, new in added.values() if new}) == 1
    assert git(kept, "log", "--format=%s").split("\n")[:2] == ["change 3", "nightly"]
    assert git(kept, "fsck", "--strict") == ""


def test_what_workers_put_aside_is_taken_in_at_once(kept, home):
    for n in range(3):
        kept.put_aside(Kept(f"ap{n}", CONFIG))
    kept.put_aside(Kept("ap1", CONFIG.replace("Free", "Paid")))
    lying = b"".join(p.read_bytes() for p in (home / ASIDE).iterdir())
    assert WIFI.encode() not in lying
    added = kept.take_in(author="ana", cause="change 9")
    assert sorted(added) == ["ap0", "ap1", "ap2"]
    assert "Paid" in kept.text(added["ap1"][0])
    assert kept.take_in() == {}


def adder(home, number):
    history = History(home, Keyring(home))
    for step in range(4):
        history.add(f"ap{number}", CONFIG.replace("Free", f"Free{number}-{step}"))
        history.add("shared", CONFIG.replace(WIFI, f"key {number} {step}"))


def test_many_processes_add_at_once(kept, home):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=adder, args=(home, n)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    again = History(home, Keyring(home))
    assert len(again.versions("shared")) == 16
    for number in range(4):
        texts = [again.text(v) for v in again.versions(f"ap{number}")]
        assert texts == [CONFIG.replace("Free", f"Free{number}-{step}") for step in range(4)]
    assert git(again, "fsck", "--strict") == ""


@pytest.mark.parametrize("damage", ["gone", "garbage", "behind"])
def test_the_index_is_made_again_from_the_repository(kept, home, damage):
    kept.add("ap1", CONFIG, author="ana", cause="change 1")
    before = (home / INDEX).read_bytes()
    kept.add("ap1", CONFIG.replace("Free", "Paid"))
    kept.add("ap2", CONFIG)
    versions = kept.versions("ap1")
    if damage == "gone":
        (home / INDEX).unlink()
    else:
        (home / INDEX).write_bytes(before if damage == "behind" else b"garbage" * 1000)
    assert History(home, Keyring(home)).versions("ap1") == versions
    git(kept, "pack-refs", "--all")
    git(kept, "gc", "--quiet")
    again = History(home, Keyring(home))
    assert again.versions("ap1") == versions
    assert again.text(versions[0]) == CONFIG
    assert again.add("ap1", CONFIG)[1]


def test_what_a_killed_git_left_behind_stops_nobody_and_a_damaged_branch_is_told(kept, home):
    kept.add("ap1", CONFIG)
    branch = home / REPOSITORY / "refs" / "heads" / "main"
    for left in (branch.with_name("main.lock"), home / REPOSITORY / "objects/pack/tmp_pack_x"):
        left.touch()
        os.utime(left, (1, 1))
    assert kept.add("ap1", CONFIG + "\n")[1]
    assert not left.exists()
    branch.write_bytes(b"")
    with pytest.raises(ProvisioningError, match="main is damaged"):
        kept.add("ap1", CONFIG)


def test_what_was_kept_before_git_is_taken_in_whole(kept, home):
    ids = ["ap1", "../ap/2", "x" * 300]
    texts = [CONFIG, "no config", CONFIG.replace("Free", "Paid")]
    for device_id in ids:
        name = path_of(device_id)[3:].removesuffix(".config")
        folder = home / "history" / f"device-{name}"
        folder.mkdir(parents=True)
        for day, text in enumerate(texts, 1):
            packed = base64.b64encode(zlib.compress(text.encode()))
            with written_whole(folder / f"2026010{day}T020304.500000Z-{day:016x}.fernet") as out:
                out.write(kept.keyring.encrypt(packed.decode()))
    lost = folder / "20260109T020304.500000Z-0000000000000009.fernet"
    lost.write_bytes(b"of another key")
    history = History(home, Keyring(home))
    for device_id in ids:
        versions = history.versions(device_id)
        assert [history.text(v) for v in versions] == texts
        assert versions[1].at == datetime(2026, 1, 2, 2, 3, 4)
    left = [p for p in (home / "history").rglob("*") if p.is_file()]
    assert left == [lost], "what cannot be opened stays"
    lost.unlink()
    History(home, Keyring(home))
    assert not (home / "history").exists()


def test_a_secret_that_is_lost_is_told(kept):
    version, _ = kept.add("ap1", CONFIG)
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        session.execute(delete(ConfigSecret))
    inventory.close()
    with pytest.raises(ProvisioningError, match="lost the secret"):
        kept.text(version)


def test_without_git_it_says_how_to_get_it(kept, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ProvisioningError, match="apt-get install git"):
        kept.add("ap1", CONFIG)
