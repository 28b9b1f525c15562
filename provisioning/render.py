"""Intent to config: the template by netjsonconfig, then fitted to what runs on the device.

netjsonconfig escapes nothing. So it never sees a value that somebody chose: texts go through it
as plain tokens and are put in afterwards as data, which `uci_text` quotes. That also lets one
render serve all devices whose numbers (channels, power) are equal.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from farola.errors import ProvisioningError
from napalm_openwrt.uci_text import (
    Config,
    Package,
    Section,
    UciSyntaxError,
    Value,
    format_config,
    parse,
)
from provisioning.intent import Intent

TEMPLATES = Path(__file__).parent / "templates"
VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
TOKEN = re.compile(r"fv(\d+)vf")
LITERAL = frozenset({"country"})
"""Texts that netjsonconfig's schema checks; they come from its own list, so they are safe."""
BANDS = {"radio_2g": "2g", "radio_5g": "5g", "radio_6g": "6g"}
HARDWARE = frozenset({"type", "path", "phy", "band", "hwmode", "htmode"})
"""Options of a radio that belong to its hardware, which intent does not know."""
SINGLE = frozenset({("system", "system"), ("snmpd", "system"), ("snmpd", "agent")})
"""(package, type) of which a device has one, whatever it is named."""


def render(template: str, intent: Intent, *, name: str = "template") -> Config:
    """Return the config that `intent` makes of `template` (YAML), radios named by band.

    Raises
    ------
    ProvisioningError
        The template is no YAML, names an unknown variable, or netjsonconfig refuses it.
    """
    names, missing = _variables(template, intent, name)
    numbers = tuple(
        (variable, intent[variable].value)
        for variable in names
        if variable not in missing
        and (isinstance(intent[variable].value, int) or variable in LITERAL)
    )
    blank = _render_once(template, numbers, names, name)
    values = {
        index: str(intent[variable].value)
        for index, variable in enumerate(names)
        if variable not in missing
    }
    return {key: _filled(package, values) for key, package in blank.items()}


def _variables(template: str, intent: Intent, name: str) -> tuple[tuple[str, ...], set[str]]:
    """Variables that the template names, sorted, and those of them without a value."""
    body = re.sub(r"^\s*#.*$", "", template, flags=re.MULTILINE)
    names = tuple(sorted(set(VARIABLE.findall(body))))
    missing = {variable for variable in names if variable not in intent}
    unknown = sorted(missing - {"snmp_community"})
    if unknown:
        raise ProvisioningError(
            f"{name}: unknown variable {unknown[0]!r}: set it in variables.yaml, or correct it; "
            f"there are {', '.join(sorted(intent))}"
        )
    return names, missing


@functools.lru_cache(maxsize=256)
def _render_once(
    template: str, numbers: tuple[tuple[str, Any], ...], names: tuple[str, ...], name: str
) -> Config:
    """Render with a token for each text; cached, as a city has few combinations of numbers."""
    import yaml
    from netjsonconfig import OpenWrt
    from netjsonconfig.exceptions import ValidationError

    given = dict(numbers)

    def put(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: put(value) for key, value in node.items()}
        if isinstance(node, list):
            return [put(value) for value in node]
        if not isinstance(node, str):
            return node
        alone = VARIABLE.fullmatch(node)
        if alone and alone[1] in given:
            return given[alone[1]]
        return VARIABLE.sub(
            lambda m: str(given[m[1]]) if m[1] in given else f"fv{names.index(m[1])}vf", node
        )

    try:
        data = yaml.safe_load(template)
    except yaml.YAMLError as error:
        raise ProvisioningError(f"{name}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ProvisioningError(f"{name}: must be a mapping of NetJSON keys")
    try:
        text = OpenWrt(put(data)).render(files=False)
    except ValidationError as error:
        nearest = _nearest(error.details)
        path = ".".join(str(part) for part in nearest.absolute_path)
        reason = " ".join(str(nearest.message).split())
        # Enumerations print their hundreds of members.
        raise ProvisioningError(f"{name}: {path}: {reason[:160]}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProvisioningError(f"{name}: netjsonconfig cannot render it: {error!r}") from None
    try:
        return parse(text)
    except UciSyntaxError as error:
        raise ProvisioningError(f"{name}: what it renders to is no UCI: {error}") from None


def _nearest(error: Any) -> Any:
    """Where all alternatives of a schema fail, the fault in the one that is nearest to right: the
    error itself only dumps what it was given.
    """
    while error.context:
        branches: dict[Any, list[Any]] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        error = min(branches.values(), key=len)[0]
    return error


def _filled(package: Package, values: Mapping[int, str]) -> Package:
    """Put values in place of tokens; a section that names one without a value is left out."""

    def text(item: str) -> str:
        return TOKEN.sub(lambda m: values[int(m[1])], item)

    def filled(value: Value) -> Value:
        return text(value) if isinstance(value, str) else tuple(text(item) for item in value)

    sections = []
    for section in package.sections:
        used = {int(index) for index in TOKEN.findall(json.dumps(section.options))}
        if used <= values.keys():
            options = tuple((name, filled(value)) for name, value in section.options)
            sections.append(replace(section, options=options))
    return Package(package.name, tuple(sections))


def fit(rendered: Config, running: Config) -> Config:
    """Return `rendered` as a merge candidate for a device that runs `running`.

    `radio_2g` becomes the device's radios of that band, the city's network on it takes the place
    of the factory's (`default_radio0`), and sections of which a device has one take its name.
    """
    fitted = {name: _fit_single(package, running) for name, package in rendered.items()}
    if "wireless" in fitted:
        fitted["wireless"] = _fit_wireless(
            fitted["wireless"], running.get("wireless", Package("wireless"))
        )
    return {name: package for name, package in fitted.items() if package.sections}


def _fit_single(package: Package, running: Config) -> Package:
    def named(section: Section) -> Section:
        if (package.name, section.type) not in SINGLE or package.name not in running:
            return section
        there = running[package.name].of_type(section.type)
        return replace(section, name=there[0].name) if there else section

    return Package(package.name, tuple(named(section) for section in package.sections))


def _fit_wireless(package: Package, running: Package) -> Package:
    radios: dict[str, list[str]] = {}
    for device in running.of_type("wifi-device"):
        if device.name:
            radios.setdefault(band_of(device), []).append(device.name)
    taken = {section.name for section in running.of_type("wifi-iface")}
    sections: list[Section] = []
    for section in package.sections:
        logical = section.name if section.type == "wifi-device" else section.text("device")
        if logical not in BANDS:
            sections.append(section)
            continue
        for radio in radios.get(BANDS[logical], []):
            sections.append(_on_radio(section, radio, taken))
    return Package(package.name, tuple(sections))


def _on_radio(section: Section, radio: str, taken: set[str | None]) -> Section:
    if section.type == "wifi-device":
        options = tuple(pair for pair in section.options if pair[0] not in HARDWARE)
        return Section(section.type, radio, options)
    # The factory's open network must not stay on the air beside the city's.
    factory = f"default_{radio}"
    ours = section.name in {"city_2g", "city_5g", "city_6g"}
    name = factory if ours and factory in taken else f"{section.name}_{radio}"
    options = tuple(
        (option, radio if option == "device" else value)
        for option, value in section.options
        if option != "ifname"
    )
    return Section(section.type, name, (*options, ("disabled", "0")))


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


def read_template(home: Path, role: str) -> tuple[str, str]:
    """Text and path of a role's template: the home's own, else the one that ships."""
    for folder in (home / "templates", TEMPLATES):
        path = folder / f"{role}.yaml"
        try:
            return path.read_text(encoding="utf-8"), str(path)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise ProvisioningError(f"{path}: cannot be read: {error}") from None
    raise ProvisioningError(
        f"no template for the role {role!r}: write {home / 'templates' / (role + '.yaml')}"
    )


def default_radios(rendered: Config) -> Config:
    """A stand-in for what runs, for a preview without asking the device: a radio a band."""
    found = [s.name for s in rendered.get("wireless", Package("")).of_type("wifi-device")]
    bands = [BANDS[name] for name in found if name in BANDS]
    radios = [Section("wifi-device", f"radio{i}", (("band", b),)) for i, b in enumerate(bands)]
    return {"wireless": Package("wireless", tuple(radios))}


def candidate_text(config: Config) -> str:
    """The candidate as the driver takes it."""
    return format_config(config)
