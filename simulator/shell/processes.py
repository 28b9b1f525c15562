"""The processes of a pretend device: tasks with a number, that can be listed, awaited, killed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from simulator.shell.interpreter import Shell


Origin = Literal["session", "background", "boot"]


@dataclass
class Process:
    """A running command. `shell` is its interpreter, once it has one."""

    pid: int
    command: str
    origin: Origin = "session"
    """Run by a session while it waits, left in the background, or by the boot."""
    task: asyncio.Task[int] | None = None
    shell: Shell | None = None
    signal: int = 0
    status: int | None = None


current: ContextVar[Process | None] = ContextVar("current", default=None)
"""The process that what runs now belongs to; stages of a pipeline inherit it."""


@dataclass
class Processes:
    """All processes of a device; numbers go up and are not used again until a reboot."""

    first: int = 1200
    running: dict[int, Process] = field(default_factory=dict)
    _last: int = 0
    _ending: list[asyncio.Task[int]] = field(default_factory=list)

    def new(self, command: str, origin: Origin | None = None) -> Process:
        """A process that is about to start; without `origin` it has that of who starts it."""
        self._last = max(self._last, self.first) + 1
        parent = current.get()
        process = Process(self._last, command, origin or (parent.origin if parent else "session"))
        self.running[process.pid] = process
        return process

    def start(self, process: Process, work: Coroutine[object, object, int]) -> Process:
        """Run `work` as the process, in the background."""
        if process.origin == "session":
            process.origin = "background"
        process.task = asyncio.get_running_loop().create_task(self._run(process, work))
        process.task.add_done_callback(lambda _task: self._over(process, work))
        return process

    async def _run(self, process: Process, work: Coroutine[object, object, int]) -> int:
        current.set(process)
        try:
            process.status = await work
        except asyncio.CancelledError:
            process.status = 128 + (process.signal or 15)
        return process.status

    def _over(self, process: Process, work: Coroutine[object, object, int]) -> None:
        if process.status is None:  # killed before its first step
            process.status = 128 + (process.signal or 15)
            work.close()
        self.running.pop(process.pid, None)

    def end(self, process: Process) -> None:
        """A process that ran in its caller's task is over."""
        self.running.pop(process.pid, None)

    def kill(self, pid: int, signal: int) -> bool:
        """Send a signal; False where there is no such process. 0 only asks."""
        process = self.running.get(pid)
        if process is None:
            return False
        if signal == 0:
            return True
        ignored = process.shell is not None and process.shell.ignores(signal)
        if process.task is not None and (signal == 9 or not ignored):
            process.signal = signal
            process.task.cancel()
        return True

    def kill_all(self) -> None:
        """End everything, as a reboot does."""
        for process in list(self.running.values()):
            process.signal = 9
            if process.task is not None:
                process.task.cancel()
                self._ending.append(process.task)
        self.running.clear()
        self._last = 0

    async def gone(self) -> None:
        """Wait until all that `kill_all` ended has come to its end."""
        tasks = [task for task in self._ending if task is not asyncio.current_task()]
        self._ending.clear()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
