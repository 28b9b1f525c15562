"""Where `uci` keeps things on a device: /etc/config, and staged changes in /tmp/.uci."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from simulator.uci.model import (
    CONTROLS,
    Change,
    Delta,
    Fault,
    Option,
    Package,
    Section,
    UciError,
    export,
    is_type,
    is_word,
    quoted,
)
from simulator.uci.syntax import Reader, read

CONFIG_FOLDER = "/etc/config"
STAGING_FOLDER = "/tmp/.uci"  # noqa: S108 - a path on the pretend device


class Files(Protocol):
    """What `uci` needs of a file system; `simulator.flash.Flash` has it."""

    def read(self, path: str) -> bytes: ...  # noqa: D102
    def write(self, path: str, data: bytes) -> None: ...  # noqa: D102
    def rename(self, old: str, new: str) -> None: ...  # noqa: D102
    def remove(self, path: str) -> None: ...  # noqa: D102
    def exists(self, path: str) -> bool: ...  # noqa: D102
    def is_dir(self, path: str) -> bool: ...  # noqa: D102
    def is_file(self, path: str) -> bool: ...  # noqa: D102
    def mkdir(self, path: str) -> None: ...  # noqa: D102
    def names(self, path: str) -> list[str]: ...  # noqa: D102
    def resolve(self, path: str) -> str: ...  # noqa: D102
    def sync(self, path: str) -> None: ...  # noqa: D102


@dataclass
class Pointer:
    """What `package.section.option=value` points at, as far as it exists."""

    package: Package
    section_name: str | None = None
    option_name: str | None = None
    value: str | None = None
    section: Section | None = None
    option: Option | None = None

    @property
    def complete(self) -> bool:
        """Whether all that was named exists."""
        return (self.section_name is None or self.section is not None) and (
            self.option_name is None or self.option is not None
        )


@dataclass(frozen=True)
class Address:
    """A parsed `package[.section[.option]][=value]`."""

    package: str
    section: str | None
    option: str | None
    value: str | None


def parse_address(text: str) -> Address:
    """Split an argument of `uci`; raises UciError PARSE for what can be no name or value."""
    path, equals, rest = text.partition("=")
    value = rest if equals else None
    parts: list[str | None] = [*path.split("."), None, None]
    package, section, option = parts[0] or "", parts[1], parts[2]
    bad = (
        path.count(".") > 2
        or not is_type(package)
        or (option is not None and not is_word(option))
        or (value is not None and bool(CONTROLS & set(value)))
    )
    if bad:
        raise UciError(Fault.PARSE)
    return Address(package, section, option, value)


@dataclass
class Store:
    """Loads, stages and commits packages with the paths that `-c`, `-P`, `-t` and `-p` set."""

    files: Files
    folder: str = CONFIG_FOLDER
    staging: str = STAGING_FOLDER
    delta_folders: list[str] = field(default_factory=lambda: [STAGING_FOLDER])
    strict: bool = True
    name_all: bool = False
    """Whether anonymous sections are written with their made-up names (`-n`)."""

    def use_staging(self, folder: str) -> None:
        """Stage into `folder` from now on; changes staged elsewhere are still read (`-P`, `-t`)."""
        self.delta_folders = [f for f in self.delta_folders if f != folder] + [folder]
        self.staging = folder

    def read_also(self, folder: str) -> None:
        """Read changes staged in `folder` too (`-p`)."""
        if folder not in self.delta_folders:
            self.delta_folders.insert(len(self.delta_folders) - 1, folder)

    def names(self) -> list[str]:
        """Names of all packages."""
        try:
            found = self.files.names(self.folder)
        except OSError:
            raise UciError(Fault.NOT_FOUND) from None
        found = [n for n in found if not n.startswith(".") and not self.files.is_dir(self._at(n))]
        if not found:
            raise UciError(Fault.NOT_FOUND)
        return [name for name in found if "." not in name and is_type(name)]

    def _at(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def load(self, name: str) -> Package:
        """Read a package and the changes staged for it."""
        inside = not name.startswith((".", "/"))
        if name.startswith(".") and not name.startswith("./"):
            raise UciError(Fault.NOT_FOUND)
        path = self._at(name) if inside else name
        if not self.files.is_file(path):
            raise UciError(Fault.NOT_FOUND)
        package = read(
            _text(self.files.read(path)), name.rsplit("/", maxsplit=1)[-1], strict=self.strict
        )[0]
        package.path, package.tracked = path, inside
        self._apply_staged(package)
        return package

    def lookup(self, text: str) -> Pointer:
        """Load what an argument points at."""
        address = parse_address(text)
        pointer = Pointer(
            self.load(address.package), address.section, address.option, address.value
        )
        if address.section is None:
            return pointer
        if is_word(address.section):
            pointer.section = pointer.package.find(address.section)
        else:
            pointer.section = pointer.package.pick(address.section)
            if pointer.section is not None:
                pointer.section_name = pointer.section.name
        if pointer.section is not None and address.option is not None:
            pointer.option = pointer.section.find(address.option)
        return pointer

    def save(self, package: Package) -> None:
        """Stage the package's changes."""
        if not package.tracked:
            self._replace(package, package.path)
            return
        if not package.deltas:
            return
        if not self.files.exists(self.staging):
            try:
                self.files.mkdir(self.staging)
            except OSError:
                raise UciError(Fault.IO) from None
        elif not self.files.is_dir(self.staging):
            raise UciError(Fault.IO)
        path = f"{self.staging}/{package.name}"
        before = self.files.read(path) if self.files.exists(path) else b""
        lines = "".join(delta_line(package.name, delta) for delta in package.deltas)
        self._write(path, before + _bytes(lines))
        package.deltas = []

    def commit(self, package: Package) -> None:
        """Write the staged changes into the config file; nothing staged, nothing written."""
        if package.tracked:
            fresh = read(
                _text(self.files.read(package.path or "")), package.name, strict=self.strict
            )[0]
            fresh.path, fresh.tracked = package.path, True
            if not self._apply_staged(fresh):
                return
            package = fresh
        self._replace(package, package.path)
        staged = f"{self.staging}/{package.name}"
        if package.tracked and self.files.exists(staged):
            self._write(staged, b"")

    def overwrite(self, package: Package) -> None:
        """Write an imported package over its config file."""
        self._replace(package, self._at(package.name))

    def revert(self, package: Package, section: str | None, option: str | None) -> None:
        """Drop the staged changes of a package, of a section or of one option."""
        path = f"{self.staging}/{package.name}"
        if not self.files.exists(path):
            return
        kept = []
        for line in _delta_lines(_text(self.files.read(path))):
            delta = parse_delta(line, package.name)
            if delta is None:
                return
            match = (section is None or delta.section == section) and (
                option is None or delta.option == option
            )
            if not match:
                kept.append(delta_line(package.name, delta))
        self._write(path, _bytes("".join(kept)))

    def _replace(self, package: Package, path: str | None) -> None:
        if path is None:
            raise UciError(Fault.INVALID)
        draft = f"{self.folder}/.{package.name}.uci-{package.made:06d}"
        try:
            if not self.files.exists(path):
                self.files.write(path, b"")
            path = self.files.resolve(path)
            self.files.write(draft, _bytes(export(package, header=False, name_all=self.name_all)))
            self.files.sync(draft)
            self.files.rename(draft, path)
        except OSError:
            if self.files.exists(draft):
                self.files.remove(draft)
            raise UciError(Fault.IO) from None

    def _write(self, path: str, data: bytes) -> None:
        try:
            self.files.write(path, data)
        except OSError:
            raise UciError(Fault.IO) from None

    def _apply_staged(self, package: Package) -> int:
        """Apply what is staged; returns how many changes were understood."""
        if not package.tracked:
            return 0
        count = 0
        for folder in self.delta_folders:
            path = f"{folder}/{package.name}"
            if not self.files.is_file(path):
                continue
            for line in _delta_lines(_text(self.files.read(path))):
                delta = parse_delta(line, package.name)
                if delta is None:
                    continue
                package.staged.append(delta)
                count += apply(package, delta)
        return count


def apply(package: Package, delta: Delta) -> bool:
    """Make a staged change; False where it no longer fits."""
    section = package.find(delta.section)
    value = delta.value or ""
    if delta.option is None and delta.change in {Change.SET, Change.ADD}:
        if not is_type(value):
            return False
        made = package.set_section(delta.section, value, track=False)
        made.anonymous = made.anonymous or delta.change is Change.ADD
        return True
    if section is None:
        return False
    option = section.find(delta.option) if delta.option else None
    missing = delta.option is not None and option is None
    if delta.change is Change.SET and delta.option:
        if value:
            package.set_option(section, delta.option, value, track=False)
        elif option is not None:
            package.remove(section, option, None, track=False)
    elif delta.change is Change.LIST_ADD and delta.option:
        package.add_list(section, delta.option, value, track=False)
    elif delta.change is Change.LIST_REMOVE and delta.option:
        package.remove_from_list(section, delta.option, value, track=False)
    elif missing:
        return False
    elif delta.change is Change.REMOVE:
        package.remove(section, option, delta.value, track=False)
    elif delta.change is Change.RENAME:
        package.rename(section, option, value, track=False)
    elif delta.change is Change.REORDER:
        package.reorder(section, int(value) if value.isdigit() else 0, track=False)
    return True


def delta_line(package: str, delta: Delta) -> str:
    """The line of a delta file."""
    option = f".{delta.option}" if delta.option is not None else ""
    value = f"={quoted(delta.value)}" if delta.value is not None else ""
    return f"{delta.change.value}{package}.{delta.section}{option}{value}\n"


def parse_delta(word: str, package: str) -> Delta | None:
    """Read a word of a delta file; None for what does not belong to `package`."""
    change = next((c for c in Change if c.value and word.startswith(c.value)), Change.SET)
    try:
        address = parse_address(word[len(change.value) :])
    except UciError:
        return None
    if address.package != package or not address.section or not is_word(address.section):
        return None
    if change is not Change.REMOVE and address.value is None:
        return None
    if change in {Change.LIST_ADD, Change.LIST_REMOVE} and address.option is None:
        return None
    if change is Change.RENAME and not is_word(address.value or ""):
        return None
    return Delta(change, address.section, address.option, address.value)


def _delta_lines(text: str) -> list[str]:
    """Words of a delta file, one a line, quotes undone; a broken one is passed over."""
    reader, words = Reader(text), []
    while reader.next_line():
        try:
            if word := reader.word():
                words.append(word)
        except UciError:
            continue
    return words


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
