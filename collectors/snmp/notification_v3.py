"""SNMPv3 traps and informs: who signed it, is it new, what does it say, and what is answered.

Of a trap the sender's engine is authoritative and not known before; of an inform ours is, and
senders learn it, and its clock, from our reports (RFC 3414, 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pysnmp.proto import rfc1905
from pysnmp.proto.api import v2c
from pysnmp.proto.mpmod.rfc3412 import ScopedPDU

from collectors.snmp.model import Oid, Usm
from collectors.snmp.notification import Notification, notification_of
from collectors.snmp.notification_usm import (
    AUTH,
    BROKEN,
    PRIV,
    REPORTABLE,
    Keys,
    LocalKeys,
    Message,
    Security,
    Speaker,
    authentic,
    read_message,
    scoped_pdu,
    write_message,
)
from collectors.snmp.peers import WINDOW_S, OwnEngine, Peers
from collectors.snmp.pysnmp_values import NOT_SNMP

_STATS: Oid = (1, 3, 6, 1, 6, 3, 15, 1, 1)
UNSUPPORTED_LEVEL, NOT_IN_WINDOW, UNKNOWN_USER, UNKNOWN_ENGINE, WRONG_DIGEST, NOT_DECRYPTED = range(
    1, 7
)
"""usmStats… of SNMP-USER-BASED-SM-MIB."""
Users = Callable[[bytes], Sequence[Usm]]
WRONG_USER = ("wrong_user", UNKNOWN_USER)
CANDIDATES = 4
"""Users of the same name that a message is tried with."""


@dataclass(frozen=True)
class Heard:
    """A notification with what is to acknowledge it, or an `outcome` that says why there is none,
    and perhaps a report that tells the sender.
    """

    outcome: str = ""
    notification: Notification | None = None
    reply: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Proved:
    usm: Usm
    keys: LocalKeys


class V3Ear:
    """Opens v3 messages; remembers keys, clocks and digests, all bounded."""

    def __init__(self, engine: OwnEngine, peers: Peers | None = None) -> None:
        self.engine = engine
        self.peers = peers or Peers()
        self._keys = Keys()
        self._reports: dict[int, int] = {}

    def hear(self, packet: bytes, users: Users, now_s: float, wall_s: float) -> Heard:
        """What `packet` is. `users` gives those who may have sent it, by their name; `now_s` is a
        steady clock, `wall_s` the time of day, both in seconds.
        """
        message = read_message(packet)
        if message is None:
            return Heard("malformed")
        if not message.engine_id:
            return self._told(message, "discovery", UNKNOWN_ENGINE, now_s)
        named = users(message.user)[:CANDIDATES]
        # What is signed counts: a user with a password is not believed without.
        able = [
            usm
            for usm in named
            if message.level <= _level(usm) and (message.level & AUTH or not usm.auth_protocol)
        ]
        if not able:
            outcome, stat = ("weak_level", UNSUPPORTED_LEVEL) if named else WRONG_USER
            return self._told(message, outcome, stat, now_s)
        proved = self._prove(message, able)
        if proved is None:
            return self._told(message, "wrong_key", WRONG_DIGEST, now_s)
        return self._opened(message, proved, now_s, wall_s)

    def _prove(self, message: Message, users: Sequence[Usm]) -> _Proved | None:
        for usm in users:
            keys = self._keys.of(usm, message.engine_id)
            if not message.level & AUTH:
                return _Proved(usm, keys)
            if authentic(message, usm, keys):
                self._keys.keep(usm, message.engine_id, keys)
                return _Proved(usm, keys)
        return None

    def _opened(self, message: Message, by: _Proved, now_s: float, wall_s: float) -> Heard:
        """What an authentic message says; `not_in_window` where it is an old one."""
        ours = message.engine_id == self.engine.id
        if message.level & AUTH and not self._fresh(message, ours, now_s, wall_s):
            return self._told(message, "not_in_window", NOT_IN_WINDOW, now_s, by)
        opened = scoped_pdu(message, by.keys)
        if opened is None:
            return self._told(message, "wrong_key", NOT_DECRYPTED, now_s)
        scoped, cipher = opened
        try:
            notification = notification_of(scoped[2].getComponent(), user=by.usm.user)
            inform = scoped[2].getName() == "inform-request"
        except NOT_SNMP:
            notification, inform = None, False
        if notification is None or (ours and not inform):
            return Heard("malformed")
        if inform and not ours:  # its sender has to discover our engine
            return self._told(message, "discovery", UNKNOWN_ENGINE, now_s)
        if inform:
            reply = self._response(message, by, scoped, cipher, now_s)
            return Heard("", notification, reply) if reply else Heard("malformed")
        again = message.level & AUTH and self.peers.repeated(
            message.engine_id, message.digest, wall_s
        )
        return Heard("replayed") if again else Heard("", notification)

    def _fresh(self, message: Message, ours: bool, now_s: float, wall_s: float) -> bool:
        if not ours:
            return self.peers.in_window(message.engine_id, message.boots, message.time_s, wall_s)
        mine = self.engine
        return message.boots == mine.boots and abs(mine.time_s(now_s) - message.time_s) <= WINDOW_S

    def _speaker(self, now_s: float) -> Speaker:
        return Speaker(self.engine.id, self.engine.boots, self.engine.time_s(now_s))

    def _response(
        self, message: Message, by: _Proved, scoped: Any, cipher: Any, now_s: float
    ) -> bytes | None:
        try:
            asked = scoped[2].getComponent()
            pdu = v2c.apiPDU.get_response(asked)
            v2c.apiPDU.set_varbinds(pdu, v2c.apiPDU.get_varbinds(asked))
            return write_message(
                self._speaker(now_s),
                message.id,
                _scoped(bytes(scoped[0]), bytes(scoped[1]), pdu),
                Security(by.usm, by.keys, message.level, cipher),
            )
        except BROKEN:
            return None

    def _told(
        self, message: Message, outcome: str, stat: int, now_s: float, by: _Proved | None = None
    ) -> Heard:
        """`outcome`, with a report where its sender waits for one. Only the one about the clock is
        signed: it is the one that a sender sets its own by.
        """
        if not message.flags & REPORTABLE:
            return Heard(outcome if outcome != "discovery" else "malformed")
        self._reports[stat] = self._reports.get(stat, 0) + 1
        pdu = rfc1905.ReportPDU()
        v2c.apiPDU.set_defaults(pdu)
        v2c.apiPDU.set_request_id(pdu, 0)
        v2c.apiPDU.set_varbinds(pdu, [((*_STATS, stat, 0), v2c.Counter32(self._reports[stat]))])
        signed = by is not None and message.engine_id == self.engine.id
        security = Security(by.usm, by.keys, AUTH) if by and signed else Security()
        scoped = _scoped(self.engine.id, b"", pdu)
        return Heard(
            outcome, reply=write_message(self._speaker(now_s), message.id, scoped, security)
        )


def _scoped(engine_id: bytes, context: bytes, pdu: Any) -> Any:
    scoped = ScopedPDU()
    scoped[0], scoped[1] = engine_id, context
    scoped[2].setComponentByType(pdu.tagSet, pdu, verifyConstraints=False, matchTags=False,
                                 matchConstraints=False)  # fmt: skip
    return scoped


def _level(usm: Usm) -> int:
    """The highest level that the user can."""
    return (AUTH if usm.auth_protocol else 0) | (PRIV if usm.priv_protocol else 0)
