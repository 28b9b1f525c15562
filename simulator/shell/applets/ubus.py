"""`ubus`: the few calls that scripts make."""

from __future__ import annotations

import json
from typing import Any

from simulator import stock_config
from simulator.firmware import ImageError, read_image
from simulator.kernel_files import MEMORY_KB, free_memory_kb
from simulator.running import release
from simulator.shell.applets.ubus_network import Reply, calls
from simulator.shell.commands import Applet, Call


def _board(call: Call, _given: dict[str, Any]) -> dict[str, Any]:
    told = release(call.flash)
    return {
        "kernel": "5.15.150",
        "hostname": call.device.hostname,
        "system": "Pretend SoC",
        "model": stock_config.MODEL,
        "board_name": stock_config.BOARD,
        "rootfs_type": "squashfs",
        "release": {
            "distribution": "OpenWrt",
            "version": told["RELEASE"],
            "revision": told["REVISION"],
            "target": "ath79/generic",
            "description": f"OpenWrt {told['RELEASE']} {told['REVISION']}",
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


def _event(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    if given.get("type") == "config.change":
        package = given.get("data", {}).get("package", "")
        service = {"wireless": "wifi", "dhcp": "dnsmasq"}.get(package, package)
        call.device.service(service, "reload")
    return {}


def _validate(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    tests, force = {}, False
    try:
        data = call.flash.read(call.path(str(given.get("path", ""))))
        read_image(data, stock_config.BOARD, force=True)
        force = True
        read_image(data, stock_config.BOARD)
        tests = {"fwtool_signature": True, "fwtool_device_match": True}
    except (OSError, ImageError) as error:
        device = "not supported" in str(error)
        tests = {"fwtool_signature": device, "fwtool_device_match": False}
    valid = all(tests.values())
    return {"tests": tests, "valid": valid, "forceable": force, "allow_backup": valid}


_CALLS: dict[tuple[str, str], Reply] = {
    ("system", "board"): _board,
    ("system", "info"): _info,
    ("system", "validate_firmware_image"): _validate,
    ("service", "event"): _event,
}


def _ubus(call: Call) -> int:
    args = [arg for arg in call.args if arg not in {"-S", "-v"}]
    known = {**_CALLS, **calls(call)}
    if not call.device.runs("ubusd"):
        call.shell.write(2, b"Failed to connect to ubus\n")
        return 255
    if args[:1] == ["list"]:
        call.out("".join(f"{name}\n" for name in sorted({path for path, _ in known})))
        return 0
    if args[:1] != ["call"] or len(args) < 3:
        call.shell.write(2, b"Usage: ubus [<options>] <command> [arguments...]\n")
        return 1
    return _call(call, args[1:], known)


def _call(call: Call, args: list[str], known: dict[tuple[str, str], Reply]) -> int:
    path, method = args[:2]
    action = known.get((path, method))
    if action is None:
        there = any(name == path for name, _ in known)
        text = "Method not found" if there else "Not found"
        call.shell.write(2, f"Command failed: {text}\n".encode())
        return 3 if there else 4
    try:
        given = json.loads(args[2]) if len(args) > 2 else {}
    except ValueError:
        call.shell.write(2, b"Failed to parse message data\n")
        return 255
    reply = action(call, given if isinstance(given, dict) else {})
    if reply is None:
        call.shell.write(2, b"Command failed: Not found\n")
        return 4
    if reply:
        call.out(json.dumps(reply, indent=None if "-S" in call.args else "\t") + "\n")
    return 0


APPLETS: dict[str, Applet] = {"ubus": _ubus}
