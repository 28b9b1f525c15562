"""Runs a script on a pretend device from outside, without SSH."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from simulator.shell.interpreter import Shell
from simulator.shell.parse import ShellSyntaxError, parse
from simulator.shell.processes import current
from simulator.shell.streams import Bytes, Collected

if TYPE_CHECKING:
    from simulator.device import Device


async def run_text(
    device: Device, script: str, stdin: bytes = b"", cwd: str = "/root"
) -> tuple[int, str, str]:
    """Run `script` as root in a session of its own; its status, output and errors."""
    process = device.processes.new("sh", "session")
    shell = Shell(device, process, "sh")
    shell.cwd = shell.vars["PWD"] = cwd
    out, err = Collected(), Collected()
    shell.fds = {0: Bytes(stdin), 1: out, 2: err}
    # A task of its own: it may be killed, and we are not.
    process.task = asyncio.get_running_loop().create_task(_main(shell, script))
    await asyncio.wait([process.task])
    device.processes.end(process)
    if process.task.cancelled():
        return 128 + (process.signal or 9), _text(out), _text(err)
    return process.task.result(), _text(out), _text(err)


async def _main(shell: Shell, script: str) -> int:
    current.set(shell.process)
    try:
        return await shell.main(parse(script))
    except (ShellSyntaxError, RecursionError) as error:
        shell.complain(str(error) or "syntax error: nested too deep")
        return 2


def _text(collected: Collected) -> str:
    return bytes(collected.data).decode("utf-8", "surrogateescape")
