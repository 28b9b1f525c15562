"""MIB names for people: what `IF-MIB::ifDescr`, `sysDescr.0` or `1.3.6.1.2.1` mean, and how what an
agent says reads. Resolved by pysnmp with the MIBs that come with packages.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.snmp.model import Oid
from collectors.snmp.names_index import Definition, NamesIndex, package_folders
from farola.errors import InputError

_NAME = re.compile(r"^(?:(?P<module>[A-Za-z][\w-]*)::)?(?P<name>[A-Za-z][\w-]*)(?P<index>\..*)?$")
_PART = re.compile(r"\.(?:(?P<number>[0-9]{1,20})(?![0-9])|\"(?P<text>[^\"]*)\")")
MOST_PARTS, MOST_PART = 128, 2**32 - 1
"""Of an OID (RFC 3416)."""
MOST_CHARS = 2000
ISO: Oid = (1,)
"""All that agents have: 1.3 of the Internet, 1.2 and 1.0 of the MIBs of IEEE."""
MOST_NAMED = 5
ADDRESS_LENGTHS = (4, 16)


@dataclass(frozen=True)
class Reading:
    """One value of an agent, as people read it."""

    oid: str
    name: str
    """`IF-MIB::ifDescr.1`; the OID itself where no module knows it."""
    type: str
    value: int | str
    """A number, or text; octets that are no text in hexadecimal."""
    text: str
    """As it is shown: enumerations by name, addresses and times readable, with its unit."""


@dataclass(frozen=True)
class Node:
    """What a name stands for: the subtree below `oid`, or one value where it `may_be_value`: a name
    with an index, and any number.
    """

    oid: Oid
    name: str
    may_be_value: bool


class Names:
    """Names of the compiled MIBs in the packages, and in `extra` folders before them."""

    def __init__(self, extra: Sequence[Path] = ()) -> None:
        from pysnmp.smi import builder, view

        self._folders = [*extra, *package_folders()]
        self._index = NamesIndex(self._folders)
        self._builder = builder.MibBuilder()
        self._builder.loadTexts = True  # for the units
        self._builder.set_mib_compiler(NoCompiler(), str(self._folders[0]))
        self._builder.add_mib_sources(*(builder.DirMibSource(str(f)) for f in self._folders))
        self._loaded: set[str] = set()
        self._view = view.MibViewController(self._builder)
        self._load("SNMPv2-MIB")

    def resolve(self, text: str) -> Node:
        """What `text` names.

        Raises
        ------
        InputError
            No module knows the name (near ones are told), or several mean different things by it.
        """
        text = text.strip()
        if len(text) > MOST_CHARS:
            raise InputError(f"{text[:40] + '…'!r} is too long for a name or an OID")
        if text.strip(".") in {"1", "iso"}:
            return Node(ISO, text, may_be_value=False)
        if re.fullmatch(r"\.?\d+(\.\d+)*", text, re.ASCII):
            oid = tuple(int(part) for part in text.strip(".").split("."))
            _check_oid(oid, text)
            return Node(oid, text, may_be_value=True)
        match = _NAME.match(text)
        if not match:
            raise InputError(
                f"{text[:80]!r} is no name of a MIB: write ifDescr, IF-MIB::ifTable, sysDescr.0 or "
                "1.3.6.1.2.1.2"
            )
        one = self._definition(match["name"], match["module"])
        index = _index(match["index"] or "", text)
        _check_oid(one.oid + index, text)
        return Node(one.oid + index, f"{one.module}::{match['name']}", bool(index))

    def _definition(self, name: str, module: str | None) -> Definition:
        if module is not None and module not in self._index.modules:
            known = ", ".join(_near(module, self._index.modules)) or "none like it"
            raise InputError(
                f"no MIB module {module!r}; there is {known}; others can be read with --mibs FOLDER"
            )
        found = [one for one in self._index.by_name.get(name, []) if module in (None, one.module)]
        if not found:
            names = (
                [one.name for one in self._index.definitions if one.module == module]
                if module
                else list(self._index.by_name)
            )
            near = ", ".join(_near(name, names)) or "nothing near"
            where = f"module {module} has" if module else "the MIBs have"
            raise InputError(
                f"no MIB knows the name {name!r}; {where} {near}; others can be read with --mibs "
                "FOLDER"
            )
        if len({one.oid for one in found}) > 1:
            ways = [f"{one.module}::{one.name}" for one in found]
            more = f" and {len(ways) - MOST_NAMED} more" if len(ways) > MOST_NAMED else ""
            raise InputError(
                f"{name!r} means different things: write one of {', '.join(ways[:MOST_NAMED])}"
                f"{more}"
            )
        return found[0]

    def read(self, oid: Oid, value: Any) -> Reading:
        """How `value` (pysnmp's) of `oid` reads; as it came where it is not what its module says.
        Nothing that an agent sends raises.
        """
        self._load_for(oid)
        if type(value).__name__ == "ObjectIdentifier":
            self._load_for(tuple(value))
        plain = plain_form(value)
        try:
            text = self._text(oid, value, plain)
        except Exception:  # pysnmp raises what it likes at a value of another type
            text = str(plain)
        return Reading(_dotted(oid), self._name(oid), _type_name(value), plain, text)

    def _text(self, oid: Oid, value: Any, plain: int | str) -> str:
        """`plain` as the module says that it is meant."""
        from pysnmp.smi import rfc1902

        pair = rfc1902.ObjectType(rfc1902.ObjectIdentity(oid), value)
        pair.resolve_with_mib(self._view)
        node = pair[0].get_mib_node()
        syntax = getattr(node, "syntax", None)
        if syntax is not None and _kind(syntax) != _kind(value):
            return str(plain)
        text = _shown(value, pair[1], syntax, plain)
        unit = str(node.getUnits()) if hasattr(node, "getUnits") and node.getUnits() else ""
        return f"{text} {unit}" if unit else text

    def _name(self, oid: Oid) -> str:
        """The name; the OID where only a root that everything lies under is known."""
        from pysnmp.smi import rfc1902

        try:
            identity = rfc1902.ObjectIdentity(oid)
            identity.resolve_with_mib(self._view)
            name = str(identity.prettyPrint())
            return _dotted(oid) if len(identity.get_mib_node().getName()) < 4 else name
        except Exception:  # an old module's slip, or an index that is none, costs the name
            return _dotted(oid)

    def _load_for(self, oid: Oid) -> None:
        module = self._index.module_of(oid)
        if module is not None:
            self._load(module)

    def _load(self, module: str) -> None:
        from pysnmp.smi.error import SmiError

        if module in self._loaded:
            return
        self._loaded.add(module)
        try:
            with warnings.catch_warnings():  # modules of 2016 call pysnmp by its old names
                warnings.simplefilter("ignore", DeprecationWarning)
                self._builder.load_modules(module)
        except (SmiError, ImportError, NameError, TypeError, ValueError, AttributeError):
            return  # its names stay numbers


class NoCompiler:
    """Takes the place of the compiler that pysnmp would set up, which writes into the person's home
    what it finds on the machine; text MIBs are compiled by `names_compile`.
    """

    def compile(self, *_names: str, **_options: object) -> dict[str, object]:
        """Nothing."""
        return {}


def plain_form(value: Any) -> int | str:
    """A value of pysnmp as a number or text."""
    from pyasn1.type import univ  # type: ignore[import-untyped]  # publishes no types

    if isinstance(value, univ.ObjectIdentifier):
        return _dotted(tuple(value))
    if isinstance(value, univ.Null):
        return ""
    if type(value).__name__ == "IpAddress" and len(value) == 4:
        return str(ipaddress.IPv4Address(bytes(value)))
    if isinstance(value, univ.OctetString):
        octets = bytes(value)
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            return "0x" + octets.hex()
        readable = text.replace("\r", "").replace("\n", "").replace("\t", "")
        return text if readable.isprintable() else "0x" + octets.hex()
    return int(value)


def _kind(value: Any) -> str:
    """What a value or a module's syntax is at bottom."""
    from pyasn1.type import univ
    from pysnmp.proto.rfc1902 import IpAddress

    if isinstance(value, IpAddress):
        return "address"
    kinds = {univ.Integer: "number", univ.OctetString: "octets", univ.ObjectIdentifier: "OID"}
    return next((word for kind, word in kinds.items() if isinstance(value, kind)), "")


def _shown(value: Any, shown: Any, syntax: Any, plain: int | str) -> str:
    """`plain` as its module says it is meant: by its enumeration, its display hint, its clock."""
    kind = type(syntax).__name__ if syntax is not None else ""
    named = getattr(syntax, "namedValues", None)
    if isinstance(plain, int):
        return _number(value, shown, named, plain)
    octets = bytes(value) if hasattr(value, "asOctets") else b""
    if kind.startswith("InetAddress") and len(octets) in ADDRESS_LENGTHS:
        return str(ipaddress.ip_address(octets))
    if kind == "Bits" and named:
        return _bits(named, octets)
    hint = str(getattr(syntax, "displayHint", "") or "")
    is_text = not kind or kind == "OctetString" or hint.endswith(("a", "t"))
    return str(plain if is_text else shown.prettyPrint())


def _number(value: Any, shown: Any, named: Any, plain: int) -> str:
    if type(value).__name__ == "TimeTicks":
        return f"{plain} ({_clock(plain)})"
    if named:
        word = _enumerated(named, plain)
        return f"{word}({plain})" if word else str(plain)
    return str(shown.prettyPrint())


def _enumerated(named: Any, number: int) -> str:
    return next((str(word) for word, value in named.items() if int(value) == number), "")


def _bits(named: Any, octets: bytes) -> str:
    """BITS by name: bit 0 is the first octet's highest (RFC 3417, 8)."""
    words = [
        str(word)
        for word, bit in named.items()
        if int(bit) // 8 < len(octets) and octets[int(bit) // 8] & 0x80 >> int(bit) % 8
    ]
    return f"0x{octets.hex()} ({', '.join(words) or 'none'})"


def _clock(hundredths: int) -> str:
    seconds, rest = divmod(hundredths, 100)
    days, seconds = divmod(seconds, 86_400)
    clock = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:02d}"
    return f"{days} days, {clock}" if days else clock


def _type_name(value: Any) -> str:
    return {"Integer": "Integer32", "ObjectIdentity": "ObjectIdentifier"}.get(
        type(value).__name__, type(value).__name__
    )


def _dotted(oid: Iterable[int]) -> str:
    return ".".join(map(str, oid))


def _index(text: str, whole: str) -> Oid:
    """`.1.2` or `."name"`, which is a string's length and its octets."""
    parts: list[int] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if not match:
            raise InputError(f'{whole[:80]!r}: {text[:40]!r} is no index: write .1 or ."name"')
        if match["number"] is not None:
            parts.append(int(match["number"]))
        else:
            octets = match["text"].encode()
            parts += [len(octets), *octets]
        at = match.end()
    return tuple(parts)


def _check_oid(oid: Oid, text: str) -> None:
    if max(oid) > MOST_PART:
        raise InputError(f"{text[:80]!r} is no OID: it holds a number above {MOST_PART}")
    if len(oid) > MOST_PARTS:
        raise InputError(f"{text[:80]!r} is no OID: it has more than {MOST_PARTS} numbers")
    if len(oid) < 2:
        raise InputError(f"{text[:80]!r} is no OID: at least two numbers, such as 1.3.6.1.2.1.2")
    if oid[0] > 2 or (oid[0] < 2 and oid[1] > 39):
        raise InputError(f"{text[:80]!r} is no OID: none begins like this; try 1.3.6.1")


def _near(name: str, names: Iterable[str]) -> list[str]:
    """Names like `name`, case aside."""
    folded = {other.casefold(): other for other in names}
    close = difflib.get_close_matches(name.casefold(), folded, n=MOST_NAMED, cutoff=0.6)
    return [folded[one] for one in close]
