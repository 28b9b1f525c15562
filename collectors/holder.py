"""How a process is told apart from every other one, and whether one of this machine still lives: a
collector that was killed need not be waited for until its lease runs out.
"""

from __future__ import annotations

import os
import re
import secrets
import zlib
from pathlib import Path

PROC = Path("/proc")
_MARK = re.compile(r"\(pid (?P<pid>\d+), (?P<machine>[0-9a-f]{8})-(?P<started>\d+)\)$")


def own_mark() -> str:
    """`(pid N, …)`: this process, as `is_gone` recognises it."""
    started = _started(os.getpid())
    if started is None:  # no /proc: nobody can tell whether it lives
        return f"(pid {os.getpid()}, {secrets.token_hex(8)})"
    return f"(pid {os.getpid()}, {_machine()}-{started})"


def is_gone(holder: str) -> bool:
    """Whether `holder` ends with the mark of a process of this machine that is no more; False
    where that cannot be told.
    """
    mark = _MARK.search(holder)
    if mark is None or mark["machine"] != _machine():
        return False
    return _started(int(mark["pid"])) != mark["started"]


def shown(holder: str) -> str:
    """`holder` for people: without what only tells processes apart."""
    return re.sub(r", [0-9a-f]+(-\d+)?\)$", ")", holder)


def _machine() -> str:
    """This start of this machine and this space of process ids (a container has its own)."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii")
        space = str((PROC / "self/ns/pid").readlink())
    except OSError:
        return ""
    return f"{zlib.crc32((boot + space).encode()):08x}"


def _started(pid: int) -> str | None:
    """When a living process started, in ticks since the machine did."""
    try:
        fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *rest = fields.rsplit(")", 1)[1].split()
    return None if state in "ZX" else rest[18]
