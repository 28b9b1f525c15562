"""Who a found agent is: what to ask it and how to read what it said. Pure: no sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collectors.discovery.matching import Found
from collectors.snmp.addresses import join_host_port
from collectors.snmp.book import SYS_DESCR, SYS_NAME, SYS_OBJECT_ID, Profile, text_of
from collectors.snmp.interfaces import ETHERNET, IEEE80211, UP, address_oid
from collectors.snmp.model import Column, Oid, Question, RawValue, Reply, VarBinds

ENGINE_ID: Oid = (1, 3, 6, 1, 6, 3, 10, 2, 1, 1, 0)
BRIDGE_ADDRESS: Oid = (1, 3, 6, 1, 2, 1, 17, 1, 1, 0)
"""dot1dBaseBridgeAddress."""
BRIDGE_PORTS: Oid = (1, 3, 6, 1, 2, 1, 17, 1, 2, 0)
"""dot1dBaseNumPorts."""
SWITCH_PORTS = 5
"""An agent of no known family with so many bridge ports and no radio is proposed as a switch."""
IF_TYPE: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 3)
IF_PHYS_ADDRESS: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 6)
IF_STATUS: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 8)
"""ifOperStatus."""
ENTITY_CLASS: Oid = (1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 5)
ENTITY_SERIAL: Oid = (1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 11)
ENTITY_MODEL: Oid = (1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 13)
CHASSIS, STACK = 3, 11
"""entPhysicalClass of what a device is as a whole."""
TABLES = ((IF_TYPE, IF_PHYS_ADDRESS, IF_STATUS), (ENTITY_CLASS, ENTITY_SERIAL, ENTITY_MODEL))
GENERIC = "generic"
MAX_TEXT = 500
MOST_MACS = 64
LOCALLY_ADMINISTERED = 0x02


def closer_question(address: str, doubts: Sequence[Oid]) -> Question:
    """What to ask an agent at `address` once it said who it is; `doubts` tell families apart."""
    of_address = address_oid(address)
    own = (of_address,) if of_address else ()
    return Question((ENGINE_ID, BRIDGE_ADDRESS, BRIDGE_PORTS, *own, *doubts), TABLES)


def found_of(address: str, port: int, values: VarBinds, reply: Reply, profile: Profile) -> Found:
    """The agent at `address`:`port`; `values` hold all its scalars, `reply` its tables."""
    interfaces = reply.tables[0] if reply.tables else None
    entities = reply.tables[1] if len(reply.tables) > 1 else None
    of_address = address_oid(address)
    index = values.get(of_address) if of_address else None
    macs = _macs(interfaces)
    bridge = mac_of(values.get(BRIDGE_ADDRESS))
    first = macs.get((index,)) if isinstance(index, int) else None
    mac = first or bridge or _lowest(interfaces, macs)
    serial, model = _chassis(entities)
    engine = values.get(ENGINE_ID)
    detail: dict[str, object] = {
        "description": clean(values.get(SYS_DESCR)),
        "sys_object_id": dotted(values.get(SYS_OBJECT_ID)),
        "model": model,
        "role": _role(values, interfaces, profile),
        "engine_id": engine.hex() if isinstance(engine, bytes) else "",
    }
    # A network's address made up by a driver, or a container's, says little of the hardware.
    lasting = {one for one in (*macs.values(), bridge) if one and not _made_up(one)}
    return Found(
        key=join_host_port(address, port),
        address=address,
        port=port,
        family=profile.family,
        name=clean(values.get(SYS_NAME))[:200],
        mac=mac,
        macs=frozenset(sorted(lasting)[:MOST_MACS]) | ({mac} if mac else set()),
        serial=serial,
        detail={key: value for key, value in detail.items() if value},
    )


def _role(values: VarBinds, interfaces: Sequence[Column] | None, profile: Profile) -> str:
    """The role to propose: a guess that a person can set right."""
    if getattr(profile, "access_points", ()):
        return "controller"
    ports = values.get(BRIDGE_PORTS)
    radios = interfaces is not None and IEEE80211 in interfaces[0].values()
    if (
        profile.family == GENERIC
        and not radios
        and isinstance(ports, int)
        and ports >= SWITCH_PORTS
    ):
        return "switch"
    return "access-point"


def mac_of(value: object) -> str:
    """Six octets as a MAC address of one interface; empty for anything else."""
    if not isinstance(value, bytes) or len(value) != 6 or not any(value) or value[0] & 1:
        return ""
    return value.hex(":")


def clean(value: object) -> str:
    """An agent's text on one line, at most 500 characters, without what does not print."""
    text = " ".join((text_of(value) or "").split())
    return "".join(c for c in text if c.isprintable())[:MAX_TEXT]


def dotted(value: object) -> str:
    """An OID as people write it; empty for anything else."""
    return ".".join(map(str, value)) if isinstance(value, tuple) else ""


def _made_up(mac: str) -> bool:
    return bool(int(mac[:2], 16) & LOCALLY_ADMINISTERED)


def _macs(interfaces: Sequence[Column] | None) -> dict[Oid, str]:
    if interfaces is None:
        return {}
    return {index: mac for index, value in interfaces[1].items() if (mac := mac_of(value))}


def _lowest(interfaces: Sequence[Column] | None, macs: Mapping[Oid, str]) -> str:
    """MAC address of the first interface: Ethernet before others, up before down, one that its
    maker gave before one that a driver made up.
    """
    if interfaces is None:
        return ""
    kinds, _, states = interfaces

    def rank(index: Oid) -> tuple[bool, bool, bool, Oid]:
        up = states.get(index, UP) == UP
        return kinds.get(index) != ETHERNET, not up, _made_up(macs[index]), index

    return macs[min(macs, key=rank)] if macs else ""


def _chassis(entities: Sequence[Column] | None) -> tuple[str, str]:
    """Serial number and model of the device as a whole (ENTITY-MIB): of its chassis or stack,
    else of the first part that has a serial number.
    """
    if entities is None:
        return "", ""
    kinds, serials, models = entities
    whole = [index for index, kind in sorted(kinds.items()) if kind in (CHASSIS, STACK)]
    for index in (*whole, *sorted(serials)):
        if serial := _part(serials, index):
            return serial, _part(models, index)
    return "", next((model for index in whole if (model := _part(models, index))), "")


def _part(column: Mapping[Oid, RawValue], index: Oid) -> str:
    return clean(column.get(index))[:100]
