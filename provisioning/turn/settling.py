"""How long an access point listens for radar after a change, before it serves again.

In the 5 GHz channels that radars use, an access point must listen before it sends: 60 s, and 600 s
where weather radars are (ETSI EN 301 893, channel availability check). One that listens is not a
failed push.
"""

from __future__ import annotations

import re

from napalm_openwrt.uci_text import Config, Package, Section
from provisioning.intent.render import band_of

LISTENS_S, WEATHER_LISTENS_S = 60, 600
RADAR = frozenset(range(52, 145, 4))
WEATHER = frozenset({120, 124, 128})
"""5600 to 5650 MHz."""
RESTART_S = 10
"""What a radio takes on top to be configured."""
CUTTING = frozenset({"network", "wireless", "firewall", "dropbear"})
"""Packages whose services may cut a device off, seconds after they were told to reload."""
_PACKAGE = re.compile(r"^package '?(\w+)", re.MULTILINE)
_UPLINK_BY_RADIO = re.compile(r"^\s*option mode '?(?:sta|mesh|adhoc)'?\s*$", re.MULTILINE)


def settle_s(running: Config, result: Config) -> int:
    """Seconds until the radios serve again that `result` changes, of those that must listen.

    A radio counts where it or a network on it differs, and its channel, as wide as it is, is one
    of radar's; one that chooses its channel itself may choose such a one.
    """
    before, after = (c.get("wireless", Package("wireless")) for c in (running, result))
    waits = [
        _listens_s(radio)
        for radio in after.of_type("wifi-device")
        if radio.text("disabled") != "1" and _all_of(radio, before) != _all_of(radio, after)
    ]
    longest = max(waits, default=0)
    return longest + RESTART_S if longest else 0


def linger_s(candidate: str, running: str, settle: int, linger: int) -> int:
    """Seconds after services were told to reload, before a new connection proves anything: one that
    comes at once may come in over what is about to go. Both texts are as `uci export` prints them.

    `settle` is what the change's radios listen, which counts where the uplink is a radio.
    """
    touched = set(_PACKAGE.findall(candidate)) & CUTTING
    if not touched:
        return 0
    by_radio = "wireless" in touched and _UPLINK_BY_RADIO.search(running)
    return linger + (settle if by_radio else 0)


def _all_of(radio: Section, package: Package) -> list[Section]:
    """A radio and the networks on it."""
    return [
        section
        for section in package.sections
        if (section.type == "wifi-device" and section.name == radio.name)
        or (section.type == "wifi-iface" and section.text("device") == radio.name)
    ]


def _listens_s(radio: Section) -> int:
    channel = radio.text("channel") or "auto"
    if band_of(radio) != "5g":
        return 0
    if not channel.isdigit():
        return LISTENS_S
    used = channels_of(int(channel), width_mhz(radio))
    if used & WEATHER:
        return WEATHER_LISTENS_S
    return LISTENS_S if used & RADAR else 0


def width_mhz(radio: Section) -> int:
    """The width that a radio's `htmode` names: 20, 40, 80 or 160 MHz."""
    digits = "".join(letter for letter in radio.text("htmode") if letter.isdigit())
    return int(digits) if digits in {"20", "40", "80", "160"} else 20


def channels_of(channel: int, width: int) -> frozenset[int]:
    """The 20 MHz channels that a 5 GHz channel of `width` MHz covers (IEEE 802.11, annex E)."""
    many = width // 20
    first = 149 if channel >= 149 else 36 if channel < 100 else 100
    block = first + (channel - first) // (4 * many) * 4 * many
    return frozenset(range(block, block + 4 * many, 4))
