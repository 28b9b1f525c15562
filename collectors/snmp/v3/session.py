"""What is kept of a device between polls, and which of its messages are believed: authentic, of
the level that was asked at, of its engine, and not older than what it said before.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from collectors.snmp.model import Oid, Usm
from collectors.snmp.v3.message import (
    AUTH,
    PRIV,
    REPORT,
    REPORTABLE,
    Header,
    MalformedError,
    Message,
    Pdu,
    decode_scoped,
    encode_message,
    encode_scoped,
)
from collectors.snmp.v3.usm import (
    AUTH_PROTOCOLS,
    DecryptionError,
    LocalKeys,
    decrypt,
    digest,
    encrypt,
)

TIME_WINDOW_S = 150
LATEST_BOOTS = 2**31 - 1
UNSUPPORTED_LEVEL, NOT_IN_WINDOW, UNKNOWN_USER, UNKNOWN_ENGINE, WRONG_DIGEST, NOT_DECRYPTED = range(
    1, 7
)
_STATS: Oid = (1, 3, 6, 1, 6, 3, 15, 1, 1)
LEVELS = {0: "noAuthNoPriv", AUTH: "authNoPriv", AUTH | PRIV: "authPriv"}


class DistrustError(ValueError):
    """A message that is not believed: forged, replayed, downgraded or of another engine."""


def level_of(usm: Usm) -> int:
    """AUTH and PRIV as the user has them."""
    return (AUTH if usm.auth_protocol else 0) | (PRIV if usm.priv_protocol else 0)


@dataclass(slots=True)
class Session:
    """A device's engine: its id, its clock as of `at` (seconds of a steady clock), our keys for it.

    `proven` once an answer was opened with these keys; `cisco` says how they were lengthened.
    """

    usm: Usm
    engine_id: bytes = b""
    boots: int = 0
    time_s: int = 0
    at: float = 0.0
    keys: LocalKeys = field(default_factory=LocalKeys)
    clock_known: bool = False
    """Whether the clock was read from an authentic message."""
    proven: bool = False
    cisco: bool = False

    def forget(self) -> None:
        """Its engine has to be discovered anew."""
        self.engine_id, self.keys = b"", LocalKeys()
        self.boots = self.time_s = 0
        self.clock_known = self.proven = self.cisco = False

    def set_clock(self, message: Message, now: float) -> None:
        """Take over the clock that `message` tells."""
        self.boots, self.time_s, self.at = message.boots, message.time_s, now

    def now_s(self, now: float) -> int:
        """The engine's time as it must be by now."""
        return min(self.time_s + int(now - self.at), LATEST_BOOTS)


def seal(session: Session, pdu: bytes, msg_id: int, level: int, now: float) -> bytes:
    """A request to the session's engine at `level`; without an engine, one that discovers it."""
    usm = session.usm
    user = usm.user.encode() if session.engine_id else b""
    clock = (session.boots, session.now_s(now)) if level & AUTH else (0, 0)
    data, salt = encode_scoped(session.engine_id, pdu), b""
    if level & PRIV:
        data, salt = encrypt(usm.priv_protocol, session.keys.priv, data, clock)
    size = AUTH_PROTOCOLS[usm.auth_protocol][1] if level & AUTH else 0
    header = Header(msg_id, level | REPORTABLE, session.engine_id, *clock, user, salt)
    packet, at = encode_message(header, size, data)
    if not size:
        return packet
    return packet[:at] + digest(usm.auth_protocol, session.keys.auth, packet) + packet[at + size :]


def unseal(session: Session, message: Message, level: int, request_id: int, now: float) -> Pdu:
    """The response or report in `message`, which answers the request sent at `level`.

    A response is believed at that level only, a report at any. The session's clock follows
    authentic messages. Raises DistrustError or MalformedError.
    """
    had = message.flags & (AUTH | PRIV)
    pdu = decode_scoped(_opened(session, message, had, level))
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
    if had & AUTH:
        _check_clock(session, message, now)
    return pdu


def _opened(session: Session, message: Message, had: int, level: int) -> bytes:
    """The scoped PDU of a message secured as `had` says, verified and decrypted."""
    usm = session.usm
    if had == PRIV:
        raise MalformedError("privacy without authentication")
    if had & ~level:
        raise DistrustError("another level than was asked at")
    if not had & AUTH:
        return message.data
    if message.engine_id != session.engine_id or message.user != usm.user.encode():
        raise DistrustError("another engine's or user's message")
    wanted = digest(usm.auth_protocol, session.keys.auth, message.without_digest())
    if not hmac.compare_digest(wanted, message.digest):
        raise DistrustError("its digest is wrong")
    if not had & PRIV:
        return message.data
    clock = (message.boots, message.time_s)
    try:
        return decrypt(usm.priv_protocol, session.keys.priv, message.data, message.salt, clock)
    except DecryptionError as error:
        raise DistrustError(str(error)) from None


def _check_clock(session: Session, message: Message, now: float) -> None:
    """RFC 3414, 3.2, 7b."""
    told, known = (message.boots, message.time_s), (session.boots, session.time_s)
    if session.clock_known:
        late = message.time_s < session.now_s(now) - TIME_WINDOW_S
        if message.boots < session.boots or (message.boots == session.boots and late):
            raise DistrustError("older than what the engine said before")
        if told < known:
            return
    session.set_clock(message, now)
    session.clock_known = True


def report_of(pdu: Pdu) -> int:
    """Which counter of usmStats the report names; 0 for another."""
    oid = pdu.varbinds[0][0] if pdu.varbinds else ()
    return oid[len(_STATS)] if oid[: len(_STATS)] == _STATS and len(oid) > len(_STATS) else 0


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
