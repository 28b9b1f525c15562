"""`ubus`: the few calls that scripts make."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from simulator import stock_config
from simulator.kernel_files import MEMORY_KB, free_memory_kb, interfaces
from simulator.shell.commands import Applet, Call


def _board(call: Call, _given: dict[str, Any]) -> dict[str, Any]:
    return {
        "kernel": "5.15.150",
        "hostname": call.device.hostname,
        "system": "Pretend SoC",
        "model": stock_config.MODEL,
        "board_name": stock_config.BOARD,
        "rootfs_type": "squashfs",
        "release": {
            "distribution": "OpenWrt",
            "version": stock_config.RELEASE,
            "revision": stock_config.REVISION,
            "target": "ath79/generic",
            "description": f"OpenWrt {stock_config.RELEASE} {stock_config.REVISION}",
        },
    }


def _info(call: Call, _given: dict[str, Any]) -> dict[str, Any]:
    free = free_memory_kb(call.device) * 1024
    return {
        "localtime": int(call.device.clock()),
        "uptime": int(call.device.uptime_s),
        "load": [5216, 3296, 640],
        "memory": {"total": MEMORY_KB * 1024, "free": free, "shared": 532480, "buffered": 2048000,
                   "available": free + 4096000, "cached": 6144000},
        "swap": {"total": 0, "free": 0},
    }  # fmt: skip


def _devices(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    counters = call.device.traffic.advance(call.device.networks)
    found = {}
    for name, (_, up, mac) in interfaces(call.device).items():
        count = counters.get(name)
        found[name] = {
            "up": up, "carrier": up, "macaddr": mac, "mtu": 1500,
            "statistics": {"rx_bytes": round(count.rx) if count else 0,
                           "tx_bytes": round(count.tx) if count else 0},
        }  # fmt: skip
    wanted = given.get("name")
    return found.get(wanted, {}) if wanted else found


def _event(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    if given.get("type") == "config.change":
        package = given.get("data", {}).get("package", "")
        service = {"wireless": "wifi", "dhcp": "dnsmasq"}.get(package, package)
        call.device.service(service, "reload")
    return {}


_CALLS: dict[tuple[str, str], Callable[[Call, dict[str, Any]], dict[str, Any]]] = {
    ("system", "board"): _board,
    ("system", "info"): _info,
    ("network.device", "status"): _devices,
    ("service", "event"): _event,
}


def _ubus(call: Call) -> int:
    args = [arg for arg in call.args if arg not in {"-S", "-v"}]
    if args[:1] == ["list"]:
        call.out("".join(f"{name}\n" for name in sorted({path for path, _ in _CALLS})))
        return 0
    if args[:1] != ["call"] or len(args) < 3:
        call.shell.write(2, b"Usage: ubus [<options>] <command> [arguments...]\n")
        return 1
    path, method = args[1], args[2]
    action = _CALLS.get((path, method))
    if action is None:
        known = any(name == path for name, _ in _CALLS)
        text = "Method not found" if known else "Not found"
        call.shell.write(2, f"Command failed: {text}\n".encode())
        return 3 if known else 4
    try:
        given = json.loads(args[3]) if len(args) > 3 else {}
    except ValueError:
        call.shell.write(2, b"Failed to parse message data\n")
        return 255
    reply = action(call, given if isinstance(given, dict) else {})
    if reply:
        call.out(json.dumps(reply, indent=None if "-S" in call.args else "\t") + "\n")
    return 0


APPLETS: dict[str, Applet] = {"ubus": _ubus}
