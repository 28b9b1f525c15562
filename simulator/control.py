"""The strings of a pretend access point: how a test makes it suffer, and asks what it did.

`Strings` is what a test holds. Behind it is an access point of a fleet, reached through a socket in
its folder that only the same user may open, or one in this process (`alone`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.faults import Fault, Traced

if TYPE_CHECKING:
    from simulator.access_point import AccessPoint
    from simulator.device import Settings

SOCKET = "control"
_PATIENCE_S = 60.0
_LINE = 64 * 1024 * 1024


@dataclass(frozen=True)
class State:
    """How an access point is."""

    booted: bool
    boots: int
    uptime_s: float
    date: float
    listens: bool
    """Whether SSH takes connections."""
    reachable: bool
    portal: bool
    serving: Mapping[str, bool]
    """By radio: whether it serves, or is off or still listening for radar."""
    waiting: int
    """Faults that were ordered and have not struck."""
    struck: tuple[Fault, ...]


@dataclass(frozen=True)
class Ran:
    """What a script left behind."""

    status: int
    out: str
    err: str


class Strings:
    """Orders to one access point. Each returns when it is done."""

    def __init__(self, ask: Any) -> None:
        self._ask = ask

    def order(self, *faults: Fault) -> None:
        """Have these strike from now on (see simulator.faults.Fault)."""
        self._ask("order", faults=[asdict(fault) for fault in faults])

    def clear(self) -> None:
        """Forget faults, struck or not, and the trace."""
        self._ask("clear")

    def trace(self) -> list[Traced]:
        """The steps of the files since the last `clear`, in order; of very many the last."""
        return [Traced(**one) for one in self._ask("trace")]

    def state(self) -> State:
        """How it is."""
        found = self._ask("state")
        found["struck"] = tuple(
            Fault(**{**one, "steps": tuple(one["steps"])}) for one in found["struck"]
        )
        return State(**found)

    def power_cut(self, seed: int | None = None) -> None:
        """Cut the power and wait until it is up again.

        Without `seed` all that was not synced is lost; with it chance decides what is.
        """
        self._ask("power_cut", seed=seed)

    def reboot(self) -> None:
        """Reboot in good order and wait until it is up again."""
        self._ask("reboot")

    def wait_booted(self, boots: int = 1) -> None:
        """Wait until it is up, and came up `boots` times or more since its start."""
        self._ask("wait_booted", boots=boots)

    def run(self, script: str, stdin: str = "") -> Ran:
        """Run a script on the device, not over SSH."""
        return Ran(**self._ask("run", script=script, stdin=stdin))

    def advance(self, seconds: float) -> None:
        """Let so much of its time pass at once; who sleeps wakes up and has had a moment to act."""
        self._ask("advance", seconds=seconds)

    def jump(self, seconds: float) -> None:
        """Set its date forward, or back below 0; the monotonic clock does not notice."""
        self._ask("jump", seconds=seconds)

    def kill(self, pattern: str, signal: int = 9) -> int:
        """Kill background processes and daemons whose command `pattern` is found in: how many."""
        return int(self._ask("kill", pattern=pattern, signal=signal))

    def full(self, *, full: bool) -> None:
        """Let its flash be full, or have room again."""
        self._ask("full", full=full)

    def portal(self, *, up: bool) -> None:
        """Let its portal page answer, or not."""
        self._ask("portal", up=up)


class _Orders:
    """What the words of `Strings` do to an access point."""

    def __init__(self, point: AccessPoint) -> None:
        self.point = point

    async def __call__(self, word: str, **given: Any) -> Any:
        method = getattr(self, word) if word in _WORDS else None
        if method is None:
            raise ValueError(f"no order {word!r}")
        result = method(**given)
        return await result if asyncio.iscoroutine(result) else result

    def order(self, faults: Sequence[dict[str, Any]]) -> None:
        self.point.faults.order(*(Fault(**{**one, "steps": tuple(one["steps"])}) for one in faults))

    def clear(self) -> None:
        self.point.faults.clear()

    def trace(self) -> list[dict[str, Any]]:
        return [asdict(one) for one in self.point.faults.trace]

    def state(self) -> dict[str, Any]:
        device = self.point.device
        return {
            "booted": self.point.booted.is_set(), "boots": self.point.boots,
            "uptime_s": device.uptime_s, "date": device.clock(),
            "listens": self.point.ssh.listens, "reachable": device.reachable,
            "portal": device.portal_answers,
            "serving": device.serving(),
            **self.point.faults.state(),
        }  # fmt: skip

    async def power_cut(self, seed: int | None) -> None:
        self.point.power_cut(None if seed is None else random.Random(seed))  # noqa: S311 - chance that repeats
        await self.point.booted.wait()

    async def reboot(self) -> None:
        boots = self.point.boots
        await self.point.reboot()
        await self.wait_booted(boots + 1)

    async def wait_booted(self, boots: int) -> None:
        while not (self.point.booted.is_set() and self.point.boots >= boots):
            await asyncio.sleep(0.005)

    async def run(self, script: str, stdin: str) -> dict[str, Any]:
        from simulator.shell.runs import run_text

        status, out, err = await run_text(self.point.device, script, stdin.encode())
        return {"status": status, "out": out, "err": err}

    async def advance(self, seconds: float) -> None:
        self.point.device.time.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0)

    def jump(self, seconds: float) -> None:
        self.point.device.time.jump(seconds)

    def kill(self, pattern: str, signal: int) -> int:
        return self.point.device.kill_matching(pattern, signal)

    def full(self, full: bool) -> None:
        self.point.device.flash.full = full

    def portal(self, up: bool) -> None:
        self.point.device.portal_up = up


_WORDS = frozenset(name for name in vars(_Orders) if not name.startswith("_"))


# --- through a socket ----------------------------------------------------------------------------


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A path of the socket that is short enough for any folder's depth."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


async def serve_orders(point: AccessPoint) -> asyncio.Server:
    """Take orders through the socket in the device's folder."""
    orders = _Orders(point)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                asked = json.loads(line)
                try:
                    answer = {"result": await orders(asked.pop("word"), **asked)}
                except (ValueError, TypeError, OSError) as error:
                    answer = {"error": f"{type(error).__name__}: {error}"}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    folder = point.settings.folder
    (folder / SOCKET).unlink(missing_ok=True)
    with _short(folder) as path:
        server = await asyncio.start_unix_server(talk, path, limit=_LINE)
    (folder / SOCKET).chmod(0o600)
    return server


def strings(folder: Path) -> Strings:
    """The strings of a fleet's device, by its folder (`FleetDevice.folder`)."""

    def ask(word: str, **given: Any) -> Any:
        with socket.socket(socket.AF_UNIX) as connection, _short(folder) as path:
            connection.settimeout(_PATIENCE_S)
            connection.connect(path)
            connection.sendall(json.dumps({"word": word, **given}).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline() or b'{"error": "it ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    return Strings(ask)


# --- in this process ----------------------------------------------------------------------


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[Strings]:
    """One access point in a thread of this process: quick to start, for tests that need many."""
    from simulator.access_point import AccessPoint

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="access point", daemon=True)
    thread.start()

    def call(work: Any, patience: float = _PATIENCE_S) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(patience)

    point = AccessPoint(settings)
    orders = _Orders(point)
    try:
        call(point.start())
        yield Strings(lambda word, **given: call(orders(word, **given)))
    finally:
        call(point.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
