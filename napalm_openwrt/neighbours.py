"""Who is beside a device: ARP, IPv6 neighbours, LLDP, and what its bridges have learned.

These tables name clients by their MAC addresses: whoever asks for them must not keep them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from napalm_openwrt.asking import Shell, ask, items, mac_address, mapping, number

BRIDGES = r"""
bridge fdb show | sed -n '/ master /s/^/entry /p' | grep . ||
for b in /sys/class/net/*/bridge; do
  b=${b%/bridge}
  for p in "$b"/brif/*; do
    n=; read -r n < "$p/port_no" && echo "port ${b##*/} ${p##*/} $n"
  done
  hexdump -v -e '16/1 "%02x" "\n"' "$b/brforward" | sed "s/^/learned ${b##*/} /"
done
"""
CAPABILITIES = {
    "Other": "other", "Repeater": "repeater", "Bridge": "bridge", "Wlan": "wlan-access-point",
    "Router": "router", "Tel": "telephone", "Docsis": "docsis-cable-device",
    "Station": "station",
}  # fmt: skip
"""lldpd's words for what a neighbour is, and NAPALM's."""


def get_arp_table(shell: Shell) -> list[dict[str, Any]]:
    """IPv4 neighbours that have answered; the kernel tells no age, so -1."""
    text = ask(shell, "get_arp_table", {"arp": "cat /proc/net/arp"})["arp"]
    found = []
    for line in text.splitlines()[1:]:
        parts = line.split()
        # Flag 2 is a complete entry.
        if len(parts) == 6 and re.fullmatch(r"0x[0-9a-f]{1,4}", parts[2]) and int(parts[2], 16) & 2:
            found.append({"interface": parts[5], "mac": mac_address(parts[3]), "ip": parts[0],
                          "age": -1.0})  # fmt: skip
    return found


def get_ipv6_neighbors_table(shell: Shell) -> list[dict[str, Any]]:
    """IPv6 neighbours with an address, and their states; age unknown, so -1."""
    text = ask(shell, "get_ipv6_neighbors_table", {"neighbours": "ip -f inet6 neigh"})
    found = []
    for line in text["neighbours"].splitlines():
        match = re.match(r"([0-9a-f:.]+) dev (\S+) .*?lladdr ([0-9a-f:]{17})\b.*?(\w+)\s*$", line)
        if match and _is_ipv6(match[1]):
            found.append({"interface": match[2], "mac": mac_address(match[3]), "ip": match[1],
                          "age": -1.0, "state": match[4]})  # fmt: skip
    return found


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def get_mac_address_table(shell: Shell) -> list[dict[str, Any]]:
    """What the bridges have learned; VLAN 0 where the bridge does not tell."""
    text = ask(shell, "get_mac_address_table", {"table": BRIDGES})["table"]
    ports: dict[tuple[str, int], str] = {}
    found = []
    for line in text.splitlines():
        parts = line.split()
        if parts[:1] == ["port"] and len(parts) == 4 and re.fullmatch(r"0x[0-9a-f]{1,4}", parts[3]):
            ports[parts[1], int(parts[3], 16)] = parts[2]
        elif parts[:1] == ["learned"] and len(parts) == 3:
            if re.fullmatch(r"[0-9a-f]{32}", parts[2]):
                # struct __fdb_entry: address, port, is_local, age, high bits of the port, padding.
                entry = bytes.fromhex(parts[2])
                port = ports.get((parts[1], entry[6] | entry[12] << 8), parts[1])
                found.append(_learned(entry[:6].hex(":"), port, 0, static=bool(entry[7])))
        elif parts[:1] == ["entry"] and len(parts) > 3 and "self" not in parts:
            vlan = number(parts[parts.index("vlan") + 1]) if "vlan" in parts[:-1] else 0
            static = bool({"permanent", "static"} & set(parts))
            found.append(_learned(parts[1], parts[3], max(vlan, 0), static=static))
    return found


def _learned(address: str, interface: str, vlan: int, *, static: bool) -> dict[str, Any]:
    return {"mac": mac_address(address), "interface": interface, "vlan": vlan, "static": static,
            "active": True, "moves": -1, "last_move": -1.0}  # fmt: skip


def get_lldp_neighbors(shell: Shell) -> dict[str, list[dict[str, str]]]:
    """Neighbours by interface, where lldpd runs; a device without it has none."""
    return {
        name: [{"hostname": one["remote_system_name"], "port": one["remote_port"]} for one in known]
        for name, known in get_lldp_neighbors_detail(shell, "", "get_lldp_neighbors").items()
    }


def get_lldp_neighbors_detail(
    shell: Shell, interface: str = "", name: str = "get_lldp_neighbors_detail"
) -> dict[str, list[dict[str, Any]]]:
    """Neighbours by interface, or those on `interface` alone."""
    told = mapping(ask(shell, name, {"lldp": "lldpctl -f json0"})["lldp"])
    found: dict[str, list[dict[str, Any]]] = {}
    for part in items(told.get("lldp")):
        for one in items(part.get("interface")):
            where = str(one.get("name", ""))
            if where and where == (interface or where):
                found.setdefault(where, []).append(_neighbour(one))
    return found


def _neighbour(told: dict[str, Any]) -> dict[str, Any]:
    chassis = (items(told.get("chassis")) or [{}])[0]
    port = (items(told.get("port")) or [{}])[0]
    able = items(chassis.get("capability"))
    return {
        "parent_interface": "",
        "remote_port": _value(port.get("id")),
        "remote_port_description": _value(port.get("descr")),
        "remote_chassis_id": mac_address(_value(chassis.get("id"))),
        "remote_system_name": _value(chassis.get("name")),
        "remote_system_description": _value(chassis.get("descr")),
        "remote_system_capab": _capabilities(able),
        "remote_system_enable_capab": _capabilities([one for one in able if one.get("enabled")]),
    }


def _value(told: Any) -> str:
    """The value of `[{"value": …}]`."""
    return next((str(one["value"]) for one in items(told) if "value" in one), "")


def _capabilities(told: list[dict[str, Any]]) -> list[str]:
    return [CAPABILITIES[str(one.get("type"))] for one in told if one.get("type") in CAPABILITIES]
