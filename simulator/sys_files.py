"""/sys of a pretend access point: its interfaces, its bridge and what it feels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulator.kernel_files import links

if TYPE_CHECKING:
    from simulator.device import Device


def sys_file(device: Device, parts: list[str]) -> bytes | list[str] | None:
    """Content of a file of /sys, names in a folder of it, or None."""
    if parts[:2] == ["class", "net"]:
        files = _net(device)
        parts = parts[2:]
    else:
        files = {f"class/thermal/thermal_zone0/{k}": v for k, v in _thermal(device).items()}
        files |= {f"class/hwmon/hwmon0/{k}": v for k, v in _hwmon(device).items()}
        files["class/net/lo"] = b""
    name = "/".join(parts)
    if name in files:
        return files[name]
    start = f"{name}/" if name else ""
    below = {key[len(start) :].split("/")[0] for key in files if key.startswith(start)}
    return sorted(below) or None


def _net(device: Device) -> dict[str, bytes]:
    counters = device.traffic.advance(device.networks)
    found: dict[str, bytes] = {}
    known = links(device)
    for link in known:
        count = counters.get(link.name)
        state = "unknown" if link.name == "lo" else "up" if link.up else "down"
        texts = {
            "address": link.mac, "ifindex": str(link.index), "mtu": str(link.mtu), "ifalias": "",
            "operstate": state, "flags": "0x1003" if link.enabled else "0x1002",
            "carrier": str(int(link.up)),
            "statistics/rx_bytes": f"{count.rx:.0f}" if count else "0",
            "statistics/tx_bytes": f"{count.tx:.0f}" if count else "0",
        }  # fmt: skip
        if link.name == "eth0":
            texts["speed"] = "1000"
        found |= {f"{link.name}/{name}": f"{text}\n".encode() for name, text in texts.items()}
    ports = [link for link in known if link.master == "br-lan"]
    for number, link in enumerate(ports, 1):
        found[f"br-lan/brif/{link.name}/port_no"] = f"{number:#x}\n".encode()
    found["br-lan/bridge/stp_state"] = b"0\n"
    # struct __fdb_entry: address, port, is_local, age in 10 ms, high bits of the port, padding.
    rows = [(device.settings.identity.mac, 1, True), ("02:fe:00:00:00:01", 1, False)]
    found["br-lan/brforward"] = b"".join(
        bytes.fromhex(mac.replace(":", "")) + bytes([port, own]) + (500).to_bytes(4, "little")
        + bytes(4)
        for mac, port, own in rows
    )  # fmt: skip
    return found


def _warmth(device: Device) -> int:
    """Thousandths of a degree: a day's sun, and its clients. Assumed."""
    noon = math.sin((device.clock() / 86400 - 0.25) * 2 * math.pi)
    count = sum(device.traffic.clients(n, device.networks) for n in device.networks)
    return round(1000 * (48 + 7 * noon + min(12, count / 4)))


def _thermal(device: Device) -> dict[str, bytes]:
    return {
        "type": b"cpu-thermal\n", "temp": f"{_warmth(device)}\n".encode(),
        "trip_point_0_type": b"hot\n", "trip_point_0_temp": b"95000\n",
        "trip_point_1_type": b"critical\n", "trip_point_1_temp": b"110000\n",
    }  # fmt: skip


def _hwmon(device: Device) -> dict[str, bytes]:
    return {"name": b"ath10k_hwmon\n", "temp1_input": f"{_warmth(device) + 6000}\n".encode()}
