"""Intent to config: the template by netjsonconfig, then its features; `fit` fits it to a device.

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
from napalm_openwrt.uci_text import Config, Package, Section, UciSyntaxError, Value, parse
from provisioning.intent.features import (
    VARIABLE,
    Placed,
    evaluate,
    read_features,
)
from provisioning.intent.fit import Rendered, band_of, candidate_text, default_radios, fit
from provisioning.intent.levels import unknown
from provisioning.intent.meant import Intent
from provisioning.intent.variables import VARIABLES

__all__ = ["band_of", "candidate_text", "default_radios", "fit", "read_template", "render"]

TEMPLATES = Path(__file__).parent / "templates"
TOKEN = re.compile(r"fv(\d+)vf")
LITERAL = frozenset({"country"})
"""Texts that netjsonconfig's schema checks; they come from its own list, so they are safe."""


def render(template: str, intent: Intent, *, name: str = "template") -> Rendered:
    """Return the config that `intent` makes of `template` (YAML), radios named by band.

    `name` is the template's path: its features are looked for beside it, then where Farola's are.

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
    made = Rendered({key: _filled(package, values) for key, package in blank.items()})
    plain = {variable: one.value for variable, one in intent.items()}
    placed: list[Placed] = []
    for text, path in _features(template, name):
        placed += evaluate(text, plain, name=path)
    for one in placed:
        if one.on and one.section.options:
            made[one.package] = _overlaid(made.get(one.package, Package(one.package)), one.section)
    made.placed = tuple(placed)
    return made


def _features(template: str, name: str) -> list[tuple[str, str]]:
    return read_features((Path(name).parent, TEMPLATES), _read_template(template, name)[1])


@functools.lru_cache(maxsize=64)
def _read_template(template: str, name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What a template holds, and the names of its features."""
    import yaml

    try:
        data = yaml.safe_load(template)
    except yaml.YAMLError as error:
        raise ProvisioningError(f"{name}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ProvisioningError(f"{name}: must be a mapping of NetJSON keys")
    features = data.get("features") or []
    if not isinstance(features, list) or not all(
        isinstance(one, str) and re.fullmatch("[a-z0-9-]+", one) for one in features
    ):
        raise ProvisioningError(f"{name}: features: must be a list of names")
    return {key: value for key, value in data.items() if key != "features"}, tuple(features)


def _overlaid(package: Package, section: Section) -> Package:
    """`package` with `section` in it: options set where it is there already."""
    sections = list(package.sections)
    for index, known in enumerate(sections):
        if (known.type, known.name) == (section.type, section.name):
            options = dict(known.options) | dict(section.options)
            sections[index] = replace(known, options=tuple(options.items()))
            return Package(package.name, tuple(sections))
    return Package(package.name, (*sections, section))


def _variables(template: str, intent: Intent, name: str) -> tuple[tuple[str, ...], set[str]]:
    """Variables that the template names, sorted, and those of them without a value."""
    body = re.sub(r"^\s*#.*$", "", template, flags=re.MULTILINE)
    names = tuple(sorted(set(VARIABLE.findall(body))))
    missing = {variable for variable in names if variable not in intent}
    if wrong := sorted(missing - VARIABLES.keys()):
        raise ProvisioningError(
            f"{name}: {unknown(wrong[0], tuple(intent))} (or set it in variables.yaml)"
        )
    return names, missing


@functools.lru_cache(maxsize=256)
def _render_once(
    template: str, numbers: tuple[tuple[str, Any], ...], names: tuple[str, ...], name: str
) -> Config:
    """Render with a token for each text; cached, as a city has few combinations of numbers."""
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

    data, _features = _read_template(template, name)
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
