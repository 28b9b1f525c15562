"""Asks a device several things in one command, and takes its answers apart.

Whatever a device lacks (a program, a file of the kernel) is an empty answer: what runs on access
points differs, and a getter tells what there is.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

from napalm_openwrt.uci_text import Section, UciSyntaxError, parse


class Shell(Protocol):
    """What runs a command: `napalm_openwrt.session.Session`."""

    def run(self, command: str, stdin: str = "", timeout: float | None = None) -> Any:
        """Run `command` and return its output."""
        ...


def ask(
    shell: Shell, name: str, questions: Mapping[str, str], *, timeout: float | None = None
) -> dict[str, str]:
    """Answers to `questions` (shell commands) by their names, "" where the device has none.

    One channel serves them all. The mark between answers is new each time, as some hold what a
    stranger chose: a neighbour's description, a lease's name.
    """
    mark = f"@@{secrets.token_hex(8)}"
    lines = [f"# {name}", "exec 2>/dev/null </dev/null"]
    for key, command in questions.items():
        lines += [f'echo; echo "{mark} {key}"', command]
    found = shell.run("\n".join([*lines, "echo", "true"]), timeout=timeout).stdout
    # Bytes that are no UTF-8 would not pass as JSON.
    clean = found.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    answers = re.findall(rf"^{mark} (\w+)\n(.*?)(?=^{mark} |\Z)", clean, re.M | re.S)
    return {**dict.fromkeys(questions, ""), **dict(answers)}


def mapping(text: str) -> dict[str, Any]:
    """JSON of one object, or nothing."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def items(value: Any) -> list[dict[str, Any]]:
    """The objects of a JSON list; whatever else is there is left out."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def first_line(answers: Mapping[str, str], *keys: str) -> str:
    """The first line of the first answer that is not empty."""
    for key in keys:
        lines = answers.get(key, "").strip().splitlines()
        if lines:
            return lines[0].strip()
    return ""


def number(text: str, missing: int = -1) -> int:
    """A whole number, or `missing`."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,20}", text.strip()) else missing


def mac_address(text: str) -> str:
    """A MAC address in capitals, or the text as it is."""
    return text.upper() if re.fullmatch(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", text) else text


def sections(text: str, package: str, kind: str) -> list[Section]:
    """Sections of a type in what `uci export` printed; none where it cannot be read."""
    try:
        config = parse(text)
    except UciSyntaxError:
        return []
    return config[package].of_type(kind) if package in config else []


def words(section: Section, option: str) -> list[str]:
    """Items of a list, or words of an option that stands for one."""
    value = section.get(option) or ()
    return value.split() if isinstance(value, str) else list(value)
