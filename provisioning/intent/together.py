"""What variables mean together: those that follow from others, and those that contradict.

Pure functions over the values of one device; no network and no file is touched.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from zlib import crc32

from farola import regulatory
from farola.errors import ProvisioningError
from provisioning.intent.variables import BANDS, Plain

ENCRYPTIONS = {
    "open": "none", "owe": "owe", "owe-transition": "none", "psk2": "psk2+ccmp", "sae": "sae",
    "sae-mixed": "sae-mixed", "wpa2-eap": "wpa2+ccmp", "wpa3-eap": "wpa3",
    "wpa3-mixed-eap": "wpa3-mixed",
}  # fmt: skip
"""Words of intent, and those of OpenWrt's `encryption`."""
KEYED = frozenset({"psk2", "sae", "sae-mixed"})
SNMP_AUTH = {"sha1": "SHA", "md5": "MD5"} | {
    f"sha{bits}": f"SHA-{bits}" for bits in (224, 256, 384, 512)
}
SNMP_PRIV = {"aes128": "AES", "aes192": "AES-192", "aes256": "AES-256", "des": "DES"}
ON_DEVICE = frozenset({"opennds", "chilli"})
"""Portals that run on the access point itself: it must route its guests."""
Plains = Mapping[str, Plain]
Put = Callable[[str, Plain, str], None]
"""Keeps a name's value and the variable that it follows from."""


def derived(values: Plains, given: frozenset[str]) -> dict[str, tuple[Plain, str]]:
    """Values that follow from others: name → (value, the variable that it follows from).

    `given` are the names that somebody set: those are never replaced.
    """
    found: dict[str, tuple[Plain, str]] = {}

    def put(name: str, value: Plain, source: str) -> None:
        if name not in given:
            found[name] = (value, source)

    security, staff = str(values["ssid_security"]), str(values["staff_security"])
    put("ssid_encryption", ENCRYPTIONS[security], "ssid_security")
    if security == "owe-transition":
        put("owe_ssid", f"owe-{crc32(_bytes(values['ssid'])):08x}", "ssid")
    routed = values["guest_routing"] == "routed"
    if routed or "guest_vlan" in values:
        put("network", "cityguest", "guest_routing" if routed else "guest_vlan")
        bridged = f"{values['bridge']}.{values.get('guest_vlan')}"
        put("guest_device", "br-cityguest" if routed else bridged, "guest_routing")
    if routed and "guest_address" in values:
        _split(put, "guest", str(values["guest_address"]))
    if "staff_ssid" in values:
        put("staff_encryption", ENCRYPTIONS[staff], "staff_security")
        put("staff_network", "citystaff" if "staff_vlan" in values else "lan", "staff_vlan")
        if staff not in KEYED:
            put("staff_eap", 1, "staff_security")
    if "radius_secret" in values:
        put("radius_acct_secret", values["radius_secret"], "radius_secret")
    put("radius_nas_id", values["hostname"], "hostname")
    if any(f"{name}_vlan" in values for name in ("guest", "staff", "management")):
        put("vlans", 1, "guest_vlan, staff_vlan, management_vlan")
    _management(put, values)
    put("accounting", "chilli" if values["portal"] == "chilli" else "none", "portal")
    for name, words in (("snmp_auth", SNMP_AUTH), ("snmp_priv", SNMP_PRIV)):
        if f"{name}_protocol" in values:
            put(f"{name}_type", words[str(values[f"{name}_protocol"])], f"{name}_protocol")
    for way in ("down", "up"):
        if f"client_{way}_kbit" in values:
            rate = int(str(values[f"client_{way}_kbit"]))
            put(f"client_{way}_bit", rate * 1000, f"client_{way}_kbit")
    return found


def _bytes(value: Plain) -> bytes:
    return str(value).encode("utf-8", "surrogateescape")


def _split(put: Put, name: str, address: str) -> None:
    inner = ipaddress.ip_interface(address)
    put(f"{name}_ipaddr", str(inner.ip), f"{name}_address")
    put(f"{name}_netmask", str(inner.netmask), f"{name}_address")
    put(f"{name}_subnet", str(inner.network), f"{name}_address")


def _management(put: Put, values: Plains) -> None:
    own = "management_vlan" in values
    if own or "management_proto" in values:
        put("management_interface", "citymgmt" if own else "lan", "management_vlan")
        if "management_proto" not in values:
            put("management_proto", "dhcp", "management_vlan")
    if own:
        leaves = values["guest_routing"] == "routed" and values["wan_zone"] == "lan"
        put("lan_idle", int(not leaves), "management_vlan, guest_routing, wan_zone")
    if "management_address" in values:
        _split(put, "management", str(values["management_address"]))
    networks = ("citymgmt",) * own + ("citywg",) * ("wireguard_server" in values)
    if networks:
        put("management_networks", networks, "management_vlan, wireguard_server")


def refuse_contradictions(device_id: str, values: Plains, sources: Mapping[str, str]) -> None:
    """Refuse values that each are well, and together are not.

    Raises
    ------
    ProvisioningError
        It names the device, the variables and where they come from.
    """
    for reason in (
        *_radios(values, sources),
        *_security(values),
        *_vlans(values),
        *_guests(values),
        *_portal(values),
        *_services(values),
    ):
        raise ProvisioningError(f"{device_id}: {reason}")


def _radios(values: Plains, sources: Mapping[str, str]) -> list[str]:
    country = str(values["country"])
    law = country if regulatory.is_listed(country) else f"{country} (taken for the world domain)"
    found = []
    for name in BANDS:
        if not values[f"radio_{name}"] or f"channel_{name}" not in values:
            continue
        band, channel = name[0], int(str(values[f"channel_{name}"]))
        where = f"channel_{name} (from {sources[f'channel_{name}']}) is {channel}"
        known = regulatory.allowed(country, band)
        if not known:
            found.append(f"radio_{name}: {law} allows no access point in {band} GHz: turn it off")
            continue
        if channel and channel not in known:
            listed = ", ".join(map(str, known))
            found.append(f"{where}: {law} allows {listed} in {band} GHz")
            continue
        width = int(str(values.get(f"width_{name}", 20)))
        taken = regulatory.block(band, channel, width) if channel else ()
        if channel and (not taken or not set(taken) <= set(known)):
            found.append(
                f"{where}: there is no channel of {width} MHz around it in {law}: "
                f"lower width_{name}, or choose another channel"
            )
            continue
        at = [known[one] for one in taken] or list(known.values())
        power = int(str(values[f"tx_power_{name}"]))
        # A channel that the radio chooses itself may be any: its driver caps the power there.
        most = min(one.power for one in at) if channel else max(one.power for one in at)
        if power > most:
            found.append(
                f"tx_power_{name} (from {sources[f'tx_power_{name}']}) is {power}: {law} allows "
                f"{most} dBm there"
            )
    return found


def _security(values: Plains) -> list[str]:
    found = []
    for who in ("ssid", "staff"):
        if who == "staff" and "staff_ssid" not in values:
            continue
        security = str(values[f"{who}_security"])
        key = values.get(f"{who}_key")
        if security in KEYED and key is None:
            found.append(f"{who}_security is {security!r}: it needs {who}_key")
        if security in {"psk2", "sae-mixed"} and not str(key or "").isascii():
            found.append(f"{who}_key must be ASCII where {who}_security is {security!r}")
        if who == "staff" and security not in KEYED:
            found += [
                f"staff_security is {security!r}: it needs {name}"
                for name in ("radius_server", "radius_secret")
                if name not in values
            ]
    if values["radio_6g"]:
        if "channel_6g" not in values:
            found.append("radio_6g is true: it needs channel_6g")
        if values["ssid_security"] not in {"owe", "sae", "owe-transition"}:
            found.append("radio_6g is true: 6 GHz has no open networks: set ssid_security to owe, "
                         "owe-transition or sae")  # fmt: skip
    return found


def _vlans(values: Plains) -> list[str]:
    if not any(f"{name}_vlan" in values for name in ("guest", "staff", "management")):
        return []
    seen: dict[Plain, str] = {}
    found = []
    for name in ("native_vlan", "guest_vlan", "staff_vlan", "management_vlan"):
        if name in values and (other := seen.setdefault(values[name], name)) != name:
            found.append(f"{other} and {name} are both {values[name]}: give each its own")
    return found


def _guests(values: Plains) -> list[str]:
    routed, found = values["guest_routing"] == "routed", []
    if routed:
        if "guest_address" not in values:
            found.append("guest_routing is 'routed': it needs guest_address, such as 10.20.0.1/22")
        else:
            inner = ipaddress.ip_interface(str(values["guest_address"])).network
            last = int(str(values["guest_dhcp_start"])) + int(str(values["guest_dhcp_limit"]))
            if inner.version != 4:
                found.append("guest_address must be IPv4")
            elif values["portal"] != "chilli" and last > inner.num_addresses - 1:
                found.append(f"guest_dhcp_start and guest_dhcp_limit reach beyond {inner}")
    else:
        found += [
            f"{name} needs guest_routing 'routed': bridged guests never pass the access point's "
            "own queues and firewall"
            for name in ("guest_down_kbit", "guest_up_kbit")
            if name in values
        ]
    if ("guest_down_kbit" in values) != ("guest_up_kbit" in values):
        found.append("guest_down_kbit and guest_up_kbit go together: set both")
    if values["portal"] not in ON_DEVICE:
        found += [
            f"{name} needs a portal on the access point: opennds or chilli, not "
            f"{values['portal']!r}"
            for name in ("client_down_kbit", "client_up_kbit")
            if name in values
        ]
    return found


def _portal(values: Plains) -> list[str]:
    portal, accounting = str(values["portal"]), str(values["accounting"])
    found = []
    if portal in ON_DEVICE and values["guest_routing"] != "routed":
        found.append(f"portal is {portal!r}: it needs guest_routing 'routed'")
    if accounting in ON_DEVICE and accounting != portal:
        found.append(
            f"accounting is {accounting!r}, but portal is {portal!r}: no one would account"
        )
    if portal == "chilli" and accounting != "chilli":
        found.append(
            f"accounting is {accounting!r}, but portal is 'chilli', which always accounts: "
            "sessions would be counted twice; set accounting to chilli"
        )
    if accounting == "external" and portal == "opennds":
        found.append("accounting is 'external', but portal 'opennds' ends sessions here: set "
                     "accounting to opennds, hostapd or none")  # fmt: skip
    needs = {
        "chilli": ("radius_server", "radius_secret", "portal_url"),
        "opennds": ("portal_secret",) if "portal_server" in values else (),
    }.get(portal, ())
    found += [f"portal is {portal!r}: it needs {name}" for name in needs if name not in values]
    if accounting == "hostapd":
        found += [
            f"accounting is 'hostapd': it needs {name}"
            for name in ("radius_acct_server", "radius_acct_secret")
            if name not in values
        ]
    return found


def _services(values: Plains) -> list[str]:
    found = []
    if values.get("management_proto") == "static" and "management_address" not in values:
        found.append("management_proto is 'static': it needs management_address")
    if "wireguard_server" in values:
        found += [
            f"wireguard_server is set: it needs {name}"
            for name in ("wireguard_server_key", "wireguard_address", "wireguard_allowed")
            if name not in values
        ]
        if "wireguard_private_key" not in values:
            found.append("wireguard_server is set, and there is no private key of this device: "
                         "make it with `farola device wireguard`")  # fmt: skip
    if "snmp_user" in values:
        for kind in ("auth", "priv"):
            if (f"snmp_{kind}_password" in values) != (f"snmp_{kind}_protocol" in values):
                found.append(f"snmp_{kind}_protocol and snmp_{kind}_password go together")
        if "snmp_priv_password" in values and "snmp_auth_password" not in values:
            found.append("snmp_priv_password needs snmp_auth_password")
    return found
