"""Which interfaces of a device are kept, the uplink and the radios, and their raw counters.

What is chosen depends on names, types and states, which hardly ever change and are the same on
many devices of a model: each such set is looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from collectors.snmp.layout import Columns
from collectors.snmp.model import InterfaceReading, Oid, RawValue
from collectors.snmp.values import name_of

TABLE = "interfaces"
COLUMNS = (
    "name", "description", "type", "status", "rx64", "tx64", "rx32", "tx32", "discontinuity",
)  # fmt: skip
LOOPBACK, ETHERNET, IEEE80211 = 24, 6, 71  # IANAifType
UP = 1  # ifOperStatus
ADDRESS_INTERFACE: Oid = (1, 3, 6, 1, 2, 1, 4, 20, 1, 2)
"""ipAdEntIfIndex: which interface an IPv4 address is on."""

_PAIRS = (("rx64", "tx64", 2**64), ("rx32", "tx32", 2**32))

Said = tuple[tuple[Oid, ...] | None, tuple[RawValue, ...]]
Kept = tuple[tuple[Any, str, str, bool], ...]
"""Index, name, role, and whether it is up."""
REMEMBERED = 512
"""Rows: larger tables are rare, and remembering them would take too much room."""
_LOOKED_AT = ("name", "description", "type", "status")


def address_oid(address: str) -> Oid | None:
    """The OID that tells which interface holds `address`; None unless it is plain IPv4."""
    parts = address.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return (*ADDRESS_INTERFACE, *(int(part) for part in parts))


@dataclass(frozen=True, slots=True, eq=False)
class InterfacePlan:
    """Where a profile's replies hold the interface table, and which interfaces it keeps."""

    place: int | None
    columns: Mapping[str, int]
    uplink: tuple[re.Pattern[str], ...] = ()
    radio: re.Pattern[str] | None = None
    by_counters: tuple[tuple[int, int, int], ...] = ()
    """Places of the received and sent octets and their modulus, the preferred ones first."""

    def read(
        self, tables: Sequence[Columns | None], address_index: int | None, radios: frozenset[str]
    ) -> tuple[InterfaceReading, ...]:
        """The uplink and the radio interfaces that have counters, in the agent's order."""
        table = tables[self.place] if self.place is not None else None
        if not table:
            return ()
        found = []
        since_place = self.columns.get("discontinuity")
        choose = _chosen if max(map(len, table)) <= REMEMBERED else _chosen.__wrapped__
        for index, name, role, is_up in choose(self, self._said(table), address_index, radios):
            counters = self._counters(table, index)
            if counters is None:
                continue
            rx, tx, limit = counters
            # Drivers keep a dozen unused networks ready; they say nothing.
            if not (is_up or rx or tx or role == "uplink"):
                continue
            since = None if since_place is None else table[since_place].get(index)
            found.append(
                InterfaceReading(
                    name, role, rx, tx, 64 if limit == 2**64 else 32,
                    since / 100 if isinstance(since, int) and 0 <= since < 2**32 else None,
                )
            )  # fmt: skip
        return tuple(found)

    def _said(self, table: Columns) -> tuple[Said | None, ...]:
        """The columns that `_chosen` looks at, each as its indexes and values, None if not asked;
        indexes are None where they are those of the first column.
        """
        said: list[Said | None] = []
        first: list[Oid] | None = None
        for name in _LOOKED_AT:
            place = self.columns.get(name)
            if place is None:
                said.append(None)
                continue
            column = table[place]
            indexes = list(column)
            said.append((None if indexes == first else tuple(indexes), tuple(column.values())))
            first = indexes if first is None else first
        return tuple(said)

    def _counters(self, table: Columns, index: Any) -> tuple[int, int, int] | None:
        for rx_place, tx_place, limit in self.by_counters:
            rx, tx = table[rx_place].get(index), table[tx_place].get(index)
            if isinstance(rx, int) and isinstance(tx, int) and 0 <= rx < limit and 0 <= tx < limit:
                return rx, tx, limit
        return None


def counter_places(columns: Mapping[str, int]) -> tuple[tuple[int, int, int], ...]:
    """Of `columns`, the pairs of counters that are asked: see `InterfacePlan.by_counters`."""
    return tuple(
        (columns[rx], columns[tx], modulus)
        for rx, tx, modulus in _PAIRS
        if rx in columns and tx in columns
    )


@lru_cache(maxsize=8192)
def _chosen(
    plan: InterfacePlan,
    said: tuple[Said | None, ...],
    address_index: int | None,
    radios: frozenset[str],
) -> Kept:
    """The interfaces worth keeping; no name twice, since a series is known by it."""
    first = next((one[0] for one in said if one is not None), None) or ()
    names, descriptions, types, states = (
        {} if one is None else dict(zip(first if one[0] is None else one[0], one[1], strict=True))
        for one in said
    )
    named = [
        (
            index,
            name_of(names.get(index)) or name_of(descriptions.get(index)),
            types.get(index),
            states.get(index, UP) == UP,
        )
        for index in dict.fromkeys((*names, *descriptions, *types, *states))
    ]
    uplink = _uplink(named, address_index, plan.uplink)
    kept: dict[str, tuple[Any, str, str, bool]] = {}
    for index, name, kind, is_up in named:
        if not name:
            continue
        if index == uplink:
            kept[name] = (index, name, "uplink", is_up)
        elif name not in kept and (
            kind == IEEE80211 or name in radios or (plan.radio and plan.radio.match(name))
        ):
            kept[name] = (index, name, "radio", is_up)
    return tuple(kept.values())


def _uplink(
    named: list[tuple[Any, str, Any, bool]],
    address_index: int | None,
    patterns: tuple[re.Pattern[str], ...],
) -> Any:
    """Index of the interface towards the network: see docs/profiles.md."""
    real = [one for one in named if one[2] != LOOPBACK]
    if address_index is not None and any(index == (address_index,) for index, *_ in real):
        return (address_index,)
    up = [one for one in real if one[3]]
    for pattern in patterns:
        for index, name, *_ in up:
            if pattern.search(name):
                return index
    return next((index for index, _, kind, _ in up if kind == ETHERNET), None)
