"""Features of a device as data: UCI sections that stand in YAML and hold under conditions.

They are put in after netjsonconfig's render, as data that is quoted: for what it does not know
(`owe_transition`, bridge VLANs beside a device's own bridge, captive portals) and what costs no
time this way. docs/intent.md tells how a file is written.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from farola.errors import ProvisioningError
from napalm_openwrt.uci_text import NAME, PACKAGE_NAME, TYPE, Section
from provisioning.intent.levels import unknown
from provisioning.intent.variables import VARIABLES, Plain

VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_CONDITION = re.compile(r"(!?)(\w+)(?:(!?=)([\w|.-]+))?")
_MADE = re.compile(r"@(minutes|join):(?:([\w-]*):)?\{\{(\w+)\}\}")
"""`@minutes:{{a}}` is a in seconds, `@join:6:{{b}}` is 6 and the items of b, with commas."""
_SECTION_KEYS = frozenset({"when", "options", "else"})
FOLLOWING = frozenset({
    "owe_ssid", "guest_device", "guest_ipaddr", "guest_netmask", "guest_subnet",
    "ssid_encryption", "staff_encryption", "staff_eap", "vlans", "management_interface",
    "management_ipaddr", "management_netmask", "management_subnet", "management_networks",
    "lan_idle", "snmp_auth_type", "snmp_priv_type", "client_down_bit", "client_up_bit",
})  # fmt: skip
"""Variables that only follow from others."""

Condition = tuple[str, frozenset[str] | None, bool]
"""(variable, its values or None for any that is not off, whether it holds)."""


@dataclass(frozen=True)
class Change:
    """What becomes of an option where its section is off: `to`, empty to take it away.

    Only where it runs as `only` (a pattern) says, and where the device has the section `beside`
    (`network.city_vlan_native`), which tells that it was us who set it.
    """

    option: str
    to: str
    only: str = ""
    beside: str = ""


@dataclass(frozen=True)
class _Option:
    name: str
    value: Any
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class _Planned:
    package: str
    kind: str
    name: str | None
    when: tuple[Condition, ...]
    options: tuple[_Option, ...]
    off: tuple[Change, ...]


@dataclass(frozen=True)
class Placed:
    """A section for a device: to be there, or to be switched off where it is."""

    package: str
    section: Section
    off: tuple[Change, ...]
    on: bool


def evaluate(text: str, values: Mapping[str, Plain], *, name: str) -> list[Placed]:
    """What the feature file `text` makes of a device with `values`.

    Raises
    ------
    ProvisioningError
        The file is no feature, or names an unknown variable.
    """
    own = frozenset(name for name in values if name not in VARIABLES and name not in FOLLOWING)
    return [_placed(one, values) for one in _read(text, own, name)]


def variables_of(text: str) -> frozenset[str]:
    """Variables that a template or feature file names, in values and conditions."""
    body = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    named = set(VARIABLE.findall(body))
    for condition in re.findall(r"when:\s*(.*)$", body, flags=re.MULTILINE):
        named |= {found[1] for found in _CONDITION.findall(condition)} & {*VARIABLES, *FOLLOWING}
    return frozenset(named)


def _placed(one: _Planned, values: Mapping[str, Plain]) -> Placed:
    on = _holds(one.when, values)
    options: list[tuple[str, str | tuple[str, ...]]] = []
    for option in one.options if on else ():
        if _holds(option.when, values):
            filled = _filled(option.value, values)
            if filled is not None:
                options.append((option.name, filled))
    return Placed(
        one.package,
        Section(one.kind, one.name, tuple(options)),
        tuple(_with(change, values) for change in one.off),
        on,
    )


def _with(change: Change, values: Mapping[str, Plain]) -> Change:
    if "{{" not in change.to + change.only:
        return change

    def put(text: str, quoted: bool) -> str:
        def value(match: re.Match[str]) -> str:
            found = str(values.get(match[1], ""))
            return re.escape(found) if quoted else found

        return VARIABLE.sub(value, text)

    return replace(change, to=put(change.to, False), only=put(change.only, True))


def _holds(conditions: Sequence[Condition], values: Mapping[str, Plain]) -> bool:
    for name, words, wanted in conditions:
        value = values.get(name)
        there = str(value) in words if words is not None else value not in {None, 0, "none", ""}
        if there != wanted:
            return False
    return True


def _filled(value: Any, values: Mapping[str, Plain]) -> str | tuple[str, ...] | None:
    """`value` with variables put in; None where one has no value, and for an empty list."""
    if isinstance(value, list):
        items: list[str] = []
        for item in value:
            part = _filled(item, values)
            items += [part] if isinstance(part, str) else part or ()
        return tuple(items) or None
    if not isinstance(value, str):
        return str(int(value)) if isinstance(value, bool) else str(value)
    named = VARIABLE.findall(value)
    if any(name not in values for name in named):
        return None
    if made := _MADE.fullmatch(value):
        return _made(made[1], made[2], values[made[3]])
    if VARIABLE.fullmatch(value) and isinstance(found := values[named[0]], tuple):
        return found or None
    return VARIABLE.sub(lambda match: str(values[match[1]]), value)


def _made(how: str, prefix: str | None, value: Plain) -> str:
    if how == "minutes":
        return str(int(str(value)) * 60)
    items = value if isinstance(value, tuple) else (str(value),)
    return ",".join([*filter(None, [prefix]), *items])


@functools.lru_cache(maxsize=256)
def _read(text: str, own: frozenset[str], name: str) -> tuple[_Planned, ...]:
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ProvisioningError(f"{name}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ProvisioningError(f"{name}: must be a mapping of UCI packages")
    for found in VARIABLE.findall(re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)):
        _known(found, own, name)
    outer = _conditions(data.get("when"), own, name)
    planned = []
    for package, sections in data.items():
        if package == "when":
            continue
        if not PACKAGE_NAME.fullmatch(str(package)) or not isinstance(sections, list):
            raise ProvisioningError(f"{name}: {package}: must be a list of sections")
        planned += [_section(str(package), one, outer, own, name) for one in sections]
    return tuple(planned)


def _section(
    package: str, data: Any, outer: tuple[Condition, ...], own: frozenset[str], name: str
) -> _Planned:
    heads = [key for key in data if key not in _SECTION_KEYS] if isinstance(data, dict) else []
    kind = str(heads[0]) if heads else ""
    called = data.get(heads[0]) if heads else None
    right = len(heads) == 1 and TYPE.fullmatch(kind)
    if not right or not (called is None or NAME.fullmatch(str(called))):
        raise ProvisioningError(
            f"{name}: {package}: each section is `type: name`, with when, options and else"
        )
    where = f"{name}: {package}: {kind} {called or ''}".rstrip()
    options = data.get("options") or {}
    off = data.get("else") or {}
    if not isinstance(options, dict) or not isinstance(off, dict):
        raise ProvisioningError(f"{where}: options and else are mappings")
    return _Planned(
        package, kind, None if called is None else str(called),
        (*outer, *_conditions(data.get("when"), own, where)),
        tuple(_option(str(key), value, own, where) for key, value in options.items()),
        tuple(_change(str(key), value, where) for key, value in off.items()),
    )  # fmt: skip


def _option(key: str, value: Any, own: frozenset[str], where: str) -> _Option:
    if not NAME.fullmatch(key):
        raise ProvisioningError(f"{where}: {key!r} cannot name an option")
    if isinstance(value, dict):
        if set(value) != {"when", "value"}:
            raise ProvisioningError(f"{where}: {key}: give a value, or when and value")
        return _Option(key, value["value"], _conditions(value["when"], own, where))
    return _Option(key, value)


def _change(key: str, value: Any, where: str) -> Change:
    if isinstance(value, dict):
        if "to" not in value or set(value) - {"only", "to", "beside"}:
            raise ProvisioningError(f"{where}: else: {key}: give a value, or to, only and beside")
        return Change(key, **{name: str(word) for name, word in value.items()})
    return Change(key, str(value))


def _conditions(given: Any, own: frozenset[str], where: str) -> tuple[Condition, ...]:
    found = []
    for text in given if isinstance(given, list) else [] if given is None else [given]:
        match = _CONDITION.fullmatch(str(text))
        if match is None or (match[1] and match[3]):
            raise ProvisioningError(
                f"{where}: when: {text!r} is none of: name, !name, name=a|b, name!=a|b"
            )
        _known(match[2], own, where)
        words = frozenset(match[4].split("|")) if match[4] else None
        found.append((match[2], words, not match[1] and match[3] != "!="))
    return tuple(found)


def _known(variable: str, own: frozenset[str], where: str) -> None:
    if variable not in own and variable not in VARIABLES and variable not in FOLLOWING:
        raise ProvisioningError(f"{where}: {unknown(variable, own)}")


def read_features(folders: Sequence[Path], names: Sequence[str]) -> list[tuple[str, str]]:
    """Text and path of each feature of `names`, from the first folder that has it."""
    found = []
    for name in names:
        for folder in folders:
            path = folder / "features" / f"{name}.yaml"
            try:
                found.append((path.read_text(encoding="utf-8"), str(path)))
                break
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as error:
                raise ProvisioningError(f"{path}: cannot be read: {error}") from None
        else:
            raise ProvisioningError(
                f"no feature {name!r}: write {folders[0] / 'features' / (name + '.yaml')}"
            )
    return found
