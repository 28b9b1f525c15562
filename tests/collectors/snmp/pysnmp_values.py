"""pysnmp's values as plain ones: what our own reading is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyasn1.type import univ

from collectors.snmp.model import Oid, RawValue


def plain_pairs(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[Oid, RawValue | None]]:
    """pysnmp's varbinds as plain (OID, value); None for noSuchObject, noSuchInstance, end."""
    return [(tuple(oid), plain_value(value)) for oid, value in pairs]


def plain_value(value: Any) -> RawValue | None:
    """An ASN.1 value as int, bytes or a tuple of ints; None for exceptions and NULL."""
    if isinstance(value, univ.Null):  # the exceptions of RFC 3416 are Nulls too
        return None
    if isinstance(value, univ.ObjectIdentifier):
        return tuple(value)
    if isinstance(value, univ.OctetString):
        return bytes(value)
    return int(value)
