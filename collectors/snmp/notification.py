"""Decodes traps and informs with pysnmp's codec (v1 traps become v2c ones, RFC 3584)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pyasn1.codec.ber import decoder, encoder  # type: ignore[import-untyped]  # has no types
from pysnmp.proto import api
from pysnmp.proto.proxy import rfc2576

from collectors.snmp.model import Oid, RawValue
from collectors.snmp.pysnmp_values import NOT_SNMP, plain_pairs, plain_value

MAX_PACKET = 8192
V1, V2C = 0, 1
TRAP_OID: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)
_v2c = api.PROTOCOL_MODULES[V2C]
_NOTIFICATIONS = (_v2c.SNMPv2TrapPDU.tagSet, _v2c.InformRequestPDU.tagSet)


@dataclass(frozen=True)
class Notification:
    """A trap or inform as it was sent. `reply` is what acknowledges an inform of v2c; `user` is
    whom a message of v3 has proved to be from, instead of a community.
    """

    oid: Oid
    values: Mapping[Oid, RawValue]
    community: bytes = field(default=b"", repr=False)
    reply: bytes | None = field(default=None, repr=False)
    user: str = ""


def version_of(packet: bytes) -> int | None:
    """The number that `packet` gives as its version (3 for v3); None where it is not SNMP."""
    try:
        return int(api.decodeMessageVersion(packet)) if len(packet) <= MAX_PACKET else None
    except NOT_SNMP:
        return None


def decode_notification(packet: bytes) -> Notification | None:
    """The notification of v1 or v2c in `packet`; None for any bytes that are not one."""
    if len(packet) > MAX_PACKET:
        return None
    try:
        return _decoded(packet)
    except NOT_SNMP:
        return None


def notification_of(pdu: Any, user: str = "") -> Notification | None:
    """The notification that a PDU of v2c or v3 is; None if it is none. Raises what `NOT_SNMP`
    names.
    """
    if pdu.tagSet not in _NOTIFICATIONS:
        return None
    pairs = plain_pairs(_v2c.apiTrapPDU.get_varbinds(pdu))
    values = {oid: value for oid, value in pairs if value is not None}
    oid = values.get(TRAP_OID)
    return Notification(oid, values, user=user) if isinstance(oid, tuple) else None


def _decoded(packet: bytes) -> Notification | None:
    version = api.decodeMessageVersion(packet)
    if version not in (V1, V2C):
        return None
    module = api.PROTOCOL_MODULES[version]
    message, rest = decoder.decode(packet, asn1Spec=module.Message())
    pdu = module.apiMessage.get_pdu(message)
    as_v2c = _as_v2c(pdu, version)
    found = notification_of(as_v2c) if as_v2c is not None and not rest else None
    community = plain_value(module.apiMessage.get_community(message))
    if found is None or not isinstance(community, bytes):
        return None
    inform = as_v2c.tagSet == _v2c.InformRequestPDU.tagSet
    reply = encoder.encode(_v2c.apiMessage.get_response(message)) if inform else None
    return replace(found, community=community, reply=reply)


def _as_v2c(pdu: Any, version: int) -> Any:
    """The PDU as one of v2c; None for one of v1 that is no trap."""
    if version == V1:
        is_trap = pdu.tagSet == api.PROTOCOL_MODULES[V1].TrapPDU.tagSet
        return rfc2576.v1_to_v2(pdu) if is_trap else None
    return pdu
