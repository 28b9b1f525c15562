"""Firmware and reboots roll out like any change, and end when the device has started anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from farola.keys import Keyring, create_key
from farola.settings import City, ProvisioningSettings, Settings, write_settings
from inventory import queries
from inventory.db import open_inventory, upgrade
from inventory.models import Device
from simulator.firmware import Image, make_image
from simulator.fleet import Fleet
from tests.fleets import PASSWORD, running_fleet

pytestmark = pytest.mark.slow
NEW = Image("23.05.5", "r24106-10cc5fcd00")
VERSION = f"{NEW.version} {NEW.revision}"
PUSH = ("--no-checks", "--bake", "0", "--waves", "1,2", "--json")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    names = ("a", "b", "c", "d", "e")
    with running_fleet(tmp_path_factory.mktemp("restarts"), names, {}) as running:
        yield running


@pytest.fixture
def city(home: Path, fleet: Fleet) -> Settings:
    settings = Settings(
        home,
        City("Prueba", "UTC", "x", "MX"),
        provisioning=ProvisioningSettings(bake_s=0, linger_s=0),
    )
    write_settings(settings)
    create_key(home)
    inventory = open_inventory(settings)
    upgrade(inventory.engine)
    with inventory.session() as session:
        queries.store_secrets(session, "ap", "root", {"password": PASSWORD}, Keyring(home))
        for one in fleet.devices:
            session.add(Device(
                id=one.id, name=one.id, platform="openwrt", management_address=one.address,
                ssh_port=one.ssh_port, credential_name="ap", host_key=one.host_key,
            ))  # fmt: skip
    inventory.close()
    return settings


def image_file(folder: Path, image: Image, data: bytes | None = None) -> tuple[Path, str]:
    path = folder / f"{image.version}.bin"
    path.write_bytes(make_image(image) if data is None else data)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def release(fleet: Fleet, device: str) -> str:
    return (fleet.device(device).root / "etc/openwrt_release").read_text("utf-8")


def test_an_upgrade_rolls_out_in_waves_and_keeps_the_config(
    city: Settings, fleet: Fleet, run: Any, tmp_path: Path
) -> None:
    path, digest = image_file(tmp_path, NEW)
    before = (fleet.device("a").root / "etc/config/wireless").read_text("utf-8")
    made = json.loads(
        run("provision", "firmware", path, "--sha256", digest, "--version", VERSION,
            "--device", "a", "--device", "b", "--json").stdout
    )  # fmt: skip
    assert [one["status"] for one in made["devices"]] == ["pending", "pending"]
    assert f"+firmware {VERSION}" in made["devices"][0]["diff"]
    path.unlink()  # the home has its own
    pushed = json.loads(run("provision", "push", made["change"], *PUSH).stdout)
    assert (pushed["pushed"], pushed["waves"], pushed["failed"]) == (2, 2, [])
    assert NEW.revision in release(fleet, "a")
    assert (fleet.device("a").root / "etc/config/wireless").read_text("utf-8") == before
    again = json.loads(
        run("provision", "firmware", _kept(city, digest), "--sha256", digest,
            "--version", VERSION, "--device", "a", "--json").stdout
    )  # fmt: skip
    assert again["devices"][0]["status"] == "unchanged"


def _kept(city: Settings, digest: str) -> Path:
    return city.home / "firmware" / f"{digest}.bin"


@pytest.mark.usefixtures("without_ansible")
def test_an_image_that_the_device_refuses_changes_nothing_and_stops_the_rest(
    city: Settings, fleet: Fleet, run: Any, tmp_path: Path
) -> None:
    foreign = Image("24.10.0", "r1", boards=("another,board",))
    path, digest = image_file(tmp_path, foreign)
    made = json.loads(
        run("provision", "firmware", path, "--sha256", digest, "--device", "c", "--device", "d",
            "--json").stdout
    )  # fmt: skip
    pushed = json.loads(run("provision", "push", made["change"], *PUSH, code=1).stdout)
    assert (pushed["pushed"], pushed["waves"], pushed["status"]) == (0, 1, "halted")
    reasons = {one["device"]: one["why"] for one in pushed["failed"]}
    assert any("sysupgrade -T refuses the image" in why for why in reasons.values())
    assert "r1'" not in release(fleet, "c") + release(fleet, "d")


@pytest.mark.usefixtures("without_ansible")
def test_a_device_that_falls_back_to_the_old_firmware_has_failed(
    city: Settings, fleet: Fleet, run: Any, tmp_path: Path
) -> None:
    path, digest = image_file(tmp_path, Image("24.10.1", "r2", boots="falls back"))
    made = json.loads(
        run("provision", "firmware", path, "--sha256", digest, "--device", "d", "--json").stdout
    )
    pushed = json.loads(run("provision", "push", made["change"], *PUSH, code=1).stdout)
    assert "came back with" in pushed["failed"][0]["why"]


def test_a_wrong_hash_is_refused_before_anything_is_asked(
    city: Settings, run: Any, tmp_path: Path
) -> None:
    path, _digest = image_file(tmp_path, NEW)
    done = run("provision", "firmware", path, "--sha256", "0" * 64, "--device", "c", code=1)
    assert "it is damaged, or another image" in done.stderr
    done = run("provision", "firmware", path, "--sha256", "short", "--device", "c", code=1)
    assert "64 hexadecimal digits" in done.stderr
    assert not (city.home / "firmware").exists()


@pytest.mark.usefixtures("without_ansible")
def test_a_kept_image_that_was_changed_is_not_sent(
    city: Settings, fleet: Fleet, run: Any, tmp_path: Path
) -> None:
    path, digest = image_file(tmp_path, NEW)
    made = json.loads(
        run("provision", "firmware", path, "--sha256", digest, "--device", "c", "--json").stdout
    )
    _kept(city, digest).write_bytes(b"something else")
    pushed = json.loads(run("provision", "push", made["change"], *PUSH, code=1).stdout)
    assert "not the one that was frozen" in pushed["failed"][0]["why"]
    assert not (fleet.device("c").root / "tmp/farola-firmware.bin").exists()


def test_a_reboot_is_over_when_the_device_has_started_anew(
    city: Settings, fleet: Fleet, run: Any
) -> None:
    boot = _boot_id(fleet, "e")
    made = json.loads(run("provision", "reboot", "--device", "e", "--json").stdout)
    pushed = json.loads(run("provision", "push", made["change"], *PUSH).stdout)
    assert (pushed["pushed"], pushed["failed"]) == (1, [])
    assert _boot_id(fleet, "e") != boot


def test_a_device_with_a_commit_that_waits_is_neither_upgraded_nor_rebooted(
    city: Settings, fleet: Fleet, run: Any
) -> None:
    from napalm import get_network_driver

    one, boot = fleet.device("e"), _boot_id(fleet, "e")
    made = json.loads(run("provision", "reboot", "--device", "e", "--json").stdout)
    driver = get_network_driver("openwrt")(
        one.address, "root", PASSWORD, optional_args={"port": one.ssh_port,
                                                      "host_key": one.host_key}
    )  # fmt: skip
    driver.open()
    driver.load_merge_candidate(config="package system\nconfig system\n\toption notes 'x'\n")
    driver.commit_config(message="somebody's", revert_in=300)
    pushed = json.loads(run("provision", "push", made["change"], *PUSH, code=1).stdout)
    assert "waits to be confirmed" in pushed["failed"][0]["why"]
    assert _boot_id(fleet, "e") == boot
    driver.rollback()
    driver.close()


def _boot_id(fleet: Fleet, device: str) -> str:
    from napalm_openwrt.session import Access, Session

    one = fleet.device(device)
    session = Session(Access(one.address, one.ssh_port, "root", PASSWORD, host_key=one.host_key))
    said = session.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()
    session.close()
    return said
