"""Decodes traps and informs with pysnmp's codec (v1 traps become v2c ones, RFC 3584)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Notification:
    """A trap or inform as it was sent. `reply` is what acknowledges an inform."""

    oid: Oid
    values: Mapping[Oid, RawValue]
    community: bytes = field(repr=False)
    reply: bytes | None = field(default=None, repr=False)


def decode_notification(packet: bytes) -> Notification | None:
    """The notification in `packet`; None for any bytes that are not one."""
    if len(packet) > MAX_PACKET:
        return None
    try:
        return _decoded(packet)
    except NOT_SNMP:
        return None


def _decoded(packet: bytes) -> Notification | None:
    version = api.decodeMessageVersion(packet)
    if version not in (V1, V2C):
        return None
    module = api.PROTOCOL_MODULES[version]
    message, rest = decoder.decode(packet, asn1Spec=module.Message())
    pdu = module.apiMessage.get_pdu(message)
    as_v2c = _as_v2c(pdu, version)
    if rest or as_v2c is None:
        return None
    pairs = plain_pairs(_v2c.apiTrapPDU.get_varbinds(as_v2c))
    values = {oid: value for oid, value in pairs if value is not None}
    oid = values.get(TRAP_OID)
    community = plain_value(module.apiMessage.get_community(message))
    if not isinstance(oid, tuple) or not isinstance(community, bytes):
        return None
    inform = as_v2c.tagSet == _v2c.InformRequestPDU.tagSet
    reply = encoder.encode(_v2c.apiMessage.get_response(message)) if inform else None
    return Notification(oid, values, community, reply)


def _as_v2c(pdu: Any, version: int) -> Any:
    """The PDU as a v2c trap or inform; None if it is neither."""
    if version == V1:
        is_trap = pdu.tagSet == api.PROTOCOL_MODULES[V1].TrapPDU.tagSet
        return rfc2576.v1_to_v2(pdu) if is_trap else None
    kinds = (_v2c.SNMPv2TrapPDU.tagSet, _v2c.InformRequestPDU.tagSet)
    return pdu if pdu.tagSet in kinds else None
