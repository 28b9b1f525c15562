"""Reads shell scripts: the grammar of POSIX sh as far as scripts on access points use it."""

from __future__ import annotations

import functools
import re

from simulator.shell.nodes import (
    AndOr,
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Literal,
    Loop,
    Pipeline,
    Redirect,
    Redirected,
    Sequence,
    Simple,
    Subshell,
    Word,
)
from simulator.shell.words import Incomplete, ShellSyntaxError, WordReader

__all__ = ["Incomplete", "ShellSyntaxError", "parse"]

_RESERVED_ENDS = {"then", "else", "elif", "fi", "do", "done", "esac", "}"}
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_REDIRECT = re.compile(r"(\d*)(<<-|<<|<&|<>|>>|>&|>\||<|>)")


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Sequence:
    """Parse a whole script; the same text is parsed once.

    Raises Incomplete where more text could complete it, else ShellSyntaxError.
    """
    parser = _Parser(text)
    body = parser.sequence()
    parser.skip_blank(newlines=True)
    if not parser.at_end:
        raise parser.unexpected()
    return body


class _Parser(WordReader):
    """Recursive descent over the text; `pos` is where it stands."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.heredocs: list[tuple[Redirect, str, bool, bool]] = []

    def parse_substitution(self, closing: str) -> Sequence:
        """Parse up to `closing`, which is consumed."""
        body = self.sequence()
        self.skip_blank(newlines=True)
        if not self.take(closing):
            raise Incomplete() if self.at_end else self.unexpected()
        return body

    # --- blanks, comments, here-documents ----------------------------------------------------

    def skip_blank(self, *, newlines: bool = False) -> None:
        while not self.at_end:
            if self.text.startswith("\\\n", self.pos):
                self.pos += 2
            elif self.text[self.pos] in " \t":
                self.pos += 1
            elif self.text[self.pos] == "#":
                end = self.text.find("\n", self.pos)
                self.pos = len(self.text) if end < 0 else end
            elif newlines and self.text[self.pos] == "\n":
                self.newline()
            else:
                return

    def newline(self) -> None:
        """Consume a line's end and the here-documents that start after it."""
        self.pos += 1
        pending, self.heredocs = self.heredocs, []
        for redirect, delimiter, literal, strip in pending:
            lines = []
            while True:
                if self.at_end:
                    raise Incomplete
                end = self.text.find("\n", self.pos)
                line = self.text[self.pos : end if end >= 0 else len(self.text)]
                self.pos = len(self.text) if end < 0 else end + 1
                if strip:
                    line = line.lstrip("\t")
                if line == delimiter:
                    break
                if end < 0:
                    raise Incomplete
                lines.append(line + "\n")
            body = "".join(lines)
            redirect.target = (
                Word((Literal(body, quoted=True),)) if literal else self.heredoc_word(body)
            )

    def unexpected(self) -> ShellSyntaxError:
        rest = self.text[self.pos :]
        match = re.match(r"&&|\|\||;;|[;&|()<>\n]|[^\s;&|()<>]+", rest)
        found = match.group(0).replace("\n", "newline") if match else ""
        quoted = f'"{found}"' if found else "end of file"
        return ShellSyntaxError(f"syntax error: unexpected {quoted}")

    # --- lists -------------------------------------------------------------------------------

    def sequence(self) -> Sequence:
        items: list[tuple[AndOr, bool]] = []
        while True:
            self.skip_blank(newlines=True)
            if self.at_end or self.text[self.pos] in ")" or self.text.startswith(";;", self.pos):
                break
            if self.peek_reserved() in _RESERVED_ENDS:
                break
            item = self.and_or()
            self.skip_blank()
            background = False
            if not self.at_end and self.text[self.pos] == "&":
                background, self.pos = True, self.pos + 1
            elif self.text.startswith(";", self.pos) and not self.text.startswith(";;", self.pos):
                self.pos += 1
            elif not self.at_end and self.text[self.pos] == "\n":
                self.newline()
            else:
                items.append((item, background))
                break
            items.append((item, background))
        if self.at_end and self.heredocs:
            raise Incomplete
        return Sequence(tuple(items))

    def and_or(self) -> AndOr:
        first = self.pipeline()
        rest: list[tuple[str, Pipeline]] = []
        while True:
            self.skip_blank()
            op = self.text[self.pos : self.pos + 2]
            if op not in {"&&", "||"}:
                return AndOr(first, tuple(rest))
            self.pos += 2
            self.skip_blank(newlines=True)
            if self.at_end:
                raise Incomplete
            rest.append((op, self.pipeline()))

    def pipeline(self) -> Pipeline:
        self.skip_blank()
        negated = False
        while self.peek_reserved() == "!":
            negated, self.pos = not negated, self.pos + 1
            self.skip_blank()
        commands = [self.command()]
        while True:
            self.skip_blank()
            if not self.text.startswith("|", self.pos) or self.text.startswith("||", self.pos):
                return Pipeline(tuple(commands), negated)
            self.pos += 1
            self.skip_blank(newlines=True)
            if self.at_end:
                raise Incomplete
            commands.append(self.command())

    # --- commands ----------------------------------------------------------------------------

    def peek_reserved(self) -> str:
        """The unquoted word that starts here, or an empty text."""
        match = re.compile(r"[^\s;&|()<>'\"`\\$#]+").match(self.text, self.pos)
        if match is None:
            return ""
        after = self.text[match.end() : match.end() + 1]
        return match.group(0) if after in {"", *" \t\n;&|()<>"} else ""

    def expect(self, word: str) -> None:
        self.skip_blank(newlines=True)
        if self.peek_reserved() != word:
            raise Incomplete() if self.at_end else self.unexpected()
        self.pos += len(word)

    def body(self, *, start: str, end: str) -> Sequence:
        self.expect(start)
        inner = self.filled()
        self.expect(end)
        return inner

    def filled(self) -> Sequence:
        """A sequence that must not be empty."""
        inner = self.sequence()
        if not inner.items:
            raise Incomplete() if self.at_end else self.unexpected()
        return inner

    def command(self) -> Command:
        self.skip_blank()
        command = self.compound()
        if command is None:
            return self.simple()
        redirects: list[Redirect] = []
        while self.redirect(redirects):
            pass
        return Redirected(command, tuple(redirects)) if redirects else command

    def compound(self) -> Command | None:  # noqa: PLR0911 - one a reserved word
        if self.text.startswith("(", self.pos):
            self.pos += 1
            body = self.parse_substitution(")")
            if not body.items:
                raise self.unexpected()
            return Subshell(body)
        word = self.peek_reserved()
        match word:
            case "{":
                return Group(self.body(start="{", end="}"))
            case "if":
                return self.if_command()
            case "while" | "until":
                self.pos += len(word)
                condition = self.filled()
                return Loop(condition, self.body(start="do", end="done"), word == "until")
            case "for":
                return self.for_command()
            case "case":
                return self.case_command()
            case "function":
                self.pos += len(word)
                self.skip_blank()
                word = self.peek_reserved()
        match = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*\([ \t]*\)").match(self.text, self.pos)
        if match is None:
            if word in _RESERVED_ENDS:
                raise self.unexpected()
            return None
        self.pos = match.end()
        self.skip_blank(newlines=True)
        if self.at_end:
            raise Incomplete
        return Function(match.group(1), self.command())

    def if_command(self) -> If:
        self.pos += 2
        arms = []
        while True:
            condition = self.filled()
            self.expect("then")
            arms.append((condition, self.filled()))
            self.skip_blank(newlines=True)
            if self.peek_reserved() != "elif":
                break
            self.pos += 4
        otherwise = None
        if self.peek_reserved() == "else":
            self.pos += 4
            otherwise = self.filled()
        self.expect("fi")
        return If(tuple(arms), otherwise)

    def for_command(self) -> For:
        self.pos += 3
        self.skip_blank()
        name = self.peek_reserved()
        if not _NAME.match(name):
            raise Incomplete() if self.at_end else self.unexpected()
        self.pos += len(name)
        self.skip_blank(newlines=True)
        words: list[Word] | None = None
        if self.peek_reserved() == "in":
            self.pos += 2
            words = []
            while True:
                self.skip_blank()
                word = self.word()
                if word is None:
                    break
                words.append(word)
        self.skip_blank()
        self.take(";")
        body = self.body(start="do", end="done")
        return For(name, None if words is None else tuple(words), body)

    def case_command(self) -> Case:
        self.pos += 4
        self.skip_blank()
        subject = self.word()
        if subject is None:
            raise Incomplete() if self.at_end else self.unexpected()
        self.expect("in")
        arms = []
        while True:
            self.skip_blank(newlines=True)
            if self.peek_reserved() == "esac":
                break
            self.take("(")
            patterns = []
            while True:
                self.skip_blank()
                pattern = self.word()
                if pattern is None:
                    raise Incomplete() if self.at_end else self.unexpected()
                patterns.append(pattern)
                self.skip_blank()
                if not self.take("|"):
                    break
            if not self.take(")"):
                raise Incomplete() if self.at_end else self.unexpected()
            arms.append((tuple(patterns), self.sequence()))
            self.skip_blank(newlines=True)
            if not self.take(";;"):
                break
        self.expect("esac")
        return Case(subject, tuple(arms))

    def simple(self) -> Command:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            self.skip_blank()
            if self.redirect(redirects):
                continue
            match = None if words else _ASSIGNMENT.match(self.text, self.pos)
            if match is not None:
                self.pos = match.end()
                assignments.append((match.group(1), self.word() or Word(())))
                continue
            word = self.word()
            if word is None:
                break
            words.append(word)
        if not (assignments or words or redirects):
            raise Incomplete() if self.at_end else self.unexpected()
        return Simple(tuple(assignments), tuple(words), tuple(redirects))

    def redirect(self, found: list[Redirect]) -> bool:
        """Read a redirection onto `found`; False where there is none."""
        self.skip_blank()
        match = _REDIRECT.match(self.text, self.pos)
        if match is None:
            return False
        self.pos = match.end()
        op = match.group(2)
        fd = int(match.group(1)) if match.group(1) else (0 if op.startswith("<") else 1)
        self.skip_blank()
        target = self.word()
        if target is None:
            raise Incomplete() if self.at_end else self.unexpected()
        redirect = Redirect(fd, op, target)
        if op in {"<<", "<<-"}:
            redirect.op = "<<"
            literal = any(isinstance(p, Literal) and p.quoted for p in target.parts)
            delimiter = "".join(p.text for p in target.parts if isinstance(p, Literal))
            self.heredocs.append((redirect, delimiter, literal, op == "<<-"))
        found.append(redirect)
        return True
