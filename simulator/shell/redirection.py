"""Redirections: which open file a command reads from and writes to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulator.shell import expand
from simulator.shell.nodes import Redirect
from simulator.shell.streams import Bytes, FileSink, Nowhere, Sink

if TYPE_CHECKING:
    from simulator.shell.interpreter import Shell


async def redirect(shell: Shell, redirects: Iterable[Redirect]) -> bool:
    """Apply redirections to the shell's open files; False (told, status 1) where one fails."""
    for item in redirects:
        target = await expand.text_of(shell, item.target)
        try:
            _one(shell, item.fd, item.op, target)
        except OSError as error:
            verb = "open" if item.op == "<" else "create"
            reason = os.strerror(error.errno or 5)
            if error.errno == 2:
                reason = "no such file" if verb == "open" else "nonexistent directory"
            shell.complain(f"can't {verb} {target}: {reason}")
            shell.status = 1
            return False
    return True


def _one(shell: Shell, fd: int, op: str, target: str) -> None:
    match op:
        case "<<":
            shell.fds[fd] = Bytes(target.encode("utf-8", "surrogateescape"))
        case "<" | "<>":
            shell.fds[fd] = Bytes(shell.flash.read(shell.path(target)))
        case ">" | ">|" | ">>":
            shell.fds[fd] = _output(shell, shell.path(target), append=op == ">>")
        case _ if target == "-":
            shell.fds.pop(fd, None)
        case _ if target.isdigit() and int(target) in shell.fds:
            shell.fds[fd] = shell.fds[int(target)]
        case _:
            raise OSError(9, "Bad file descriptor")


def _output(shell: Shell, path: str, *, append: bool) -> Sink:
    real = shell.flash.resolve(path)
    if real == "/dev/null":
        return Nowhere()
    if real in {"/dev/stderr", "/dev/stdout", "/dev/tty", "/dev/console"}:
        stream = shell.fds.get(2 if real == "/dev/stderr" else 1)
        return stream if isinstance(stream, Sink) else Nowhere()
    return FileSink(shell.flash, path, append=append)
