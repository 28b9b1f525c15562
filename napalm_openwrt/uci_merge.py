"""What a candidate makes of the running config, and how the two differ. Pure functions.

Merge: what the candidate does not name is left alone. A named section is found by its name; the
n-th anonymous section of a type in the candidate is the n-th anonymous section of that type on
the device, and a new one where there are fewer. Options are set, lists are replaced as a whole,
an empty option takes the option away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from napalm_openwrt.uci_text import Config, Package, Section, Value, section_records

MASK = "•••"
SECRET_OPTION = re.compile(
    # What has none, whether dropbear lets passwords in; an audit has to show that.
    r"(?!(?:root)?passwordauth$)(?:"
    # Words that stand alone or at a name's end: key1, wep_key1, psk2, eap_pw, auth_token, …
    r"(?:.*_)?(?:pass|passwd|pwd?|psk|pin|puk|bearer|credentials?)\d*"
    r"|(?!(?:.*_)?pub(?:lic)?_)(?:.*_)?key\d*"
    r"|(?:.*_)?(?:api|auth|wep|wpa|radius|shared|secret|private|preshared|psk|enc|crypt|fas)key\d*"
    # Words that tell wherever they stand, and lists of SNMPv3 and 802.11r that hold keys.
    r"|.*(?:password|passphrase|secret|community).*|.*token\d*|r[01]kh|createuser)",
    re.IGNORECASE,
)
"""Names of options that hold a secret: Wi-Fi keys, RADIUS secrets, SNMP communities, …"""


class MergeConflict(ValueError):  # noqa: N818 - it names the conflict, not the error
    """A candidate that the running config cannot take."""


def merge(running: Config, candidate: Config) -> Config:
    """Return the packages that `candidate` names, as they will be after the merge."""
    return {
        name: _merge_package(running.get(name, Package(name)), package)
        for name, package in candidate.items()
    }


def _merge_package(running: Package, candidate: Package) -> Package:
    sections = list(running.sections)
    seen: dict[str, int] = {}
    for section in candidate.sections:
        if section.name is None:
            index = _anonymous_index(sections, section.type, seen.get(section.type, 0))
            seen[section.type] = seen.get(section.type, 0) + 1
        else:
            index = next((i for i, s in enumerate(sections) if s.name == section.name), None)
        if index is None:
            sections.append(_merge_section(Section(section.type, section.name), section))
            continue
        if sections[index].type != section.type:
            raise MergeConflict(
                f"section {candidate.name}.{section.name} is a {sections[index].type} on the "
                f"device and a {section.type} in the candidate; replace the package instead"
            )
        sections[index] = _merge_section(sections[index], section)
    return Package(candidate.name, tuple(sections))


def _anonymous_index(sections: Sequence[Section], kind: str, wanted: int) -> int | None:
    found = [i for i, s in enumerate(sections) if s.name is None and s.type == kind]
    return found[wanted] if wanted < len(found) else None


def _merge_section(running: Section, candidate: Section) -> Section:
    options: dict[str, Value] = dict(running.options)
    for name, value in candidate.options:
        if value == "":
            options.pop(name, None)
        else:
            options[name] = value
    return replace(running, options=tuple(options.items()))


def diff(
    before: Config,
    after: Config,
    *,
    mask_secrets: bool = False,
    names: tuple[str, str] = ("running", "candidate"),
) -> str:
    """Unified diff in the form of `uci export`, package by package; "" where nothing changes.

    With `mask_secrets` a changed secret still shows as a changed line, its value as •••. `names`
    are what the two sides are called.
    """
    parts = [
        _diff_package(before.get(name), after.get(name), mask_secrets, names)
        for name in sorted({*before, *after})
    ]
    return "\n".join(part for part in parts if part)


def _diff_package(
    before: Package | None, after: Package | None, masked: bool, names: tuple[str, str]
) -> str:
    name = (before or after or Package("")).name
    old, new = _records(before), _records(after)
    if old == new:
        return ""
    shown_old = _records(mask_package(before)) if before and masked else old
    shown_new = _records(mask_package(after)) if after and masked else new
    lines = [f"--- {names[0]}/{name}", f"+++ {names[1]}/{name}"]
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(3):
        first, last = group[0], group[-1]
        spans = _span(shown_old, first[1], last[2]), _span(shown_new, first[3], last[4])
        lines.append(f"@@ -{spans[0]} +{spans[1]} @@")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += _prefixed(" ", shown_old[i1:i2])
                continue
            lines += _prefixed("-", shown_old[i1:i2])
            lines += _prefixed("+", shown_new[j1:j2])
    return "\n".join(lines)


def _records(package: Package | None) -> list[str]:
    """A package as records, without the blank lines around it; a record may span lines."""
    if package is None:
        return []
    records = [record for section in package.sections for record in section_records(section)]
    return [f"package {package.name}", *records]


def _span(records: Sequence[str], first: int, last: int) -> str:
    """A hunk's range as `diff -u` writes it: in lines, of which a record may have several."""
    start = sum(record.count("\n") + 1 for record in records[:first])
    length = sum(record.count("\n") + 1 for record in records[first:last])
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _prefixed(mark: str, records: Sequence[str]) -> list[str]:
    return [mark + line for record in records for line in record.split("\n")]


def mask_config(config: Config) -> Config:
    """`config` with every secret as •••."""
    return {name: mask_package(package) for name, package in config.items()}


def mask_package(package: Package) -> Package:
    """`package` with every secret as •••."""
    return replace(package, sections=tuple(_mask_section(section) for section in package.sections))


def _mask_section(section: Section) -> Section:
    def masked(name: str, value: Value) -> Value:
        # `option key '1'` of a wifi-iface is the index of a WEP key, still no one's business.
        if not SECRET_OPTION.fullmatch(name):
            return value
        return MASK if isinstance(value, str) else (MASK,) * len(value)

    options = tuple((name, masked(name, value)) for name, value in section.options)
    return replace(section, options=options)
