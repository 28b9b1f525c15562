"""Device families as data: reads `profiles/*.yaml` and tells which one fits a device, by the
longest prefix of its sysObjectID first and its sysDescr second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from collectors.snmp.model import Oid, Question, VarBinds
from farola.errors import InputError

FOLDER = Path(__file__).parent / "profiles"

SYS_DESCR: Oid = (1, 3, 6, 1, 2, 1, 1, 1, 0)
SYS_OBJECT_ID: Oid = (1, 3, 6, 1, 2, 1, 1, 2, 0)
SYS_UP_TIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
SYS_NAME: Oid = (1, 3, 6, 1, 2, 1, 1, 5, 0)
IDENTITY = (SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME, SYS_NAME)
ADDRESS_INTERFACE: Oid = (1, 3, 6, 1, 2, 1, 4, 20, 1, 2)
"""ipAdEntIfIndex: which interface an IPv4 address is on."""

_EXTEND: Oid = (1, 3, 6, 1, 4, 1, 8072, 1, 3, 2, 3, 1)
"""nsExtendOutput1Table of NET-SNMP-EXTEND-MIB, indexed by the script's name."""
_EXTEND_COLUMNS = {"extend_line": 1, "extend_text": 2}


@dataclass(frozen=True)
class Field:
    """How a value becomes a field: from a scalar's OID or a table's column, scaled or mapped."""

    oid: Oid = ()
    column: str = ""
    scale: float = 1.0
    convert: str = ""
    """`mhz`: a centre frequency in MHz, which tells channel and band."""
    map: Mapping[str, str] = field(default_factory=dict)
    combine: str = "sum"
    """What rows with one key become: `sum`, `mean` or `first`."""


@dataclass(frozen=True)
class Rows:
    """A source of radios or networks: rows of `table`, one thing for each value of `key`."""

    table: str
    fields: Mapping[str, Field]
    key: str = ""
    """The column that names the thing; empty is the row's own index."""


@dataclass(frozen=True)
class Named:
    """A table whose index is a counted string such as `clients-wlan0`: `split` turns it into the
    row `wlan0` and its column `clients`.
    """

    column: Oid
    split: re.Pattern[str]
    listing: Oid = ()
    """A scalar whose lines start with the names of the rows that count, up to a comma."""
    require: str = ""
    """Without the listing: the column that a row must have to count."""


@dataclass(frozen=True)
class Profile:
    """One device family."""

    name: str
    family: str
    title: str
    verified: str
    """`recording` or `snmpd`: what its figures were checked against; empty is unverified."""
    prefixes: tuple[Oid, ...]
    sys_descr: re.Pattern[str] | None
    confirm: tuple[Oid, re.Pattern[str]] | None
    """A scalar that proves the family where sysDescr leaves it open."""
    device: Mapping[str, Mapping[str, Any]]
    tables: Mapping[str, Mapping[str, Oid]]
    named: Mapping[str, Named]
    radios: tuple[Rows, ...]
    ssids: tuple[Rows, ...]
    uplink: tuple[re.Pattern[str], ...]
    radio_interface: re.Pattern[str] | None

    @cached_property
    def question(self) -> Question:
        """All that one poll asks a device of this family, its identity included."""
        scalars = [
            oid
            for spec in self.device.values()
            for key in ("oid", "total", "free")
            for oid in oids_of(spec.get(key, ()))
        ]
        listings = [named.listing for named in self.named.values() if named.listing]
        tables = [tuple(columns.values()) for columns in self.tables.values()]
        tables += [(named.column,) for named in self.named.values()]
        return Question(
            scalars=tuple(dict.fromkeys((*IDENTITY, *scalars, *listings))), tables=tuple(tables)
        )


class ProfileBook:
    """All known families."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.profiles = tuple(profiles)

    def choose(self, values: VarBinds) -> Profile:
        """The family that fits `values`, which hold `IDENTITY` and the answers to `doubts`.

        The longest matching sysObjectID prefix wins; within it a family whose sysDescr matches,
        then one that its `confirm` scalar proves, then one that asks for neither.
        """
        object_id = values.get(SYS_OBJECT_ID)
        object_id = object_id if isinstance(object_id, tuple) else ()
        descr = text_of(values.get(SYS_DESCR)) or ""
        matching = [
            (len(prefix), profile)
            for profile in self.profiles
            for prefix in profile.prefixes
            if object_id[: len(prefix)] == prefix
        ]
        for length in sorted({length for length, _ in matching}, reverse=True):
            near = [profile for n, profile in matching if n == length]
            for fits in (
                [p for p in near if p.sys_descr is not None and p.sys_descr.search(descr)],
                [p for p in near if p.confirm is not None and _proved(p.confirm, values)],
                [p for p in near if p.sys_descr is None and p.confirm is None],
            ):
                if fits:
                    return fits[0]
        raise LookupError("the book lacks a profile that fits any agent")

    def doubts(self, values: VarBinds) -> tuple[Oid, ...]:
        """OIDs worth asking before `choose`: proofs of families that sysDescr leaves open."""
        object_id = values.get(SYS_OBJECT_ID, ())
        descr = text_of(values.get(SYS_DESCR)) or ""
        if not isinstance(object_id, tuple):
            return ()
        near = [p for p in self.profiles if any(x and object_id[: len(x)] == x for x in p.prefixes)]
        if any(p.sys_descr is not None and p.sys_descr.search(descr) for p in near):
            return ()
        return tuple(p.confirm[0] for p in near if p.confirm is not None)


def _proved(confirm: tuple[Oid, re.Pattern[str]], values: VarBinds) -> bool:
    oid, pattern = confirm
    return bool(pattern.search(text_of(values.get(oid)) or ""))


@lru_cache(maxsize=1)
def packaged() -> ProfileBook:
    """The families that come with Farola."""
    return read_book(FOLDER)


def read_book(folder: Path) -> ProfileBook:
    """Read every profile in `folder`; InputError names a file that cannot be used."""
    import yaml

    raw: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            raw[path.stem] = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise InputError(f"{path}: not a profile: {error}") from None
    profiles = []
    for name, data in raw.items():
        try:
            profiles.append(_profile(name, _extended(raw, data)))
        except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
            raise InputError(f"{folder / name}.yaml: not a profile: {error!r}") from None
    return ProfileBook(profiles)


def _extended(raw: Mapping[str, dict[str, Any]], data: dict[str, Any]) -> dict[str, Any]:
    """`data` laid over the profile that it extends; a null in `tables` or `device` removes."""
    if "extends" not in data:
        return data
    base = _extended(raw, raw[data["extends"]])
    # A family is only as verified as its own file says.
    merged = {**base, "verified": "", **data}
    for section in ("device", "tables"):
        both = {**base.get(section, {}), **data.get(section, {})}
        merged[section] = {key: value for key, value in both.items() if value is not None}
    return merged


def _profile(name: str, data: Mapping[str, Any]) -> Profile:
    match, interfaces = data["match"], data.get("interfaces", {})
    confirm = match.get("confirm")
    return Profile(
        name=name,
        family=data["family"],
        title=data["title"],
        verified=str(data.get("verified", "")),
        prefixes=tuple(oid_of(prefix) for prefix in match["sys_object_id"]),
        sys_descr=re.compile(match["sys_descr"]) if "sys_descr" in match else None,
        confirm=(_scalar(confirm), re.compile(confirm["matches"])) if confirm else None,
        device=data["device"],
        tables={
            table: {column: oid_of(oid) for column, oid in columns.items()}
            for table, columns in data.get("tables", {}).items()
        },
        named={
            table: Named(
                column=oid_of(spec["column"]),
                split=re.compile(spec["split"]),
                listing=_scalar(spec["listing"]) if "listing" in spec else (),
                require=spec.get("require", ""),
            )
            for table, spec in data.get("named", {}).items()
        },
        radios=tuple(_rows(spec) for spec in data.get("radios", ())),
        ssids=tuple(_rows(spec) for spec in data.get("ssids", ())),
        uplink=tuple(re.compile(pattern) for pattern in interfaces.get("uplink", ())),
        radio_interface=re.compile(interfaces["radio"]) if "radio" in interfaces else None,
    )


def _rows(spec: Mapping[str, Any]) -> Rows:
    fields = {name: Field(**value) for name, value in spec["fields"].items()}
    return Rows(table=spec["table"], fields=fields, key=spec.get("key", ""))


def _scalar(spec: Mapping[str, str]) -> Oid:
    """`{oid: …}`, or a script of net-snmp: `{extend_line: NAME}` its first line, `{extend_text:
    NAME}` its whole output.
    """
    for key, column in _EXTEND_COLUMNS.items():
        if key in spec:
            name = spec[key].encode()
            return (*_EXTEND, column, len(name), *name)
    return oid_of(spec["oid"])


def oid_of(text: str) -> Oid:
    """`1.3.6.1` as a tuple; empty text is the empty prefix."""
    return tuple(int(part) for part in str(text).strip(".").split(".") if part)


def oids_of(value: str | Sequence[str]) -> tuple[Oid, ...]:
    """One OID or a list of them."""
    return tuple(oid_of(one) for one in ([value] if isinstance(value, str) else value))


def text_of(value: object) -> str | None:
    """An octet string as text without quotes, NULs and blanks around it; None for anything else."""
    if not isinstance(value, bytes):
        return None
    return value.decode("utf-8", "replace").strip(" \t\r\n\0\"'")
