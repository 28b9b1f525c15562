"""Rendered intent fitted to what runs on a device: its own radios, bridge ports and sections.

Templates name radios by band and sections by their role. Here `radio_2g` becomes the radios of
that band, a section of which a device has one takes its name, and what is switched off is
switched off where it runs, and only there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from farola.errors import ProvisioningError
from napalm_openwrt.uci_text import Config, Package, Section, Value, format_config
from provisioning.intent.features import Change, Placed

BANDS = {"radio_2g": "2g", "radio_5g": "5g", "radio_6g": "6g"}
HARDWARE = frozenset({"type", "path", "phy", "band", "hwmode", "htmode"})
"""Options of a radio that belong to its hardware, which intent does not know."""
SINGLE = frozenset({
    ("system", "system"), ("snmpd", "system"), ("snmpd", "agent"), ("dropbear", "dropbear"),
    ("opennds", "opennds"), ("chilli", "chilli"),
})  # fmt: skip
"""(package, type) of which a device has one, whatever it is named."""
KEYED = {
    ("network", "device"): ("name",),
    ("network", "bridge-vlan"): ("device", "vlan"),
    ("firewall", "zone"): ("name",),
    ("firewall", "forwarding"): ("src", "dest"),
}
"""(package, type) → options by which a section is known, whatever it is named."""
OURS = frozenset({"city_2g", "city_5g", "city_6g"})
INTERFACE_CHARS = 15
WIDTH = "@width:"
PORTS = "@ports:"


class Rendered(dict[str, Package]):
    """A rendered config, radios still named by band, and what its features switch off."""

    placed: tuple[Placed, ...] = ()


class _Sections:
    """Sections of a package on their way to a candidate, each bound for one that runs or new."""

    def __init__(self, package: str, running: Package) -> None:
        self.package = package
        self.running = running
        self.found: dict[tuple[str, str | None, int], dict[str, Value]] = {}

    def bound(self, section: Section, ordinal: int = 0) -> tuple[str, str | None, int]:
        """The key of the section that `section` is for: type, name, and index if anonymous."""
        of_type = self.running.of_type(section.type)
        kind = (self.package, section.type)
        names = {one.name for one in of_type}
        if section.name is not None and section.name not in names:
            match: Section | None = None
            if kind in SINGLE and of_type:
                match = of_type[0]
            elif keys := KEYED.get(kind):
                wanted = [section.text(key) for key in keys]
                same = (one for one in of_type if [one.text(key) for key in keys] == wanted)
                match = next(same, None)
            if match is not None:
                anonymous = [one for one in of_type if one.name is None]
                index = next((i for i, one in enumerate(anonymous) if one is match), -1)
                return section.type, match.name, index
        return section.type, section.name, -1 if section.name is not None else ordinal

    def there(self, key: tuple[str, str | None, int]) -> Section | None:
        """The running section of that key."""
        kind, name, index = key
        if name is not None:
            return next((one for one in self.running.of_type(kind) if one.name == name), None)
        anonymous = [one for one in self.running.of_type(kind) if one.name is None]
        return anonymous[index] if 0 <= index < len(anonymous) else None

    def put(self, key: tuple[str, str | None, int], options: Iterable[tuple[str, Value]]) -> None:
        """Set options; an empty one, which takes it away, only where it runs."""
        there = self.there(key)
        kept = {
            name: value
            for name, value in options
            if value != "" or (there is not None and there.get(name) is not None)
        }
        self.found.setdefault(key, {}).update(kept)

    def package_made(self) -> Package:
        """All sections; anonymous ones that a later one is counted from stand empty before it."""
        made: list[Section] = []
        done: set[str] = set()
        for kind, name, _index in self.found:
            if name is not None:
                options = self.found[(kind, name, -1)]
                if options or kind == "wifi-iface":
                    made.append(Section(kind, name, tuple(options.items())))
            elif kind not in done:
                done.add(kind)
                indexes = {i for k, n, i in self.found if k == kind and n is None}
                empty: dict[str, Value] = {}
                rows = [self.found.get((kind, None, i), empty) for i in range(max(indexes) + 1)]
                while rows and not rows[-1]:
                    rows.pop()
                made += [Section(kind, None, tuple(row.items())) for row in rows]
        return Package(self.package, tuple(made))


def fit(rendered: Config, running: Config) -> Config:
    """Return `rendered` as a merge candidate for a device that runs `running`.

    Raises
    ------
    ProvisioningError
        The device lacks what intent builds on: a bridge for its VLANs, a zone for its guests.
    """
    placed = rendered.placed if isinstance(rendered, Rendered) else ()
    fitted: Config = {}
    for name in [*rendered, *(one.package for one in placed if one.package not in rendered)]:
        if name in fitted:
            continue
        sections = _Sections(name, running.get(name, Package(name)))
        ordinals: dict[str, int] = {}
        for section in _expanded(name, rendered.get(name, Package(name)).sections, running):
            key = sections.bound(section, ordinals.get(section.type, 0))
            ordinals[section.type] = ordinals.get(section.type, 0) + (section.name is None)
            sections.put(key, section.options)
        for one in placed:
            if one.package == name and one.off:
                _switch(sections, one, running)
        fitted[name] = sections.package_made()
    _refuse_nowhere(rendered, fitted, running)
    return {name: package for name, package in fitted.items() if package.sections}


def _switch(sections: _Sections, one: Placed, running: Config) -> None:
    """Switch off what is off and runs; of what is on, take away what switched it off before."""
    for section in _expanded(sections.package, [one.section], running):
        key = sections.bound(section)
        there = sections.there(key)
        if there is None:
            continue
        known = sections.found.get(key, {})
        wanted = []
        for change in one.off:
            now = there.text(change.option)
            if change.option in known or (not one.on and not _applies(change, now, running)):
                continue
            if one.on and now and now == (change.to or now):
                wanted.append((change.option, ""))
            elif not one.on and now != change.to:
                wanted.append((change.option, change.to))
        if wanted:
            sections.put(key, wanted)


def _applies(change: Change, now: str, running: Config) -> bool:
    package, _, name = change.beside.partition(".")
    beside = running.get(package, Package(package)).sections if name else ()
    return (not change.only or re.fullmatch(change.only, now) is not None) and (
        not name or any(section.name == name for section in beside)
    )


def _expanded(package: str, sections: Sequence[Section], running: Config) -> list[Section]:
    """Sections with radios and ports of the device in the place of words for them."""
    if package == "network":
        return [_with_ports(section, running) for section in sections]
    if package != "wireless":
        return list(sections)
    there = running.get("wireless", Package("wireless"))
    found = []
    for section in sections:
        own = section.name or ""
        logical = own if section.type == "wifi-device" else section.text("device", _band(own))
        if logical not in BANDS:
            found.append(section)
            continue
        for radio in there.of_type("wifi-device"):
            if radio.name and band_of(radio) == BANDS[logical]:
                found.append(_on_radio(section, radio, there))
    return found


def _band(name: str) -> str:
    """The radio that a section of a feature is for where it does not say: that of its name."""
    return f"radio_{name.rpartition('_')[2]}"


def _with_ports(section: Section, running: Config) -> Section:
    ports = section.get("ports")
    if section.type != "bridge-vlan" or not isinstance(ports, tuple):
        return section
    there = running.get("network", Package("network")).of_type("device")
    bridge = next((one for one in there if one.text("name") == section.text("device")), None)
    own = (bridge.get("ports") or bridge.get("ifname") or ()) if bridge else ()
    names = own.split() if isinstance(own, str) else own
    if any(port.startswith(PORTS) for port in ports) and not names:
        raise ProvisioningError(
            f"the device has no bridge {section.text('device')!r} with ports to put VLANs on: set "
            "bridge to the one that it has"
        )
    filled: list[str] = []
    for port in ports:
        marked = port.startswith(PORTS)
        filled += [f"{name}:{port[len(PORTS) :]}" for name in names] if marked else [port]
    options = tuple((k, tuple(filled) if k == "ports" else v) for k, v in section.options)
    return replace(section, options=options)


def _on_radio(section: Section, radio: Section, there: Package) -> Section:
    name = radio.name or ""
    if section.type == "wifi-device":
        options = [pair for pair in section.options if pair[0] not in HARDWARE]
        width = section.text("htmode")
        if width.startswith(WIDTH):
            generation = re.match("[A-Z]*", radio.text("htmode"))
            mode = generation[0] if generation and generation[0] != "NOHT" else ""
            options.append(("htmode", f"{mode or 'HT'}{width[len(WIDTH) :]}"))
        return Section(section.type, name, tuple(options))
    # The factory's open network must not stay on the air beside the city's.
    factory = f"default_{name}"
    taken = {one.name: one for one in there.of_type("wifi-iface")}
    own = factory if section.name in OURS and factory in taken else f"{section.name}_{name}"
    city = taken.get(factory) or taken.get(f"city_{BANDS[_radio_word(section)]}_{name}")
    interfaces = {
        "@owe": f"owe-{name}"[:INTERFACE_CHARS],
        "@open": (city.text("ifname") if city else "") or f"open-{name}"[:INTERFACE_CHARS],
    }
    options = []
    for option, value in section.options:
        if option == "device":
            options.append((option, name))
        elif option in {"ifname", "owe_transition_ifname"} and value in interfaces:
            options.append((option, interfaces[str(value)]))
        elif option != "ifname":
            options.append((option, value))
    if section.options and not section.text("disabled"):
        options.append(("disabled", "0"))
    return Section(section.type, own, tuple(options))


def _radio_word(section: Section) -> str:
    return section.text("device", _band(section.name or ""))


def _refuse_nowhere(rendered: Config, fitted: Config, running: Config) -> None:
    """Refuse to lead guests into a zone that the device does not have: they would get nowhere."""
    if "firewall" not in rendered:
        return
    there = running.get("firewall", Package("firewall")).of_type("zone")
    names = {zone.text("name") for zone in [*there, *fitted["firewall"].of_type("zone")]}
    for forwarding in rendered["firewall"].of_type("forwarding"):
        if (to := forwarding.text("dest")) not in names:
            own = ", ".join(sorted(zone.text("name") for zone in there)) or "none"
            raise ProvisioningError(
                f"the device has no firewall zone {to!r} for its guests to leave by (it has "
                f"{own}): set wan_zone"
            )


def band_of(radio: Section) -> str:
    """Band of a `wifi-device`: `2g`, `5g`, `6g` or "" (older releases say hwmode)."""
    if radio.text("band"):
        return radio.text("band")
    mode = radio.text("hwmode")
    if mode:
        return "5g" if mode in {"11a", "11na", "11ac"} else "2g"
    channel = radio.text("channel")
    if channel.isdigit():
        return "2g" if int(channel) <= 14 else "5g"
    return ""


def default_radios(rendered: Config) -> Config:
    """A stand-in for what runs, for a preview without asking the device: a radio a band, a
    bridge with one port, the zones that guests leave by.
    """
    found = [s.name for s in rendered.get("wireless", Package("")).of_type("wifi-device")]
    bands = [BANDS[name] for name in found if name in BANDS]
    modes = {"2g": "HT20", "5g": "VHT80", "6g": "HE80"}
    radios = [
        Section("wifi-device", f"radio{i}", (("band", b), ("htmode", modes[b])))
        for i, b in enumerate(bands)
    ]
    stand_in = {"wireless": Package("wireless", tuple(radios))}
    vlans = rendered.get("network", Package("")).of_type("bridge-vlan")
    if vlans:
        options: tuple[tuple[str, Value], ...] = (
            ("name", vlans[0].text("device")), ("type", "bridge"), ("ports", ("eth0",)),
        )  # fmt: skip
        stand_in["network"] = Package("network", (Section("device", None, options),))
    ways = rendered.get("firewall", Package("")).of_type("forwarding")
    zones = tuple(Section("zone", None, (("name", way.text("dest")),)) for way in ways)
    return stand_in | ({"firewall": Package("firewall", zones)} if zones else {})


def candidate_text(config: Config) -> str:
    """The candidate as the driver takes it."""
    return format_config(config)
