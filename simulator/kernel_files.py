"""Files that a kernel computes: /proc, /sys and /dev of a pretend access point."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.device import Device

MEMORY_KB = 122_152

_DEVICES = ["console", "null", "random", "stderr", "stdin", "stdout", "tty", "urandom", "zero"]


@dataclass(frozen=True)
class Link:
    """An interface as the kernel has it."""

    name: str
    index: int
    enabled: bool
    up: bool
    """Enabled, with a carrier: of a radio, whether it serves."""
    mac: str
    mtu: int = 1500
    master: str = ""
    addresses: tuple[str, ...] = ()
    """With their prefix lengths."""


def links(device: Device) -> list[Link]:
    """The device's interfaces in the kernel's order."""
    mac = device.settings.identity.mac
    lan = (f"{device.settings.address}/24", f"{_link_local(mac)}/64") if device.reachable else ()
    found = [
        Link("lo", 1, True, True, "00:00:00:00:00:00", 65536, "", ("127.0.0.1/8", "::1/128")),
        Link("eth0", 2, True, True, mac, 1500, "br-lan"),
        Link("br-lan", 3, device.reachable, device.reachable, mac, 1500, "", lan),
    ]
    for number, network in enumerate(device.networks):
        enabled = network.up or device.radios.listening_s(network.radio) > 0
        found.append(Link(network.interface, 4 + number, enabled, network.up, network.bssid or mac,
                          1500, "br-lan"))  # fmt: skip
    for tunnel in device.tunnels:
        whole = tuple(one if "/" in one else f"{one}/32" for one in tunnel.addresses)
        found.append(Link(tunnel.name, 1 + len(found), True, True, "", 1420, "", whole))
    return found


def _link_local(mac: str) -> str:
    """The fe80:: address that follows from a MAC (RFC 4291, appendix A)."""
    raw = [int(part, 16) for part in mac.split(":")]
    raw[0] ^= 2
    joined = bytes([*raw[:3], 0xFF, 0xFE, *raw[3:]])
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + joined))


def gateway(device: Device) -> str:
    """The router in front of the device."""
    return f"{device.settings.address.rpartition('.')[0]}.254"


def interfaces(device: Device) -> dict[str, tuple[int, bool, str]]:
    """The device's interfaces by name: index, whether up, and MAC address."""
    return {link.name: (link.index, link.up, link.mac) for link in links(device)}


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
    if parts[0] == "sys":
        from simulator.sys_files import sys_file

        return sys_file(device, parts[1:])
    return None


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
    busy = min(0.9, 0.05 + sum(device.traffic.clients(n, device.networks)
                               for n in device.networks) / 100)  # fmt: skip
    files: dict[str, str] = {
        "uptime": f"{uptime:.2f} {uptime * 0.93:.2f}\n",
        "loadavg": f"0.08 0.05 0.01 1/{40 + len(pids)} {max(pids)}\n",
        "mounts": "/dev/root /rom squashfs ro,relatime 0 0\ntmpfs /tmp tmpfs rw 0 0\n"
        "overlayfs:/overlay / overlay rw,noatime 0 0\n",
        "version": "Linux version 5.15.150 (pretend)\n",
        "cpuinfo": "system type\t\t: Pretend SoC\nmachine\t\t\t: Pretend AP 2x2\n",
        "meminfo": f"MemTotal: {MEMORY_KB:10d} kB\nMemFree: {free:11d} kB\n"
        f"MemAvailable: {free + 4000:6d} kB\n"
        f"Buffers: {2000:11d} kB\nCached: {6000:12d} kB\n",
        "stat": _stat(uptime, busy),
        "net/arp": "IP address       HW type     Flags       HW address            Mask     "
        "Device\n"
        f"{gateway(device):16} 0x1         0x2         02:fe:00:00:00:01     *        br-lan\n",
        "sys/kernel/ostype": "Linux\n",
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


def _stat(uptime: float, busy: float) -> str:
    """Ticks of 10 ms; busy as its clients make it."""
    ticks = int(uptime * 100)
    used = int(ticks * busy)
    row = f"{used // 2} 0 {used - used // 2} {ticks - used} 0 0 0 0 0 0"
    return f"cpu  {row}\ncpu0 {row}\nintr 0\nctxt 0\nbtime 0\nprocesses 0\n"


def _net_dev(device: Device) -> str:
    counters = device.traffic.advance(device.networks)
    lines = [
        "Inter-|   Receive                                                |  Transmit\n",
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
        "drop fifo colls carrier compressed\n",
    ]
    for name, count in counters.items():
        lines.append(f"{name:>6}: {count.rx:.0f} {count.rx / 800:.0f} 0 0 0 0 0 0 "
                     f"{count.tx:.0f} {count.tx / 800:.0f} 0 0 0 0 0 0\n")  # fmt: skip
    return "".join(lines)
