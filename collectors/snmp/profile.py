"""A device family ready to use: what to ask of its devices, and all that decodes their replies,
compiled once from the profile's YAML. A device that lacks some tables or columns gets a variant of
its own kind, which asks only for what it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors.snmp.expressions import Getter, Scope, compile_value
from collectors.snmp.fields import (
    ACCESS_POINT,
    DEVICE,
    RADIO,
    SSID,
    ProfileError,
    known_keys,
    regex,
)
from collectors.snmp.interfaces import COLUMNS, TABLE, InterfacePlan, counter_places
from collectors.snmp.lasting import Lasting, lasting_of
from collectors.snmp.layout import (
    INDEX,
    Cells,
    Context,
    Layout,
    oid,
    read_tables,
    scalar_oid,
)
from collectors.snmp.model import Oid, Question, Reply
from collectors.snmp.rows import rows_of
from collectors.snmp.sources import Sources, compile_source, compile_sources

SYS_DESCR: Oid = (1, 3, 6, 1, 2, 1, 1, 1, 0)
SYS_OBJECT_ID: Oid = (1, 3, 6, 1, 2, 1, 1, 2, 0)
SYS_UP_TIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
SYS_NAME: Oid = (1, 3, 6, 1, 2, 1, 1, 5, 0)
IDENTITY = (SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME, SYS_NAME)
"""The first scalars of every profile's question, in this order."""

VERIFIED = ("", "recording", "snmpd")
_TOP = {
    "family", "title", "verified", "extends", "match", "tables", "named", "device", "radios",
    "ssids", "access_points", "interfaces",
}  # fmt: skip
_NARROW = frozenset({f"{TABLE}.rx32", f"{TABLE}.tx32"})
_WIDE = frozenset({f"{TABLE}.rx64", f"{TABLE}.tx64"})
_DESCRIPTION = frozenset({f"{TABLE}.description"})
_NAME = frozenset({f"{TABLE}.name"})
USUAL = _NARROW | _DESCRIPTION
"""What is not asked of a device that has ifXTable: 32-bit counters and ifDescr."""
V1_WITHOUT = _WIDE | _DESCRIPTION
"""SNMPv1 has no 64-bit counters."""


@dataclass(frozen=True, slots=True)
class AccessPoints:
    """How a controller tells of its access points; `own` pairs the sources with their ids."""

    own: tuple[tuple[Sources, Cells], ...]
    radios: Sources
    ssids: Sources


@dataclass(frozen=True, eq=False)
class Profile:
    """One device family, or a variant of it that asks without some tables or columns."""

    name: str
    family: str
    title: str
    verified: str
    """`recording` or `snmpd`: what its figures were checked against; empty is unverified."""
    prefixes: tuple[Oid, ...]
    sys_descr: re.Pattern[str] | None
    confirm: tuple[tuple[Oid, re.Pattern[str]], ...]
    """Scalars of which one proves the family where sysDescr leaves it open."""
    question: Question
    """All that one poll asks, identity first: one object for all devices, so that requests are
    built once."""
    tables: Mapping[str, Mapping[str, int]]
    """Tables that are asked, and the place of each column in use."""
    opened: Callable[[Reply], Context] = field(repr=False)
    device: Mapping[str, Getter] = field(repr=False)
    radios: Sources = field(repr=False)
    ssids: Sources = field(repr=False)
    access_points: AccessPoints | None = field(repr=False)
    interfaces: InterfacePlan = field(repr=False)
    lasting: Lasting = field(repr=False)
    absent: Mapping[str, Callable[[Context], bool]] = field(repr=False)
    """Tables that some devices of the family need not be asked, and what tells so."""
    replaced: frozenset[str] = frozenset()
    """Those of them for which another table stands."""
    without: frozenset[str] = USUAL
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _variants: dict[frozenset[str], Profile] = field(default_factory=dict, repr=False)

    def variant(self, without: frozenset[str]) -> Profile:
        """The same family without these tables and columns; one object for each such set."""
        if without == self.without:
            return self
        if without not in self._variants:
            self._variants[without] = compile_profile(
                self.name, self.data, without, {**self._variants, self.without: self}
            )
        return self._variants[without]

    def learned(self, reply: Reply, reading_of: Callable[[Profile, Reply], object]) -> Profile:
        """The variant that fits the device that gave `reply` to this profile's question: itself if
        nothing speaks against it. A reply with an error teaches nothing. A table that another one
        stands for is asked on where `reading_of` says something else without it.
        """
        if reply.error:
            return self
        context = self.opened(reply)
        absent = {name for name, told in self.absent.items() if told(context)}
        if absent & self.replaced:
            less = self.variant(self.without | (absent & self.replaced))
            its = part_of(self.question, reply, less.question)
            if reading_of(less, its) != reading_of(self, reply):
                absent -= self.replaced
        without = self.without | absent
        place = self.interfaces.place
        rows = None if place is None else context.tables[place]
        if rows:
            have = {name: len(rows[column]) for name, column in self.interfaces.columns.items()}
            without = _without(without, have, len(rows_of(rows)))
        return self.variant(frozenset(without))


def part_of(question: Question, reply: Reply, of: Question) -> Reply:
    """What `reply` to `question` says to one that asks no more than it."""
    scalars = dict(zip(question.scalars, reply.scalars, strict=False))
    columns = {
        oid: cells
        for oids, table in zip(question.tables, reply.tables, strict=False)
        for oid, cells in zip(oids, table or (), strict=False)
    }
    return Reply(
        [scalars.get(oid) for oid in of.scalars],
        [
            [columns[oid] for oid in oids] if columns.keys() >= set(oids) else None
            for oids in of.tables
        ],
    )


def _without(without: frozenset[str], have: Mapping[str, int], rows: int) -> frozenset[str]:
    """What not to ask of a device whose `rows` interfaces have so many values in each column."""
    wide, names = have.get("rx64", rows), have.get("name", rows)
    if wide < rows:  # Some devices have 64-bit counters on fast ports only.
        without -= _NARROW
    if names < rows:
        without -= _DESCRIPTION
    if rows and not wide:
        without |= _WIDE
    if rows and not names:
        without |= _NAME
    return without


def compile_profile(
    name: str,
    data: Any,
    without: frozenset[str] = USUAL,
    variants: dict[frozenset[str], Profile] | None = None,
) -> Profile:
    """A profile of what its YAML says. Raises ProfileError, which names the key."""
    data = known_keys(data, _TOP, "")
    for key in ("family", "title", "match"):
        if not data.get(key):
            raise ProfileError(key, "is missing")
    verified = str(data.get("verified") or "")
    if verified not in VERIFIED:
        raise ProfileError("verified", f"{verified!r} is not one of {', '.join(VERIFIED[1:])}")
    layout = Layout({}, without)
    for scalar in IDENTITY:
        layout.scalar(scalar)
    layout.specs = read_tables(data.get("tables"), data.get("named"), layout.scalar)
    device = {
        key: compile_value(spec, DEVICE[key], Scope(layout), f"device.{key}").get
        for key, spec in known_keys(data.get("device") or {}, set(DEVICE), "device").items()
    }
    radios = compile_sources(data.get("radios") or [], RADIO, layout, "radios")
    ssids = compile_sources(data.get("ssids") or [], SSID, layout, "ssids")
    access_points = _access_points(data.get("access_points") or [], layout)
    interfaces = _interfaces(data.get("interfaces") or {}, layout)
    prefixes, sys_descr, confirm = _match(data["match"])
    absent = layout.absences()
    question = layout.question()
    return Profile(
        name=name,
        family=str(data["family"]),
        title=str(data["title"]),
        verified=verified,
        prefixes=prefixes,
        sys_descr=sys_descr,
        confirm=confirm,
        question=question,
        tables={table: dict(columns) for table, columns in layout.asked.items()},
        opened=layout.opener(),
        device=device,
        radios=radios,
        ssids=ssids,
        access_points=access_points,
        interfaces=interfaces,
        lasting=lasting_of(layout, interfaces),
        absent=absent,
        replaced=frozenset(one for one in absent if isinstance(layout.specs[one].unless, tuple)),
        without=without,
        data=data,
        _variants={} if variants is None else variants,
    )


def _match(
    spec: Any,
) -> tuple[tuple[Oid, ...], re.Pattern[str] | None, tuple[tuple[Oid, re.Pattern[str]], ...]]:
    spec = known_keys(spec, {"sys_object_id", "sys_descr", "confirm"}, "match")
    prefixes = spec.get("sys_object_id")
    if not isinstance(prefixes, list) or not prefixes:
        raise ProfileError("match.sys_object_id", "must be a list of prefixes")
    confirm = []
    proofs = spec.get("confirm", [])
    for told in proofs if isinstance(proofs, list) else [proofs]:
        at = "match.confirm"
        proof = known_keys(told, {"oid", "extend_line", "extend_text", "matches"}, at)
        confirm.append((scalar_oid(proof, at), regex(proof.get("matches"), f"{at}.matches")))
    return (
        tuple(oid(prefix, "match.sys_object_id", prefix=True) for prefix in prefixes),
        regex(spec["sys_descr"], "match.sys_descr") if "sys_descr" in spec else None,
        tuple(confirm),
    )


def _access_points(specs: Any, layout: Layout) -> AccessPoints | None:
    if not isinstance(specs, list):
        raise ProfileError("access_points", "must be a list of sources")
    own: list[tuple[Sources, Cells]] = []
    radios: list[Sources] = []
    ssids: list[Sources] = []
    for number, told in enumerate(specs):
        at = f"access_points[{number}]"
        spec = known_keys(told, {"table", "id", "where", "fields", "radios", "ssids"}, at)
        table = spec.get("table")
        if table is None:
            raise ProfileError(at, "needs a table")
        rows = {key: spec[key] for key in ("table", "where", "fields") if key in spec}
        source = compile_source(rows, ACCESS_POINT, layout, at)
        tie = layout.cell(table, spec.get("id", INDEX), f"{at}.id")
        if source is not None:
            own.append((Sources((source,), len(ACCESS_POINT)), tie))
        for key, kinds, found in (("radios", RADIO, radios), ("ssids", SSID, ssids)):
            found.append(
                compile_sources(spec.get(key) or [], kinds, layout, f"{at}.{key}", owned=True)
            )
    if not any(sources.sources for sources, _ in own):
        return None
    return AccessPoints(
        tuple(own),
        Sources(tuple(one for each in radios for one in each.sources), len(RADIO)),
        Sources(tuple(one for each in ssids for one in each.sources), len(SSID)),
    )


def _interfaces(spec: Any, layout: Layout) -> InterfacePlan:
    spec = known_keys(spec, {"uplink", "radio"}, "interfaces")
    uplink = spec.get("uplink") or []
    if not isinstance(uplink, list):
        raise ProfileError("interfaces.uplink", "must be a list of regular expressions")
    patterns = tuple(regex(one, "interfaces.uplink") for one in uplink)
    radio = regex(spec["radio"], "interfaces.radio") if spec.get("radio") else None
    if TABLE not in layout.specs:
        return InterfacePlan(None, {}, patterns, radio)
    columns = layout.specs[TABLE].columns
    for name in columns:
        if name not in COLUMNS:
            raise ProfileError(f"tables.{TABLE}", f"unknown column {name!r}")
    places = {name: layout.column(TABLE, name, f"tables.{TABLE}") for name in columns}
    known = {name: place for name, place in places.items() if place is not None}
    place = layout.table(TABLE, TABLE)
    return InterfacePlan(place, known, patterns, radio, counter_places(known))
