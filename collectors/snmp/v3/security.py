"""What secures one SNMPv3 message (RFC 3414), for those that ask and for those that listen: its
level, digest and cipher, whether it is an old one, and what a report about it counts.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from collectors.snmp.model import Oid, Usm
from collectors.snmp.v3.message import AUTH, MAX_SIZE, PRIV, Header, Message, encode_message
from collectors.snmp.v3.usm import LocalKeys, decrypt, digest, encrypt
from farola.snmp import AUTH_PROTOCOLS

TIME_WINDOW_S = 150
"""A message older than this by its engine's own clock is refused (RFC 3414, 2.2.3)."""
LATEST_BOOTS = 2**31 - 1
STATS: Oid = (1, 3, 6, 1, 6, 3, 15, 1, 1)
UNSUPPORTED_LEVEL, NOT_IN_WINDOW, UNKNOWN_USER, UNKNOWN_ENGINE, WRONG_DIGEST, NOT_DECRYPTED = range(
    1, 7
)
"""usmStats… of SNMP-USER-BASED-SM-MIB, below `STATS`."""


def level_of(usm: Usm) -> int:
    """AUTH and PRIV as the user has them."""
    return (AUTH if usm.auth_protocol else 0) | (PRIV if usm.priv_protocol else 0)


@dataclass(slots=True)
class EngineClock:
    """Another engine's clock as it was at `at`, in seconds of a clock of ours."""

    boots: int = 0
    time_s: int = 0
    at: float = 0.0

    def now_s(self, now: float) -> int:
        """The engine's time as it must be by now."""
        return min(self.time_s + max(0, int(now - self.at)), LATEST_BOOTS)

    def follow(self, boots: int, time_s: int, now: float) -> bool:
        """Whether an authentic message of then is no old one (RFC 3414, 3.2, 7b); the newest sets
        the clock.
        """
        if (boots, time_s) > (self.boots, self.time_s):
            self.boots, self.time_s, self.at = boots, time_s, now
        return boots == self.boots and time_s >= self.now_s(now) - TIME_WINDOW_S


def secured(
    header: Header, usm: Usm, keys: LocalKeys, scoped: bytes, max_size: int = MAX_SIZE
) -> bytes:
    """The packet of a scoped PDU, encrypted and signed as the header's flags say."""
    if header.flags & PRIV:
        clock = header.boots, header.time_s
        scoped, header.salt = encrypt(usm.priv_protocol, keys.priv, scoped, clock)
    size = AUTH_PROTOCOLS[usm.auth_protocol] if header.flags & AUTH else 0
    packet, at = encode_message(header, size, scoped, max_size)
    if not size:
        return packet
    return packet[:at] + digest(usm.auth_protocol, keys.auth, packet) + packet[at + size :]


def authentic(message: Message, usm: Usm, keys: LocalKeys) -> bool:
    """Whether the message's digest is that of the user's key."""
    wanted = digest(usm.auth_protocol, keys.auth, message.without_digest())
    return hmac.compare_digest(wanted, message.digest)


def opened(message: Message, usm: Usm, keys: LocalKeys) -> bytes:
    """The scoped PDU, decrypted where the message says that it must be; what follows it is padding.
    Raises DecryptionError.
    """
    if not message.flags & PRIV:
        return message.data
    clock = message.boots, message.time_s
    return decrypt(usm.priv_protocol, keys.priv, message.data, message.salt, clock)
