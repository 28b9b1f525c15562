"""POSIX regular expressions (basic and extended) as Python's."""

from __future__ import annotations

import re

from simulator.shell.patterns import named_classes

_SAME = {"w", "W", "s", "S", "b", "B"}


def to_python(pattern: str, *, extended: bool = False) -> str:
    """Translate a POSIX pattern; what is no pattern raises re.error when compiled."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "[":
            end = _bracket_end(pattern, at)
            out.append(_bracket(pattern[at:end]))
            at = end
            continue
        if char == "\\" and at + 1 < len(pattern):
            out.append(_escaped(pattern[at + 1], extended=extended))
            at += 2
            continue
        if char == "*" and (not out or out[-1] in {"(", "|", "^"}) and not extended:
            out.append(r"\*")
        elif not extended and char in "+?|(){}":
            out.append("\\" + char)
        elif not extended and char == "^" and out and out[-1] not in {"(", "|"}:
            out.append(r"\^")
        elif not extended and char == "$" and pattern[at + 1 : at + 3] not in {"", "\\)", "\\|"}:
            out.append(r"\$")
        else:
            out.append(char)
        at += 1
    return "".join("(?!\n)\\Z" if piece == "$" else piece for piece in out)


def _escaped(char: str, *, extended: bool) -> str:
    if char in "(){}|+?":
        return "\\" + char if extended else char
    if char in "<>":
        return r"\b"
    if char == "n":
        return "\n"
    if char == "t":
        return "\t"
    if char in _SAME or char.isdigit():
        return "\\" + char
    return re.escape(char)


def _bracket_end(pattern: str, start: int) -> int:
    at = start + 1
    if pattern[at : at + 1] == "^":
        at += 1
    if pattern[at : at + 1] == "]":
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        if pattern.startswith("[:", at):
            end = pattern.find(":]", at + 2)
            at = end + 1 if end > 0 else at
        at += 1
    if at >= len(pattern):
        raise re.error("brackets ([ ]) not balanced")
    return at + 1


def _bracket(text: str) -> str:
    body = text[1:-1]
    start = "[^" if body.startswith("^") else "["
    body = body.removeprefix("^")
    first = "\\]" if body.startswith("]") else ""
    body = body[1:] if first else body
    body = named_classes(body.replace("\\", "\\\\"))
    return start + first + body.replace("[", "\\[") + "]"
