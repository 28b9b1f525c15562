"""What an access point tells of itself: model, version, serial number, interfaces."""

from __future__ import annotations

import json
import re
from typing import Any

from napalm_openwrt.session import Session

FACTS = r"""
show() { echo "@@ $1"; shift; "$@" 2>/dev/null; echo; }
show board ubus call system board
show hostname cat /proc/sys/kernel/hostname
show uci uci -q get system.@system[0].hostname
show model cat /tmp/sysinfo/model
show cpu sed -n 's/^machine[[:space:]]*: //p' /proc/cpuinfo
show release cat /etc/openwrt_release
show serial cat /proc/device-tree/serial-number
show serial2 cat /tmp/sysinfo/serial
show serial3 cat /sys/devices/virtual/dmi/id/product_serial
show uptime cat /proc/uptime
show interfaces ls /sys/class/net
"""

INTERFACES = r"""
cd /sys/class/net || exit 0
for i in *; do
  [ -e "$i/address" ] || continue
  echo "$i|$(cat $i/operstate 2>/dev/null)|$(cat $i/flags 2>/dev/null)|\
$(cat $i/speed 2>/dev/null)|$(cat $i/mtu 2>/dev/null)|$(cat $i/address 2>/dev/null)"
done
"""


def get_facts(session: Session) -> dict[str, Any]:
    """Facts in NAPALM's shape; uptime in seconds, -1 where unknown."""
    said = dict(re.findall(r"^@@ (\w+)\n(.*?)(?=^@@ |\Z)", session.run(FACTS).stdout, re.M | re.S))
    board = _json(said.get("board", ""))
    release = board.get("release") or {}
    hostname = str(board.get("hostname") or _first(said, "uci", "hostname"))
    version = " ".join(
        str(release.get(key) or _release(said, f"DISTRIB_{key.upper()}"))
        for key in ("version" if release else "release", "revision")
    ).strip()
    uptime = _first(said, "uptime").split(" ")[0]
    return {
        "hostname": hostname,
        "fqdn": hostname,
        "vendor": "OpenWrt",
        "model": str(board.get("model") or _first(said, "model", "cpu")),
        "os_version": version,
        "serial_number": _first(said, "serial", "serial2", "serial3").strip("\0 "),
        "uptime": float(uptime) if re.fullmatch(r"\d+(\.\d+)?", uptime) else -1.0,
        "interface_list": said.get("interfaces", "").split(),
    }


def get_interfaces(session: Session) -> dict[str, dict[str, Any]]:
    """Interfaces in NAPALM's shape; speed in Mbit/s, -1 where the kernel has none."""
    found: dict[str, dict[str, Any]] = {}
    for line in session.run(INTERFACES).stdout.splitlines():
        parts = line.split("|")
        if len(parts) != 6:
            continue
        name, state, flags, speed, mtu, address = parts
        enabled = bool(int(flags, 16) & 1) if re.fullmatch(r"0x[0-9a-f]+", flags) else False
        found[name] = {
            # A loopback or tunnel reports "unknown" and works when it is enabled.
            "is_up": state == "up" or (state == "unknown" and enabled),
            "is_enabled": enabled,
            "description": "",
            "last_flapped": -1.0,
            "speed": float(speed) if speed.isdigit() else -1.0,
            "mtu": int(mtu) if mtu.isdigit() else -1,
            "mac_address": address.upper(),
        }
    return found


def _json(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _first(said: dict[str, str], *keys: str) -> str:
    """The first answer that is not empty, its first line."""
    for key in keys:
        lines = said.get(key, "").strip().splitlines()
        if lines:
            return lines[0].strip()
    return ""


def _release(said: dict[str, str], key: str) -> str:
    match = re.search(rf"^{key}=['\"]?([^'\"\n]*)", said.get("release", ""), re.M)
    return match[1] if match else ""
