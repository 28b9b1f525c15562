"""Runs simple commands: assignments, functions, builtins, applets and scripts of the device."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.shell import expand
from simulator.shell.control import SIGNALS, Exit
from simulator.shell.nodes import Simple
from simulator.shell.redirection import redirect
from simulator.shell.streams import Bytes, Sink, Source

if TYPE_CHECKING:
    from simulator.device import Device
    from simulator.flash import Flash
    from simulator.shell.interpreter import Shell

_PROGRAM_FOLDERS = {"/bin", "/sbin", "/usr/bin", "/usr/sbin"}


@dataclass
class Call:
    """A command about to run: its arguments (without the name) and what it may touch."""

    name: str
    args: list[str]
    shell: Shell

    @property
    def flash(self) -> Flash:
        """The device's files."""
        return self.shell.flash

    @property
    def device(self) -> Device:
        """The device."""
        return self.shell.device

    @property
    def stdin(self) -> Source:
        """Standard input."""
        stream = self.shell.fds.get(0)
        return stream if isinstance(stream, Source) else Bytes()

    @property
    def stdout(self) -> Sink | None:
        """Standard output, None where it is closed."""
        stream = self.shell.fds.get(1)
        return stream if isinstance(stream, Sink) else None

    def path(self, text: str) -> str:
        """`text` as an absolute path."""
        return self.shell.path(text)

    def out(self, text: str) -> None:
        """Write text to standard output."""
        self.shell.write(1, text.encode("utf-8", "surrogateescape"))

    def out_bytes(self, data: bytes) -> None:
        """Write bytes to standard output."""
        self.shell.write(1, data)

    def err(self, text: str) -> int:
        """Write `name: text` to standard error; returns 1, the status of most failures."""
        line = f"{self.name}: {text}\n"
        self.shell.write(2, line.encode("utf-8", "surrogateescape"))
        return 1

    def fault(self, path: str, error: OSError) -> int:
        """Tell why a file cannot be used; returns 1."""
        return self.err(f"{path}: {os.strerror(error.errno or 5)}")

    async def input(self, path: str | None) -> bytes:
        """Content of a file, or of standard input for None and `-`."""
        if path is None or path == "-":
            return await self.stdin.read()
        return self.flash.read(self.path(path))


Applet = Callable[[Call], "int | Awaitable[int]"]


async def run_simple(shell: Shell, command: Simple) -> None:
    """Run a simple command; its status is left in the shell."""
    shell.substituted = 0
    try:
        argv = [text for word in command.words for text in await expand.fields(shell, word)]
    except expand.ExpansionFault as fault:
        shell.complain(str(fault))
        raise Exit(2) from None
    if not argv:
        await _assign_only(shell, command)
        return
    saved_fds = dict(shell.fds)
    saved_vars: dict[str, str | None] = {}
    saved_exports = set(shell.exported)
    keep_fds = False
    try:
        if command.redirects and not await redirect(shell, command.redirects):
            return
        for name, word in command.assignments:
            value = await expand.text_of(shell, word)
            saved_vars.setdefault(name, shell.vars.get(name))
            shell.vars[name] = value
            shell.exported.add(name)
        if "x" in shell.options:
            shell.write(2, ("+ " + " ".join(argv) + "\n").encode("utf-8", "surrogateescape"))
        keep_fds = argv[0] == "exec"
        if shell.takes_over and shell.process.shell is shell:
            shell.process.command = " ".join(argv)
        shell.status = await dispatch(shell, argv)
    finally:
        if not (keep_fds and len(argv) == 1):
            shell.fds = saved_fds
        shell.exported = saved_exports | (shell.exported - set(saved_vars))
        for name, before in saved_vars.items():
            if before is None:
                shell.vars.pop(name, None)
            else:
                shell.vars[name] = before


async def _assign_only(shell: Shell, command: Simple) -> None:
    for name, word in command.assignments:
        shell.vars[name] = await expand.text_of(shell, word)
    shell.status = shell.substituted
    saved = dict(shell.fds)
    if command.redirects:
        status = shell.status
        if await redirect(shell, command.redirects):
            shell.status = status
        shell.fds = saved


def applet_named(shell: Shell, name: str) -> Applet | None:
    """A program that the device brings along, or what its shell does itself."""
    from simulator.shell.applets import APPLETS
    from simulator.shell.builtins import BUILTINS

    if name in shell.device.settings.lacks:
        return None
    return BUILTINS.get(name) or APPLETS.get(name)


async def dispatch(shell: Shell, argv: list[str]) -> int:
    """Run `argv` as function, builtin, applet or script; returns its status."""
    name = argv[0]
    if name in shell.functions:
        await shell.call(shell.functions[name], argv[1:])
        return shell.status
    applet = applet_named(shell, name)
    if "/" in name:
        return await run_path(shell, name, argv[1:])
    if applet is None:
        path = find_program(shell, name)
        if path is None:
            shell.complain(f"{name}: not found")
            return 127
        return await run_path(shell, path, argv[1:])
    return await run_applet(applet, Call(name, argv[1:], shell))


def _in_shell(name: str) -> bool:
    """Whether ash does it itself, so that a SIGPIPE is the shell's own end."""
    from simulator.shell.builtins import BUILTINS

    return name in {"echo", "printf", "test", "[", "kill"} or (
        name in BUILTINS and name not in {"sh", "ash", "which"}
    )


async def run_applet(applet: Applet, call: Call) -> int:
    """Run an applet; a full flash or a missing file ends it with a message, never the shell."""
    try:
        result = applet(call)
        return result if isinstance(result, int) else await result
    except BrokenPipeError:
        if call.shell.ignores(SIGNALS["PIPE"]):
            with contextlib.suppress(BrokenPipeError):
                call.err("write error: Broken pipe")
            return 1
        if _in_shell(call.name):
            raise  # SIGPIPE ends the whole shell
        return 128 + SIGNALS["PIPE"]
    except OSError as error:
        where = f"{error.filename}: " if error.filename else "write error: "
        call.err(where + os.strerror(error.errno or 5))
        return 1
    except (ValueError, IndexError, OverflowError):  # a number that is none, an argument missing
        call.err("invalid argument")
        return 1


def find_program(shell: Shell, name: str) -> str | None:
    """A script in a folder of PATH."""
    for folder in shell.vars.get("PATH", "").split(":"):
        path = f"{folder}/{name}"
        if folder and shell.flash.is_file(path) and shell.flash.stat(path).st_mode & 0o111:
            return path
    return None


async def run_path(shell: Shell, name: str, args: list[str]) -> int:
    """Run a script of the device, or an applet by its path such as /sbin/uci."""
    from simulator.shell.scripts import run_script

    path = shell.path(name)
    if not shell.flash.exists(path):
        folder, _, last = path.rpartition("/")
        applet = applet_named(shell, last)
        if folder in _PROGRAM_FOLDERS and applet is not None:
            return await run_applet(applet, Call(last, args, shell))
        shell.complain(f"{name}: not found")
        return 127
    if shell.flash.is_dir(path) or not shell.flash.stat(path).st_mode & 0o111:
        shell.complain(f"{name}: Permission denied")
        return 126
    return await run_script(shell, name, args)
