"""What a test orders a pretend access point to suffer, and when: to the step, so that it repeats.

A `Fault` waits for the n-th thing of its kind that matches (a step of the files, a command over
SSH, a sign-in), strikes once, and is used up. `Faults` also keeps the trace of all steps, from
which a test learns where it may strike.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import re
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from simulator.flash import Step
from simulator.shell.processes import Origin, current

if TYPE_CHECKING:
    from simulator.access_point import AccessPoint

Action = Literal["power", "kill", "drop", "full", "hang", "garbage", "error", "reboot", "jump"]
"""power: cut it · kill: SIGKILL to the process that makes the step · drop: every SSH connection is
cut, the device goes on · full: the flash takes nothing any more · hang: a session that never
answers · garbage: a session that answers noise · error: this step fails with EIO · reboot: an
orderly reboot begins · jump: the date moves by `seconds`."""
Event = Literal["step", "exec", "login"]
_TRACE = 20_000


@dataclass(frozen=True)
class Fault:
    """What happens, and at the n-th what of those that match."""

    action: Action
    at: Event = "step"
    number: int = 1
    """Counted from when it was ordered."""
    when: Literal["before", "after"] = "before"
    origin: Origin | Literal[""] = ""
    """Only steps of a session, of what runs in the background, or of the boot."""
    steps: tuple[Step, ...] = ()
    """Only these kinds of step."""
    path: str = ""
    """Only steps whose path this pattern is found in; of an exec, its command."""
    seed: int | None = None
    """Of a power cut: chance decides what survives of what was not synced; None: nothing does.
    Of garbage: which."""
    seconds: float = 0.0
    """Of a jump of the date."""

    def __post_init__(self) -> None:
        """Refuse what could never strike."""
        allowed: dict[Event, tuple[str, ...]] = {
            "step": ("power", "kill", "drop", "full", "error", "reboot", "jump"),
            "exec": ("power", "kill", "drop", "full", "hang", "garbage", "reboot", "jump"),
            "login": ("power", "drop", "hang", "reboot", "jump"),
        }
        if self.action not in allowed[self.at]:
            raise ValueError(f"no fault {self.action!r} at a {self.at}; there are {allowed}")
        if self.number < 1 or set(self.steps) - set(get_args(Step)):
            raise ValueError(f"{self}: a number below 1, or a kind of step that there is not")
        if self.action == "error" and self.when == "after":
            raise ValueError("a step that is done cannot fail")


@dataclass(frozen=True)
class Traced:
    """A step that a device made."""

    number: int
    kind: Step
    path: str
    origin: Origin | Literal[""]
    pid: int


class Faults:
    """The orders of one access point, and what it did."""

    def __init__(self, point: AccessPoint) -> None:
        self._point = point
        self._orders: dict[Fault, int] = {}
        self.struck: list[Fault] = []
        self.trace: deque[Traced] = deque(maxlen=_TRACE)
        self._count = 0
        point.device.flash.watch = self.on_step

    def order(self, *faults: Fault) -> None:
        """Expect these from now on."""
        for fault in faults:
            self._orders[fault] = 0

    def clear(self) -> None:
        """Forget all orders, what struck and the trace; a full flash has room again."""
        self._orders.clear()
        self.struck.clear()
        self.trace.clear()
        self._count = 0
        self._point.device.flash.full = "flash-full" in self._point.settings.faults

    def state(self) -> dict[str, Any]:
        """What is ordered and what struck, as plain data."""
        return {"waiting": len(self._orders), "struck": [asdict(one) for one in self.struck]}

    # --- events ------------------------------------------------------------------------------

    def on_step(self, kind: Step, path: str, done: bool) -> None:
        """A step of the files: before it, and when it is done."""
        process = current.get()
        origin: Origin | Literal[""] = process.origin if process else ""
        if not done:
            self._count += 1
            pid = process.pid if process else 0
            self.trace.append(Traced(self._count, kind, path, origin, pid))

        def matches(fault: Fault) -> bool:
            return (
                fault.at == "step"
                and (fault.when == "after") == done
                and fault.origin in {"", origin}
                and (not fault.steps or kind in fault.steps)
                and re.search(fault.path, path) is not None
            )

        for fault in self._due(matches):
            self._strike(fault, path)

    def on_session(self, event: Event, command: str = "", *, done: bool = False) -> Fault | None:
        """A sign-in or a command; returns the fault of the session itself, hang or garbage."""

        def matches(fault: Fault) -> bool:
            return (
                fault.at == event
                and (fault.when == "after") == done
                and re.search(fault.path, command) is not None
            )

        own = None
        for fault in self._due(matches):
            if fault.action in {"hang", "garbage"}:
                self.struck.append(fault)
                own = fault
            else:
                self._strike(fault, "")
        return own

    def _due(self, matches: Callable[[Fault], bool]) -> list[Fault]:
        due = []
        for fault in [one for one in self._orders if matches(one)]:
            self._orders[fault] += 1
            if self._orders[fault] == fault.number:
                del self._orders[fault]
                due.append(fault)
        return due

    def _strike(self, fault: Fault, path: str) -> None:
        self.struck.append(fault)
        device = self._point.device
        match fault.action:
            case "power":
                device.power_cut(None if fault.seed is None else random.Random(fault.seed))  # noqa: S311 - chance that repeats
                raise asyncio.CancelledError
            case "kill":
                process = current.get()
                if process is not None:
                    device.kill(process.pid, 9)
                    process.signal = 9
                raise asyncio.CancelledError
            case "drop":
                self._point.ssh.drop()
            case "full":
                device.flash.full = True
            case "error":
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)
            case "reboot":
                device.request_reboot()
            case "jump":
                device.time.jump(fault.seconds)


def noise(seed: int | None) -> bytes:
    """What a device says that has lost its mind."""
    chance = random.Random(seed or 0)  # noqa: S311
    return chance.randbytes(chance.randrange(1, 4000))
