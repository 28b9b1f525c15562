"""`variables.yaml`: what is set for the city, a borough, a group, a site or a device."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from farola.errors import ProvisioningError, SettingsError
from inventory.records import DeviceRecord, SiteRecord
from provisioning.intent.variables import VARIABLES

VARIABLES_FILE = "variables.yaml"
LEVELS = ("city", "boroughs", "groups", "sites", "devices")
"""The general ones first: the more particular level wins."""
REFERENCE = frozenset({"credential", "field"})
DEFAULT_FIELD = "secret"


def levels_of(
    levels: Mapping[str, Any],
    device: DeviceRecord,
    site: SiteRecord | None,
    groups: Sequence[str] = (),
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The parts of `variables.yaml` that hold for `device`, the general ones first.

    Raises
    ------
    ProvisioningError
        Two of its groups set one variable differently, and nothing more particular sets it.
    """
    found = parts_of(levels, device, site, groups)
    if len(groups) > 1:
        _refuse_contradiction(device.id, found)
    for _level, source, part in found:
        yield source, part


def parts_of(
    levels: Mapping[str, Any],
    device: DeviceRecord,
    site: SiteRecord | None,
    groups: Sequence[str] = (),
) -> list[tuple[str, str, Mapping[str, Any]]]:
    """The same as (level, source, part), contradictions left in."""
    particular = [("sites", site.id)] if site is not None else []
    keys: list[tuple[str, str | None]] = [
        ("city", None),
        *([("boroughs", site.borough)] if site is not None else []),
        *(("groups", name) for name in groups),
        *particular,
        ("devices", device.id),
    ]
    found: list[tuple[str, str, Mapping[str, Any]]] = []
    for level, key in keys:
        part = levels.get(level) or {}
        if level != "city":
            part = part.get(key) if isinstance(part, Mapping) else None
        if isinstance(part, Mapping):
            found.append((level, level if key is None else f"{level} {key}", part))
    return found


def _refuse_contradiction(
    device_id: str, parts: Iterable[tuple[str, str, Mapping[str, Any]]]
) -> None:
    first: dict[str, tuple[str, Any]] = {}
    clashes: dict[str, tuple[str, str]] = {}
    for level, source, part in parts:
        for name, value in part.items():
            if level == "groups":
                before = first.setdefault(name, (source, value))
                if before[1] != value:
                    clashes[name] = (before[0], source)
            elif level in {"sites", "devices"}:
                clashes.pop(name, None)
    for name, (one, other) in clashes.items():
        raise ProvisioningError(
            f"{device_id}: {name} is set differently by {one} and {other}, and it is in both: "
            "make them agree, or set it for the site or the device"
        )


def references(levels: Mapping[str, Any]) -> set[str]:
    """Names of the credentials that values refer to."""
    parts = [levels.get("city") or {}]
    parts += [part for level in LEVELS[1:] for part in (levels.get(level) or {}).values()]
    return {
        str(value["credential"])
        for part in parts
        for value in part.values()
        if isinstance(value, Mapping) and "credential" in value
    }


def unknown_names(
    levels: Mapping[str, Any],
    devices: Collection[str],
    sites: Collection[SiteRecord],
    groups: Collection[str] = (),
) -> list[str]:
    """What `variables.yaml` names that the inventory does not have, as `devices AP-9999`."""
    known: dict[str, Collection[str | None]] = {
        "boroughs": {site.borough for site in sites},
        "groups": groups,
        "sites": {site.id for site in sites},
        "devices": devices,
    }
    return [
        f"{level} {name}"
        for level, names in known.items()
        for name in levels.get(level) or {}
        if name not in names
    ]


def refuse_unknown_variables(levels: Mapping[str, Any], own: Collection[str]) -> None:
    """Refuse a variable that neither Farola knows nor a template of the home names (`own`).

    Raises
    ------
    ProvisioningError
        It names the variable, its level, and the nearest one that there is.
    """
    for level in LEVELS:
        part = levels.get(level) or {}
        for key, given in [("", part)] if level == "city" else part.items():
            for name in given:
                if name not in VARIABLES and name not in own:
                    raise ProvisioningError(
                        f"{VARIABLES_FILE}: {level}{key and ' '}{key}: {unknown(name, own)}"
                    )


def unknown(name: str, own: Collection[str] = ()) -> str:
    """Words for a variable that there is not, with the nearest that there is."""
    near = difflib.get_close_matches(name, [*VARIABLES, *own], 1, 0.0)
    return f"unknown variable {name!r}: did you mean {near[0]!r}? docs/intent.md lists all"


def read_levels(home: Path) -> dict[str, Any]:
    """`variables.yaml` of the home: the five levels; {} without one.

    Keys are text, levels and what they name mappings; SettingsError otherwise.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Takes keys as they are written: an id `0101` or `1001` is text, never a number."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            for key, _value in node.value:
                if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
                    key.tag = "tag:yaml.org,2002:str"
            found: dict[Any, Any] = super().construct_mapping(node, deep)
            return found

    path = home / VARIABLES_FILE
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    return _checked_levels(path, {} if data is None else data)


def _checked_levels(path: Path, data: Any) -> dict[str, Any]:
    """`data` with all keys as text; SettingsError names the level and key that is no mapping."""
    wrong = sorted(map(str, set(data) - set(LEVELS))) if isinstance(data, dict) else []
    if not isinstance(data, dict) or wrong:
        raise SettingsError(
            f"{path}: its keys are city, boroughs, groups, sites and devices, not {wrong or data!r}"
        )

    def mapping(part: Any, where: str, of: str) -> dict[str, Any]:
        if part is None:
            return {}
        if not isinstance(part, dict):
            # A secret may stand where it does not belong: it is not shown.
            shown = re.sub(r"\S{16,}", "…", f"{part!r:.60}")
            raise SettingsError(f"{path}: {where}: must be a mapping of {of}, not {shown}")
        return {str(key): value for key, value in part.items()}

    levels = {}
    for level, part in data.items():
        of = "variables" if level == "city" else "names or ids, each with its variables"
        levels[level] = mapping(part, level, of)
        if level != "city":
            levels[level] = {
                key: mapping(value, f"{level} {key}", "variables")
                for key, value in levels[level].items()
            }
    return levels
