"""What a pretend access point runs with: its configuration as last loaded by its services.

Editing /etc/config changes nothing by itself: a service takes it over when it is reloaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from simulator.uci.model import Package, Section, UciError
from simulator.uci.store import Files, Store

_AUTO = {"2g": (1, 6, 11), "5g": (36, 40, 44, 48), "6g": (5, 21, 37)}


@dataclass(frozen=True)
class Network:
    """One SSID on one radio: an interface such as wlan0."""

    interface: str
    radio: str
    band: str
    """`2g`, `5g` or `6g`."""
    ssid: str
    bssid: str
    channel: int
    tx_power_dbm: int
    encryption: str
    up: bool
    section: str = ""
    """Its section of /etc/config/wireless."""
    width_mhz: int = 20
    htmode: str = ""
    country: str = ""
    attached_to: tuple[str, ...] = ()
    """Interfaces of /etc/config/network."""

    @property
    def frequency_mhz(self) -> int:
        """Centre of the channel (IEEE 802.11-2020, 17.3.8.4.2 and 27.3.23.2)."""
        if self.band == "2g":
            return 2484 if self.channel == 14 else 2407 + 5 * self.channel
        return (5950 if self.band == "6g" else 5000) + 5 * self.channel

    @property
    def label(self) -> str:
        """The radio's name for people."""
        return "wl-" + {"2g": "2.4G", "5g": "5G", "6g": "6G"}[self.band]


@dataclass(frozen=True)
class Tunnel:
    """A WireGuard interface."""

    name: str
    private_key: str = field(repr=False)
    addresses: tuple[str, ...]
    peers: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Public key, endpoint or "", allowed addresses of each."""


@dataclass(frozen=True)
class SnmpSettings:
    """What the agent answers to, and whom it tells."""

    communities: frozenset[str]
    trap_sinks: tuple[tuple[str, int], ...]
    trap_community: str
    contact: str
    location: str


def load(files: Files, name: str) -> Package | None:
    """A package of /etc/config without what is only staged; None where it cannot be read."""
    store = Store(files, delta_folders=[])
    try:
        return store.load(name)
    except (UciError, OSError):
        return None


def text(section: Section | None, name: str, default: str = "") -> str:
    """An option's value; a list's first item."""
    option = section.find(name) if section is not None else None
    if option is None:
        return default
    return option.value if isinstance(option.value, str) else (option.value or [default])[0]


def words(section: Section | None, name: str) -> list[str]:
    """Items of a list, or words of an option."""
    option = section.find(name) if section is not None else None
    if option is None:
        return []
    return option.value.split() if isinstance(option.value, str) else list(option.value)


def hostname(files: Files) -> str:
    """The name in /etc/config/system."""
    package = load(files, "system")
    systems = [s for s in package.sections if s.type == "system"] if package else []
    return text(systems[0] if systems else None, "hostname", "OpenWrt") or "OpenWrt"


def release(files: Files) -> dict[str, str]:
    """What /etc/openwrt_release says: RELEASE, REVISION and so on."""
    try:
        told = files.read("/etc/openwrt_release").decode("utf-8", "replace")
    except OSError:
        told = ""
    found = re.findall(r"^DISTRIB_(\w+)='([^'\n]*)'", told, re.MULTILINE)
    return {"RELEASE": "", "REVISION": "", **dict(found)}


def lets_in(files: Files) -> bool:
    """Whether /etc/config/network leaves a way in: an interface besides loopback that is up."""
    package = load(files, "network")
    return package is not None and any(
        section.type == "interface"
        and section.name != "loopback"
        and text(section, "proto", "none") != "none"
        and text(section, "disabled") != "1"
        and text(section, "auto", "1") != "0"
        for section in package.sections
    )


def tunnels(files: Files) -> tuple[Tunnel, ...]:
    """The WireGuard interfaces of /etc/config/network."""
    package = load(files, "network")
    sections = package.sections if package else []
    found = []
    for section in sections:
        if section.type != "interface" or text(section, "proto") != "wireguard":
            continue
        peers = [peer for peer in sections if peer.type == f"wireguard_{section.name}"]
        ends = [(text(peer, "endpoint_host"), text(peer, "endpoint_port", "51820"))
                for peer in peers]  # fmt: skip
        found.append(Tunnel(
            section.name, text(section, "private_key"), tuple(words(section, "addresses")),
            tuple((text(peer, "public_key"), f"{host}:{port}" if host else "",
                   tuple(words(peer, "allowed_ips")))
                  for peer, (host, port) in zip(peers, ends, strict=True)),
        ))  # fmt: skip
    return tuple(found)


def networks(files: Files, seed: int) -> tuple[Network, ...]:
    """The SSIDs of /etc/config/wireless, in its order."""
    package = load(files, "wireless")
    if package is None:
        return ()
    radios = [section for section in package.sections if section.type == "wifi-device"]
    numbers = {section.name: number for number, section in enumerate(radios)}
    found: list[Network] = []
    for section in package.sections:
        radio = next((r for r in radios if r.name == text(section, "device")), None)
        if section.type != "wifi-iface" or radio is None or text(section, "mode", "ap") != "ap":
            continue
        number = numbers[radio.name]
        same = sum(network.radio == radio.name for network in found)
        default = f"wlan{number}" + (f"-{same}" if same else "")
        off = "1" in {text(section, "disabled"), text(radio, "disabled")}
        band = _band(radio)
        found.append(
            Network(
                interface=text(section, "ifname", default),
                radio=radio.name,
                band=band,
                ssid=text(section, "ssid", "OpenWrt"),
                bssid=_mac(text(section, "macaddr")),
                channel=_channel(text(radio, "channel", "auto"), band, seed + number),
                tx_power_dbm=_number(text(radio, "txpower"), 20),
                encryption=text(section, "encryption", "none"),
                up=not off,
                section=section.name,
                width_mhz=_width(text(radio, "htmode")),
                htmode=text(radio, "htmode"),
                country=text(radio, "country"),
                attached_to=tuple(words(section, "network")),
            )
        )
    return tuple(found)


def _band(radio: Section) -> str:
    band = text(radio, "band").lower()
    if band in _AUTO:
        return band
    old = text(radio, "hwmode")
    if old:
        return "5g" if old in {"11a", "11ac", "11na"} else "2g"
    return "5g" if _number(text(radio, "channel"), 1) > 14 else "2g"


def _width(htmode: str) -> int:
    digits = "".join(char for char in htmode if char.isdigit())
    return int(digits) if digits in {"20", "40", "80", "160"} else 20


def _channel(value: str, band: str, seed: int) -> int:
    number = _number(value, 0)
    return number or _AUTO[band][seed % len(_AUTO[band])]


def _mac(value: str) -> str:
    """A MAC address in lower case; empty for what is none, such as `random`."""
    return value.lower() if re.fullmatch(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", value) else ""


def _number(value: str, default: int) -> int:
    return int(value) if value.strip().isdecimal() else default


def snmp_settings(files: Files) -> SnmpSettings:
    """What /etc/config/snmpd says; where it names no community it is "public"."""
    package = load(files, "snmpd")
    sections = package.sections if package else []
    communities = {text(s, "community") for s in sections if s.type == "com2sec"} - {""}
    sinks = [
        _address(text(section, "host"), text(section, "port"))
        for section in sections
        if section.type in {"trapsink", "trap2sink", "trap_HostName", "trap_HostIP"}
    ]
    trap = next((s for s in sections if s.type in {"trapsink", "trap2sink"}), None)
    system = next((s for s in sections if s.type == "system"), None)
    return SnmpSettings(
        communities=frozenset(communities) or frozenset({"public"}),
        trap_sinks=tuple(sink for sink in sinks if sink is not None),
        trap_community=text(trap, "community", "public"),
        contact=text(system, "sysContact"),
        location=text(system, "sysLocation"),
    )


def _address(host: str, port: str) -> tuple[str, int] | None:
    name, _, given = host.partition(":")
    return (name, _number(given or port, 162)) if name else None
