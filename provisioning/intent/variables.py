"""The variables of intent: what each is for, what it may be, and its default.

What a variable makes of a device stands in the templates; what two of them may not be together
in `provisioning.intent.together`. docs/intent.md lists them all, and a test keeps it so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Plain = str | int | tuple[str, ...]
"""A variable's value: text, a whole number (a switch is 0 or 1), or a list of texts."""


@dataclass(frozen=True)
class Variable:
    """One variable; `choices` are words, `low` to `high` the range of a number."""

    kind: str
    default: Plain | None = None
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0


def _choice(*words: str, default: str | None = None) -> Variable:
    return Variable("choice", default, words)


def _whole(low: int, high: int, default: int | None = None) -> Variable:
    return Variable("whole", default, (), low, high)


TEXT, NAME, SECRET = Variable("text"), Variable("name"), Variable("secret")
HOST, HOSTS, NETWORKS, INTERFACE = (
    Variable("host"), Variable("hosts"), Variable("networks"), Variable("interface"),
)  # fmt: skip
VLAN = _whole(1, 4094)
PORT_HIGH = 65535
POWER = _whole(0, 30)
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")

VARIABLES: Mapping[str, Variable] = {
    # Who and where it is.
    "hostname": Variable("hostname"),
    "location": TEXT,
    "country": Variable("country"),
    "zonename": TEXT,
    "timezone": TEXT,
    # The city's network.
    "ssid": Variable("ssid"),
    "ssid_security": _choice(
        "open", "owe", "owe-transition", "psk2", "sae", "sae-mixed", default="open"
    ),
    "ssid_key": Variable("wifi-key"),
    "client_isolation": Variable("switch", 1),
    "max_clients": _whole(1, 2007),
    "network": Variable("name", "lan"),
    # Radios.
    "radio_2g": Variable("switch", 1),
    "radio_5g": Variable("switch", 1),
    "radio_6g": Variable("switch", 0),
    "channel_2g": Variable("channel"),
    "channel_5g": Variable("channel"),
    "channel_6g": Variable("channel"),
    "width_2g": Variable("width"),
    "width_5g": Variable("width"),
    "width_6g": Variable("width"),
    "tx_power_2g": POWER,
    "tx_power_5g": POWER,
    "tx_power_6g": POWER,
    # The staff's network and RADIUS.
    "staff_ssid": Variable("ssid"),
    "staff_security": _choice(
        "wpa2-eap", "wpa3-eap", "wpa3-mixed-eap", "psk2", "sae", "sae-mixed", default="wpa2-eap"
    ),
    "staff_key": Variable("wifi-key"),
    "staff_isolation": Variable("switch", 0),
    "staff_network": NAME,
    "radius_server": HOST,
    "radius_port": _whole(1, PORT_HIGH, 1812),
    "radius_secret": SECRET,
    "radius_acct_server": HOST,
    "radius_acct_port": _whole(1, PORT_HIGH, 1813),
    "radius_acct_secret": SECRET,
    "radius_acct_interval_s": _whole(60, 86400, 600),
    "radius_nas_id": TEXT,
    # VLANs on the bridge.
    "bridge": Variable("device", "br-lan"),
    "native_vlan": _whole(1, 4094, 1),
    "guest_vlan": VLAN,
    "staff_vlan": VLAN,
    "management_vlan": VLAN,
    # Guests that the access point itself routes.
    "guest_routing": _choice("bridged", "routed", default="bridged"),
    "guest_address": INTERFACE,
    "guest_dhcp_start": _whole(1, 65534, 10),
    "guest_dhcp_limit": _whole(1, 65534, 200),
    "guest_dns": Variable("addresses"),
    "guest_blocked": Variable("networks", PRIVATE),
    "guest_allowed": NETWORKS,
    "wan_zone": Variable("name", "wan"),
    "guest_down_kbit": _whole(64, 10_000_000),
    "guest_up_kbit": _whole(64, 10_000_000),
    "client_down_kbit": _whole(64, 10_000_000),
    "client_up_kbit": _whole(64, 10_000_000),
    # Captive portal and accounting.
    "portal": _choice("opennds", "chilli", "external", "none", default="none"),
    "accounting": _choice("opennds", "chilli", "hostapd", "external", "none"),
    "portal_server": HOST,
    "portal_port": _whole(1, PORT_HIGH, 443),
    "portal_path": Variable("path", "/"),
    "portal_url": Variable("url"),
    "portal_secret": SECRET,
    "portal_allowed": HOSTS,
    "portal_session_min": _whole(1, 10080, 720),
    "portal_idle_min": _whole(1, 1440, 30),
    # Management network.
    "management_proto": _choice("dhcp", "static"),
    "management_address": INTERFACE,
    "management_gateway": Variable("address"),
    "dns_servers": Variable("addresses"),
    "wireguard_server": HOST,
    "wireguard_port": _whole(1, PORT_HIGH, 51820),
    "wireguard_server_key": Variable("wireguard-key"),
    "wireguard_address": INTERFACE,
    "wireguard_private_key": Variable("wireguard-secret"),
    "wireguard_preshared_key": Variable("wireguard-secret"),
    "wireguard_allowed": NETWORKS,
    "wireguard_keepalive_s": _whole(0, 65535, 25),
    # Services.
    "ntp_server_1": Variable("host", "0.openwrt.pool.ntp.org"),
    "ntp_server_2": Variable("host", "1.openwrt.pool.ntp.org"),
    "ntp_servers": HOSTS,
    "log_server": HOST,
    "log_port": _whole(1, PORT_HIGH, 514),
    "log_proto": _choice("udp", "tcp", default="udp"),
    "snmp_community": Variable("community"),
    "snmp_user": Variable("snmp-name"),
    "snmp_auth_protocol": _choice("sha1", "md5", "sha224", "sha256", "sha384", "sha512"),
    "snmp_auth_password": Variable("snmp-password"),
    "snmp_priv_protocol": _choice("aes128", "aes192", "aes256", "des"),
    "snmp_priv_password": Variable("snmp-password"),
    "ssh_password_auth": Variable("switch"),
    "ssh_interface": NAME,
}

SECRETS = frozenset({"secret", "wifi-key", "wireguard-secret", "community", "snmp-password"})
"""Kinds whose values are never shown, and never stand in `variables.yaml`."""
LISTS = frozenset({"hosts", "addresses", "networks"})
UNIQUE = ("management_address", "wireguard_address")
"""Variables that no two devices may share."""
BANDS = ("2g", "5g", "6g")
