"""What is kept of a device between polls, and which of its messages are believed: authentic, of
the level that was asked at, of its engine, and not older than what it said before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from collectors.snmp.model import Usm
from collectors.snmp.v3.message import (
    AUTH,
    PRIV,
    REPORT,
    REPORTABLE,
    Header,
    Message,
    Pdu,
    decode_scoped,
    encode_scoped,
)
from collectors.snmp.v3.security import (
    NOT_DECRYPTED,
    NOT_IN_WINDOW,
    STATS,
    UNKNOWN_ENGINE,
    UNKNOWN_USER,
    UNSUPPORTED_LEVEL,
    WRONG_DIGEST,
    EngineClock,
    authentic,
    level_of,
    opened,
    secured,
)
from collectors.snmp.v3.usm import DecryptionError, LocalKeys

LEVELS = {0: "noAuthNoPriv", AUTH: "authNoPriv", AUTH | PRIV: "authPriv"}


class DistrustError(ValueError):
    """A message that is not believed: forged, replayed, downgraded or of another engine."""


@dataclass(slots=True)
class Session:
    """A device's engine: its id, its clock (by a steady one of ours), our keys for it.

    `proven` once an answer was opened with these keys; `cisco` says how they were lengthened.
    """

    usm: Usm
    engine_id: bytes = b""
    clock: EngineClock = field(default_factory=EngineClock)
    keys: LocalKeys = field(default_factory=LocalKeys)
    clock_known: bool = False
    """Whether the clock was read from an authentic message."""
    proven: bool = False
    cisco: bool = False

    def forget(self) -> None:
        """Its engine has to be discovered anew."""
        self.engine_id, self.clock, self.keys = b"", EngineClock(), LocalKeys()
        self.clock_known = self.proven = self.cisco = False

    def set_clock(self, message: Message, now: float) -> None:
        """Take over the clock that `message` tells."""
        self.clock = EngineClock(message.boots, message.time_s, now)


def seal(session: Session, pdu: bytes, msg_id: int, level: int, now: float) -> bytes:
    """A request to the session's engine at `level`; without an engine, one that discovers it."""
    user = session.usm.user.encode() if session.engine_id else b""
    clock = (session.clock.boots, session.clock.now_s(now)) if level & AUTH else (0, 0)
    header = Header(msg_id, level | REPORTABLE, session.engine_id, *clock, user)
    return secured(header, session.usm, session.keys, encode_scoped(session.engine_id, pdu))


def unseal(session: Session, message: Message, level: int, request_id: int, now: float) -> Pdu:
    """The response or report in `message`, which answers the request sent at `level`.

    A response is believed at that level only, a report at any. The session's clock follows
    authentic messages. Raises DistrustError or MalformedError.
    """
    had = message.level
    pdu = decode_scoped(_trusted(session, message, level))
    if pdu.kind == REPORT:
        if level & AUTH and report_of(pdu) == NOT_IN_WINDOW:
            if not had & AUTH:
                raise DistrustError("a clock that nobody signed")
            session.set_clock(message, now)
        return pdu
    if had != level or not session.engine_id or message.engine_id != session.engine_id:
        raise DistrustError("a response at a lower level than was asked at")
    if message.user != session.usm.user.encode() or pdu.request_id != request_id:
        raise DistrustError("another user's or request's response")
    if had & AUTH and not session.clock_known:
        session.set_clock(message, now)
        session.clock_known = True
    elif had & AUTH and not session.clock.follow(message.boots, message.time_s, now):
        raise DistrustError("older than what the engine said before")
    return pdu


def _trusted(session: Session, message: Message, level: int) -> bytes:
    """The scoped PDU of a message, verified and decrypted."""
    if message.level & ~level:
        raise DistrustError("another level than was asked at")
    if not message.level & AUTH:
        return message.data
    if message.engine_id != session.engine_id or message.user != session.usm.user.encode():
        raise DistrustError("another engine's or user's message")
    if not authentic(message, session.usm, session.keys):
        raise DistrustError("its digest is wrong")
    try:
        return opened(message, session.usm, session.keys)
    except DecryptionError as error:
        raise DistrustError(str(error)) from None


def report_of(pdu: Pdu) -> int:
    """Which counter of usmStats the report names; 0 for another."""
    oid = pdu.varbinds[0][0] if pdu.varbinds else ()
    return oid[len(STATS)] if oid[: len(STATS)] == STATS and len(oid) > len(STATS) else 0


def told_by(report: int, usm: Usm, pdu: Pdu) -> str:
    """What a report means, for people."""
    user = f"user {usm.user!r}"
    level = LEVELS[level_of(usm)]
    texts = {
        UNSUPPORTED_LEVEL: f"{user} is not set up for {level} on the device (unsupportedSecLevels)",
        NOT_IN_WINDOW: "the device's clock keeps leaving the time window (notInTimeWindows)",
        UNKNOWN_USER: f"the device does not know {user} (unknownUserNames)",
        UNKNOWN_ENGINE: "the device keeps changing its engine id (unknownEngineIDs)",
        WRONG_DIGEST: f"authentication password or protocol of {user} is wrong (wrongDigests)",
        NOT_DECRYPTED: f"privacy password or protocol of {user} is wrong (decryptionErrors)",
    }
    oid = ".".join(map(str, pdu.varbinds[0][0])) if pdu.varbinds else "nothing"
    return f"SNMPv3: {texts.get(report) or f'refused by a report of {oid}'}"
