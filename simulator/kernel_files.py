"""Files that a kernel computes: /proc, /sys and /dev of a pretend access point."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.device import Device

MEMORY_KB = 122_152

_DEVICES = ["console", "null", "random", "stderr", "stdin", "stdout", "tty", "urandom", "zero"]


def interfaces(device: Device) -> dict[str, tuple[int, bool, str]]:
    """The device's interfaces by name: index, whether up, and MAC address."""
    mac = device.settings.identity.mac
    found = {"lo": (1, True, "00:00:00:00:00:00"), "eth0": (2, True, mac), "br-lan": (3, True, mac)}
    for number, network in enumerate(device.networks):
        found[network.interface] = (4 + number, network.up, network.bssid or mac)
    return found


def free_memory_kb(device: Device) -> int:
    """Memory not in use: less with more clients."""
    busy = sum(device.traffic.clients(n, device.networks) for n in device.networks)
    return max(9_000, 71_000 - 160 * busy - 90 * len(device.processes.running))


def kernel_file(device: Device, path: str) -> bytes | list[str] | None:
    """Content of a computed file, names in a computed folder, or None."""
    parts = path.split("/")[1:]
    if parts[0] == "proc":
        return _proc(device, parts[1:])
    if parts[0] == "dev":
        return _dev(parts[1:])
    if parts[:3] == ["sys", "class", "net"]:
        return _net(device, parts[3:])
    return {"sys": ["class"], "sys/class": ["net"]}.get("/".join(parts))


def _dev(parts: list[str]) -> bytes | list[str] | None:
    if not parts:
        return _DEVICES
    if len(parts) > 1 or parts[0] not in _DEVICES:
        return None
    if parts[0] in {"urandom", "random"}:
        return os.urandom(4096)
    return bytes(4096) if parts[0] == "zero" else b""


def _proc(device: Device, parts: list[str]) -> bytes | list[str] | None:
    uptime = device.uptime_s
    pids = dict(device.daemons())
    pids |= {process.pid: process.command for process in device.processes.running.values()}
    if parts and parts[0].isdigit():
        return _process(pids.get(int(parts[0])), parts[1:])
    free = free_memory_kb(device)
    files: dict[str, str] = {
        "uptime": f"{uptime:.2f} {uptime * 0.93:.2f}\n",
        "loadavg": f"0.08 0.05 0.01 1/{40 + len(pids)} {max(pids)}\n",
        "mounts": "/dev/root /rom squashfs ro,relatime 0 0\ntmpfs /tmp tmpfs rw 0 0\n"
        "overlayfs:/overlay / overlay rw,noatime 0 0\n",
        "version": "Linux version 5.15.150 (pretend)\n",
        "cpuinfo": "system type\t\t: Pretend SoC\nmachine\t\t\t: Pretend AP 2x2\n",
        "meminfo": f"MemTotal: {MEMORY_KB:10d} kB\nMemFree: {free:11d} kB\n"
        f"MemAvailable: {free + 4000:6d} kB\n",
        "filesystems": "nodev\ttmpfs\n\tsquashfs\n\tjffs2\n",
        "sys/kernel/hostname": device.hostname + "\n",
        "sys/kernel/random/boot_id": device.boot_id + "\n",
        "net/dev": _net_dev(device),
    }
    name = "/".join(parts)
    if name in files:
        return files[name].encode()
    start = name + "/" if name else ""
    below = {key[len(start) :].split("/")[0] for key in files if key.startswith(start)}
    if not below:
        return None
    return sorted(below | {str(pid) for pid in pids}) if not name else sorted(below)


def _process(command: str | None, parts: list[str]) -> bytes | list[str] | None:
    if command is None:
        return None
    files = {"cmdline": command.replace(" ", "\0") + "\0", "comm": command.split()[0] + "\n"}
    if not parts:
        return sorted(files)
    return files[parts[0]].encode() if parts[0] in files and len(parts) == 1 else None


def _net_dev(device: Device) -> str:
    counters = device.traffic.advance(device.networks)
    lines = ["Inter-|   Receive |  Transmit\n", " face |bytes packets |bytes packets\n"]
    for name, count in counters.items():
        lines.append(f"{name:>6}: {count.rx:.0f} {count.rx / 800:.0f} 0 0 0 0 0 0 "
                     f"{count.tx:.0f} {count.tx / 800:.0f} 0 0 0 0 0 0\n")  # fmt: skip
    return "".join(lines)


def _net(device: Device, parts: list[str]) -> bytes | list[str] | None:
    known = interfaces(device)
    if not parts:
        return sorted(known)
    if parts[0] not in known:
        return None
    index, up, mac = known[parts[0]]
    count = device.traffic.advance(device.networks).get(parts[0])
    state = "unknown" if parts[0] == "lo" else "up" if up else "down"
    files = {
        "address": mac, "ifindex": str(index), "mtu": "65536" if parts[0] == "lo" else "1500",
        "operstate": state, "flags": "0x1003" if up else "0x1002", "carrier": str(int(up)),
        "statistics/rx_bytes": f"{count.rx:.0f}" if count else "0",
        "statistics/tx_bytes": f"{count.tx:.0f}" if count else "0",
    }  # fmt: skip
    if parts[0] == "eth0":
        files["speed"] = "1000"
    name = "/".join(parts[1:])
    if name in files:
        return (files[name] + "\n").encode()
    if not name:
        return sorted({key.split("/")[0] for key in files})
    return ["rx_bytes", "tx_bytes"] if name == "statistics" else None
