"""Runs parsed scripts. Everything is a coroutine, so that a device's shells, watchers and
services share one small process and any of them can be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from simulator.shell import compound, expand
from simulator.shell.control import SIGNALS, Break, Exit, Return
from simulator.shell.nodes import (
    AndOr,
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Loop,
    Pipeline,
    Redirect,
    Redirected,
    Simple,
    Subshell,
)
from simulator.shell.nodes import Sequence as Script
from simulator.shell.parse import ShellSyntaxError, parse
from simulator.shell.processes import Process
from simulator.shell.redirection import redirect
from simulator.shell.streams import Bytes, Collected, Nowhere, Pipe, Sink, Source

if TYPE_CHECKING:
    from simulator.device import Device

DEPTH = 60
"""How deep calls, substitutions and programs may nest."""
_YIELD_EVERY = 50

Stream = Source | Sink | Pipe


class Shell:
    """The state of one shell: variables, functions, open files, where it stands."""

    def __init__(self, device: Device, process: Process, name: str = "sh") -> None:
        self.device = device
        self.flash = device.flash
        self.process = process
        process.shell = self
        self.name = name
        self.vars: dict[str, str] = {
            "HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PWD": "/root",
            "USER": "root", "SHELL": "/bin/ash", "IFS": " \t\n", "PS1": r"\u@\h:\w\$ ",
        }  # fmt: skip
        self.exported = {"HOME", "PATH", "PWD", "USER", "SHELL"}
        self.functions: dict[str, Command] = {}
        self.args: list[str] = []
        self.cwd = "/root"
        self.fds: dict[int, Stream] = {0: Bytes(), 1: Nowhere(), 2: Nowhere()}
        self.options: set[str] = set()
        self.traps: dict[str, str] = {}
        self.status = 0
        self.substituted = 0
        """Status of the newest `$(…)` of the command that is being run; `$?` does not see it."""
        self.last_background: int | None = None
        self.shell_pid = process.pid
        self.guard = 0
        """Above 0 inside a condition, where `set -e` does not apply."""
        self.depth = 0
        self.locals: list[dict[str, str | None]] = []
        self.children: dict[int, Process] = {}
        """Background commands started here, by their number: what `wait` waits for."""
        self.takes_over = False
        """Whether the next program becomes this shell's process, as after `exec`."""
        self._steps = 0

    # --- life ------------------------------------------------------------------------------

    def fork(self, process: Process | None = None) -> Shell:
        """A copy, for a subshell or a background command."""
        other = Shell.__new__(Shell)
        other.__dict__.update(self.__dict__)
        other.vars, other.functions = dict(self.vars), dict(self.functions)
        other.exported, other.options = set(self.exported), set(self.options)
        other.args, other.fds, other.locals = list(self.args), dict(self.fds), list(self.locals)
        other.children = {}
        other.takes_over = False
        # A trap is reset in a subshell, but what is ignored stays ignored.
        other.traps = {name: action for name, action in self.traps.items() if action == ""}
        if process is not None:
            other.process = process
            process.shell = other
        return other

    def child(self, process: Process, name: str) -> Shell:
        """A new shell that inherits only what a program does: exports, files, folder."""
        other = Shell(self.device, process, name)
        other.vars.update({key: self.vars[key] for key in self.exported if key in self.vars})
        other.exported = set(self.exported)
        other.cwd, other.fds, other.depth = self.cwd, dict(self.fds), self.depth
        other.traps = {key: action for key, action in self.traps.items() if action == ""}
        return other

    def ignores(self, signal: int) -> bool:
        """Whether `trap '' SIGNAL` is in force."""
        return any(
            SIGNALS.get(key) == signal and action == "" for key, action in self.traps.items()
        )

    async def main(self, work: Script) -> int:
        """Run as a whole: exits end here, and the EXIT trap (or that of a signal) runs."""
        try:
            await self.run(work)
            status = self.status
        except Exit as request:
            status = request.status
        except (Break, expand.ExpansionFault, RecursionError) as fault:
            status = 0 if isinstance(fault, Break) else 2
            if isinstance(fault, expand.ExpansionFault):
                self.complain(str(fault))
        except BrokenPipeError:
            status = 128 + SIGNALS["PIPE"]
            action = self.traps.pop("PIPE", None)
            if not action:
                return status
            with contextlib.suppress(BrokenPipeError):
                status = await self._trapped(action, status)
        except asyncio.CancelledError:
            if self.process.shell is not self or self.process.signal in {0, 9}:
                raise  # a subshell in its parent's process, or the end of all
            names = {number: name for name, number in SIGNALS.items()}
            action = self.traps.pop(names.get(self.process.signal, ""), None)
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            status = 128 + self.process.signal
            if action:
                status = await self._trapped(action, status)
        if action := self.traps.pop("EXIT", None):
            with contextlib.suppress(BrokenPipeError):
                status = await self._trapped(action, status)
        return status

    async def _trapped(self, action: str, status: int) -> int:
        self.status = status
        try:
            await self.run_text(action)
        except Exit as request:
            return request.status
        except Break:
            pass
        return status

    async def run_text(self, text: str) -> int:
        """Parse and run text here; a syntax error is told and is status 2."""
        try:
            script = parse(text)
        except (ShellSyntaxError, RecursionError) as error:
            self.complain(str(error) or "syntax error: nested too deep")
            self.status = 2
            return 2
        await self.run(script)
        return self.status

    def complain(self, message: str) -> None:
        """Write a message of the shell to standard error."""
        text = f"{self.name}: {message}\n".encode("utf-8", "surrogateescape")
        if self.ignores(SIGNALS["PIPE"]):
            with contextlib.suppress(BrokenPipeError):
                self.write(2, text)
        else:
            self.write(2, text)

    def write(self, fd: int, data: bytes) -> None:
        """Write to an open file; to a closed one nothing."""
        stream = self.fds.get(fd)
        if isinstance(stream, Sink):
            stream.write(data)

    # --- sequences ---------------------------------------------------------------------------

    async def run(self, script: Script) -> None:
        """Run commands in order."""
        for item, background in script.items:
            if background:
                self._start(item)
            else:
                await self._and_or(item)

    def _start(self, item: AndOr) -> None:
        process = self.device.processes.new(self.name)
        shell = self.fork(process)
        shell.fds[0] = Bytes()
        shell.guard = 0
        shell.takes_over = not item.rest and isinstance(item.first.commands[-1], Simple)
        self.device.processes.start(process, shell.main(Script(((item, False),))))
        self.children[process.pid] = process
        self.last_background = process.pid
        self.status = 0

    async def _and_or(self, item: AndOr) -> None:
        await self._guarded_pipeline(item.first, last=not item.rest)
        for index, (op, pipeline) in enumerate(item.rest):
            if (self.status == 0) == (op == "&&"):
                await self._guarded_pipeline(pipeline, last=index == len(item.rest) - 1)

    async def _guarded_pipeline(self, pipeline: Pipeline, *, last: bool) -> None:
        guarded = not last or pipeline.negated
        self.guard += guarded
        try:
            await self._pipeline(pipeline)
        finally:
            self.guard -= guarded
        if self.status and "e" in self.options and not guarded and not self.guard:
            raise Exit(self.status)

    async def _pipeline(self, pipeline: Pipeline) -> None:
        self._steps += 1
        if self._steps % _YIELD_EVERY == 0:
            await asyncio.sleep(0)
        if len(pipeline.commands) == 1:
            await self.execute(pipeline.commands[0])
        else:
            await self._piped(pipeline.commands)
        if pipeline.negated:
            self.status = int(self.status == 0)

    async def _piped(self, commands: Sequence[Command]) -> None:
        pipes = [Pipe() for _ in commands[1:]]
        tasks = []
        for index, command in enumerate(commands):
            shell = self.fork()
            if index:
                shell.fds[0] = pipes[index - 1]
            if index < len(pipes):
                shell.fds[1] = pipes[index]
            writes_to = pipes[index] if index < len(pipes) else None
            reads_from = pipes[index - 1] if index else None
            stage = _stage(shell, command, reads_from, writes_to)
            tasks.append(asyncio.get_running_loop().create_task(stage))
        try:
            statuses = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        self.status = statuses[-1]
        if "pipefail" in self.options:
            self.status = next((status for status in reversed(statuses) if status), 0)

    # --- commands ------------------------------------------------------------------------------

    async def execute(self, command: Command) -> None:
        """Run one command; its status is left in `status`."""
        match command:
            case Simple():
                from simulator.shell.commands import run_simple

                await run_simple(self, command)
            case Redirected(inner, redirects):
                await self._with_redirects(inner, redirects)
            case Group(body):
                await self.run(body)
            case Subshell(body):
                self.status = await self.fork().main(body)
            case If() | Loop() | For() | Case():
                await compound.run(self, command)
            case Function(name, body):
                self.functions[name] = body
                self.status = 0

    async def call(self, body: Command, args: list[str]) -> None:
        """Call a function."""
        if self.depth >= DEPTH:
            self.complain("too many nested calls")
            raise Exit(2)
        saved, self.args = self.args, args
        self.locals.append({})
        self.depth += 1
        try:
            await self.execute(body)
        except Return as request:
            self.status = request.status
        finally:
            self.depth -= 1
            self.args = saved
            for name, value in self.locals.pop().items():
                if value is None:
                    self.vars.pop(name, None)
                else:
                    self.vars[name] = value

    # --- expansion's needs -----------------------------------------------------------------------

    def parameter(self, name: str) -> str | None:  # noqa: PLR0911 - one a special name
        """Value of `$name`; None where it is not set."""
        match name:
            case "?":
                return str(self.status)
            case "$":
                return str(self.shell_pid)
            case "!":
                return str(self.last_background) if self.last_background else None
            case "#":
                return str(len(self.args))
            case "0":
                return self.name.lstrip("-") if not self.name.startswith("-") else self.name
            case "-":
                return "".join(sorted(flag for flag in self.options if len(flag) == 1))
            case "@" | "*":
                return " ".join(self.args) if self.args else None
        if name.isdigit():
            index = int(name)
            return self.args[index - 1] if index <= len(self.args) else None
        return self.vars.get(name)

    async def substitute(self, body: Script) -> str:
        """Output of `$(…)` without its trailing newlines."""
        shell = self.fork()
        shell.depth += 1
        if shell.depth > DEPTH:
            raise expand.ExpansionFault("too many nested substitutions")
        collected = Collected()
        shell.fds[1] = collected
        self.substituted = await shell.main(body)
        text = bytes(collected.data).replace(b"\0", b"").decode("utf-8", "surrogateescape")
        return text.rstrip("\n")

    async def _with_redirects(self, command: Command, redirects: Iterable[Redirect]) -> None:
        saved = dict(self.fds)
        if not await redirect(self, redirects):
            self.fds = saved
            return
        try:
            await self.execute(command)
        finally:
            self.fds = saved

    def path(self, text: str) -> str:
        """`text` as an absolute path on the device."""
        return text if text.startswith("/") else f"{self.cwd}/{text}"


async def _stage(shell: Shell, command: Command, before: Pipe | None, after: Pipe | None) -> int:
    try:
        item = AndOr(Pipeline((command,), negated=False), ())
        return await shell.main(Script(((item, False),)))
    finally:
        if before is not None:
            before.abandon()
        if after is not None:
            after.end()
