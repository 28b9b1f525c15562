"""Ansible sees the devices of a home as hosts, in groups, without a secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from farola.keys import Keyring, create_key
from farola.settings import Settings, write_settings
from inventory import queries
from inventory.change_models import Change, ChangeDevice
from inventory.db import open_inventory, upgrade
from inventory.models import Device

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
BIN = Path(sys.executable).parent


@pytest.fixture
def devices(home: Path) -> Path:
    settings = Settings(home)
    write_settings(settings)
    create_key(home)
    inventory = open_inventory(settings)
    upgrade(inventory.engine)
    with inventory.session() as session:
        queries.store_secrets(session, "c", "root", {"password": "hush-hush"}, Keyring(home))
        for name in ("ap 1", "{{ 1 }}", "sw1", "gone"):
            session.add(
                Device(
                    id=name, name=name, management_address="127.0.0.1", credential_name="c",
                    platform="eos" if name == "sw1" else "openwrt",
                    role="switch" if name == "sw1" else "access-point",
                    status="retired" if name == "gone" else "live",
                )
            )  # fmt: skip
        session.flush()
        session.add(
            Change(devices=[ChangeDevice(device_id=n, candidate=b"") for n in ("ap 1", "gone")])
        )
    inventory.close()
    return home


def ansible(program: str, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "PYTHONPATH": str(PLAYBOOKS.parent), "LC_ALL": "C.UTF-8", **extra,
    }  # fmt: skip
    return subprocess.run(
        [str(BIN / program), *arguments], cwd=PLAYBOOKS, env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_devices_are_hosts_in_groups_and_carry_no_secret(devices: Path) -> None:
    done = ansible("ansible-inventory", "--list")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert sorted(found["access_point"]["hosts"]) == ["ap 1", "{{ 1 }}"]
    assert found["switch"]["hosts"] == ["sw1"]
    assert sorted(found["openwrt"]["hosts"]) == ["ap 1", "{{ 1 }}"]
    assert found["change_1"]["hosts"] == ["ap 1"]
    # Values are marked as not to be templated, which this form of output shows.
    variables = json.dumps(found["_meta"]["hostvars"]["ap 1"])
    assert '"local"' in variables
    assert '"127.0.0.1"' in variables
    assert "hush" not in done.stdout + done.stderr


def test_one_change_alone_can_be_read(devices: Path) -> None:
    found = json.loads(ansible("ansible-inventory", "--list", FAROLA_CHANGE="1").stdout)
    assert list(found["_meta"]["hostvars"]) == ["ap 1"]


def test_a_home_that_was_never_made_is_told(tmp_path: Path) -> None:
    done = ansible("ansible-inventory", "--list", FAROLA_HOME=str(tmp_path / "nowhere"))
    assert "farola init" in done.stderr
    assert done.returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "limit"),
    [("99", ()), ("99", ("--limit", "ap 1")), ("none", ()), ("99999999999999999999", ())],
)
def test_a_change_that_is_not_there_is_no_success(
    devices: Path, change: str, limit: tuple[str, ...]
) -> None:
    done = ansible("ansible-playbook", "push.yml", "-e", f"change={change}", *limit)
    assert done.returncode != 0
    assert f"change {change} has no device here" in done.stderr


def test_a_playbook_without_a_home_is_no_success(tmp_path: Path) -> None:
    done = ansible(
        "ansible-playbook", "push.yml", "-e", "change=1", FAROLA_HOME=str(tmp_path / "x")
    )
    assert done.returncode != 0
    assert "farola init" in done.stderr


def test_a_playbook_finds_the_devices_of_a_change(devices: Path) -> None:
    done = ansible("ansible-playbook", "push.yml", "-e", "change=1", "--list-hosts")
    assert done.returncode == 0, done.stderr
    assert "ap 1" in done.stdout
