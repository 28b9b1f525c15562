"""Packages, sections and options in memory, and the changes that `uci` makes to them.

Every change can be tracked as a `Delta`: that is what `uci set` stages and `uci commit` applies.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

CONTROLS = {chr(code) for code in range(32)} - {"\t", "\n", "\r"}


class Fault(enum.IntEnum):
    """What went wrong; the number is the exit status of `uci add`."""

    INVALID = 2
    NOT_FOUND = 3
    IO = 4
    PARSE = 5
    DUPLICATE = 6


MESSAGES = {
    Fault.INVALID: "Invalid argument",
    Fault.NOT_FOUND: "Entry not found",
    Fault.IO: "I/O error",
    Fault.PARSE: "Parse error",
    Fault.DUPLICATE: "Duplicate entry",
}


class UciError(Exception):
    """A refusal of `uci`; `str()` is what it prints after its name."""

    def __init__(self, kind: Fault, where: str = "") -> None:
        super().__init__(MESSAGES[kind] + where)
        self.kind = kind


class Change(enum.Enum):
    """Kinds of staged change; the value is the mark that starts their line in a delta file."""

    SET = ""
    ADD = "+"
    REMOVE = "-"
    RENAME = "@"
    REORDER = "^"
    LIST_ADD = "|"
    LIST_REMOVE = "~"


@dataclass(frozen=True)
class Delta:
    """One staged change."""

    change: Change
    section: str
    option: str | None = None
    value: str | None = None


@dataclass
class Option:
    """An option; a `list` in the value stands for one."""

    name: str
    value: str | list[str]


@dataclass
class Section:
    """A section; an anonymous one carries a made-up name such as cfg03abcd."""

    type: str
    name: str
    anonymous: bool = False
    options: list[Option] = field(default_factory=list)

    def find(self, name: str) -> Option | None:
        """The option of that name."""
        return next((option for option in self.options if option.name == name), None)


def is_word(text: str, *, dash: bool = False, any_visible: bool = False) -> bool:
    """Whether `text` may be a name: letters, digits and _ (ASCII)."""
    return bool(text) and all(
        (char.isascii() and (char.isalnum() or char == "_"))
        or (dash and char == "-")
        or (any_visible and 33 <= ord(char) <= 126)
        for char in text
    )


def is_type(text: str) -> bool:
    """Whether `text` may be a section's type or a package's name: visible ASCII."""
    return is_word(text, any_visible=True)


def made_up_name(number: int, kind: str) -> str:
    """Name of the `number`th section where it has none: a counter and a hash of its type.

    The hash is Bernstein's (h × 33 + c), of which the low 16 bits are kept.
    """
    digest = 5381
    for byte in kind.encode("utf-8", "surrogateescape"):
        digest = (digest * 33 + byte) & 0xFFFFFFFF
    return f"cfg{number:02x}{digest & 0xFFFF:04x}"


class Package:
    """A configuration file; `deltas` are changes not yet saved, `staged` those loaded."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sections: list[Section] = []
        self.made = 0
        """Sections ever made: counts into the names of anonymous ones."""
        self.path: str | None = None
        self.tracked = False
        """Whether changes are staged (files of /etc/config) or written at once (others)."""
        self.deltas: list[Delta] = []
        self.staged: list[Delta] = []

    def find(self, name: str) -> Section | None:
        """The section of that name."""
        return next((section for section in self.sections if section.name == name), None)

    def pick(self, reference: str) -> Section | None:
        """The section that `@type[index]` means; `@[index]` counts all types."""
        head, bracket, tail = reference[1:].partition("[")
        index, closing, rest = tail.partition("]")
        if not (reference.startswith("@") and bracket and closing) or rest:
            raise UciError(Fault.INVALID)
        try:
            number = int(index or "0")
        except ValueError:
            raise UciError(Fault.INVALID) from None
        if head and not is_type(head):
            raise UciError(Fault.INVALID)
        same = [section for section in self.sections if not head or section.type == head]
        if number < 0:
            number += len(same)
        return same[number] if 0 <= number < len(same) else None

    def note(self, track: bool, delta: Delta) -> None:
        """Remember a change for staging, where changes are staged."""
        if track and self.tracked:
            self.deltas.append(delta)

    def add(self, kind: str, *, track: bool) -> Section:
        """Append an anonymous section."""
        self.made += 1
        section = Section(kind, made_up_name(self.made, kind), anonymous=True)
        self.sections.append(section)
        self.note(track, Delta(Change.ADD, section.name, None, kind))
        return section

    def set_section(self, name: str, kind: str, *, track: bool) -> Section:
        """Make a named section, or change the type of one."""
        section = self.find(name)
        if section is None:
            self.made += 1
            section = Section(kind, name)
            self.sections.append(section)
        elif section.type == kind:
            return section
        else:
            if len(section.type) != len(kind):
                section.anonymous = False  # the real one makes it anew, under its name
            section.type = kind
        self.note(track, Delta(Change.SET, name, None, kind))
        return section

    def set_option(self, section: Section, name: str, value: str, *, track: bool) -> None:
        """Set an option to a text, in its place or at the end."""
        option = section.find(name)
        if option is None:
            section.options.append(Option(name, value))
        elif option.value == value:
            return
        else:
            option.value = value
        self.note(track, Delta(Change.SET, section.name, name, value))

    def add_list(self, section: Section, name: str, value: str, *, track: bool) -> None:
        """Append to a list; a plain option becomes the list's first item."""
        option = section.find(name)
        if option is None:
            section.options.append(Option(name, [value]))
        elif isinstance(option.value, str):
            option.value = [option.value, value]
        else:
            option.value.append(value)
        self.note(track, Delta(Change.LIST_ADD, section.name, name, value))

    def remove_from_list(self, section: Section, name: str, value: str, *, track: bool) -> None:
        """Take all items equal to `value` out of a list; what is no list stays as it is."""
        option = section.find(name)
        if option is None or isinstance(option.value, str):
            return
        self.note(track, Delta(Change.LIST_REMOVE, section.name, name, value))
        option.value = [item for item in option.value if item != value]

    def remove(
        self, section: Section, option: Option | None, index: str | None, *, track: bool
    ) -> None:
        """Delete a section, an option, or one item of a list by its number."""
        if option is not None and isinstance(option.value, list) and index:
            number = leading_number(index)
            if number is not None and 0 <= number < len(option.value):
                self.note(track, Delta(Change.REMOVE, section.name, option.name, index))
                del option.value[number]
            return
        name = option.name if option is not None else None
        self.note(track, Delta(Change.REMOVE, section.name, name))
        if option is None:
            self.sections.remove(section)
        else:
            section.options.remove(option)

    def rename(self, section: Section, option: Option | None, name: str, *, track: bool) -> None:
        """Give a section or option another name; a section is then no longer anonymous."""
        old = option.name if option is not None else None
        self.note(track, Delta(Change.RENAME, section.name, old, name))
        if option is not None:
            option.name = name
        else:
            section.name, section.anonymous = name, False

    def reorder(self, section: Section, position: int, *, track: bool) -> None:
        """Move a section to `position`, counted without it."""
        before = self.sections.index(section)
        self.sections.remove(section)
        after = min(max(position, 0), len(self.sections))
        self.sections.insert(after, section)
        if before != after:
            self.note(track, Delta(Change.REORDER, section.name, None, str(position)))


def leading_number(text: str) -> int | None:
    """The whole number that `text` starts with, as C's sscanf reads it."""
    digits = text.lstrip()
    sign = digits[:1] if digits[:1] in {"-", "+"} else ""
    body = digits[len(sign) :]
    count = len(body) - len(body.lstrip("0123456789"))
    return int(sign + body[:count]) if count else None


def quoted(text: str) -> str:
    """`text` in single quotes, as every output of `uci` quotes it."""
    return "'" + text.replace("'", "'\\''") + "'"


def export(package: Package, *, header: bool, name_all: bool = False) -> str:
    """The text of a package, as `uci export` prints (`header`) and `uci commit` writes it."""
    lines = [f"package {package.name}\n"] if header else []
    for section in package.sections:
        name = f" {quoted(section.name)}" if name_all or not section.anonymous else ""
        lines.append(f"\nconfig {section.type}{name}\n")
        for option in section.options:
            if isinstance(option.value, str):
                lines.append(f"\toption {option.name} {quoted(option.value)}\n")
            else:
                lines += [f"\tlist {option.name} {quoted(item)}\n" for item in option.value]
    return "".join(lines) + "\n"
