"""The user-based security model without the network: passwords to keys, digests, ciphers.

RFC 3414 (MD5, SHA-1, DES), RFC 7860 (SHA-2), RFC 3826 (AES-128). AES-192 and -256 need more key
than MD5 and SHA-1 give: draft-blumenthal-aes-usm-04 lengthens it one way, Cisco's devices another
(draft-reeder-snmpv3-usm-3desede-00).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from collectors.snmp.model import Usm
from farola.snmp import AUTH_PROTOCOLS, PRIV_PROTOCOLS

_HASHED = 1_048_576
_DES_BLOCK = 8


class DecryptionError(ValueError):
    """The ciphertext is not of the form that the protocol makes."""


@dataclass(frozen=True, slots=True)
class LocalKeys:
    """A user's keys for one engine; empty where the level has none. Never shown."""

    auth: bytes = field(default=b"", repr=False)
    priv: bytes = field(default=b"", repr=False)


def has_two_forms(usm: Usm) -> bool:
    """Whether the privacy key must be lengthened, which devices do in two ways."""
    if not usm.priv_protocol:
        return False
    made = hashlib.new(usm.auth_protocol, usedforsecurity=False).digest_size
    return made < PRIV_PROTOCOLS[usm.priv_protocol]


class KeyRing:
    """Localized keys; the costly hash of each password is made once and kept."""

    def __init__(self) -> None:
        self._masters: dict[tuple[str, bytes], bytes] = {}

    def localize(self, usm: Usm, engine_id: bytes, cisco: bool = False) -> LocalKeys:
        """The keys of `usm` for the engine, short ones lengthened as Cisco does if `cisco`: that
        hashes a mebibyte for each engine. Raises KeyError for a protocol there is none of.
        """
        if not usm.auth_protocol:
            return LocalKeys()
        name = usm.auth_protocol
        if name not in AUTH_PROTOCOLS:
            raise KeyError(name)
        auth = _localized(name, self._master(name, usm.auth_password.encode()), engine_id)
        if not usm.priv_protocol:
            return LocalKeys(auth)
        size = PRIV_PROTOCOLS[usm.priv_protocol]
        key = _localized(name, self._master(name, usm.priv_password.encode()), engine_id)
        while len(key) < size:
            if cisco:
                key += _localized(name, password_to_key(name, key), engine_id)
            else:
                key += hashlib.new(name, key, usedforsecurity=False).digest()
        return LocalKeys(auth, key[:size])

    def _master(self, name: str, password: bytes) -> bytes:
        found = self._masters.get((name, password))
        if found is None:
            found = self._masters[name, password] = password_to_key(name, password)
        return found


def password_to_key(name: str, password: bytes) -> bytes:
    """The hash of a mebibyte of the password repeated (RFC 3414, A.2)."""
    repeated = password * (_HASHED // len(password) + 1)
    return hashlib.new(name, repeated[:_HASHED], usedforsecurity=False).digest()


def _localized(name: str, master: bytes, engine_id: bytes) -> bytes:
    return hashlib.new(name, master + engine_id + master, usedforsecurity=False).digest()


def digest(protocol: str, key: bytes, message: bytes) -> bytes:
    """The authentication parameters of a message whose own are zeroed."""
    return hmac.digest(key, message, protocol)[: AUTH_PROTOCOLS[protocol]]


Clock = tuple[int, int]
"""An engine's boots, and its time since then in seconds."""


def encrypt(protocol: str, key: bytes, plain: bytes, clock: Clock) -> tuple[bytes, bytes]:
    """The ciphertext and the privacy parameters that go with it."""
    salt = os.urandom(8)
    if protocol == "des":
        salt = clock[0].to_bytes(4) + salt[:4]
        plain += bytes(-len(plain) % _DES_BLOCK)
    maker = _cipher(protocol, key, salt, clock).encryptor()
    return maker.update(plain) + maker.finalize(), salt


def decrypt(protocol: str, key: bytes, secret: bytes, salt: bytes, clock: Clock) -> bytes:
    """What `encrypt` hid; DES may have left padding behind it. Raises DecryptionError."""
    if len(salt) != 8 or (protocol == "des" and len(secret) % _DES_BLOCK):
        raise DecryptionError("not a whole ciphertext")
    maker = _cipher(protocol, key, salt, clock).decryptor()
    return maker.update(secret) + maker.finalize()


def _cipher(protocol: str, key: bytes, salt: bytes, clock: Clock) -> Cipher[CBC] | Cipher[CFB]:
    if protocol == "des":
        start = bytes(a ^ b for a, b in zip(key[8:16], salt, strict=True))
        return Cipher(TripleDES(key[:8] * 3), CBC(start))
    boots, time_s = clock
    return Cipher(AES(key), CFB(boots.to_bytes(4) + time_s.to_bytes(4) + salt))
