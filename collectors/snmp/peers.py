"""What is remembered of the engines that send v3 traps: their clocks, so that a recorded message
cannot be sent again (RFC 3414, 3.2.7b), and our own engine, which informs are addressed to.

Both outlive a restart in FAROLA_HOME, without any secret.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from collectors.snmp.model import Usm
from collectors.snmp.recent import remember
from collectors.snmp.v3.security import LATEST_BOOTS, TIME_WINDOW_S, EngineClock
from farola.errors import SettingsError
from farola.files import locked, written_whole

ENGINE_FILE, PEERS_FILE = "snmp-engine.json", "snmp-peers.json"
ENGINES, DIGESTS = 50_000, 100_000
"""Engines and digests of messages that are remembered; the oldest make room."""
PLACES = 4
"""Places that one engine is remembered at."""
Row = tuple[str, str, str, dict[str, tuple[int, int, float]]]
"""Engine id, fingerprint of the credential, home, and by place boots, time and when that was."""
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
        with locked(home / f"{ENGINE_FILE}.lock"):
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


class Sender(NamedTuple):
    """Who an authentic message is from: an engine, the user whose key proves it, and the device at
    the address that it came from (empty where that is nobody's).
    """

    engine_id: bytes
    usm: Usm
    place: str = ""


@dataclass(slots=True)
class _Engine:
    """An engine, as one credential speaks for it: its clock at each place that it is heard from.

    `home` is the first of these that is a device's.
    """

    home: str
    clocks: dict[str, EngineClock] = field(default_factory=dict)


class Peers:
    """The clocks of engines whose messages proved authentic, and the digests of those messages.

    A clock is one credential's at one place: who holds another device's credential, or sends from
    another address, cannot put it forward and so silence the device. `fingerprint` names a
    credential without telling it; `now_s` is wall time in seconds, so that a clock outlives a
    restart.
    """

    def __init__(self, fingerprint: Callable[[str], str] | None = None) -> None:
        self._fingerprint = fingerprint or _short_lived()
        self._engines: OrderedDict[tuple[bytes, str], _Engine] = OrderedDict()
        self._digests: OrderedDict[tuple[bytes, bytes], float] = OrderedDict()

    def in_window(self, sender: Sender, boots: int, time_s: int, now_s: float) -> bool:
        """Whether an authentic message of then is no old one; the clock of its engine at that
        place is set by it.

        The first message of an engine is taken for new: a sender of traps cannot be asked. From
        elsewhere than its home it must not be older than its clock there either.
        """
        if boots >= LATEST_BOOTS:
            return False
        key = (sender.engine_id, self._mark(sender.usm))
        engine = self._engines.get(key)
        if engine is None or (sender.place and not engine.home):
            engine = _Engine(sender.place)
        remember(self._engines, key, engine, ENGINES)
        home = engine.clocks.get(engine.home)
        if home is not None and engine.home != sender.place:
            at_home = replace(home)  # asked, not set: this is not its place
            if not at_home.follow(boots, time_s, now_s):
                return False
        clock = engine.clocks.setdefault(sender.place, EngineClock(boots, time_s, now_s))
        for place in [one for one in engine.clocks if one not in {engine.home, sender.place}]:
            if len(engine.clocks) > PLACES:
                del engine.clocks[place]
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
            rows = json.loads((home / PEERS_FILE).read_text(encoding="utf-8"))
            for engine_id, mark, first, clocks in rows[-ENGINES:]:
                self._engines[bytes.fromhex(engine_id), str(mark)] = _Engine(
                    str(first),
                    {
                        str(place): EngineClock(int(boots), int(time_s), float(at_s))
                        for place, (boots, time_s, at_s) in clocks.items()
                    },
                )

    def rows(self) -> list[Row]:
        """What `save_peers` writes: taken in the loop, so that it can be written in a thread."""
        return [
            (
                engine_id.hex(), mark, one.home,
                {place: (c.boots, c.time_s, round(c.at)) for place, c in one.clocks.items()},
            )
            for (engine_id, mark), one in self._engines.items()
        ]  # fmt: skip

    def _mark(self, usm: Usm) -> str:
        return self._fingerprint("\0".join(astuple(usm)))


def _short_lived() -> Callable[[str], str]:
    """Fingerprints that nobody else can make, nor we after a restart."""
    key = secrets.token_bytes(32)
    return lambda text: hmac.new(key, text.encode(), "sha256").hexdigest()[:16]


def save_peers(home: Path, rows: list[Row]) -> None:
    """Keep the clocks for the next run; OSError if that cannot be written."""
    if rows:
        _write(home / PEERS_FILE, rows)


def _write(path: Path, data: Any) -> None:
    with written_whole(path) as out:
        out.write(json.dumps(data).encode())
