"""What a switch or an access point says of its neighbours: LLDP (IEEE 802.1AB, both versions of its
MIB) and Cisco's CDP. Pure: what to ask, and how to read the answer.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collectors.discovery.identity import clean, mac_of
from collectors.snmp.model import Column, Oid, Question, RawValue, Reply

_LLDP: Oid = (1, 0, 8802, 1, 1, 2, 1)
_LLDP_V2: Oid = (1, 3, 111, 2, 802, 1, 1, 13, 1)
IF_NAME: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1)
_CDP: Oid = (1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1)
CDP_ADDRESS, CDP_DEVICE, CDP_PORT = ((*_CDP, column) for column in (4, 6, 7))

CHASSIS_MAC, CHASSIS_ADDRESS = 4, 5
PORT_MAC, PORT_ADDRESS, PORT_NAME = 3, 4, 5
"""LldpChassisIdSubtype and LldpPortIdSubtype."""
STATION_CAPABILITIES = 0b0000_0101
"""telephone(5) and stationOnly(7) of LldpSystemCapabilitiesMap's first octet."""


def _columns(base: Oid, *numbers: int) -> tuple[Oid, ...]:
    return tuple((*base, number) for number in numbers)


@dataclass(frozen=True)
class Neighbour:
    """What a device hears on one of its ports of the device at the other end."""

    port: str
    """Our own port, as the device that hears calls it."""
    macs: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    name: str = ""
    remote_port: str = ""
    """The other end's port, as that device calls it."""
    station: bool = False
    """A telephone or a computer: nothing hangs on it."""
    protocol: str = "lldp"


@dataclass(frozen=True)
class _Mib:
    """Where a version of the LLDP-MIB keeps things; a remote row's index starts with a time mark
    and ends with the neighbour's number, in between it names the port.
    """

    local: tuple[Oid, ...]
    """Port id subtype, port id, port description."""
    remote: tuple[Oid, ...]
    """Chassis subtype and id, port subtype, id and description, name, enabled capabilities."""
    address: tuple[Oid, ...]
    index: int
    """How long a remote row's index is."""


_MIBS = (
    _Mib(
        _columns((*_LLDP, 3, 7, 1), 2, 3, 4),
        _columns((*_LLDP, 4, 1, 1), 4, 5, 6, 7, 8, 9, 12),
        _columns((*_LLDP, 4, 2, 1), 3),
        3,
    ),
    _Mib(
        _columns((*_LLDP_V2, 3, 7, 1), 2, 3, 4),
        _columns((*_LLDP_V2, 4, 1, 1), 5, 6, 7, 8, 9, 10, 13),
        _columns((*_LLDP_V2, 4, 2, 1), 3),
        4,
    ),
)
QUESTION = Question(
    tables=(
        *(table for mib in _MIBS for table in (mib.remote, mib.address, mib.local)),
        (CDP_ADDRESS, CDP_DEVICE, CDP_PORT),
        (IF_NAME,),
    )
)
"""Everything at once: tables that an agent lacks cost a request each."""


def read_neighbours(reply: Reply) -> list[Neighbour]:
    """The neighbours in the answer to `QUESTION`, each once; LLDP goes before CDP on a port."""
    tables = list(reply.tables) + [None] * (len(QUESTION.tables) - len(reply.tables))
    names = {index: clean(value) for index, value in _first(tables[-1]).items()}
    found: dict[tuple[str, ...], Neighbour] = {}
    for number, mib in enumerate(_MIBS):
        remote, addresses, local = tables[3 * number : 3 * number + 3]
        if remote is not None:
            for one in _lldp(mib, remote, addresses, _port_names(local, names)):
                found.setdefault((one.port, *(one.macs[:1] or (one.name,))), one)
    heard = {one.port for one in found.values()}
    for one in _cdp(tables[-2], names):
        if one.port not in heard:
            found.setdefault((one.port, one.name), one)
    return list(found.values())


def _first(table: Sequence[Column] | None) -> Column:
    return table[0] if table else {}


def _lldp(
    mib: _Mib,
    remote: Sequence[Column],
    addresses: Sequence[Column] | None,
    port_name: Callable[[int], str],
) -> Iterator[Neighbour]:
    of_row: dict[Oid, list[str]] = {}
    for index in _first(addresses):
        address = _address_in_index(index[mib.index :])
        if address:
            of_row.setdefault(index[: mib.index], []).append(address)
    chassis_kind, chassis, port_kind, port, described, names, capabilities = remote
    for index in sorted(chassis):
        if len(index) != mib.index:
            continue
        kinds = chassis_kind.get(index), port_kind.get(index)
        macs = (
            mac_of(chassis.get(index)) if kinds[0] == CHASSIS_MAC else "",
            mac_of(port.get(index)) if kinds[1] == PORT_MAC else "",
        )
        own = (
            network_address(chassis.get(index)) if kinds[0] == CHASSIS_ADDRESS else "",
            network_address(port.get(index)) if kinds[1] == PORT_ADDRESS else "",
        )
        able = capabilities.get(index)
        first = able[0] if isinstance(able, bytes) and able else 0
        told = macs[0] or own[0]
        yield Neighbour(
            port=port_name(index[1]),
            macs=tuple(dict.fromkeys(mac for mac in macs if mac)),
            addresses=tuple(dict.fromkeys(a for a in (*of_row.get(index, ()), *own) if a)),
            name=clean(names.get(index)) or ("" if told else clean(chassis.get(index))),
            remote_port=port_text(kinds[1], port.get(index), described.get(index)),
            station=bool(first) and not first & ~STATION_CAPABILITIES,
        )


def _port_names(local: Sequence[Column] | None, names: Mapping[Oid, str]) -> Callable[[int], str]:
    kinds, ids, described = local if local else ({}, {}, {})

    def name(number: int) -> str:
        index = (number,)
        text = port_text(kinds.get(index), ids.get(index), described.get(index))
        return text or names.get(index, "") or str(number)

    return name


def port_text(kind: RawValue | None, value: RawValue | None, described: RawValue | None) -> str:
    """A port as people call it: its interface's name, else its description, else what it says."""
    if kind == PORT_NAME and (name := clean(value)):
        return name
    if text := clean(described):
        return text
    if kind == PORT_MAC:
        return mac_of(value)
    return network_address(value) if kind == PORT_ADDRESS else clean(value)


def _address_in_index(index: Oid) -> str:
    """An address of lldpRemManAddrTable's index: its family, its length, its octets."""
    if len(index) < 3 or index[1] != len(index) - 2 or any(part > 255 for part in index[2:]):
        return ""
    return network_address(bytes((index[0], *index[2:]))) if index[0] in (1, 2) else ""


def network_address(value: object) -> str:
    """An IANA address family (1 IPv4, 2 IPv6) and an address, as text; empty for anything else."""
    if not isinstance(value, bytes) or (value[:1], len(value)) not in ((b"\1", 5), (b"\2", 17)):
        return ""
    address = ipaddress.ip_address(value[1:])
    return "" if address.is_unspecified or address.is_loopback else str(address)


def _cdp(table: Sequence[Column] | None, names: Mapping[Oid, str]) -> Iterator[Neighbour]:
    addresses, devices, ports = table if table else ({}, {}, {})
    for index in sorted(devices):
        if len(index) != 2:
            continue
        address = addresses.get(index)
        yield Neighbour(
            port=names.get(index[:1], "") or str(index[0]),
            addresses=_ipv4(address),
            # Some put the serial number behind the name: `ap-7(FOC1234X)`.
            name=clean(devices.get(index)).split("(")[0],
            remote_port=clean(ports.get(index)),
            protocol="cdp",
        )


def _ipv4(value: object) -> tuple[str, ...]:
    if isinstance(value, bytes) and len(value) == 4:
        found = network_address(b"\1" + value)
        return (found,) if found else ()
    return ()
