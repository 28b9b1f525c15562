"""A home whose devices are pretend access points that really run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from farola.keys import Keyring, create_key
from farola.settings import City as CitySettings
from farola.settings import ProvisioningSettings, Settings, write_settings
from inventory import audit_log, queries
from inventory.db import open_inventory, upgrade
from inventory.models import Device, Placement, Site
from provisioning.rollout import wave_run
from provisioning.rollout.carrier import AnsibleCarrier, Host
from simulator.fleet import Fleet
from tests.fleets import PASSWORD, running_fleet

Run = Callable[..., "CompletedProcess[str]"]
SSID = "L'internet de todos 😀"
COMMUNITY = "city's-own"
LENIENT = ProvisioningSettings(
    waves="1, 25", bake_s=0, linger_s=0, confirm_s=30, stop_count=9, stop_share=1.0, stop_sample=1
)
"""One failure halts nothing; tests of rollouts set their own."""
NAMES = ("ap1", "ap2", "ap3", "full")


@dataclass(frozen=True)
class City:
    """A home with four devices, one with a full flash."""

    fleet: Fleet
    run: Run
    settings: Settings

    def config(self, device: str, package: str) -> str:
        """A file of /etc/config, read on the device's own disk."""
        root = self.fleet.device(device).root
        return (root / "etc" / "config" / package).read_text(encoding="utf-8")

    def edit(self, device: str, package: str, old: str, new: str) -> None:
        """Change a file on the device's own disk, as somebody signed in there would."""
        path = self.fleet.device(device).root / "etc" / "config" / package
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def change(self, device: str, **values: Any) -> None:
        """Change a device in the inventory."""
        inventory = open_inventory(self.settings)
        with inventory.session() as session:
            row = session.get(Device, device)
            for name, value in values.items():
                setattr(row, name, value)
        inventory.close()

    @property
    def known_hosts(self) -> Path:
        return self.fleet.folder / "known_hosts"


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with running_fleet(folder, NAMES, {"full": "flash-full"}) as running:
        for device in running.devices:
            shutil.copytree(device.root / "etc" / "config", device.folder / "factory")
        yield running


@pytest.fixture
def city(home: Path, run: Run, fleet: Fleet) -> City:
    """A new home; the devices are as they left the factory, and not adopted."""
    for device in fleet.devices:
        etc = device.root / "etc"
        shutil.rmtree(etc / "napalm-openwrt", ignore_errors=True)
        shutil.rmtree(etc / "config")
        shutil.copytree(device.folder / "factory", etc / "config")
    settings = Settings(
        home, CitySettings("Prueba", "America/Mexico_City", SSID, "MX"),
        provisioning=LENIENT,
    )  # fmt: skip
    write_settings(settings)
    create_key(home)
    audit_log.begin(home)
    inventory = open_inventory(settings)
    upgrade(inventory.engine)
    with inventory.session() as session:
        values = {"password": PASSWORD, "snmp_community": COMMUNITY}
        queries.store_secrets(session, "ap", "root", values, Keyring(home))
        for number, device in enumerate(fleet.devices, 1):
            site = Site(id=f"s{number}", name=f"Plaza {number}", lat=19.4, lon=-99.1)
            session.add(site)
            session.flush()
            session.add(
                Device(
                    id=device.id, name=f"Plaza {number}", platform="openwrt",
                    management_address=device.address, ssh_port=device.ssh_port,
                    snmp_port=device.snmp_port, mac=f"02:00:00:00:{number:02x}:00",
                    serial=f"S-{device.id}", credential_name="ap",
                    placements=[Placement(site_id=site.id)],
                )
            )  # fmt: skip
    inventory.close()
    return City(fleet, run, settings)


@pytest.fixture
def adopted(city: City) -> City:
    """The same, its devices adopted."""
    for device in city.fleet.devices:
        city.change(device.id, host_key=device.host_key)
    return city


@pytest.fixture
def without_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waves of this process take their turns on threads of its own: Ansible, which only carries the
    work, costs seconds to start. That it does so is tested by who pushes without this fixture.
    """

    class OwnThreads(AnsibleCarrier):
        def carry(self, wave: Any, ahead: Any, on_host: Callable[[Host], None]) -> str:
            assert tuple(ahead()[0]) == tuple(wave)
            self.take(wave, on_host)
            return ""

    monkeypatch.setattr(wave_run, "AnsibleCarrier", OwnThreads)
