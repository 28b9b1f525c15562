"""One access point as a process: the device, its SSH server and its SNMP agent together."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from simulator.device import Device, Settings
from simulator.snmp_agent import Agent
from simulator.ssh_server import SshServer


class AccessPoint:
    """Starts, reboots and stops one device's servers, with the faults it is to have."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.device = Device(settings)
        wrong = "wrong-host-key" in settings.faults
        self.ssh = SshServer(self.device, settings.seed + (" another" if wrong else ""))
        self.agent = Agent(self.device)
        self._booting = asyncio.Lock()

    async def start(self, *, first: bool = True) -> None:
        """Boot, then listen. OSError where an address is taken."""
        faults = self.settings.faults
        self.device.on_reboot = self.reboot
        self.device.on_reload = lambda _service, _action: None
        await self.device.boot(first=first)
        if "dead" in faults:
            return
        if "snmp-silent" not in faults:
            await self.agent.start(already_up_s=self.settings.up_before_s if first else 0.0)
        if "ssh-refuses" not in faults:
            await self.ssh.start()
        self.device.on_reload = self.agent.on_service

    async def stop(self) -> None:
        """Cut everything at once, as a power cut does."""
        self.device.on_reload = lambda _service, _action: None
        self.agent.stop()
        await self.ssh.stop()
        self.device.halt()

    async def reboot(self) -> None:
        """Go away for `boot_seconds` and come back with uptime and counters at zero."""
        if self._booting.locked():
            return
        async with self._booting:
            await self.stop()
            await asyncio.sleep(self.settings.boot_seconds)
            await self.start(first=False)


async def serve(settings: Settings, on_ready: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP is a power cut and a new boot."""
    point = AccessPoint(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    reboots: set[asyncio.Task[None]] = set()

    def reboot() -> None:
        task = loop.create_task(point.reboot())
        reboots.add(task)
        task.add_done_callback(reboots.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reboot)
    await point.start()
    on_ready()
    await stop.wait()
    await point.stop()
