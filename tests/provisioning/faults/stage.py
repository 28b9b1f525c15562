"""Where fault runs are played: a pretend access point in this process with files of its own, a real
home that has a frozen change for it, and processes that push.

Homes and disks are made once and copied for each run.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napalm.base.exceptions import NapalmException

from farola.keys import Keyring, create_key
from farola.settings import City, ProvisioningSettings, Settings, load_settings, write_settings
from inventory import audit_log, queries
from inventory.db import Inventory, open_inventory, upgrade
from inventory.models import Device
from napalm_openwrt import OpenWrtDriver
from provisioning.change import changes, journal
from provisioning.change.prepare import base_of, prepare_change
from provisioning.platforms import drivers as platforms
from provisioning.rollout.policy import policy_of
from provisioning.turn.resolve import resolve_change
from tests.fleets import PASSWORD, Lone, lone_point
from tests.provisioning.faults import pusher
from tests.provisioning.faults.plans import CANDIDATES, Candidate

NAME = pusher.DEVICE
RATE = 8.0
"""Seconds of the device in one of ours."""
LONG_S = 600
"""Seconds of the device in which all has ended that ends by itself."""
UNFINISHED = ("applying", "pending", "reverting")


@dataclass(frozen=True)
class Scenery:
    """Homes and disks to copy, by whether the device had a commit before."""

    folder: Path
    changes: dict[Candidate, int]

    def disk(self, worn: bool) -> Path:
        return self.folder / f"worn-{worn}"

    @property
    def key(self) -> Path:
        return self.folder / "farola.key"


def build(folder: Path) -> Scenery:
    """Make what all runs are copied from."""
    platforms.TIMEOUT_S = pusher.PATIENCE_S
    scenery = Scenery(folder, {})
    os.environ["FAROLA_KEY_FILE"] = str(scenery.key)
    for worn in (False, True):
        with lone_point(scenery.disk(worn), NAME) as point:
            if worn:
                with driver_to(point) as driver:
                    driver.load_merge_candidate(
                        config="package system\n\nconfig system\n\toption hostname 'worn'\n"
                    )
                    driver.commit_config()
            _furnish(scenery, scenery.disk(worn) / "home", point)
            point.strings.run("sync; rm -rf /tmp/*")
    return scenery


def _furnish(scenery: Scenery, home: Path, point: Lone) -> None:
    settings = Settings(
        home, City("Prueba", "America/Mexico_City", "x", "MX"), provisioning=ProvisioningSettings()
    )
    write_settings(settings)
    create_key(home)
    audit_log.begin(home)
    inventory = open_inventory(settings)
    try:
        upgrade(inventory.engine)
        with inventory.session() as session:
            queries.store_secrets(session, "ap", "root", {"password": PASSWORD}, Keyring(home))
            session.add(Device(id=NAME, name=NAME, platform="openwrt", credential_name="ap"))
        _place(inventory, point)
        with inventory.session() as session:
            devices = queries.devices(session, [NAME])
        for name, text in CANDIDATES.items():
            record = prepare_change(
                inventory, devices, author="ana", candidates={NAME: (text, False)}
            )
            assert [d.status for d in record.devices] == ["pending"], record
            scenery.changes[name] = record.id
            with inventory.session() as session:
                journal.begin(session, record.id, policy_of(settings.provisioning), "ana")
    finally:
        inventory.close()


def _place(inventory: Inventory, point: Lone) -> None:
    with inventory.session() as session:
        device = session.get_one(Device, NAME)
        device.management_address, device.ssh_port = point.address, point.port
        device.host_key = " ".join(point.known_hosts.read_text().split()[1:3])


@contextmanager
def driver_to(point: Lone, timeout: int = pusher.PATIENCE_S) -> Iterator[Any]:
    """Somebody else's driver, signed in."""
    options = {"port": point.port, "known_hosts": str(point.known_hosts)}
    with OpenWrtDriver(
        point.address, "root", PASSWORD, timeout=timeout, optional_args=options
    ) as driver:
        yield driver


@dataclass
class Stage:
    """One device and the home that pushes to it."""

    point: Lone
    inventory: Inventory
    change: int
    key: Path
    before: dict[str, bytes] = field(default_factory=dict)
    """The files of /etc/config before the push."""

    # --- Farola --------------------------------------------------------------------------------

    def pusher(self) -> tuple[Any, Any]:
        """A process that pushes, begun, and where it says how it went."""
        processes = multiprocessing.get_context("forkserver")
        processes.set_forkserver_preload([pusher.__name__])
        heard, said = processes.Pipe(duplex=False)
        process = processes.Process(
            target=pusher.push,
            args=(str(self.inventory.settings.home), str(self.key), self.change, said),
        )
        process.start()
        said.close()
        return process, heard

    def status(self) -> tuple[str, str]:
        """What Farola holds for true of the device, and why."""
        with self.inventory.session() as session:
            one = changes.load_devices(session, self.change)[0]
        return one.status, one.message

    def resolve(self) -> None:
        """Ask the device what is in doubt."""
        resolve_change(self.inventory, self.change, actor="ana")

    def logged(self) -> bool:
        """Whether the audit log is whole."""
        with self.inventory.session() as session:
            return audit_log.verify(session).broken_at is None

    # --- the device ----------------------------------------------------------------------------

    def files(self) -> dict[str, bytes]:
        """The packages in /etc/config."""
        folder = self.point.root / "etc" / "config"
        return {f.name: f.read_bytes() for f in sorted(folder.iterdir()) if f.name[0] != "."}

    def unfinished(self) -> list[str]:
        """Commits that have not ended, on the device's own disk."""
        found = (self.point.root / "etc" / "napalm-openwrt").glob("[!.]*-*/*")
        return [f"{f.parent.name} {f.name}" for f in found if f.name in UNFINISHED]

    def runs(self, candidate: str) -> str:
        """`old` or `new`, where every file is that; else what it runs is told."""
        now = self.files()
        if now == self.before:
            return "old"
        with self.inventory.session() as session:
            mine = changes.load_devices(session, self.change)[0]
        touched = {line.split()[1] for line in candidate.splitlines() if line[:8] == "package "}
        rest = {name for name in now | self.before if now.get(name) != self.before.get(name)}
        text = "".join(
            f"package {name}\n{data.decode(errors='replace')}\n" for name, data in now.items()
        )
        if rest <= touched and base_of(text, candidate) == mine.goal_hash:
            return "new"
        return f"neither: { ({name: now.get(name) for name in sorted(rest)}) }"

    def let_pass(self, seconds: float) -> None:
        """Let its time pass, and whoever wakes up act."""
        for _ in range(int(seconds // 20)):
            self.wait_up()
            self.point.strings.advance(20)
            time.sleep(0.01)
        self.wait_up()

    def wait_up(self) -> None:
        """Wait until it is up, should it boot."""
        deadline = time.monotonic() + 60
        while not self.point.strings.state().booted:
            assert time.monotonic() < deadline, "it does not come up"
            time.sleep(0.005)

    def live_name(self) -> str | None:
        """The name that it goes by, over SSH; None where nobody gets in."""
        for _ in range(5):  # a machine that is busy may take its time
            with suppress(NapalmException), driver_to(self.point, timeout=20) as driver:
                return str(driver.get_facts()["hostname"])
            time.sleep(0.2)
        return None


@contextmanager
def staged(scenery: Scenery, folder: Path, candidate: Candidate, worn: bool) -> Iterator[Stage]:
    """A device and a home, as new."""
    home = folder / "home"
    shutil.copytree(scenery.disk(worn) / "home", home)
    shutil.copytree(scenery.disk(worn) / NAME / "root", folder / NAME / "root", symlinks=True)
    os.environ["FAROLA_KEY_FILE"] = str(scenery.key)
    with ExitStack() as inside:
        point = inside.enter_context(lone_point(folder, NAME, time_rate=RATE))
        inventory = open_inventory(load_settings(home))
        inside.callback(inventory.close)
        _place(inventory, point)
        stage = Stage(point, inventory, scenery.changes[candidate], scenery.key)
        stage.before = stage.files()
        yield stage
