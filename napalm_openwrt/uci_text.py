"""UCI as text and as data: reads and writes what `uci import` reads and `uci export` prints.

Pure functions. The grammar follows OpenWrt's own parser: single quotes take everything but a
single quote, double quotes and bare words know the backslash, `#` ends a bare word, a quoted
value may span lines, and an empty option is no option at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

Value = str | tuple[str, ...]
"""An option holds text; a list holds a tuple of texts."""

SPACE = " \t\r\n\v\f"
NAME = re.compile(r"[A-Za-z0-9_]+")
PACKAGE_NAME = re.compile(r"[A-Za-z0-9_-]+")
TYPE = re.compile(r"[!$-&(-:<-\[\]-~]+")
"""Printable ASCII without the characters that quoting gives a meaning: `" ' # ; \\`."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
PLAIN = re.compile(
    r"[ \t]*([a-z]+)[ \t]+(?:'([^'\n]*)'|([^ \t\r\n\v\f'\"#;\\]+))"
    r"(?:[ \t]+(?:'([^'\n]*)'|([^ \t\r\n\v\f'\"#;\\]+)))?[ \t]*(?:\n|\Z)"
)
"""A command on a line of its own without anything unusual, as uci itself writes them."""
KEYWORDS = {"p": "package", "c": "config", "o": "option", "l": "list"}


class UciSyntaxError(ValueError):
    """Text that uci would not read, or not hold; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Section:
    """A section; `name` is None where it is anonymous. Options keep their order."""

    type: str
    name: str | None = None
    options: tuple[tuple[str, Value], ...] = ()

    def get(self, option: str) -> Value | None:
        """Value of `option`, or None."""
        return dict(self.options).get(option)

    def text(self, option: str, default: str = "") -> str:
        """Value of a plain option; `default` where it is missing or a list."""
        value = self.get(option)
        return value if isinstance(value, str) else default


@dataclass(frozen=True)
class Package:
    """A package: one file of /etc/config."""

    name: str
    sections: tuple[Section, ...] = ()

    def of_type(self, kind: str) -> list[Section]:
        """Sections of one type, in their order."""
        return [section for section in self.sections if section.type == kind]


Config = dict[str, Package]


def parse(text: str, package: str | None = None, *, keep_empty: bool = False) -> Config:
    """Read one or more packages.

    Parameters
    ----------
    text
        What `uci export` prints, or one file of /etc/config.
    package
        Name of the package when `text` is such a file, which need not name it; where it does, that
        says nothing.
    keep_empty
        Keep options with an empty value; in a merge they mean: take this option away.

    Raises
    ------
    UciSyntaxError
        Where uci itself would refuse, or where a value holds a control character.
    """
    return dict(_parsed(text, package, keep_empty))


@lru_cache(maxsize=128)
def _parsed(text: str, package: str | None, keep_empty: bool) -> Config:
    """The same, remembered: a commit reads each text several times. Never change what it gives."""
    reader = _Reader(package, keep_empty)
    for line, words in _commands(text):
        reader.take(line, words)
    return reader.config()


def format_config(config: Config) -> str:
    """All packages as `uci export` prints them, by name."""
    return "".join(format_package(config[name]) for name in sorted(config))


def format_package(package: Package) -> str:
    """A package as `uci export` prints it, its `package` line first."""
    return f"package {package.name}\n{format_file(package)}"


def format_file(package: Package) -> str:
    """A package as uci writes it to /etc/config."""
    records = [record for section in package.sections for record in section_records(section)]
    return "".join(f"{record}\n" for record in records) + "\n"


def section_records(section: Section) -> list[str]:
    """A section as `uci export` prints it: a blank, its head, one record an option or list item.

    A record is one line unless its value spans several.
    """
    head = f"config {section.type}"
    records = ["", head if section.name is None else f"{head} {quote(section.name)}"]
    for name, value in section.options:
        if isinstance(value, str):
            records.append(f"\toption {name} {quote(value)}")
        else:
            records += [f"\tlist {name} {quote(item)}" for item in value]
    return records


def quote(value: str) -> str:
    r"""`value` in single quotes, a quote inside it as `'\''`."""
    return "'" + value.replace("'", "'\\''") + "'"


class _Reader:
    """Builds packages from commands."""

    def __init__(self, package: str | None, keep_empty: bool) -> None:
        self.keep_empty = keep_empty
        self.packages: dict[str, list[tuple[str, str | None, dict[str, Value]]]] = {}
        self.current, self.file = package, package is not None
        self.options: dict[str, Value] | None = None
        if package is not None:
            self.packages[package] = []

    def take(self, line: int, words: list[str]) -> None:
        """Carry out one command."""
        keyword = KEYWORDS.get(words[0], words[0])
        arguments = words[1:]
        if keyword not in KEYWORDS.values():
            raise UciSyntaxError(line, f"{words[0][:40]!r} is no uci command")
        allowed = 1 if keyword == "package" else 2
        if not arguments:
            raise UciSyntaxError(line, f"{keyword} lacks a name")
        if any(arguments[allowed:]):
            raise UciSyntaxError(line, f"{keyword} has too many arguments; is a quote missing?")
        if keyword == "package":
            self._package(line, arguments[0])
        elif keyword == "config":
            self._section(line, arguments[0], arguments[1] if arguments[1:] else None)
        else:
            self._option(line, keyword, arguments[0], arguments[1] if arguments[1:] else "")

    def _package(self, line: int, name: str) -> None:
        if not PACKAGE_NAME.fullmatch(name):
            raise UciSyntaxError(line, f"{name[:40]!r} cannot name a package")
        if self.file:  # its own name is what counts, for uci too
            return
        if name in self.packages:
            raise UciSyntaxError(line, f"package {name} is given twice")
        self.packages[name] = []
        self.current, self.options = name, None

    def _section(self, line: int, kind: str, name: str | None) -> None:
        if self.current is None:
            raise UciSyntaxError(line, "a section before the first `package` line")
        if not TYPE.fullmatch(kind):
            raise UciSyntaxError(line, f"{kind[:40]!r} cannot be a section's type")
        sections = self.packages[self.current]
        self.options = {}
        if not name:
            sections.append((kind, None, self.options))
            return
        if not NAME.fullmatch(name):
            raise UciSyntaxError(
                line, f"{name[:40]!r} cannot name a section: only letters, digits and _"
            )
        for known_kind, known_name, options in sections:
            if known_name == name:
                if known_kind != kind:
                    raise UciSyntaxError(line, f"section {name} is a {known_kind} already")
                self.options = options
                return
        sections.append((kind, name, self.options))

    def _option(self, line: int, keyword: str, name: str, value: str) -> None:
        if self.options is None:
            raise UciSyntaxError(line, f"{keyword} before the first section")
        if not NAME.fullmatch(name):
            raise UciSyntaxError(
                line, f"{name[:40]!r} cannot name an option: only letters, digits and _"
            )
        if CONTROL.search(value):
            raise UciSyntaxError(line, f"{keyword} {name} holds a control character")
        if keyword == "list":
            before = self.options.get(name, ())
            items = (before,) if isinstance(before, str) else before
            self.options[name] = (*items, value)
        elif value or self.keep_empty:
            self.options[name] = value

    def config(self) -> Config:
        """What was read."""
        return {
            package: Package(
                package,
                tuple(Section(kind, name, tuple(options.items())) for kind, name, options in rows),
            )
            for package, rows in self.packages.items()
        }


def _commands(text: str) -> Iterator[tuple[int, list[str]]]:
    """Split `text` into commands: the line each starts on, and its words without quotes."""
    position, line = 0, 1
    words: list[str] = []
    start = 1
    while position < len(text):
        if not words and (plain := PLAIN.match(text, position)):
            yield line, [word for word in plain.groups() if word is not None]
            line, position = line + 1, plain.end()
            continue
        char = text[position]
        if char == ";":
            # uci takes it for the end of a command, mostly; it never prints one.
            raise UciSyntaxError(line, "a ; outside quotes: put the value in single quotes")
        if char == "\n":
            if words:
                yield start, words
            words = []
            line += 1
            position += 1
        elif char in SPACE:
            position += 1
        elif char == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        else:
            if not words:
                start = line
            word, position, line = _word(text, position, line)
            words.append(word)
    if words:
        yield start, words


def _word(text: str, position: int, line: int) -> tuple[str, int, int]:
    """Read one word from `position`; return it, the position after it, and the line there."""
    parts: list[str] = []
    while position < len(text) and text[position] not in SPACE + "#;":
        char = text[position]
        if char in "'\"":
            part, end = _quoted(text, position, line)
            line += text.count("\n", position, end)
            position = end
        elif char == "\\":
            part, position = text[position + 1 : position + 2], position + 2
            if part == "\n":
                part, line = "", line + 1
        else:
            part, position = char, position + 1
        parts.append(part)
    return "".join(parts), position, line


def _quoted(text: str, position: int, line: int) -> tuple[str, int]:
    """Read the quoted text that opens at `position`; return it and the position after it."""
    mark = text[position]
    if mark == "'":
        end = text.find(mark, position + 1)
        if end < 0:
            raise UciSyntaxError(line, "a ' is opened and never closed")
        return text[position + 1 : end], end + 1
    parts: list[str] = []
    index = position + 1
    while index < len(text):
        char = text[index]
        if char == mark:
            return "".join(parts), index + 1
        if char == "\\":
            escaped = text[index + 1 : index + 2]
            parts.append("" if escaped == "\n" else escaped)
            index += 2
        else:
            parts.append(char)
            index += 1
    raise UciSyntaxError(line, 'a " is opened and never closed')
