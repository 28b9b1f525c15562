"""How what a device runs differs from what is meant for it, and why: option by option. Pure.

Each option that differs has a cause: somebody changed it on the device (`by-hand`), a new firmware
brought it (`firmware`), a push of ours that should have set it failed there (`failed-push`), or
what is meant changed since the last push (`intent`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napalm_openwrt.uci_merge import diff, merge
from napalm_openwrt.uci_text import Config, Value

BY_HAND, FAILED_PUSH, FIRMWARE, INTENT = "by-hand", "failed-push", "firmware", "intent"
CAUSES = (BY_HAND, FAILED_PUSH, FIRMWARE, INTENT)
"""The most serious first: it names the device's drift as a whole."""
MOST_KEYS = 200
NAMES = ("running", "intended")


@dataclass(frozen=True)
class Pushed:
    """Our pushes to a device, as far as they tell what it should run."""

    last: Config | None = None
    """The candidate of the newest that arrived; None if none ever did."""
    replaces: bool = False
    change: int | None = None
    failed: Config | None = None
    """That of the newest after it that failed or was rolled back there."""
    failed_change: int | None = None


@dataclass(frozen=True)
class Before:
    """What the audit before this one found."""

    firmware: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Options that differed then, with their causes."""


@dataclass(frozen=True)
class Drifted:
    """What differs; nothing where `diff` is empty."""

    diff: str = ""
    """Unified, running against intended; secrets masked."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Each option that differs, as `package.section.option`, and its cause."""

    @property
    def cause(self) -> str:
        """The most serious of the causes; "" where nothing differs."""
        return next((cause for cause in CAUSES if cause in self.keys.values()), "")

    def counts(self) -> dict[str, int]:
        """How many options by cause, those that there are."""
        found = {cause: sum(one == cause for one in self.keys.values()) for cause in CAUSES}
        return {cause: count for cause, count in found.items() if count}


def compare(
    running: Config, intended: Config, pushed: Pushed, before: Before, firmware: str = ""
) -> Drifted:
    """What differs between `running` and `intended`, a candidate that is merged, and why."""
    wanted = {**running, **merge(running, intended)}
    shown = diff(running, wanted, mask_secrets=True, names=NAMES)
    if not shown:
        return Drifted()
    now, meant = flat(running), flat(wanted)
    last = flat(_laid(running, pushed.last, pushed.replaces)) if pushed.last is not None else None
    failed = flat(_laid(running, pushed.failed, False)) if pushed.failed is not None else {}
    is_new = bool(before.firmware and firmware and before.firmware != firmware)
    keys = {}
    for key in sorted(now.keys() | meant.keys()):
        if now.get(key) == meant.get(key):
            continue
        if last is not None and last.get(key) != now.get(key):
            # It departed from what was pushed. What had departed before an upgrade keeps its cause.
            known = before.keys.get(key)
            cause = known if known in {BY_HAND, FIRMWARE} else FIRMWARE if is_new else BY_HAND
        elif key in failed and failed[key] == meant.get(key) and failed[key] != now.get(key):
            cause = FAILED_PUSH
        else:
            cause = INTENT
        keys[key] = cause
    return Drifted(shown, keys or {"order": INTENT})


def flat(config: Config) -> dict[str, Value]:
    """Each option of `config` under `package.section.option`; a section itself counts as one."""
    found: dict[str, Value] = {}
    for package in config.values():
        counts: dict[str, int] = {}
        for section in package.sections:
            number = counts.get(section.type, 0)
            if section.name is None:
                counts[section.type] = number + 1
            name = section.name or f"@{section.type}[{number}]"
            found[f"{package.name}.{name}"] = section.type
            for option, value in section.options:
                found[f"{package.name}.{name}.{option}"] = value
    return found


def _laid(running: Config, candidate: Config, replaces: bool) -> Config:
    return {**running, **(candidate if replaces else merge(running, candidate))}


def detail_of(drifted: Drifted, firmware: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored beside the diff: names of options, never a value."""
    keys = dict(list(drifted.keys.items())[:MOST_KEYS])
    return {"keys": keys, "causes": drifted.counts(), "firmware": firmware, **more}
