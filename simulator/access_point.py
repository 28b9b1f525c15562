"""One access point as a process: the device, its SSH server and its SNMP agent together."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable

from simulator.control import serve_orders
from simulator.device import Device, Kept, Settings
from simulator.faults import Faults
from simulator.firmware import Image
from simulator.snmp_agent import Agent
from simulator.ssh_server import SshServer


class AccessPoint:
    """Starts, reboots and stops one device's servers, with the faults it is to have."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.device = Device(settings)
        self.faults = Faults(self)
        wrong = "wrong-host-key" in settings.faults
        self.ssh = SshServer(
            self.device, settings.seed + (" another" if wrong else ""), self.faults
        )
        self.agent = Agent(self.device)
        self.booted = asyncio.Event()
        self.boots = 0
        """How often it came up."""
        self._life: asyncio.Task[None] | None = None
        """The reboot under way."""
        self._reachable: asyncio.Task[None] | None = None
        self._no_address: OSError | None = None

    async def start(self, *, first: bool = True) -> None:
        """Boot, then listen. OSError where an address is taken.

        SSH comes up at its place in the boot: when dropbear runs and the network is there.
        """
        faults = self.settings.faults
        self.device.on_reboot = self.reboot
        self.device.on_power_cut = self.power_cut
        self.device.on_upgrade = self.upgrade
        self.device.on_reload = lambda _service, _action: self._check_reachable()
        await self.device.boot(first=first)
        if self._reachable is not None:
            await self._reachable
        if self._no_address is not None:
            raise self._no_address
        if "dead" not in faults:
            if "snmp-silent" not in faults and self.device.reachable:
                await self.agent.start(already_up_s=self.settings.up_before_s if first else 0.0)
            self.device.on_reload = self._on_service
        self.boots += 1
        self.booted.set()

    def _on_service(self, service: str, action: str) -> None:
        self.agent.on_service(service, action)
        self._check_reachable()

    def _check_reachable(self) -> None:
        """Listen or not, as the services that ran last have it."""
        if {"dead", "ssh-refuses"} & self.settings.faults:
            return
        device = self.device
        listens = device.reachable and "dropbear" in device.started
        if listens and not self.ssh.listens:
            if self._reachable is not None and not self._reachable.done():
                return
            self._reachable = asyncio.get_running_loop().create_task(self._listen())
        elif not device.reachable:
            self.ssh.halt()
        elif not listens:
            self.ssh.stop_listening()

    async def _listen(self) -> None:
        try:
            await self.ssh.start()
            self._no_address = None
            if not self.ssh.listens:  # told to stop meanwhile, and perhaps to start again
                asyncio.get_running_loop().call_soon(self._check_reachable)
        except OSError as error:
            self._no_address = error
            self.device.say("dropbear", str(error))

    def _down(self) -> None:
        """Cut everything at once, as a power cut does."""
        self.booted.clear()
        self.device.on_reload = lambda _service, _action: None
        self.agent.stop()
        self.ssh.halt()
        self.device.halt()

    async def stop(self) -> None:
        """End for good."""
        if self._life is not None:
            self._life.cancel()
        self._down()
        await asyncio.sleep(0)

    def power_cut(self, rng: random.Random | None = None) -> None:
        """Power goes now, also in the middle of a boot, and is back after `boot_seconds`."""
        self.device.flash.off = True
        self._down()
        self.device.lose_power(rng)
        self._again(orderly=False)

    async def reboot(self) -> None:
        """Go away in good order for `boot_seconds` and come back with uptime and counters at 0."""
        if self._life is None or self._life.done():
            self._again(orderly=True)

    def upgrade(self, image: Image, kept: Kept) -> None:
        """Write `image`, which takes as long as a boot, and boot it; power that goes meanwhile
        leaves the old system.
        """

        async def write() -> bool:
            await asyncio.sleep(self.settings.boot_seconds)
            if image.boots == "falls back":
                await asyncio.sleep(2 * self.settings.boot_seconds)
            elif image.boots == "yes":
                self.device.install_image(image, kept)
            return image.boots != "never"

        self._again(write=write)

    def _again(
        self, *, orderly: bool = False, write: Callable[[], Awaitable[bool]] | None = None
    ) -> None:
        before = self._life
        if before is not None and before is not asyncio.current_task():
            before.cancel()
        work = self._go_away(before, orderly=orderly, write=write)
        self._life = asyncio.get_running_loop().create_task(work)

    async def _go_away(
        self, before: asyncio.Task[None] | None, *, orderly: bool,
        write: Callable[[], Awaitable[bool]] | None,
    ) -> None:  # fmt: skip
        if before is not None:
            await asyncio.wait([before])
        if orderly:
            await self.device.shut_down()
            self._down()
        if write is not None:
            await asyncio.sleep(0.05)  # what sysupgrade said last still reaches its session
            self._down()
            if not await write():
                return
        await asyncio.sleep(self.settings.boot_seconds)
        await self.device.processes.gone()
        await self.start(first=False)


async def serve(settings: Settings, on_ready: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP is a power cut and a new boot."""
    point = AccessPoint(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, point.power_cut)
    await point.start()
    orders = await serve_orders(point)
    on_ready()
    await stop.wait()
    orders.close()
    await point.stop()
