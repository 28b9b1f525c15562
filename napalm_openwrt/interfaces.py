"""A device's interfaces: state, counters, addresses, VLANs, in NAPALM's shapes."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from napalm_openwrt.asking import Shell, ask, mac_address, number, sections, words

INTERFACES = r"""
cd /sys/class/net &&
for i in *; do
  [ -e "$i/address" ] || continue
  line=$i
  for f in operstate flags speed mtu address ifalias; do
    v=; read -r v < "$i/$f"; line="$line|$v"
  done
  echo "$line"
done
"""
VLAN_PORT = re.compile(r"([\w.-]+)(?::\S*)?")


def get_interfaces(shell: Shell) -> dict[str, dict[str, Any]]:
    """Interfaces; speed in Mbit/s, -1 where the kernel has none, as for radios."""
    answers = ask(shell, "get_interfaces", {"sys": INTERFACES, "addresses": "ip addr"})
    found: dict[str, dict[str, Any]] = {}
    for line in answers["sys"].splitlines():
        parts = line.split("|", 6)
        if len(parts) != 7 or not parts[0]:
            continue
        name, state, flags, speed, mtu, address, alias = parts
        enabled = bool(int(flags, 16) & 1) if re.fullmatch(r"0x[0-9a-f]{1,8}", flags) else False
        # A loopback or tunnel reports "unknown" and works when it is enabled.
        up = state == "up" or (state == "unknown" and enabled)
        found[name] = {
            "is_up": up, "is_enabled": enabled, "description": alias, "last_flapped": -1.0,
            # The kernel says -1, or the largest number it has, where a link is down.
            "speed": float(speed) if 0 < number(speed) < 2**31 else -1.0,
            "mtu": number(mtu), "mac_address": mac_address(address),
        }  # fmt: skip
    return found or _from_ip(answers["addresses"])


def _from_ip(text: str) -> dict[str, dict[str, Any]]:
    """Interfaces as `ip addr` tells them, where there is no /sys."""
    found: dict[str, dict[str, Any]] = {}
    for name, block in _blocks(text):
        flags = re.search(r"<(.*?)>", block)
        said = set(flags[1].split(",")) if flags else set()
        mtu, address = (
            re.search(r" mtu (\d{1,9})\b", block),
            re.search(r"link/\S+ ([0-9a-f:]{17})", block),
        )
        found[name] = {
            "is_up": {"UP", "LOWER_UP"} <= said, "is_enabled": "UP" in said,
            "description": "", "last_flapped": -1.0, "speed": -1.0,
            "mtu": number(mtu[1]) if mtu else -1,
            "mac_address": mac_address(address[1]) if address else "",
        }  # fmt: skip
    return found


def _blocks(text: str) -> list[tuple[str, str]]:
    """What `ip addr` says of each interface, by name (without what it is stacked on)."""
    parts = re.split(r"^\d+: ([^:@\s]+)(?:@\S+)?:", text, flags=re.M)
    return list(zip(parts[1::2], parts[2::2], strict=False))


def get_interfaces_ip(shell: Shell) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Addresses by interface and family, with their prefix lengths; without any, left out."""
    answers = ask(shell, "get_interfaces_ip", {"addresses": "ip addr", "old": "ifconfig -a"})
    found: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for name, block in _blocks(answers["addresses"]):
        for match in re.finditer(
            r"^\s+inet6? ([0-9a-f.:]+)(?: peer [0-9a-f.:]+)?/(\d{1,3})", block, re.M
        ):
            _add(found, name, match[1], match[2])
    if found:
        return found
    for block in re.split(r"\n(?=\S)", answers["old"]):
        name = (block.split() or [""])[0].rstrip(":")
        for match in re.finditer(r"inet addr:([0-9.]+).*?Mask:([0-9.]+)", block):
            _add(found, name, match[1], match[2])
        for match in re.finditer(r"inet6 addr: ([0-9a-f:]+)/(\d{1,3})", block):
            _add(found, name, match[1], match[2])
    return found


def _add(found: dict[str, Any], name: str, address: str, prefix: str) -> None:
    try:
        interface = ipaddress.ip_interface(f"{address}/{prefix}")
    except ValueError:
        return
    family = found.setdefault(name, {}).setdefault(f"ipv{interface.version}", {})
    family[str(interface.ip)] = {"prefix_length": interface.network.prefixlen}


def get_interfaces_counters(shell: Shell) -> dict[str, dict[str, int]]:
    """Counters of the kernel, -1 where it has none: it tells multicast apart only as received,
    and broadcast not at all, so that unicast holds what cannot be told apart.
    """
    text = ask(shell, "get_interfaces_counters", {"dev": "cat /proc/net/dev"})["dev"]
    found: dict[str, dict[str, int]] = {}
    for match in re.finditer(r"^\s*(\S+?):\s*((?:\d{1,20}\s+){15}\d{1,20})\s*$", text, re.M):
        rx, tx = (tuple(int(n) for n in match[2].split())[i : i + 8] for i in (0, 8))
        multicast = rx[7]
        found[match[1]] = {
            "tx_errors": tx[2], "rx_errors": rx[2], "tx_discards": tx[3], "rx_discards": rx[3],
            "tx_octets": tx[0], "rx_octets": rx[0],
            "tx_unicast_packets": tx[1], "rx_unicast_packets": max(0, rx[1] - multicast),
            "tx_multicast_packets": -1, "rx_multicast_packets": multicast,
            "tx_broadcast_packets": -1, "rx_broadcast_packets": -1,
        }  # fmt: skip
    return found


def get_vlans(shell: Shell) -> dict[str, dict[str, Any]]:
    """VLANs by number: interfaces made of them, and ports of bridges that filter by them."""
    answers = ask(shell, "get_vlans", {
        "made": "cat /proc/net/vlan/config", "uci": "uci export network",
    })  # fmt: skip
    found: dict[str, set[str]] = {}
    for match in re.finditer(r"^(\S+)\s*\|\s*(\d{1,4})\s*\|\s*\S+\s*$", answers["made"], re.M):
        found.setdefault(match[2], set()).add(match[1])
    for section in sections(answers["uci"], "network", "bridge-vlan"):
        if re.fullmatch(r"[0-9]{1,4}", section.text("vlan")):
            ports = [VLAN_PORT.fullmatch(port) for port in words(section, "ports")]
            members = found.setdefault(section.text("vlan"), set())
            members.update(port[1] for port in ports if port)
    return {
        vlan: {"name": f"VLAN{vlan}", "interfaces": sorted(members)}
        for vlan, members in sorted(found.items(), key=lambda pair: int(pair[0]))
    }
