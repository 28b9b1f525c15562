"""Shell patterns: `*`, `?` and `[…]`, where quoted characters stand for themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from simulator.flash import Flash

Pieces = Sequence[tuple[str, bool]]
"""Text in pieces; True marks a quoted one."""


def is_pattern(pieces: Pieces) -> bool:
    """Whether an unquoted piece holds a special character."""
    return any(not quoted and any(char in text for char in "*?[") for text, quoted in pieces)


def to_regex(pieces: Pieces) -> re.Pattern[str]:
    """A regular expression that matches the whole of what the pattern does."""
    chars = [(char, quoted) for text, quoted in pieces for char in text]
    out, at = [], 0
    while at < len(chars):
        char, quoted = chars[at]
        at += 1
        if quoted or char not in "*?[\\":
            out.append(re.escape(char))
        elif char == "\\":
            if at < len(chars):
                out.append(re.escape(chars[at][0]))
                at += 1
            else:
                out.append(re.escape(char))
        elif char == "*":
            out.append(".*")
        elif char == "?":
            out.append(".")
        else:
            closing = _bracket_end(chars, at)
            if closing is None:
                out.append(re.escape(char))
            else:
                out.append(_bracket(chars[at:closing]))
                at = closing + 1
    return re.compile("".join(out), re.DOTALL)


def _bracket_end(chars: list[tuple[str, bool]], start: int) -> int | None:
    at = start
    if at < len(chars) and chars[at][0] in "!^":
        at += 1
    if at < len(chars) and chars[at][0] == "]":
        at += 1
    while at < len(chars):
        if chars[at] == ("[", False) and at + 1 < len(chars) and chars[at + 1][0] == ":":
            end = "".join(char for char, _ in chars[at:]).find(":]")
            at += end + 1 if end > 0 else 0
        elif chars[at] == ("]", False):
            return at
        at += 1
    return None


_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "digit": "0-9", "lower": "a-z", "upper": "A-Z",
    "space": r"\s", "blank": r" \t", "xdigit": "0-9a-fA-F", "punct": r"!-/:-@\[-`{-~",
}  # fmt: skip


def named_classes(text: str) -> str:
    """`[:digit:]` and its like as ranges."""
    return re.sub(r"\[:(\w+):\]", lambda m: _CLASSES.get(m.group(1), ""), text)


def _bracket(chars: list[tuple[str, bool]]) -> str:
    negated = bool(chars) and chars[0][0] in "!^"
    body = ""
    for char, quoted in chars[1:] if negated else chars:
        body += "\\" + char if char in "\\]^" or (quoted and char == "-") else char
    body = named_classes(body.replace(":\\]", ":]"))
    return "[" + ("^" if negated else "") + body.replace("[", "\\[") + "]"


def matches(pieces: Pieces, text: str) -> bool:
    """Whether the pattern matches all of `text`."""
    try:
        return to_regex(pieces).fullmatch(text) is not None
    except re.error:
        return "".join(piece for piece, _ in pieces) == text


def trim(value: str, pieces: Pieces, op: str) -> str:
    """`value` without what `#`, `##`, `%` or `%%` cuts off."""
    regex = to_regex(pieces)
    lengths: Iterable[int] = range(len(value) + 1)
    if len(op) == 2:
        lengths = reversed(range(len(value) + 1))
    for length in lengths:
        if op[0] == "#" and regex.fullmatch(value[:length]):
            return value[length:]
        if op[0] == "%" and regex.fullmatch(value[len(value) - length :]):
            return value[: len(value) - length]
    return value


def glob(flash: Flash, cwd: str, pieces: Pieces) -> list[str]:
    """Sorted paths that the pattern matches, in the form it was written in."""
    parts: list[list[tuple[str, bool]]] = [[]]
    for text, quoted in pieces:
        first, *others = text.split("/")
        parts[-1].append((first, quoted))
        parts += [[(other, quoted)] for other in others]
    found = [""]
    for index, part in enumerate(parts):
        text = "".join(piece for piece, _ in part)
        if not is_pattern(part):
            found = [base + text for base in found]
        else:
            found = [
                base + name
                for base in found
                for name in _names(flash, cwd, base)
                if matches(part, name) and (text.startswith(".") or not name.startswith("."))
            ]
        if index < len(parts) - 1:
            found = [
                path + "/" for path in found if not is_pattern(part) or _folder(flash, cwd, path)
            ]
    return sorted(path for path in found if flash.exists(_absolute(cwd, path), follow=False))


def _folder(flash: Flash, cwd: str, path: str) -> bool:
    return flash.is_dir(_absolute(cwd, path))


def _absolute(cwd: str, path: str) -> str:
    return path if path.startswith("/") else f"{cwd}/{path}"


def _names(flash: Flash, cwd: str, base: str) -> list[str]:
    try:
        return flash.names(_absolute(cwd, base))
    except OSError:
        return []
