"""The language of /etc/config files, read with the habits of the real parser.

Empty options vanish; an unquoted `#` or `;` inside a value ends the line; quotes may span
lines. Each habit here was seen on the real `uci`.
"""

from __future__ import annotations

import re

from simulator.uci.model import Fault, Package, Section, UciError, is_type, is_word

_SPACE = " \t\n\v\f\r"


class Reader:
    """Words of a text, line by line; `line` and `pos` tell where an error is."""

    def __init__(self, text: str) -> None:
        self._rest = re.findall(r"[^\n]*\n|[^\n]+", text)[::-1]
        self.line = 0
        self.pos = 0
        self._text = ""

    def next_line(self) -> bool:
        """Go to the next line; False after the last."""
        self.pos = 0
        self._text = ""
        return self._more()

    def _more(self) -> bool:
        """Read the next line in place of what stands from here on."""
        line = self._rest.pop() if self._rest else ""
        self._text = self._text[: self.pos] + line
        self.line += line.endswith("\n")
        return bool(line)

    @property
    def _here(self) -> str:
        return self._text[self.pos : self.pos + 1]

    def skip_space(self) -> None:
        """Go to the next character that is not white space."""
        while self._here and self._here in _SPACE:
            self.pos += 1

    def keyword(self) -> str | None:
        """The next command word (ended by space or tab alone), not yet consumed."""
        match = re.compile(r"[ \t]*([^ \t]+)").match(self._text, self.pos)
        return match.group(1) if match else None

    def skip_keyword(self, what: str) -> None:
        """Consume the command word; an error names `what` if nothing follows."""
        match = re.compile(r"[ \t]*[^ \t]+").match(self._text, self.pos)
        end = (match.end() if match else self.pos) + 1
        if end > len(self._text):
            raise self.error(f"{what} without name")
        self.pos = end

    def error(self, reason: str) -> UciError:
        """A parse error at this place."""
        byte = len(self._text[: self.pos].encode("utf-8", "surrogateescape"))
        return UciError(Fault.PARSE, f" ({reason}) at line {self.line}, byte {byte}")

    def word(self) -> str:
        """The next argument, quotes and escapes undone; empty at the end of the line or at `;`."""
        self.skip_space()
        if self._here == ";":
            self.pos += 1
            return ""
        start, ended_by = self.pos, ""
        out: list[str] = []
        while True:
            char = self._here
            if char == "'":
                self._single_quoted(out)
            elif char == '"':
                self._double_quoted(out)
            elif char in {"", "#"}:
                self._text = self._text[: self.pos]
                break
            elif char == ";":
                ended_by = ";"
                break
            elif char != "\\" or self._backslash():
                out.append(self._here)
                self.pos += 1
            if not self._here or self._here in _SPACE:
                break
        if ended_by:
            # Where nothing was quoted the end of the word is written over the semicolon.
            if self.pos - start == len(out):
                self._text = self._text[: self.pos]
        elif self._here:
            self.pos += 1
        return "".join(out)

    def _backslash(self) -> bool:
        """Skip a backslash; False where it joined this line with the next."""
        self.pos += 1
        if self._text[self.pos :] in {"", "\n", "\r\n"} or self._here == "\n":
            self._more()
            return False
        return True

    def _single_quoted(self, out: list[str]) -> None:
        self.pos += 1
        while (char := self._quoted_char("'")) != "'":
            out.append(char)
            self.pos += 1
        self.pos += 1

    def _double_quoted(self, out: list[str]) -> None:
        self.pos += 1
        while (char := self._quoted_char('"')) != '"':
            if char == "\\" and not self._backslash():
                continue
            out.append(self._here)
            self.pos += 1
        self.pos += 1

    def _quoted_char(self, quote: str) -> str:
        if not self._here:
            self._more()
            if not self._here:
                raise self.error(f"EOF with unterminated {quote}")
        return self._here


class _Import:
    """Reads a text into packages; with `merge` into a loaded one, its changes tracked."""

    def __init__(self, text: str, name: str | None, merge: Package | None, strict: bool) -> None:
        self.reader = Reader(text)
        self.name = name
        self.single = name is not None
        self.package = merge
        self.merging = merge is not None
        self.strict = strict
        self.section: Section | None = None
        self.done: list[Package] = []

    def run(self) -> list[Package]:
        while self.reader.next_line():
            try:
                self.statements()
            except UciError as error:
                if self.strict or error.kind is not Fault.PARSE:
                    raise
        if self.package is None and self.name is not None:
            self.open(self.name)
        if self.package is not None:
            self.done.append(self.package)
        return self.done

    def open(self, name: str) -> None:
        if self.package is not None:
            self.done.append(self.package)
        if any(package.name == name for package in self.done):
            raise UciError(Fault.DUPLICATE)
        self.package, self.section = Package(name), None

    def statements(self) -> None:
        reader = self.reader
        reader.skip_space()
        while (word := reader.keyword()) is not None and not word.startswith("#"):
            if word in {"p", "package"}:
                self.read_package()
            elif word in {"c", "config"}:
                self.read_config()
            elif word in {"o", "option", "l", "list"}:
                self.read_option(is_list=word.startswith("l"))
            else:
                raise reader.error("invalid command")

    def argument(self, *, required: bool = False, name: bool = False, dash: bool = False) -> str:
        text = self.reader.word()
        if not text:
            if required:
                raise self.reader.error("insufficient arguments")
        elif name and not is_word(text, dash=dash):
            raise self.reader.error("invalid character in name field")
        return text

    def end(self) -> None:
        self.reader.skip_space()
        if self.reader.word() and self.strict:
            raise self.reader.error("too many arguments")

    def read_package(self) -> None:
        self.reader.skip_keyword("package")
        name = self.argument(required=True, name=True, dash=True)
        self.end()
        if not self.single:
            self.name = name
            self.open(name)

    def read_config(self) -> None:
        if self.package is None:
            if self.name is None:
                raise self.reader.error("attempting to import a file without a package name")
            self.open(self.name)
        assert self.package is not None  # noqa: S101 - opened just above
        self.reader.skip_keyword("config")
        kind = self.argument(required=True)
        if not is_type(kind):
            raise self.reader.error("invalid character in type field")
        name = self.argument(name=True)
        self.end()
        if not name:
            self.section = self.package.add(kind, track=self.merging)
            return
        before = self.package.find(name)
        if before is not None and before.type != kind and self.strict:
            raise self.reader.error(
                "section of different type overwrites prior section with same name"
            )
        self.section = self.package.set_section(name, kind, track=self.merging)

    def read_option(self, *, is_list: bool) -> None:
        if self.section is None or self.package is None:
            raise self.reader.error("option/list command found before the first section")
        self.reader.skip_keyword("option")
        name = self.argument(required=True, name=True)
        value = self.argument()
        self.end()
        if is_list:
            self.package.add_list(self.section, name, value, track=self.merging)
        elif value:
            self.package.set_option(self.section, name, value, track=self.merging)


def read(
    text: str, name: str | None, *, merge: Package | None = None, strict: bool = True
) -> list[Package]:
    """Read the packages in `text`.

    With `name` it is one package of that name, whatever `package` lines say; `merge` is that
    package as loaded, changed in place with deltas. Raises UciError (PARSE with the place).
    """
    return _Import(text, name, merge, strict).run()
