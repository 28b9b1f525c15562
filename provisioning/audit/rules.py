"""`napalm validate` rules of a city: `validate.yaml` in FAROLA_HOME, checked through a device's own
getters beside what its config should be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farola.errors import ProvisioningError
from provisioning.platforms.drivers import capabilities

FILE = "validate.yaml"
ALL = "all"
_KEPT_SHORT = frozenset({"get_config", "get_snmp_information", "get_users"})
"""Getters whose names and values are never told: they may be secret."""
_MOST = 20

Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Rules:
    """Rules by role, by platform, and for all."""

    parts: Mapping[str, Sequence[Rule]]

    def of(self, role: str, platform: str) -> list[Rule]:
        """Those that hold for a device."""
        return [rule for part in (ALL, platform, role) for rule in self.parts.get(part, ())]


def read_rules(home: Path) -> Rules:
    """The rules of a home; none without a file.

    Raises
    ------
    ProvisioningError
        The file cannot be read, or is no list of rules.
    """
    import yaml

    path = home / FILE
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Rules({})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise ProvisioningError(f"{path}: cannot be read: {said:.200}; mend it") from None
    if data is None:
        return Rules({})
    parts = {ALL: data} if isinstance(data, list) else data
    if not isinstance(parts, dict):
        raise ProvisioningError(
            f"{path}: must be a list of rules, or such lists under `all`, a role or a platform"
        )
    for name, rules in parts.items():
        if not isinstance(rules, list) or not all(
            isinstance(rule, dict) and len(rule) == 1 and _is_getter(next(iter(rule)))
            for rule in rules
        ):
            raise ProvisioningError(
                f"{path}: {name}: each rule is `- get_facts: {{…}}` or another getter with what "
                "must be true of it, as `napalm validate` takes it"
            )
    return Rules({str(name): rules for name, rules in parts.items()})


def idle_parts(rules: Rules, roles: Iterable[str]) -> list[str]:
    """Names in `rules` that are neither a platform nor one of `roles`: they hold for no device."""
    return sorted(
        name for name in rules.parts if name != ALL and name not in set(roles) and not _known(name)
    )


def _known(platform: str) -> bool:
    try:
        capabilities(platform)
    except ProvisioningError:
        return False
    return True


def _is_getter(name: object) -> bool:
    return isinstance(name, str) and (name.startswith("get_") or name in {"ping", "traceroute"})


def check(driver: Any, rules: Sequence[Rule]) -> list[str]:
    """What of `rules` is not true of the device behind an open `driver`, in words without values.

    A getter that the driver does not have is named as skipped.
    """
    from napalm.base.exceptions import ValidationException
    from napalm.base.validate import compliance_report

    if not rules:
        return []
    wrong = []
    for rule in rules:
        getter = next(iter(rule))
        if not hasattr(driver, getter):
            wrong.append(f"{getter}: there is no such getter: correct its name in {FILE}")
            continue
        try:
            report = compliance_report(driver, validation_source=[dict(rule)])
        except (ValidationException, TypeError, AttributeError, KeyError) as error:
            wrong.append(f"{getter}: the rule cannot be checked ({type(error).__name__})")
            continue
        if report.get("skipped"):
            wrong.append(f"{getter}: its driver cannot tell")
        elif not report["complies"]:
            told: Any = next((one for name, one in report.items() if name.startswith(getter)), {})
            places = [] if getter in _KEPT_SHORT else _places(told)[:_MOST]
            wrong.append(f"{getter}: {', '.join(places)}" if places else getter)
    return wrong


def _places(report: Any, path: str = "") -> list[str]:
    """Where a report of NAPALM's does not comply: names from the rules, no values."""
    if not isinstance(report, dict):
        return []
    found = []
    present = report.get("present")
    for name, one in present.items() if isinstance(present, dict) else ():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(one, dict) and not one.get("complies", True):
            below = _places(one.get("diff"), here) if one.get("nested") else []
            found += below or [here]
    missing = report.get("missing") or []
    if isinstance(missing, list) and all(isinstance(one, str) for one in missing):
        found += [f"{path}.{one} is missing" if path else f"{one} is missing" for one in missing]
    elif missing:
        found.append(f"{path or 'some'}: {len(missing)} missing")
    if extra := report.get("extra"):
        found.append(f"{path + ': ' if path else ''}{len(extra)} more than expected")
    return found
