"""SNMPv3's security of one message (RFC 3414): pysnmp's message formats, digests and ciphers.

pysnmp's own security model is not used for what arrives unasked: it takes over the clock that a
message claims before it checks it, so a replay passes, and it keeps a row for every engine id that
anyone names. Keys and clocks are kept here and in `peers.py`, both bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pyasn1.codec.ber import decoder, encoder  # type: ignore[import-untyped]  # publishes no types
from pyasn1.type import univ  # type: ignore[import-untyped]
from pysnmp.proto.error import SnmpV3Error, StatusInformation
from pysnmp.proto.mpmod.rfc3412 import ScopedPDU, SNMPv3Message
from pysnmp.proto.secmod.rfc3414 import service as rfc3414

from collectors.snmp.model import Usm
from collectors.snmp.pysnmp_values import NOT_SNMP

AUTH, PRIV, REPORTABLE = 0x01, 0x02, 0x04
USM = 3
MASTER_KEYS, LOCAL_KEYS = 4096, 50_000
"""Keys kept: passwords hashed once (some 5 ms each), and one for each user and engine."""
_SHA2 = rfc3414.hmacsha2.HmacSha2
_AUTH_SERVICES = rfc3414.SnmpUSMSecurityModel.AUTH_SERVICES
_PRIV_SERVICES = rfc3414.SnmpUSMSecurityModel.PRIV_SERVICES
AUTH_IDS = {
    "md5": rfc3414.hmacmd5.HmacMd5.SERVICE_ID, "sha1": rfc3414.hmacsha.HmacSha.SERVICE_ID,
    "sha224": _SHA2.SHA224_SERVICE_ID, "sha256": _SHA2.SHA256_SERVICE_ID,
    "sha384": _SHA2.SAH384_SERVICE_ID, "sha512": _SHA2.SHA512_SERVICE_ID,
}  # fmt: skip
PRIV_IDS = {
    "des": (rfc3414.des.Des.SERVICE_ID,), "aes128": (rfc3414.aes.Aes.SERVICE_ID,),
    "aes192": (rfc3414.aes192.AesBlumenthal192.SERVICE_ID, rfc3414.aes192.Aes192.SERVICE_ID),
    "aes256": (rfc3414.aes256.AesBlumenthal256.SERVICE_ID, rfc3414.aes256.Aes256.SERVICE_ID),
}  # fmt: skip
"""AES with longer keys has two ways to lengthen a key: the draft's, and the one Cisco took."""
BROKEN = (*NOT_SNMP, StatusInformation, SnmpV3Error)


@dataclass(frozen=True)
class Message:
    """A v3 message, its security parameters read, nothing in it believed yet."""

    id: int
    flags: int
    engine_id: bytes
    boots: int
    time_s: int
    user: bytes
    digest: bytes
    salt: bytes
    data: Any
    whole: bytes

    @property
    def level(self) -> int:
        """AUTH and PRIV of its flags."""
        return self.flags & (AUTH | PRIV)


@dataclass(frozen=True)
class LocalKeys:
    """A user's keys for one engine; `priv` has one for each way of lengthening it."""

    auth: Any
    priv: tuple[tuple[Any, Any], ...]
    """Cipher service and key."""

    def __repr__(self) -> str:
        """Without the keys."""
        return "LocalKeys(•••)"


def read_message(packet: bytes) -> Message | None:
    """The v3 message in `packet`; None for anything else."""
    try:
        message, rest = decoder.decode(packet, asn1Spec=SNMPv3Message())
        header = message[1]
        if rest or int(message[0]) != 3 or int(header[3]) != USM:
            return None
        params, rest = decoder.decode(message[2], asn1Spec=rfc3414.UsmSecurityParameters())
        found = Message(
            int(header[0]), bytes(header[2])[0], bytes(params[0]), int(params[1]),
            int(params[2]), bytes(params[3]), bytes(params[4]), bytes(params[5]), message[3],
            packet,
        )  # fmt: skip
    except BROKEN:
        return None
    return None if rest or found.level == PRIV or len(found.engine_id) > 32 else found


NO_KEYS = LocalKeys(None, ())


class Keys:
    """Localized keys of users, by engine; the oldest make room."""

    def __init__(self) -> None:
        self._local: OrderedDict[tuple[Usm, bytes], LocalKeys] = OrderedDict()

    def of(self, usm: Usm, engine_id: bytes) -> LocalKeys:
        """The keys of `usm` for an engine; kept only by `keep`, so that rubbish displaces none."""
        held = self._local.get((usm, engine_id))
        return held or _localized(usm, engine_id)

    def keep(self, usm: Usm, engine_id: bytes, keys: LocalKeys) -> None:
        """Remember keys that a message has proved."""
        self._local[usm, engine_id] = keys
        self._local.move_to_end((usm, engine_id))
        while len(self._local) > LOCAL_KEYS:
            self._local.popitem(last=False)


def _localized(usm: Usm, engine_id: bytes) -> LocalKeys:
    engine = univ.OctetString(engine_id)
    if not usm.auth_protocol:
        return NO_KEYS
    auth_id = AUTH_IDS[usm.auth_protocol]
    service = _AUTH_SERVICES[auth_id]
    auth = service.localize_key(_master(usm.auth_protocol, usm.auth_password), engine)
    priv = []
    for cipher_id in PRIV_IDS[usm.priv_protocol] if usm.priv_protocol else ():
        cipher = _PRIV_SERVICES[cipher_id]
        master = _master(usm.auth_protocol, usm.priv_password)
        priv.append((cipher, cipher.localize_key(auth_id, master, engine)))
    return LocalKeys(auth, tuple(priv))


@lru_cache(maxsize=MASTER_KEYS)
def _master(auth_protocol: str, password: str) -> Any:
    service = _AUTH_SERVICES[AUTH_IDS[auth_protocol]]
    return service.hash_passphrase(password.encode())


def authentic(message: Message, usm: Usm, keys: LocalKeys) -> bool:
    """Whether the message's digest is that of the user's key."""
    service = _AUTH_SERVICES[AUTH_IDS[usm.auth_protocol]]
    try:
        service.authenticate_incoming_message(
            keys.auth, univ.OctetString(message.digest), message.whole
        )
    except BROKEN:
        return False
    return True


def scoped_pdu(message: Message, keys: LocalKeys) -> tuple[Any, Any] | None:
    """The message's scoped PDU and the cipher that opened it; None where it cannot be opened."""
    if not message.level & PRIV:
        plain = message.data.getComponentByName("plaintext", None, instantiate=False)
        return (plain, None) if message.data.getName() == "plaintext" else None
    if message.data.getName() != "encryptedPDU":
        return None
    for cipher, key in keys.priv:
        try:
            data = cipher.decrypt_data(
                key,
                (message.boots, message.time_s, univ.OctetString(message.salt)),
                message.data.getComponent(),
            )
            scoped, _padding = decoder.decode(data, asn1Spec=ScopedPDU())
            scoped[2].getComponent()
        except BROKEN:
            continue
        return scoped, (cipher, key)
    return None


@dataclass(frozen=True)
class Speaker:
    """Our own engine as it stands now: what every message of ours carries."""

    engine_id: bytes
    boots: int
    time_s: int


@dataclass(frozen=True)
class Security:
    """How a message of ours is secured; nothing by default."""

    usm: Usm | None = None
    keys: LocalKeys = NO_KEYS
    level: int = 0
    cipher: Any = None
    """Cipher service and key, with PRIV."""

    def __repr__(self) -> str:
        """Without the keys."""
        return f"Security({self.usm!r}, {self.level})"


def write_message(speaker: Speaker, message_id: int, scoped: Any, by: Security) -> bytes:
    """A message of ours about `scoped`."""
    salt: Any = b""
    message = SNMPv3Message()
    message[0] = 3
    header = message[1]
    header[0], header[1], header[2], header[3] = message_id, 65507, bytes([by.level]), USM
    if by.level & PRIV:
        service, key = by.cipher
        data, salt = service.encrypt_data(
            key, (speaker.boots, speaker.time_s, None), encoder.encode(scoped)
        )
        message[3]["encryptedPDU"] = data
    else:
        message[3]["plaintext"] = scoped
    auth = _AUTH_SERVICES[AUTH_IDS[by.usm.auth_protocol]] if by.level & AUTH and by.usm else None
    params = rfc3414.UsmSecurityParameters()
    params[0], params[1], params[2] = speaker.engine_id, speaker.boots, speaker.time_s
    params[3] = by.usm.user.encode() if by.usm else b""
    params[4] = bytes(auth.digest_length) if auth else b""
    params[5] = bytes(salt)
    message[2] = encoder.encode(params)
    whole = bytes(encoder.encode(message))
    return bytes(auth.authenticate_outgoing_message(by.keys.auth, whole)) if auth else whole
