"""How a device may be asked, read from the fields of its credential: version, community or user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from collectors.snmp.model import V1, V2C, V3, Usm
from farola.snmp import AUTH_PROTOCOLS, MIN_PASSWORD, PRIV_PROTOCOLS

ICMP = "none"
"""The `snmp_version` of a device that speaks no SNMP: it is watched by echo requests alone."""
VERSIONS = (V1, V2C, V3, ICMP)


class AccessError(ValueError):
    """What is missing or wrong in a credential, and in which `field`; never a secret's value."""

    def __init__(self, text: str, field_name: str) -> None:
        super().__init__(text)
        self.field = field_name


@dataclass(frozen=True, slots=True)
class Access:
    """By which SNMP version, and as whom. `version` is one of VERSIONS."""

    version: str = V2C
    community: str = field(default="public", repr=False)
    usm: Usm | None = None


def read_access(values: Mapping[str, str]) -> Access:
    """The access that a credential's fields give.

    Without `snmp_version` a user means version 3, a community 2c. Raises AccessError.
    """
    version = values.get("snmp_version") or (V3 if values.get("snmp_user") else V2C)
    if version not in VERSIONS:
        raise AccessError(
            f"holds snmp_version {version!r}, which is none of {', '.join(VERSIONS)}",
            "snmp_version",
        )
    if version == ICMP:
        return Access(ICMP)
    if version != V3:
        if not values.get("snmp_community"):
            raise AccessError("holds no snmp_community", "snmp_community")
        return Access(version, values["snmp_community"])
    if not values.get("snmp_user"):
        raise AccessError("holds no snmp_user", "snmp_user")
    usm = Usm(
        values["snmp_user"],
        *_half(values, "auth", AUTH_PROTOCOLS),
        *_half(values, "priv", PRIV_PROTOCOLS),
    )
    if usm.priv_protocol and not usm.auth_protocol:
        raise AccessError(
            "holds privacy without authentication, which SNMPv3 does not have",
            "snmp_auth_protocol",
        )
    # Asked by its user alone; a community beside it is for the traps that it sends as v2c.
    return Access(V3, values.get("snmp_community", ""), usm)


def _half(values: Mapping[str, str], half: str, known: Mapping[str, object]) -> tuple[str, str]:
    """Protocol and password of `auth` or `priv`; both empty where the user has none."""
    protocol_field, password_field = f"snmp_{half}_protocol", f"snmp_{half}_password"
    protocol, password = values.get(protocol_field, ""), values.get(password_field, "")
    if not protocol and not password:
        return "", ""
    if not protocol or not password:
        have, lack = (
            (protocol_field, password_field) if protocol else (password_field, protocol_field)
        )
        raise AccessError(f"holds {have} but no {lack}", lack)
    if protocol not in known:
        text = f"holds {protocol_field} {protocol!r}, which is none of {', '.join(known)}"
        raise AccessError(text, protocol_field)
    if len(password) < MIN_PASSWORD:
        text = f"holds {password_field} of less than {MIN_PASSWORD} characters"
        raise AccessError(text, password_field)
    return protocol, password
