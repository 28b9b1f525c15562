"""Reads a capture through the process that imports scapy (`collectors.airwaves.reader`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from collectors.airwaves.beacon import Beacon, from_line
from farola.errors import InputError

MAGICS = (
    b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)  # fmt: skip
"""First four bytes of pcap (two byte orders, micro- and nanoseconds) and of pcapng."""
GZIP = b"\x1f\x8b"

ROOT = Path(__file__).resolve().parents[2]


def is_capture(head: bytes) -> bool:
    """Whether a file that starts with `head` is a capture, packed with gzip or not."""
    return head[:4] in MAGICS or head[:2] == GZIP


def read_beacons(path: Path, counts: MutableMapping[str, int]) -> Iterator[Beacon]:
    """Beacons and probe responses of a capture, in its order.

    `counts` is filled at the end: `frames`, `beacons`, `probe_responses`, and the frames skipped
    by reason (`other`, `truncated`, `malformed`, `corrupt`, `no_time`, `link`).

    Raises
    ------
    InputError
        Not a capture, or not of Wi-Fi in monitor mode.
    """
    command = [sys.executable, "-P", "-m", "collectors.airwaves.reader", str(path.absolute())]
    search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with (
        tempfile.TemporaryFile() as faults,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=faults,
            env={**os.environ, "PYTHONPATH": search},
        ) as process,
    ):
        try:
            yield from _lines(process, counts)
        finally:
            process.kill()
            process.wait()
        if not counts:
            faults.seek(0)
            said = faults.read().decode("utf-8", "replace").strip().splitlines()
            raise InputError(f"{path}: {said[-1] if said else 'its reader stopped early'}")


def _lines(process: subprocess.Popen[bytes], counts: MutableMapping[str, int]) -> Iterator[Beacon]:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    for line in process.stdout:
        if line.startswith(b"["):
            yield from_line(line)
        else:
            counts.update(json.loads(line)["counts"])
