"""What `ubus` tells of interfaces and radios: netifd, hostapd and rpcd's iwinfo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator import running
from simulator.kernel_files import gateway, links
from simulator.radar import listens_s
from simulator.running import Network
from simulator.shell.commands import Call
from simulator.uci.model import Section

Reply = Callable[[Call, dict[str, Any]], dict[str, Any] | None]


def _interface(call: Call, section: Section) -> dict[str, Any]:
    name, proto = section.name, running.text(section, "proto", "none")
    device = running.text(section, "device", running.text(section, "ifname", "br-lan"))
    own = {link.name: link for link in links(call.device)}
    link = own.get(device) or own["br-lan"]
    up = proto != "none" and (name == "loopback" or call.device.reachable)
    addresses = [address.split("/") for address in link.addresses] if up else []
    return {
        "up": up, "pending": False, "available": True, "autostart": True, "dynamic": False,
        "uptime": int(call.device.uptime_s), "l3_device": link.name, "proto": proto,
        "device": link.name, "metric": 0, "dns_metric": 0, "delegation": True,
        "ipv4-address": [{"address": one, "mask": int(mask)} for one, mask in addresses
                         if ":" not in one],
        "ipv6-address": [], "ipv6-prefix": [], "ipv6-prefix-assignment": [],
        "route": [{"target": "0.0.0.0", "mask": 0, "nexthop": gateway(call.device)}]  # noqa: S104 - a route
        if up and name != "loopback" else [],
        "dns-server": [], "dns-search": [], "neighbors": [], "data": {},
    }  # fmt: skip


def _interfaces(call: Call) -> dict[str, dict[str, Any]]:
    package = running.load(call.flash, "network")
    return {
        section.name: _interface(call, section)
        for section in (package.sections if package else [])
        if section.type == "interface"
    }  # fmt: skip


def _dump(call: Call, _given: dict[str, Any]) -> dict[str, Any]:
    return {"interface": [{"interface": n, **one} for n, one in _interfaces(call).items()]}


def _devices(call: Call, given: dict[str, Any]) -> dict[str, Any] | None:
    counters = call.device.traffic.advance(call.device.networks)
    found = {}
    for link in links(call.device):
        count = counters.get(link.name)
        rx, tx = (round(count.rx), round(count.tx)) if count else (0, 0)
        kind = {"br-lan": "bridge", "lo": "Network device"}.get(link.name, "Network device")
        found[link.name] = {
            "external": False, "present": True, "type": kind, "up": link.enabled,
            "carrier": link.up, "macaddr": link.mac, "mtu": link.mtu,
            "statistics": {
                "rx_bytes": rx, "tx_bytes": tx, "rx_packets": rx // 800, "tx_packets": tx // 800,
                "rx_errors": 0, "tx_errors": 0, "rx_dropped": 0, "tx_dropped": 0, "multicast": 0,
            },
        }  # fmt: skip
    wanted = given.get("name")
    return found.get(wanted) if wanted else found


def _wireless(call: Call, _given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for network in call.device.networks:
        listening = call.device.radios.listening_s(network.radio) > 0
        radio = found.setdefault(network.radio, {
            "up": False, "pending": False, "autostart": True, "disabled": True,
            "retry_setup_failed": False,
            "config": {"channel": str(network.channel), "band": network.band,
                       "htmode": network.htmode, "country": network.country,
                       "txpower": network.tx_power_dbm},
            "interfaces": [],
        })  # fmt: skip
        if network.up or listening:
            radio["up"], radio["disabled"] = True, False
        radio["interfaces"].append({
            "section": network.section, "ifname": network.interface,
            "config": {"mode": "ap", "ssid": network.ssid, "encryption": network.encryption,
                       "network": list(network.attached_to)},
            "vlans": [], "stations": [],
        })  # fmt: skip
    return found


def _network(call: Call, given: dict[str, Any]) -> Network | None:
    wanted = given.get("device")
    return next((n for n in call.device.networks if n.interface == wanted), None)


def _iwinfo_devices(call: Call, _given: dict[str, Any]) -> dict[str, Any]:
    return {"devices": [network.interface for network in call.device.networks]}


def _iwinfo(call: Call, given: dict[str, Any]) -> dict[str, Any] | None:
    network = _network(call, given)
    if network is None:
        return None
    device = call.device
    return {
        "phy": "phy" + network.radio.removeprefix("radio"), "ssid": network.ssid,
        "bssid": network.bssid.upper(), "country": network.country, "mode": "Master",
        "channel": network.channel, "frequency": network.frequency_mhz,
        "txpower": network.tx_power_dbm, "quality": 40, "quality_max": 70,
        "noise": device.traffic.noise_dbm(network), "signal": -58, "bitrate": 144400,
        "encryption": {"enabled": network.encryption != "none"}, "htmode": network.htmode,
    }  # fmt: skip


def _stations(count: int) -> list[str]:
    """Invented addresses: a client's true one is nobody's business."""
    return [f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}" for number in range(count)]


def _assoclist(call: Call, given: dict[str, Any]) -> dict[str, Any] | None:
    network = _network(call, given)
    if network is None:
        return None
    count = call.device.traffic.clients(network, call.device.networks)
    return {"results": [{"mac": mac.upper(), "signal": -61, "noise": -92, "inactive": 10}
                        for mac in _stations(count)]}  # fmt: skip


def hostapd(network: Network) -> dict[str, Reply]:
    """Methods of the object `hostapd.INTERFACE`."""

    def status(call: Call, _given: dict[str, Any]) -> dict[str, Any]:
        left = call.device.radios.listening_s(network.radio)
        return {
            "status": "DFS" if left else "ENABLED" if network.up else "DISABLED",
            "bssid": network.bssid, "ssid": network.ssid, "freq": network.frequency_mhz,
            "channel": network.channel, "phy": network.interface,
            "dfs": {"cac_seconds": int(listens_s(network)), "cac_active": left > 0,
                    "cac_seconds_left": round(left)},
        }  # fmt: skip

    def clients(call: Call, _given: dict[str, Any]) -> dict[str, Any]:
        count = call.device.traffic.clients(network, call.device.networks)
        return {"freq": network.frequency_mhz,
                "clients": {mac: {"auth": True, "assoc": True, "authorized": True, "signal": -61}
                            for mac in _stations(count)}}  # fmt: skip

    return {"get_status": status, "get_clients": clients}


def _status_of(name: str) -> Reply:
    def status(call: Call, _given: dict[str, Any]) -> dict[str, Any] | None:
        return _interfaces(call).get(name)

    return status


def calls(call: Call) -> dict[tuple[str, str], Reply]:
    """Methods by object and name, as the device is now."""
    found: dict[tuple[str, str], Reply] = {}
    if call.device.runs("netifd"):
        found |= {
            ("network.interface", "dump"): _dump, ("network.device", "status"): _devices,
            ("network.wireless", "status"): _wireless,
        }  # fmt: skip
        for name in _interfaces(call):
            found[f"network.interface.{name}", "status"] = _status_of(name)
    if call.device.runs("rpcd"):
        found |= {
            ("iwinfo", "devices"): _iwinfo_devices, ("iwinfo", "info"): _iwinfo,
            ("iwinfo", "assoclist"): _assoclist,
        }  # fmt: skip
    if call.device.runs("hostapd"):
        for network in call.device.networks:
            for method, reply in hostapd(network).items():
                found[f"hostapd.{network.interface}", method] = reply
    return found
