"""Forks pretend access points from a parent that has loaded everything: they start at once and
share its memory.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from simulator.access_point import AccessPoint, serve
from simulator.device import Settings
from simulator.snmp_agent import COLD_START, encode_trap
from simulator.stock_config import Identity

DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def preload() -> None:
    """Load what every device needs, once, before the first fork."""
    asyncio.run(_rehearse())
    gc.collect()
    gc.freeze()  # the collector then leaves the shared pages alone


async def _rehearse() -> None:
    """Boot one device and drop it: what that loads and caches is then shared by all."""
    who = Identity("rehearsal", "02:fa:00:00:00:00", "-", "02:fa:00:00:00:10", "02:fa:00:00:00:20")
    with tempfile.TemporaryDirectory() as folder:
        point = AccessPoint(Settings(who, "127.0.0.1", 0, 0, Path(folder), "rehearsal", ""))
        await point.start()
        point.agent.answer(encode_trap("public", 1.0, COLD_START, []))
        await point.stop()


def spawn(settings: Settings, close: Sequence[int]) -> tuple[int, int]:
    """Fork a device; returns its process and a pipe that says `ready`, or why it is not.

    `close` are descriptors of the parent that the child must not hold.
    """
    reader, writer = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    status = 1
    try:
        _become_device(parent, [reader, *close])
        asyncio.run(_serve(settings, writer))
        status = 0
    except OSError as error:
        os.write(writer, _reason(settings, error).encode())
    except BaseException as error:
        os.write(writer, f"{type(error).__name__}: {error}".encode()[:4000])
    finally:
        os._exit(status)  # a forked child must not run its parent's exit handlers


def _become_device(parent: int, close: Sequence[int]) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could be told
        os._exit(1)
    for descriptor in close:
        os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    os.close(nothing)


async def _serve(settings: Settings, writer: int) -> None:
    def ready() -> None:
        os.write(writer, b"ready")
        os.close(writer)

    await serve(settings, ready)


def _reason(settings: Settings, error: OSError) -> str:
    where = f"{settings.address} (ports {settings.ssh_port} and {settings.snmp_port})"
    reason = error.strerror or error
    return (
        f"cannot listen on {where}: {reason}; is another fleet running? "
        "End it, or use another --seed"
    )
