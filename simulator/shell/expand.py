"""Expands words: parameters, substitutions, arithmetic, then splitting and patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.shell.arithmetic import ArithmeticFault, evaluate
from simulator.shell.nodes import Arithmetic, Literal, Param, Part, Substitution, Word
from simulator.shell.patterns import glob, is_pattern, to_regex, trim

if TYPE_CHECKING:
    from simulator.shell.interpreter import Shell

Piece = tuple[str, bool]
_QUOTED_ARGS = (Literal("", quoted=True), Param("@", quoted=True))
"""`"$@"`, which is no field at all where there are no arguments."""


class ExpansionFault(Exception):  # noqa: N818 - a fault of the script
    """The shell stops: `${x:?}`, an unset variable under `set -u`, bad arithmetic."""


class _Fields:
    """Fields under construction."""

    def __init__(self, ifs: str) -> None:
        self.done: list[list[Piece]] = []
        self.open: list[Piece] | None = None
        self.blank = "".join(char for char in ifs if char in " \t\n")
        self.other = "".join(char for char in ifs if char not in " \t\n")

    def add(self, text: str, *, quoted: bool) -> None:
        if text or quoted:
            self.open = [*(self.open or []), (text, quoted)]

    def end(self) -> None:
        if self.open is not None:
            self.done.append(self.open)
            self.open = None

    def add_split(self, text: str) -> None:
        """Add the value of an unquoted expansion: IFS splits it."""
        run = ""
        pending_other = False
        for char in text:
            if char in self.blank or char in self.other:
                if run:
                    self.add(run, quoted=False)
                    run = ""
                if char in self.other:
                    if self.open is None and not pending_other:
                        self.open = []
                    self.end()
                    pending_other = False
                else:
                    if self.open is not None:
                        pending_other = bool(self.other)
                    self.end()
            else:
                run += char
                pending_other = False
        if run:
            self.add(run, quoted=False)


async def fields(shell: Shell, word: Word) -> list[str]:
    """The fields that a word of a command becomes."""
    plain = word.plain
    if plain is not None and not any(char in plain for char in "*?[~"):
        return [plain]
    if not shell.args and word.parts == _QUOTED_ARGS:
        return []
    out = _Fields(shell.vars.get("IFS", " \t\n"))
    parts = _with_home(shell, word.parts)
    await _expand(shell, parts, out, from_expansion=False)
    out.end()
    result = []
    for pieces in out.done:
        text = "".join(piece for piece, _ in pieces)
        found = []
        if is_pattern(pieces) and "f" not in shell.options:
            found = glob(shell.flash, shell.cwd, pieces)
        result += found or [text]
    return result


def _with_home(shell: Shell, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    first = parts[0] if parts else None
    if isinstance(first, Literal) and not first.quoted and first.text.startswith("~"):
        rest = first.text[1:]
        if not rest or rest.startswith("/"):
            home = Literal(shell.vars.get("HOME", "/root"), quoted=True)
            return (home, Literal(rest), *parts[1:])
    return parts


async def pieces_of(shell: Shell, word: Word) -> list[Piece]:
    """A word without splitting, its quoted pieces marked: what a pattern is made of."""
    out = _Fields("")
    await _expand(shell, _with_home(shell, word.parts), out, from_expansion=False)
    out.end()
    joined: list[Piece] = []
    for index, pieces in enumerate(out.done):
        joined += [(" ", True), *pieces] if index else pieces
    return joined


async def text_of(shell: Shell, word: Word) -> str:
    """A word without splitting or patterns: a redirection's target, a variable's value."""
    return "".join(text for text, _ in await pieces_of(shell, word))


async def _expand(
    shell: Shell, parts: tuple[Part, ...], out: _Fields, *, from_expansion: bool
) -> None:
    for part in parts:
        if isinstance(part, Literal):
            if from_expansion and not part.quoted:
                out.add_split(part.text)
            else:
                out.add(part.text, quoted=part.quoted)
        elif isinstance(part, Param):
            await _param(shell, part, out)
        else:
            if isinstance(part, Substitution):
                value = await shell.substitute(part.body)
            else:
                value = await _arithmetic(shell, part)
            _put(out, value, quoted=part.quoted)


async def _arithmetic(shell: Shell, part: Arithmetic) -> str:
    text = await text_of(shell, part.word)
    try:
        return str(evaluate(text, shell.vars))
    except ArithmeticFault as fault:
        raise ExpansionFault(str(fault)) from None


def _put(out: _Fields, value: str, *, quoted: bool) -> None:
    if quoted:
        out.add(value, quoted=True)
    else:
        out.add_split(value)


async def _param(shell: Shell, part: Param, out: _Fields) -> None:
    if part.name in {"@", "*"} and part.op == "":
        _all_args(shell, part, out)
        return
    value = shell.parameter(part.name)
    op, word = part.op, part.word
    if word is None or not op:
        if op == "length":
            value = str(len(value or ""))
        elif value is None and "u" in shell.options and part.name not in {"@", "*"}:
            raise ExpansionFault(f"{part.name}: parameter not set")
        _put(out, value or "", quoted=part.quoted)
        return
    missing = value is None or (op.startswith(":") and value == "")
    if op in {":-", "-"} and missing:
        await _expand_default(shell, part, word, out)
    elif op in {":+", "+"}:
        if not missing:
            await _expand_default(shell, part, word, out)
        elif part.quoted:
            out.add("", quoted=True)
    elif op in {":=", "="} and missing:
        value = await text_of(shell, word)
        shell.vars[part.name] = value
        _put(out, value, quoted=part.quoted)
    elif op in {":?", "?"} and missing:
        message = await text_of(shell, word) or "parameter not set"
        raise ExpansionFault(f"{part.name}: {message}")
    else:
        _put(out, await _edited(shell, value or "", op, word), quoted=part.quoted)


async def _expand_default(shell: Shell, part: Param, word: Word, out: _Fields) -> None:
    if part.quoted:
        out.add(await text_of(shell, word), quoted=True)
    else:
        await _expand(shell, word.parts, out, from_expansion=True)


async def _edited(shell: Shell, value: str, op: str, word: Word) -> str:
    if op[0] in "#%":
        return trim(value, await pieces_of(shell, word), op)
    if op[0] == "/":
        return _replaced(value, await pieces_of(shell, word), everywhere=op == "//")
    if op == ":":
        start_text, colon, length_text = (await text_of(shell, word)).partition(":")
        try:
            start = evaluate(start_text, shell.vars)
            start = max(0, len(value) + start) if start < 0 else start
            value = value[start:]
            if colon:
                length = evaluate(length_text, shell.vars)
                value = value[:length]
        except ArithmeticFault as fault:
            raise ExpansionFault(str(fault)) from None
    return value


def _replaced(value: str, pieces: list[Piece], *, everywhere: bool) -> str:
    """`${name/pattern/text}`: the first unquoted slash divides pattern and text."""
    pattern: list[Piece] = []
    replacement: str | None = None
    for text, quoted in pieces:
        if replacement is not None:
            replacement += text
        elif quoted or "/" not in text:
            pattern.append((text, quoted))
        else:
            before, _, after = text.partition("/")
            pattern.append((before, False))
            replacement = after
    text = replacement or ""
    return to_regex(pattern).sub(lambda _: text, value, 0 if everywhere else 1)


def _all_args(shell: Shell, part: Param, out: _Fields) -> None:
    if part.name == "*" and part.quoted:
        joint = shell.vars.get("IFS", " \t\n")[:1]
        out.add(joint.join(shell.args), quoted=True)
        return
    for index, arg in enumerate(shell.args):
        if index:
            out.end()
        _put(out, arg, quoted=part.quoted)
