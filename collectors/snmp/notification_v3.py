"""SNMPv3 traps and informs: who signed it, is it new, what does it say, and what is answered.

Of a trap the sender's engine is authoritative and not known before; of an inform ours is, and
senders learn it, and its clock, from our reports (RFC 3414, 3.2). Messages and their security are
those of `v3/`, which polls use too.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from collectors.snmp.model import Usm
from collectors.snmp.notification import MAX_PACKET, Notification, notification_of, scoped_pdu
from collectors.snmp.peers import OwnEngine, Peers, Sender
from collectors.snmp.recent import remember
from collectors.snmp.v3.message import (
    AUTH,
    PRIV,
    REPORTABLE,
    Header,
    MalformedError,
    Message,
    decode_message,
    encode_report,
    encode_scoped,
)
from collectors.snmp.v3.security import (
    NOT_DECRYPTED,
    NOT_IN_WINDOW,
    STATS,
    TIME_WINDOW_S,
    UNKNOWN_ENGINE,
    UNKNOWN_USER,
    UNSUPPORTED_LEVEL,
    WRONG_DIGEST,
    authentic,
    level_of,
    opened,
    secured,
)
from collectors.snmp.v3.usm import DecryptionError, KeyRing, LocalKeys, has_two_forms

Users = Callable[[bytes], Sequence[Usm]]
Scoped = tuple[bytes, bytes, bytes]
"""Engine id, context and PDU."""
WRONG_USER = ("wrong_user", UNKNOWN_USER)
CANDIDATES = 4
"""Users of the same name that a message is tried with."""
LOCAL_KEYS = 50_000
"""Keys kept, for each user and engine."""
LONGEST_ENGINE_ID = 32


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


_NOBODY = _Proved(Usm(""), LocalKeys())


class V3Ear:
    """Opens v3 messages; remembers keys, clocks and digests, all bounded."""

    def __init__(self, engine: OwnEngine, peers: Peers | None = None) -> None:
        self.engine = engine
        self.peers = peers or Peers()
        self._ring = KeyRing()
        self._keys: OrderedDict[tuple[Usm, bytes, bool], LocalKeys] = OrderedDict()
        self._reports: Counter[int] = Counter()

    def hear(
        self, packet: bytes, users: Users, now_s: float, wall_s: float, place: str = ""
    ) -> Heard:
        """What `packet` is. `users` gives those who may have sent it, by their name; `now_s` is a
        steady clock, `wall_s` the time of day, both in seconds. `place` is the device at the
        address that it came from, empty where there is none.
        """
        try:
            message = decode_message(packet)
        except MalformedError:
            return Heard("malformed")
        if len(message.engine_id) > LONGEST_ENGINE_ID:
            return Heard("malformed")
        if not message.engine_id:
            return self._told(message, "discovery", UNKNOWN_ENGINE, now_s)
        named = users(message.user)[:CANDIDATES]
        # What is signed counts: a user with a password is not believed without.
        able = [
            usm
            for usm in named
            if message.level <= level_of(usm) and (message.level & AUTH or not usm.auth_protocol)
        ]
        if not able:
            outcome, stat = ("weak_level", UNSUPPORTED_LEVEL) if named else WRONG_USER
            return self._told(message, outcome, stat, now_s)
        proved = self._prove(message, able)
        if proved is None:
            return self._told(message, "wrong_key", WRONG_DIGEST, now_s)
        return self._opened(message, proved, now_s, wall_s, place)

    def _prove(self, message: Message, users: Sequence[Usm]) -> _Proved | None:
        for usm in users:
            keys = self._keys_of(usm, message.engine_id)
            if not message.level & AUTH:
                return _Proved(usm, keys)
            if authentic(message, usm, keys):
                self._keep(usm, message.engine_id, keys)
                return _Proved(usm, keys)
        return None

    def _keys_of(self, usm: Usm, engine_id: bytes, cisco: bool = False) -> LocalKeys:
        held = self._keys.get((usm, engine_id, cisco))
        return held or self._ring.localize(usm, engine_id, cisco)

    def _keep(self, usm: Usm, engine_id: bytes, keys: LocalKeys, cisco: bool = False) -> None:
        """Remember keys for an engine that a message has proved: rubbish displaces none."""
        remember(self._keys, (usm, engine_id, cisco), keys, LOCAL_KEYS)

    def _opened(
        self, message: Message, by: _Proved, now_s: float, wall_s: float, place: str
    ) -> Heard:
        """What an authentic message says; `not_in_window` where it is an old one."""
        ours = message.engine_id == self.engine.id
        fresh = self._is_now(message, now_s) if ours else self._follows(message, by, wall_s, place)
        if message.level & AUTH and not fresh:
            return self._told(message, "not_in_window", NOT_IN_WINDOW, now_s, by)
        scoped, by = self._unlocked(message, by)
        if scoped is None and message.level & PRIV:
            return self._told(message, "wrong_key", NOT_DECRYPTED, now_s)
        notification, response = _read(scoped, by.usm)
        if notification is None or (ours and not response):
            return Heard("malformed")
        if response and not ours:  # its sender has to discover our engine
            return self._told(message, "discovery", UNKNOWN_ENGINE, now_s)
        if response:
            return Heard("", notification, self._said(message, message.level, response, by, now_s))
        again = message.level & AUTH and self.peers.repeated(
            message.engine_id, message.digest, wall_s
        )
        return Heard("replayed") if again else Heard("", notification)

    def _unlocked(self, message: Message, by: _Proved) -> tuple[Scoped | None, _Proved]:
        """The scoped PDU, None where no keys open it, and the keys that do."""
        scoped = _scoped_pdu(message, by)
        if scoped is None and message.level & PRIV and has_two_forms(by.usm):
            keys = self._keys_of(by.usm, message.engine_id, cisco=True)
            self._keep(by.usm, message.engine_id, keys, cisco=True)
            by = replace(by, keys=keys)
            scoped = _scoped_pdu(message, by)
        return scoped, by

    def _is_now(self, message: Message, now_s: float) -> bool:
        late_s = abs(self.engine.time_s(now_s) - message.time_s)
        return message.boots == self.engine.boots and late_s <= TIME_WINDOW_S

    def _follows(self, message: Message, by: _Proved, wall_s: float, place: str) -> bool:
        if not message.level & AUTH:
            return True
        sender = Sender(message.engine_id, by.usm, place)
        return self.peers.in_window(sender, message.boots, message.time_s, wall_s)

    def _told(
        self, message: Message, outcome: str, stat: int, now_s: float, by: _Proved = _NOBODY
    ) -> Heard:
        """`outcome`, with a report where its sender waits for one. Only the one about the clock is
        signed: it is the one that a sender sets its own by.
        """
        if not message.flags & REPORTABLE:
            return Heard(outcome if outcome != "discovery" else "malformed")
        self._reports[stat] += 1
        report = encode_report((*STATS, stat, 0), self._reports[stat])
        if message.engine_id != self.engine.id:
            by = _NOBODY
        level = 0 if by is _NOBODY else AUTH
        scoped = encode_scoped(self.engine.id, report)
        return Heard(outcome, reply=self._said(message, level, scoped, by, now_s))

    def _said(
        self, message: Message, level: int, scoped: bytes, by: _Proved, now_s: float
    ) -> bytes:
        """A message of ours that answers `message`."""
        mine = self.engine
        header = Header(
            message.msg_id, level, mine.id, mine.boots, mine.time_s(now_s), by.usm.user.encode()
        )
        return secured(header, by.usm, by.keys, scoped, MAX_PACKET)


def _scoped_pdu(message: Message, by: _Proved) -> Scoped | None:
    """The message's scoped PDU; None where these keys do not open it."""
    try:
        data = opened(message, by.usm, by.keys)
    except DecryptionError:
        return None
    return scoped_pdu(data, padded=bool(message.level & PRIV))


def _read(scoped: Scoped | None, usm: Usm) -> tuple[Notification | None, bytes]:
    """The notification that a scoped PDU is, and the scoped PDU that acknowledges an inform."""
    if scoped is None:
        return None, b""
    engine_id, context, pdu = scoped
    found = notification_of(pdu, usm)
    if found is None or found.response is None:
        return found, b""
    return found, encode_scoped(engine_id, found.response, context)
