"""Reads words: quotes, `$` and backticks. `simulator.shell.parse` builds commands of them."""

from __future__ import annotations

import re

from simulator.shell.nodes import Arithmetic, Literal, Param, Part, Sequence, Substitution, Word

_META = set(" \t\n;&|()<>")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_OPERATOR = re.compile(r":?[-=?+]|##?|%%?|//?|:")


class ShellSyntaxError(Exception):
    """The script is not shell; `str()` is what the shell says."""


class Incomplete(ShellSyntaxError):  # noqa: N818 - not an error at a prompt: more is to come
    """The text ends where more must follow."""

    def __init__(self, text: str = "syntax error: unterminated quoted string") -> None:
        super().__init__(text)


class WordReader:
    """A place in a text, and the words that start there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0

    def parse_substitution(self, closing: str) -> Sequence:
        """Parse commands up to `closing`."""
        raise NotImplementedError

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.pos >= len(self.text)

    def take(self, token: str) -> bool:
        """Consume `token` if it is next."""
        if not self.text.startswith(token, self.pos):
            return False
        self.pos += len(token)
        return True

    def word(self) -> Word | None:
        """The word that starts here; None where none does."""
        parts: list[Part] = []
        while not self.at_end and self.text[self.pos] not in _META:
            self._piece(parts, in_quotes=False, stop="")
        return Word(_joined(parts)) if parts else None

    def heredoc_word(self, body: str) -> Word:
        """The text of a here-document, in which `$`, backticks and backslashes count."""
        reader = type(self)(body)
        parts: list[Part] = []
        while not reader.at_end:
            reader._piece(parts, in_quotes=True, stop="", heredoc=True)
        return Word(_joined(parts))

    def _piece(
        self, parts: list[Part], *, in_quotes: bool, stop: str, heredoc: bool = False
    ) -> None:
        """Read one piece of a word onto `parts`; plain text ends at a character of `stop`."""
        char = self.text[self.pos]
        if char == "\\":
            self._backslash(parts, in_quotes=in_quotes, heredoc=heredoc)
        elif char == "'" and not in_quotes:
            end = self.text.find("'", self.pos + 1)
            if end < 0:
                raise Incomplete
            parts.append(Literal(self.text[self.pos + 1 : end], quoted=True))
            self.pos = end + 1
        elif char == '"' and not heredoc:
            self._double_quoted(parts)
        elif char == "$":
            self._dollar(parts, in_quotes=in_quotes)
        elif char == "`":
            self._backticks(parts, in_quotes=in_quotes)
        else:
            end = self.pos + 1
            special = "\\$`" + ("" if heredoc else '"') + ("" if in_quotes else "'") + stop
            while end < len(self.text) and self.text[end] not in special:
                if not in_quotes and not stop and self.text[end] in _META:
                    break
                end += 1
            parts.append(Literal(self.text[self.pos : end], quoted=in_quotes))
            self.pos = end

    def _backslash(self, parts: list[Part], *, in_quotes: bool, heredoc: bool) -> None:
        after = self.text[self.pos + 1 : self.pos + 2]
        if not after:
            if not heredoc:
                raise Incomplete
            parts.append(Literal("\\", quoted=True))
            self.pos += 1
            return
        self.pos += 2
        if after == "\n":
            return
        special = "\\$`" if heredoc else '\\$`"'
        kept = "\\" if in_quotes and after not in special else ""
        parts.append(Literal(kept + after, quoted=True))

    def _double_quoted(self, parts: list[Part]) -> None:
        self.pos += 1
        parts.append(Literal("", quoted=True))
        while True:
            if self.at_end:
                raise Incomplete
            if self.text[self.pos] == '"':
                self.pos += 1
                return
            self._piece(parts, in_quotes=True, stop="")

    def _dollar(self, parts: list[Part], *, in_quotes: bool) -> None:
        if self.text.startswith("$((", self.pos):
            self.pos += 3
            parts.append(Arithmetic(self._arithmetic(), quoted=in_quotes))
        elif self.text.startswith("$(", self.pos):
            self.pos += 2
            parts.append(Substitution(self.parse_substitution(")"), quoted=in_quotes))
        elif self.text.startswith("${", self.pos):
            self.pos += 2
            parts.append(self._braced(in_quotes=in_quotes))
        elif match := _NAME.match(self.text, self.pos + 1):
            parts.append(Param(match.group(0), quoted=in_quotes))
            self.pos = match.end()
        else:
            parts.append(Literal("$", quoted=in_quotes))
            self.pos += 1

    def _arithmetic(self) -> Word:
        parts: list[Part] = []
        depth = 0
        while True:
            if self.at_end:
                raise Incomplete
            char = self.text[self.pos]
            if char == ")" and depth == 0:
                if not self.text.startswith("))", self.pos):
                    raise ShellSyntaxError("syntax error: missing '))'")
                self.pos += 2
                return Word(_joined(parts))
            if char in "()":
                depth += 1 if char == "(" else -1
                parts.append(Literal(char, quoted=True))
                self.pos += 1
            else:
                self._piece(parts, in_quotes=True, stop="()")

    def _braced(self, *, in_quotes: bool) -> Param:
        if self.text.startswith("#", self.pos) and not self.text.startswith("#}", self.pos):
            match = _PLAIN_NAME.match(self.text, self.pos + 1)
            if match and self.text.startswith("}", match.end()):
                self.pos = match.end() + 1
                return Param(match.group(0), "length", quoted=in_quotes)
        match = _PLAIN_NAME.match(self.text, self.pos)
        if match is None:
            raise (
                Incomplete() if self.at_end else ShellSyntaxError("syntax error: bad substitution")
            )
        name, self.pos = match.group(0), match.end()
        if self.take("}"):
            return Param(name, quoted=in_quotes)
        operator = _OPERATOR.match(self.text, self.pos)
        if operator is None:
            raise (
                Incomplete() if self.at_end else ShellSyntaxError("syntax error: bad substitution")
            )
        op, self.pos = operator.group(0), operator.end()
        # A pattern's quotes count even inside double quotes; a default's text is then quoted.
        inner_quotes = in_quotes and op[0] not in "#%/"
        parts: list[Part] = []
        while True:
            if self.at_end:
                raise Incomplete
            if self.text[self.pos] == "}":
                self.pos += 1
                return Param(name, op, Word(_joined(parts)), quoted=in_quotes)
            self._piece(parts, in_quotes=inner_quotes, stop="}")

    def _backticks(self, parts: list[Part], *, in_quotes: bool) -> None:
        match = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL).match(self.text, self.pos)
        if match is None:
            raise Incomplete
        self.pos = match.end()
        special = r"\\([$`\\\"])" if in_quotes else r"\\([$`\\])"
        inner = type(self)(re.sub(special, r"\1", match.group(1)) + "\n)")
        parts.append(Substitution(inner.parse_substitution(")"), quoted=in_quotes))


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """Neighbouring literals of one kind as one, so that a plain word is a single literal."""
    out: list[Part] = []
    for part in parts:
        last = out[-1] if out else None
        if isinstance(part, Literal) and isinstance(last, Literal) and part.quoted == last.quoted:
            out[-1] = Literal(last.text + part.text, part.quoted)
        else:
            out.append(part)
    return tuple(out)
