"""One pretend access point: its files, its processes, its services and how it boots."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import shutil
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from simulator import running, stock_config
from simulator.clock import Clock
from simulator.firmware import Image
from simulator.flash import Flash
from simulator.kernel_files import kernel_file
from simulator.radar import Radios
from simulator.shell.interpreter import Shell
from simulator.shell.processes import Processes, current
from simulator.shell.scripts import run_script
from simulator.traffic import Traffic

_DAEMONS = (
    (1, "/sbin/procd"), (640, "/sbin/ubusd"), (680, "/sbin/logd -S 64"), (720, "/sbin/rpcd"),
    (760, "/usr/sbin/dropbear -F"), (800, "/usr/sbin/hostapd -s"), (840, "/sbin/netifd"),
    (880, "/usr/sbin/snmpd -Lf /dev/null -f"),
)  # fmt: skip

RESPAWN_S = 5.0
"""How long procd waits before it starts a daemon again that died."""

Kept = Mapping[str, tuple[bytes, int]]
"""Files that an upgrade carries over: content and mode by their path."""

FAULTS = ("dead", "snmp-silent", "ssh-refuses", "flash-full", "flaky", "wrong-host-key")
"""Ways in which a pretend access point can be made to fail."""


@dataclass(frozen=True)
class Settings:
    """What the fleet knows of one device."""

    identity: stock_config.Identity
    address: str
    ssh_port: int
    snmp_port: int
    folder: Path
    """Holds the device's files under `root/`."""
    seed: str
    password: str = field(repr=False)
    mean_clients: float = 2.0
    faults: frozenset[str] = frozenset()
    trap_to: tuple[tuple[str, int], ...] = ()
    boot_seconds: float = 1.0
    """How long it is gone when it reboots."""
    up_before_s: float = 0.0
    """Seconds it pretends to have been up when the fleet starts."""
    time_rate: float = 1.0
    """Seconds of the device in one of ours: uptime, date, sleeps, radar listening."""
    lacks: frozenset[str] = frozenset()
    """Programs that this one was built without, such as `setsid`."""
    radar_factor: float = 1.0
    """Share of the seconds that a radio listens for radar; below 1 for tests in a hurry."""


class Device:
    """State of the device. `on_reload(service, action)` tells the servers in front of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.time = Clock(settings.time_rate)
        self.clock: Callable[[], float] = self.time.wall
        """The device's date."""
        root = settings.folder / "root"
        self.flash = Flash(root, lambda path: kernel_file(self, path))
        stock_config.install(root, settings.identity)
        self.processes = Processes()
        self.locks: set[str] = set()
        self.log: deque[str] = deque(maxlen=200)
        self.traffic = Traffic(
            settings.mean_clients, settings.seed, self.time.wall, self.time.monotonic
        )
        self.on_reload: Callable[[str, str], None] = lambda _service, _action: None
        self.on_reboot: Callable[[], Awaitable[None]] | None = None
        self.on_upgrade: Callable[[Image, Kept], None] | None = None
        self.on_power_cut: Callable[[random.Random | None], None] | None = None
        self.instances: dict[str, tuple[list[str], int]] = {}
        """Programs of procd services: their command and, once started, process number."""
        self._long_up = False
        self._dead_until: dict[int, float] = {}
        self.boot_id = str(uuid.uuid4())
        self._up_since = self.time.monotonic() - settings.up_before_s
        self.hostname = "OpenWrt"
        self.radios = Radios(lambda: self.uptime_s, settings.radar_factor)
        self.started: set[str] = set()
        """Services that run."""
        self.reachable = False
        """Whether the network lets anybody in."""
        self.portal_up = True
        self.tunnels: tuple[running.Tunnel, ...] = ()
        self.snmp = running.snmp_settings(self.flash)
        self.flash.full = "flash-full" in settings.faults

    @property
    def uptime_s(self) -> float:
        """Seconds since the last boot, by a monotonic clock."""
        return self.time.monotonic() - self._up_since

    # --- booting -----------------------------------------------------------------------------

    async def boot(self, *, first: bool = False) -> None:
        """Start: memory is empty, then the scripts of /etc/rc.d run in order, then rc.local.

        `first` is the start of the fleet, when a device pretends to have been up for long.
        """
        self.flash.off = False
        self.flash.clear_memory()
        stock_config.install_memory(self.flash.root, self.settings.identity)
        self.locks.clear()
        self.instances.clear()
        self.radios.forget()
        self._long_up = first
        self.started.clear()
        self.reachable = False
        self._dead_until.clear()
        self.boot_id = str(uuid.uuid4())
        if not first:
            self._up_since = self.time.monotonic()
        self.traffic.reset()
        for name in self.flash.names("/etc/rc.d"):
            if name.startswith("S"):
                await self._boot_script(f"/etc/rc.d/{name}", "boot")
        if self.flash.is_file("/etc/rc.local"):
            await self._boot_script("/etc/rc.local", "")
        self._long_up = False
        self.say("procd", "- init complete -")

    async def _boot_script(self, path: str, argument: str) -> None:
        process = self.processes.new(f"sh {path}", "boot")
        process.task = asyncio.current_task()
        current.set(process)
        shell = Shell(self, process, "sh")
        shell.cwd = "/"
        try:
            if self.flash.is_file(path):
                await run_script(shell, path, [argument] if argument else [])
        except (OSError, RecursionError) as error:
            self.say("procd", f"{path}: {error}")
        finally:
            current.set(None)
            self.processes.end(process)

    def halt(self) -> None:
        """Power goes: every process ends."""
        self.processes.kill_all()

    def power_cut(self, rng: random.Random | None = None) -> None:
        """Cut the power now; it comes back after `boot_seconds`.

        Memory is lost, and of the flash what was not synced: all of it without `rng`, else what
        chance says (see `Journal.lose`). A device without servers in front stays off.
        """
        if self.on_power_cut is not None:
            self.on_power_cut(rng)
        else:
            self.lose_power(rng)

    def lose_power(self, rng: random.Random | None) -> None:
        """Every process ends where it is, without another step, and the flash forgets."""
        self.flash.off = True
        self.halt()
        self.flash.lose(rng)

    async def shut_down(self) -> None:
        """What an orderly reboot does first: the scripts K… of /etc/rc.d, and a sync."""
        for name in self.flash.names("/etc/rc.d") if self.flash.is_dir("/etc/rc.d") else []:
            if name.startswith("K"):
                await self._boot_script(f"/etc/rc.d/{name}", "shutdown")
        self.flash.sync()

    def request_reboot(self) -> None:
        """Reboot in a moment, so that the command that asked can still answer."""
        if self.on_reboot is not None:
            self._reboot = asyncio.get_running_loop().create_task(self._reboot_soon())

    async def _reboot_soon(self) -> None:
        await asyncio.sleep(0.1)
        if self.on_reboot is not None:
            await self.on_reboot()

    @property
    def networks(self) -> tuple[running.Network, ...]:
        """The SSIDs; one whose radio listens for radar is not up."""
        return self.radios.networks

    @property
    def portal_answers(self) -> bool:
        """Whether somebody on the street would see the portal's page."""
        return self.portal_up and self.reachable and any(self.serving().values())

    def serving(self) -> dict[str, bool]:
        """By radio: whether it serves anybody; one that listens for radar does not yet."""
        found: dict[str, bool] = {}
        for network in self.networks:
            found[network.radio] = found.get(network.radio, False) or network.up
        return found

    def upgrade(self, image: Image, kept: Kept) -> None:
        """Every session ends, and the device boots `image` with the files `kept` and no others."""
        if self.on_upgrade is not None:
            self.on_upgrade(image, kept)

    def install_image(self, image: Image, kept: Kept) -> None:
        """Put a new system in place of the old one."""
        self.flash.off = False
        shutil.rmtree(self.flash.root)
        stock_config.install(self.flash.root, self.settings.identity, image.version, image.revision)
        for path, (data, mode) in kept.items():
            target = self.flash.root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(mode)
        self.flash.sync()

    # --- services ------------------------------------------------------------------------------

    def service(self, name: str, action: str) -> None:
        """What a stock service script does; a reload takes its configuration over."""
        self.say(name, action)
        (self.started.discard if action in {"stop", "down"} else self.started.add)(name)
        if name == "network":
            self.reachable = action != "stop" and running.lets_in(self.flash)
            self.tunnels = running.tunnels(self.flash) if action != "stop" else ()
        if name == "system":
            self.hostname = running.hostname(self.flash)
        elif name in {"network", "wpad", "wifi"}:
            found = running.networks(self.flash, crc32(self.settings.seed.encode()))
            self.radios.take_over(() if action == "down" else found, at_once=self._long_up)
        elif name == "snmpd":
            self.snmp = running.snmp_settings(self.flash)
        self.on_reload(name, action)

    def reload_all(self) -> None:
        """Every service takes its configuration over (`reload_config`)."""
        for name in ("system", "network", "firewall", "dnsmasq", "dropbear", "snmpd"):
            self.service(name, "reload")

    def daemons(self) -> list[tuple[int, str]]:
        """Programs that procd keeps running: number and command line."""
        now = self.uptime_s
        return [row for row in _DAEMONS if self._dead_until.get(row[0], 0.0) <= now]

    def runs(self, daemon: str) -> bool:
        """Whether a daemon is alive, such as `rpcd`."""
        return any(command.split()[0].endswith(f"/{daemon}") for _, command in self.daemons())

    def kill(self, pid: int, signal: int) -> bool:
        """Send a signal to a process or a daemon; HUP makes a daemon reload."""
        for number, command in self.daemons():
            if number == pid:
                if signal == 1 and "snmpd" in command:
                    self.service("snmpd", "reload")
                elif signal in {9, 15} and number > 1:
                    self._dead_until[number] = self.uptime_s + RESPAWN_S
                return True
        return self.processes.kill(pid, signal)

    def kill_matching(self, pattern: str, signal: int) -> int:
        """Signal background processes and daemons that `pattern` is found in; how many."""
        rows = [(one.pid, one.command) for one in self.processes.running.values()
                if one.origin == "background"]  # fmt: skip
        hit = [pid for pid, command in (*self.daemons(), *rows) if re.search(pattern, command)]
        return sum(self.kill(pid, signal) for pid in hit)

    def say(self, who: str, what: str) -> None:
        """Add a line to the system log."""
        when = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(self.clock()))
        self.log.append(f"{when} daemon.info {who}: {what}")

    def close(self) -> None:
        """End what still runs."""
        with contextlib.suppress(RuntimeError):
            self.halt()
