"""Which interfaces of a device are kept, the uplink and the radios, and their raw counters."""

from __future__ import annotations

from collections.abc import Mapping

from collectors.snmp.book import ADDRESS_INTERFACE, Profile, text_of
from collectors.snmp.model import InterfaceReading, Oid, RawValue

LOOPBACK, ETHERNET, IEEE80211 = 24, 6, 71  # IANAifType
UP = 1  # ifOperStatus


def address_oid(address: str) -> Oid | None:
    """The OID that tells which interface holds `address`; None unless it is plain IPv4."""
    parts = address.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return (*ADDRESS_INTERFACE, *(int(part) for part in parts))


def read_interfaces(
    table: Mapping[object, Mapping[str, RawValue]],
    profile: Profile,
    address_index: int | None,
    radios: set[str],
) -> tuple[InterfaceReading, ...]:
    """The uplink and the radio interfaces that have counters, in the agent's order."""
    names = {
        index: text_of(row.get("name")) or text_of(row.get("description")) or ""
        for index, row in table.items()
    }
    uplink = _uplink(table, names, profile, address_index)
    kept = []
    for index, row in table.items():
        name = names[index]
        radio = (
            row.get("type") == IEEE80211
            or name in radios
            or (profile.radio_interface is not None and profile.radio_interface.match(name))
        )
        counters = _counters(row)
        if not name or counters is None:
            continue
        rx, tx, bits = counters
        # Drivers keep a dozen unused networks ready; they say nothing.
        in_use = row.get("status", UP) == UP or rx or tx
        if index == uplink or (radio and in_use):
            since = row.get("discontinuity")
            kept.append(
                InterfaceReading(
                    name=name[:64],
                    role="uplink" if index == uplink else "radio",
                    rx_bytes_total=rx,
                    tx_bytes_total=tx,
                    bits=bits,
                    discontinuity_s=since / 100 if isinstance(since, int) else None,
                )
            )
    return tuple(kept)


def _uplink(
    table: Mapping[object, Mapping[str, RawValue]],
    names: Mapping[object, str],
    profile: Profile,
    address_index: int | None,
) -> object | None:
    """Index of the interface towards the network: see `uplink` in profiles/generic.yaml."""
    real = [index for index, row in table.items() if row.get("type") != LOOPBACK]
    if (address_index,) in real:
        return (address_index,)
    up = [index for index in real if table[index].get("status", UP) == UP]
    for pattern in profile.uplink:
        for index in up:
            if pattern.search(names[index]):
                return index
    for index in up:
        if table[index].get("type") == ETHERNET:
            return index
    return None


def _counters(row: Mapping[str, RawValue]) -> tuple[int, int, int] | None:
    for rx_column, tx_column, bits in (("rx64", "tx64", 64), ("rx32", "tx32", 32)):
        rx, tx = row.get(rx_column), row.get(tx_column)
        if isinstance(rx, int) and isinstance(tx, int) and 0 <= rx < 2**bits and 0 <= tx < 2**bits:
            return rx, tx, bits
    return None
