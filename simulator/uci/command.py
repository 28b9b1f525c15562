"""The command line of `uci`: options, commands, messages and exit statuses of the real one."""

from __future__ import annotations

import getopt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from simulator.uci.model import (
    Change,
    Delta,
    Fault,
    Option,
    Package,
    Section,
    UciError,
    export,
    is_type,
    leading_number,
    quoted,
)
from simulator.uci.store import Files, Pointer, Store
from simulator.uci.syntax import Reader, read

USAGE_STATUS = 255
_SPACES = " \t\r\n"

USAGE = """Usage: uci [<options>] <command> [<arguments>]

Commands:
\tbatch
\texport     [<config>]
\timport     [<config>]
\tchanges    [<config>]
\tcommit     [<config>]
\tadd        <config> <section-type>
\tadd_list   <config>.<section>.<option>=<string>
\tdel_list   <config>.<section>.<option>=<string>
\tshow       [<config>[.<section>[.<option>]]]
\tget        <config>.<section>[.<option>]
\tset        <config>.<section>[.<option>]=<value>
\tdelete     <config>[.<section>[[.<option>][=<id>]]]
\trename     <config>.<section>[.<option>]=<name>
\trevert     <config>[.<section>[.<option>]]
\treorder    <config>.<section>=<position>
"""


@dataclass
class Outcome:
    """What a run printed and its exit status."""

    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    status: int = 0


class _Run:
    def __init__(self, files: Files, read_input: Callable[[str | None], str]) -> None:
        self.store = Store(files)
        self.read_input = read_input
        self.input_file: str | None = None
        self.result = Outcome()
        self.delimiter = " "
        self.merge = self.quiet = self.no_commit = self.in_batch = False
        self.extended = True

    # --- options and dispatch -------------------------------------------------------------

    def options(self, given: list[tuple[str, str]]) -> None:
        for flag, value in given:
            match flag:
                case "-c":
                    self.store.folder = value
                case "-d":
                    self.delimiter = value
                case "-f":
                    self.input_file = value
                case "-m":
                    self.merge = True
                case "-n" | "-N":
                    self.store.name_all = flag == "-n"
                case "-p":
                    self.store.read_also(value)
                case "-P":
                    self.store.use_staging(value)
                    self.no_commit = True
                case "-t":
                    self.store.use_staging(value)
                case "-q":
                    self.quiet = True
                case "-s" | "-S":
                    self.store.strict = flag == "-s"
                case "-X":
                    self.extended = False

    def run(self, argv: Sequence[str]) -> int:  # noqa: PLR0911 - one a kind of command
        name = {"del": "delete", "ren": "rename"}.get(argv[0].lower(), argv[0].lower())
        if name == "batch" and not self.in_batch:
            return self.batch()
        if name in {"show", "export", "changes", "commit"}:
            return self.package_command(name, argv[1:])
        if name in {"get", "set", "add_list", "del_list", "delete", "rename", "revert", "reorder"}:
            return self.section_command(name, argv[1:])
        if name == "import":
            return self.do_import(argv[1:])
        if name == "add":
            return self.do_add(argv[1:])
        if name == "help":
            self.result.err.append(USAGE)
            return 0
        return USAGE_STATUS

    def complain(self, text: object) -> None:
        if not self.quiet:
            self.result.err.append(f"uci: {text}\n")

    def say(self, text: str) -> None:
        self.result.out.append(text)

    # --- commands over packages -----------------------------------------------------------

    def package_command(self, name: str, args: Sequence[str]) -> int:
        if len(args) > 1:
            return USAGE_STATUS
        if args:
            return self.one_package(name, args[0])
        try:
            packages = self.store.names()
        except UciError as error:
            self.complain(error)
            return 1
        for package in packages:
            self.one_package(name, package)
        return 0

    def one_package(self, name: str, argument: str) -> int:
        try:
            pointer = self.store.lookup(argument)
            if name == "changes":
                for delta in pointer.package.staged:
                    self.say(show_change(pointer.package.name, delta))
            elif name == "commit" and not self.no_commit:
                self.store.commit(pointer.package)
            elif name == "export":
                self.say(export(pointer.package, header=True, name_all=self.store.name_all))
            elif name == "show":
                self.show(pointer)
        except UciError as error:
            self.complain(error)
            return 1
        return 0

    def show(self, pointer: Pointer) -> None:
        if not pointer.complete:
            raise UciError(Fault.NOT_FOUND)
        package = pointer.package
        if pointer.option is not None and pointer.section is not None:
            self.show_option(package, pointer.section.name, pointer.option)
        elif pointer.section is not None:
            self.show_section(package, pointer.section, pointer.section.name)
        else:
            counts: dict[str, int] = {}
            for section in package.sections:
                index = counts.get(section.type, 0)
                counts[section.type] = index + 1
                anonymous = self.extended and section.anonymous
                label = f"@{section.type}[{index}]" if anonymous else section.name
                self.show_section(package, section, label)

    def show_section(self, package: Package, section: Section, label: str) -> None:
        self.say(f"{package.name}.{label}={section.type}\n")
        for option in section.options:
            self.show_option(package, label, option)

    def show_option(self, package: Package, label: str, option: Option) -> None:
        self.say(f"{package.name}.{label}.{option.name}={self.value(option, quote=True)}\n")

    def value(self, option: Option, *, quote: bool) -> str:
        if isinstance(option.value, str):
            return quoted(option.value) if quote else option.value
        items = (
            quoted(item) if quote or any(space in item for space in _SPACES) else item
            for item in option.value
        )
        return self.delimiter.join(items)

    # --- commands over sections and options -----------------------------------------------

    def section_command(self, name: str, args: Sequence[str]) -> int:  # noqa: PLR0911 - uci's own order
        if len(args) != 1:
            return USAGE_STATUS
        try:
            pointer = self.store.lookup(args[0])
        except UciError as error:
            self.complain(error)
            return 1
        if pointer.value is not None and name in {"get", "revert"}:
            return 1
        if name == "delete" and pointer.value and leading_number(pointer.value) is None:
            return 1
        try:
            if name == "get":
                self.get(pointer)
                return 0
            if name == "revert":
                self.store.revert(pointer.package, pointer.section_name, pointer.option_name)
                return 0
            getattr(self, f"do_{name}")(pointer)
            self.store.save(pointer.package)
        except UciError as error:
            self.complain(error)
            return 1
        return 0

    def get(self, pointer: Pointer) -> None:
        if not pointer.complete:
            raise UciError(Fault.NOT_FOUND)
        if pointer.option is not None:
            self.say(self.value(pointer.option, quote=False) + "\n")
        elif pointer.section is not None:
            self.say(pointer.section.type + "\n")

    @staticmethod
    def do_set(pointer: Pointer) -> None:
        package, section, name = pointer.package, pointer.section, pointer.option_name
        if pointer.value is None or not (section or (name is None and pointer.section_name)):
            raise UciError(Fault.INVALID)
        if name is None and pointer.value and not is_type(pointer.value):
            raise UciError(Fault.INVALID)
        if not pointer.value:
            if pointer.complete and section is not None:
                package.remove(section, pointer.option, None, track=True)
        elif section is not None and name is not None:
            package.set_option(section, name, pointer.value, track=True)
        else:
            package.set_section(pointer.section_name or "", pointer.value, track=True)

    @staticmethod
    def do_add_list(pointer: Pointer) -> None:
        if pointer.section is None or pointer.value is None or pointer.option_name is None:
            raise UciError(Fault.INVALID)
        pointer.package.add_list(pointer.section, pointer.option_name, pointer.value, track=True)

    @staticmethod
    def do_del_list(pointer: Pointer) -> None:
        if pointer.section is None or pointer.value is None:
            raise UciError(Fault.INVALID)
        if pointer.option_name is not None:
            pointer.package.remove_from_list(
                pointer.section, pointer.option_name, pointer.value, track=True
            )

    @staticmethod
    def do_delete(pointer: Pointer) -> None:
        if not pointer.complete:
            raise UciError(Fault.NOT_FOUND)
        if pointer.section is None:
            raise UciError(Fault.INVALID)
        pointer.package.remove(pointer.section, pointer.option, pointer.value, track=True)

    @staticmethod
    def do_rename(pointer: Pointer) -> None:
        if not pointer.complete:
            raise UciError(Fault.NOT_FOUND)
        if pointer.section is None or pointer.value is None:
            raise UciError(Fault.INVALID)
        pointer.package.rename(pointer.section, pointer.option, pointer.value, track=True)

    @staticmethod
    def do_reorder(pointer: Pointer) -> None:
        if pointer.section is None or pointer.value is None:
            raise UciError(Fault.NOT_FOUND)
        position = leading_number(pointer.value) or 0
        pointer.package.reorder(pointer.section, position, track=True)

    # --- the rest ---------------------------------------------------------------------------

    def do_add(self, args: Sequence[str]) -> int:
        if len(args) != 2:
            return USAGE_STATUS
        try:
            package = self.store.load(args[0])
            section = package.add(args[1], track=True)
            self.store.save(package)
        except UciError as error:
            self.complain(error)
            return int(error.kind)
        self.say(section.name + "\n")
        return 0

    def do_import(self, args: Sequence[str]) -> int:
        if len(args) > 1 or (self.merge and not args):
            return USAGE_STATUS
        name = args[0] if args else None
        loaded: Package | None = None
        if self.merge and name is not None:
            try:
                loaded = self.store.load(name)
            except UciError:
                loaded = None  # nothing to merge with: written at once, not staged
        try:
            if name is not None:
                check_package_name(name)
            text = self.read_input(self.input_file)
            packages = read(text, name, merge=loaded, strict=self.store.strict)
            for package in packages:
                if loaded is not None:
                    self.store.save(package)
                else:
                    self.store.overwrite(package)
        except UciError as error:
            self.complain(error)
            return 1
        return 0

    def batch(self) -> int:
        self.in_batch = True
        reader = Reader(self.read_input(self.input_file))
        while reader.next_line():
            argv: list[str] = []
            try:
                while word := reader.word():
                    argv.append(word)
            except UciError as error:
                self.complain(error)
                continue
            if not argv:
                continue
            if len(argv) > 3:
                if not self.quiet:
                    self.result.err.append("Too many arguments\n")
                continue
            if argv[0].lower() == "exit":
                break
            if self.run(argv) == USAGE_STATUS and not self.quiet:
                self.result.err.append("Unknown command\n")
        return 0


def check_package_name(name: str) -> None:
    """Raise UciError INVALID for what can be no package's name."""
    if not is_type(name):
        raise UciError(Fault.INVALID)


def show_change(package: str, delta: Delta) -> str:
    """A line of `uci changes`."""
    option = f".{delta.option}" if delta.option is not None else ""
    where = f"{package}.{delta.section}{option}"
    if delta.change is Change.REMOVE:
        return f"-{where}\n"
    sign = {Change.LIST_ADD: "+=", Change.LIST_REMOVE: "-="}.get(delta.change, "=")
    return f"{where}{sign}{quoted(delta.value or '')}\n"


def run_uci(argv: Sequence[str], files: Files, read_input: Callable[[str | None], str]) -> Outcome:
    """Run `uci` with `argv` (without its own name) on `files`.

    `read_input` returns the text of standard input (None) or of the file that `-f` names.
    """
    run = _Run(files, read_input)
    try:
        given, rest = getopt.getopt(list(argv), "c:d:f:LmnNp:P:qsSt:X")
    except getopt.GetoptError as error:
        run.result.err += [f"uci: {error.msg}\n", USAGE]
        return run.result
    if not rest:
        run.result.err.append(USAGE)
        return run.result
    run.options(given)
    run.result.status = run.run(rest)
    if run.result.status == USAGE_STATUS:
        run.result.err.append(USAGE)
    return run.result
