"""What is remembered of the engines that send v3 traps: their clocks, so that a recorded message
cannot be sent again (RFC 3414, 3.2.7b), and our own engine, which informs are addressed to.

Both outlive a restart in FAROLA_HOME, without any secret.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.snmp.recent import remember
from collectors.snmp.v3.security import LATEST_BOOTS, TIME_WINDOW_S, EngineClock
from farola.errors import SettingsError

ENGINE_FILE, PEERS_FILE = "snmp-engine.json", "snmp-peers.json"
ENGINES, DIGESTS = 50_000, 100_000
"""Engines and digests of messages that are remembered; the oldest make room."""
_PREFIX = bytes.fromhex("80004fb805")
"""RFC 3411: pysnmp's enterprise number (20408, Farola has none), then octets of our choice."""


@dataclass(frozen=True)
class OwnEngine:
    """Our engine: its id for ever, how often it started, and when it did (a steady clock, s)."""

    id: bytes
    boots: int
    started_s: float = 0.0

    def time_s(self, now_s: float) -> int:
        """Whole seconds since it started."""
        return max(0, int(now_s - self.started_s))


def start_engine(home: Path, now_s: float) -> OwnEngine:
    """Our engine, its boots one higher than at any start before; a file that is damaged makes it
    another engine, which senders of informs discover by themselves.
    """
    try:
        with _locked(home / f"{ENGINE_FILE}.lock"):
            identity, boots = _read_engine(home / ENGINE_FILE)
            if boots >= LATEST_BOOTS - 1:
                identity, boots = _new_id(), 0
            engine = OwnEngine(identity, boots + 1, now_s)
            _write(home / ENGINE_FILE, {"engine_id": identity.hex(), "boots": engine.boots})
    except OSError as error:
        raise SettingsError(
            f"{home / ENGINE_FILE}: cannot be written: {error.strerror}; traps need it"
        ) from None
    return engine


def _new_id() -> bytes:
    return _PREFIX + secrets.token_bytes(12)


def _read_engine(path: Path) -> tuple[bytes, int]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        identity, boots = bytes.fromhex(data["engine_id"]), int(data["boots"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return _new_id(), 0
    return (identity, boots) if 5 <= len(identity) <= 32 and boots >= 0 else (_new_id(), 0)


class Peers:
    """The clocks of engines whose messages proved authentic, and the digests of those messages.

    `now_s` is wall time in seconds, so that a clock outlives a restart.
    """

    def __init__(self) -> None:
        self._clocks: OrderedDict[bytes, EngineClock] = OrderedDict()
        self._digests: OrderedDict[tuple[bytes, bytes], float] = OrderedDict()

    def in_window(self, engine_id: bytes, boots: int, time_s: int, now_s: float) -> bool:
        """Whether an authentic message of then is no old one; its engine's clock is set by it.

        The first message of an engine is taken for new: a sender of traps cannot be asked.
        """
        if boots >= LATEST_BOOTS:
            return False
        clock = self._clocks.get(engine_id) or EngineClock(boots, time_s, now_s)
        remember(self._clocks, engine_id, clock, ENGINES)
        return clock.follow(boots, time_s, now_s)

    def repeated(self, engine_id: bytes, digest: bytes, now_s: float) -> bool:
        """Whether an authentic message with this digest came within the window already."""
        key = (engine_id, digest)
        before = self._digests.get(key)
        remember(self._digests, key, now_s, DIGESTS)
        return before is not None and now_s - before <= 2 * TIME_WINDOW_S

    def load(self, home: Path) -> None:
        """Read the clocks that an earlier run saved; what cannot be read is forgotten."""
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            data = json.loads((home / PEERS_FILE).read_text(encoding="utf-8"))
            for engine_id, (boots, time_s, at_s) in list(data.items())[-ENGINES:]:
                clock = EngineClock(int(boots), int(time_s), float(at_s))
                self._clocks[bytes.fromhex(engine_id)] = clock

    def rows(self) -> dict[str, tuple[int, int, float]]:
        """What `save` writes: taken in the loop, so that it can be written in a thread."""
        return {key.hex(): (c.boots, c.time_s, round(c.at)) for key, c in self._clocks.items()}


def save_peers(home: Path, rows: dict[str, tuple[int, int, float]]) -> None:
    """Keep the clocks for the next run; OSError if that cannot be written."""
    if rows:
        _write(home / PEERS_FILE, rows)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, data: Any) -> None:
    """Whole or not at all, its owner's alone."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(data, out)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
