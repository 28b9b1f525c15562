"""A pretend access point without SSH around it, on which the driver's scripts run step by step.

Its time stands still unless it is told to pass, so a run is the same each time: the n-th change of
a file is always the same one, and there a fault strikes.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from napalm.base.exceptions import ConnectionClosedException, ConnectionException

from napalm_openwrt import confirming, transaction
from napalm_openwrt.configuring import Configuring
from napalm_openwrt.session import Output
from napalm_openwrt.uci_text import Config, format_config, parse
from simulator.device import Device, Settings
from simulator.flash import in_memory
from simulator.shell.interpreter import Shell
from simulator.shell.parse import parse as parse_script
from simulator.shell.processes import current
from simulator.shell.streams import Bytes, Collected
from simulator.stock_config import Identity

TOUCHED = ("network", "system")
REVERT_S = 6
APPLY_S = 8
PATIENCE_S = 40
"""Longer than any window, so that whoever is still at it then never ends."""


@dataclass(frozen=True)
class Strike:
    """A fault at the n-th step of the files, counted over all that runs."""

    what: Literal["power", "kill", "full"]
    number: int
    when: Literal["before", "after"] = "before"
    seed: int | None = None
    """Of a power cut: chance decides what survives of what was not synced; None: nothing does."""


@dataclass(frozen=True)
class Step:
    """A change of the files: what, where, and by whom."""

    kind: str
    path: str
    by: str
    """`session`, `background` or `boot`."""

    def told(self) -> str:
        """In words in which neither the commit's id nor a process's number stands."""
        path = re.sub(r"[0-9a-f]{14}-[0-9a-f]{8}", "ID", self.path)
        return f"{self.kind} {path}"


class Bench:
    """The device, and whoever would be the driver's session."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.loop = asyncio.new_event_loop()
        self.device = Device(
            Settings(
                identity=Identity("ap", "02:00:00:00:00:01", "S-1", "02:00:00:00:00:02",
                                  "02:00:00:00:00:03"),
                address="127.0.0.1", ssh_port=1, snmp_port=2, folder=folder, seed="1",
                password="-",
            )
        )  # fmt: skip
        self.access = SimpleNamespace(name="ap")
        self.steps: list[Step] = []
        self.strikes: list[Strike] = []
        self.dark = False
        self.boots = 0
        for script in (self.root / "etc" / "rc.d").iterdir():
            if script.name[3:] not in {"boot", "system", "network", "napalm-openwrt"}:
                script.unlink()
        self._do(self.device.boot(first=True))
        self.device.flash.sync()
        self.device.flash.watch = self._on_step

    def close(self) -> None:
        """End what runs."""
        self.device.halt()
        self._settle()
        self.loop.close()
        shutil.rmtree(self.root.parent)

    # --- the session ---------------------------------------------------------------------------

    def run(self, command: str, stdin: str = "", timeout: float | None = None) -> Output:
        """As `Session.run`."""
        del timeout
        if self.dark:
            raise ConnectionClosedException("no power")
        process = self.device.processes.new(f"ash -c {command[:60]}", "session")
        shell = Shell(self.device, process, "ash")
        out, err = Collected(), Collected()
        shell.fds = {0: Bytes(stdin.encode()), 1: out, 2: err}

        async def main() -> int:
            current.set(process)
            return await shell.main(parse_script(command))

        task = process.task = self.loop.create_task(main())
        while not task.done():
            self._settle()
            if not task.done():
                self.device.time.advance(0.1)
        self.device.processes.end(process)
        if task.cancelled() or process.signal or self.dark:
            raise ConnectionClosedException("the session ended")
        return Output(task.result(), bytes(out.data).decode(), bytes(err.data).decode())

    # --- time and power --------------------------------------------------------------------------

    def pass_time(self, seconds: int) -> None:
        """Let time pass, a second at a time, or until nothing of ours runs any more."""
        for _ in range(seconds):
            self._settle()
            if self.dark or not self.device.processes.running:
                return
            self.device.time.advance(1)
        self._settle()

    def power_on(self) -> None:
        """Boot, as often as it takes: a strike may fall into that too."""
        while self.dark:
            self.dark = False
            self.boots += 1
            try:
                self._do(self.device.boot())
            except asyncio.CancelledError:
                self.dark = True

    def _do(self, work: Coroutine[Any, Any, object]) -> None:
        task = self.loop.create_task(work)
        while not task.done():
            self._settle()
            if not task.done():
                self.device.time.advance(1)
        task.result()

    def _settle(self) -> None:
        """Run all that can go on without time passing."""

        async def idle() -> None:
            loop: Any = self.loop
            await asyncio.sleep(0)
            while loop._ready:
                await asyncio.sleep(0)

        self.loop.run_until_complete(idle())

    def _on_step(self, kind: str, path: str, done: bool) -> None:
        process = current.get()
        if not done:
            path = re.sub("^/var/", "/tmp/", path)  # as on every OpenWrt: a link into memory
            self.steps.append(Step(kind, path, process.origin if process else ""))
        when = "after" if done else "before"
        for strike in [s for s in self.strikes if (s.number, s.when) == (len(self.steps), when)]:
            self.strikes.remove(strike)
            if strike.what == "full":
                self.device.flash.full = True
                continue
            if strike.what == "power":
                self.dark = True
                chance = None if strike.seed is None else random.Random(strike.seed)
                self.device.power_cut(chance)
            elif process is not None:
                self.device.kill(process.pid, 9)
                process.signal = 9
            raise asyncio.CancelledError

    # --- what is there ---------------------------------------------------------------------------

    def files(self) -> dict[str, str]:
        """The touched packages, as they stand."""
        folder = self.root / "etc" / "config"
        return {name: (folder / name).read_text() for name in TOUCHED if (folder / name).exists()}

    def lasting(self) -> list[int]:
        """Numbers of the steps so far that change the flash."""
        return [n for n, s in enumerate(self.steps, 1) if not in_memory(s.path)]

    def unfinished(self) -> list[str]:
        """State files of commits that have not ended."""
        found = (self.root / "etc" / "napalm-openwrt").glob("[!.]*-*/*")
        return [f.name for f in found if f.name in {"applying", "pending", "reverting"}]


def candidate(bench: Bench, name: str) -> tuple[Config, dict[str, str]]:
    """A config that differs in two packages, and the files it is laid over."""
    files = bench.files()
    system = files["system"].replace(
        re.search(r"hostname '[^']*'", files["system"])[0],  # type: ignore[index]
        f"hostname '{name}'",
    )
    network = files["network"] + f"\nconfig mark\n\toption of '{name}'\n"
    return {"system": parse(system, "system")["system"],
            "network": parse(network, "network")["network"]}, files  # fmt: skip


def commit(bench: Bench, identity: str, name: str, revert_in: int | None) -> None:
    """Commit through the driver's own transaction."""
    result, base = candidate(bench, name)
    session: Any = bench
    transaction.commit(session, result, base, transaction.Commit(identity, "model", "", revert_in))


class Driven(Configuring):
    """The driver's own look, commit and confirmation, on a bench for a session."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.access = bench, bench.access  # type: ignore[assignment]
        self.username, self.timeout, self.mask_secrets = "model", 1, False

    @property
    def session(self) -> Any:
        return self.bench

    def open(self) -> None:
        if self.bench.dark:
            raise ConnectionException("no power")

    def look_and_commit(self, identity: str, name: str, revert_in: int | None) -> None:
        """Load a candidate, see that the difference is told, and commit."""
        result, _ = candidate(self.bench, name)
        self.next_commit_id = identity
        running, difference = self.look(format_config(result), replace=True)
        assert f"+\toption hostname '{name}'" in difference
        assert f"hostname '{name}'" not in running
        assert not self.unfinished
        self.commit_config(revert_in=revert_in)


def confirm(bench: Bench, identity: str) -> None:
    """Confirm through the driver's own words."""
    session: Any = bench
    confirming.confirm(session, identity)


def take_back(bench: Bench, identity: str) -> str:
    """Roll back through the driver's own words."""
    session: Any = bench
    return confirming.take_back(session, identity, "model")


def state_of(bench: Bench, identity: str) -> str:
    """How the device says that a commit stands."""
    session: Any = bench
    return confirming.state_of(session, identity)
