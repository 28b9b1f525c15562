"""What a device tells of itself: model, version, serial number, in NAPALM's shape."""

from __future__ import annotations

import re
from typing import Any

from napalm_openwrt.asking import Shell, ask, first_line, mapping

QUESTIONS = {
    "board": "ubus call system board",
    "hostname": "cat /proc/sys/kernel/hostname",
    "uci": "uci -q get system.@system[0].hostname",
    "model": "cat /tmp/sysinfo/model",
    "cpu": "sed -n 's/^machine[[:space:]]*: //p' /proc/cpuinfo",
    "release": "cat /etc/openwrt_release",
    "serial": "cat /proc/device-tree/serial-number",
    "serial2": "cat /tmp/sysinfo/serial",
    "serial3": "cat /sys/devices/virtual/dmi/id/product_serial",
    "uptime": "cat /proc/uptime",
    "interfaces": "ls /sys/class/net",
    "counters": "cat /proc/net/dev",
}


def get_facts(shell: Shell) -> dict[str, Any]:
    """Facts; uptime in seconds, -1 where unknown."""
    said = ask(shell, "get_facts", QUESTIONS)
    board = mapping(said["board"])
    release = board.get("release")
    release = release if isinstance(release, dict) else {}
    hostname = str(board.get("hostname") or first_line(said, "uci", "hostname"))
    version = " ".join(
        str(release.get(key) or _release(said["release"], f"DISTRIB_{key.upper()}"))
        for key in ("version" if release else "release", "revision")
    ).strip()
    uptime = first_line(said, "uptime").split(" ")[0]
    listed = re.findall(r"^\s*(\S+?):", said["counters"], re.M)
    return {
        "hostname": hostname,
        "fqdn": hostname,
        "vendor": "OpenWrt",
        "model": str(board.get("model") or first_line(said, "model", "cpu")),
        "os_version": version,
        "serial_number": first_line(said, "serial", "serial2", "serial3").strip("\0 "),
        "uptime": float(uptime) if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", uptime) else -1.0,
        "interface_list": said["interfaces"].split() or listed,
    }


def _release(text: str, key: str) -> str:
    match = re.search(rf"^{key}=['\"]?([^'\"\n]*)", text, re.M)
    return match[1] if match else ""
