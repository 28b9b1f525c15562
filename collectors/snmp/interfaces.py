"""Which interfaces of a device are kept, the uplink and the radios, and their raw counters.

What is chosen depends on names, types and states, which hardly ever change and are the same on
many devices of a model: each such set is looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

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

_WIDE = 2**64
_tuple = tuple.__new__
_PAIRS = (("rx64", "tx64", _WIDE), ("rx32", "tx32", 2**32))

Said = tuple[tuple[Oid, ...] | None, tuple[RawValue, ...]]
Kept = tuple[tuple[Any, str, str, bool], ...]
"""Index, name, role, and whether it is up."""
Told = dict[Any, dict[Any, Any]]
"""What rows of other tables found in an interface table, by who looked, and their indexes."""
REMEMBERED = 512
"""Rows: larger tables are rare, and remembering them would take too much room."""
_LOOKED_AT = ("name", "description", "type", "status")


class KeptRow(NamedTuple):
    """An interface that is kept, and the places of its cells among those that were asked alone."""

    name: str
    role: str
    rx: int
    tx: int
    limit: int
    since: int | None
    is_busy: bool
    """Whether it had counted anything when the table was walked."""
    by_radio: bool
    """Whether it is kept only as long as a radio is called so."""

    def moved(self, by: int) -> KeptRow:
        """The same with all places `by` further on."""
        since = None if self.since is None else self.since + by
        return self._replace(rx=self.rx + by, tx=self.tx + by, since=since)


class KeptColumns(list[Mapping[Oid, RawValue]]):
    """The interface table of a device of which only the cells in use were asked: its columns hold
    the names of those rows. `is_moved` once something shows that it must be walked again.
    """

    __slots__ = ("_kept", "_live", "_others", "is_moved", "told")

    def __init__(
        self, known: Sequence[Mapping[Oid, RawValue]], kept: tuple[KeptRow, ...],
        others: frozenset[str], live: Sequence[RawValue | None], told: Told,
    ) -> None:  # fmt: skip
        """`others` are names that are not kept; `live` the cells that were asked; `told` keeps
        what was made of `known`, which is the same in each poll.
        """
        super().__init__(known)
        self.told = told
        self._kept, self._others, self._live = kept, others, live
        self.is_moved = False

    def read(self, radios: frozenset[str]) -> tuple[InterfaceReading, ...]:
        """See `InterfacePlan.read`."""
        live, found = self._live, []
        if not radios.isdisjoint(self._others):
            self.is_moved = True
        for name, role, rx_place, tx_place, limit, since_place, is_busy, by_radio in self._kept:
            if by_radio and name not in radios:
                continue
            rx, tx = live[rx_place], live[tx_place]
            if not (
                isinstance(rx, int) and isinstance(tx, int) and 0 <= rx < limit and 0 <= tx < limit
            ):
                self.is_moved = True
                continue
            if is_busy and not (rx or tx):
                self.is_moved = True  # Whether it is told then depends on its state.
            since = None if since_place is None else live[since_place]
            since_s = since / 100 if isinstance(since, int) and 0 <= since < 2**32 else None
            bits = 64 if limit == _WIDE else 32
            # A third of the time of InterfaceReading(…).
            found.append(_tuple(InterfaceReading, (name, role, rx, tx, bits, since_s)))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of an interface table is kept, for asking that alone."""

    kept: Kept
    by_radio: frozenset[str]
    """Names that are kept only because a radio is called so."""
    deciding: tuple[Any, ...]
    """Indexes of the interfaces whose state decides which is the uplink."""
    others: frozenset[str]
    """Names that are not kept, but would be if a radio were called so."""


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
        if isinstance(table, KeptColumns):
            return table.read(radios)
        found = []
        since_place = self.columns.get("discontinuity")
        choose = _chosen if max(map(len, table)) <= REMEMBERED else _chosen.__wrapped__
        for index, name, role, is_up in choose(self, self._said(table), address_index, radios):
            counters = self.counters_of(table, index)
            if counters is None:
                continue
            rx_place, tx_place, limit = counters
            rx: Any = table[rx_place][index]
            tx: Any = table[tx_place][index]
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

    def rows(self, tables: Sequence[Columns | None]) -> int | None:
        """How many interfaces were walked; None if they were not."""
        table = tables[self.place] if self.place is not None else None
        return None if table is None else len(set().union(*table))

    def chosen(self, table: Columns, address_index: int | None, radios: frozenset[str]) -> Chosen:
        """What `read` would choose of this table, and why."""
        said = self._said(table)
        kept = _chosen.__wrapped__(self, said, address_index, radios)
        usual = _chosen.__wrapped__(self, said, address_index, frozenset())
        named = _named(said)
        names = frozenset(name for _, name, _, _ in kept)
        candidates = _candidates(named, address_index, self.uplink)
        first_up = next((n for n, (_, is_up) in enumerate(candidates) if is_up), len(candidates))
        decides = [] if address_index is not None and len(candidates) == 1 else candidates
        return Chosen(
            kept,
            names - {name for _, name, _, _ in usual},
            tuple(index for index, _ in decides[: first_up + 1]),
            frozenset(name for _, name, _, _ in named if name) - names,
        )

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

    def counters_of(self, table: Columns, index: Any) -> tuple[int, int, int] | None:
        """Places of an interface's counters and their modulus: the first pair that it has."""
        for rx_place, tx_place, limit in self.by_counters:
            rx, tx = table[rx_place].get(index), table[tx_place].get(index)
            if isinstance(rx, int) and isinstance(tx, int) and 0 <= rx < limit and 0 <= tx < limit:
                return rx_place, tx_place, limit
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
    named = _named(said)
    candidates = _candidates(named, address_index, plan.uplink)
    uplink = next((index for index, is_up in candidates if is_up), None)
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


def _named(said: tuple[Said | None, ...]) -> list[tuple[Any, str, Any, bool]]:
    """Index, name, type of each interface, and whether it is up."""
    first = next((one[0] for one in said if one is not None), None) or ()
    names, descriptions, types, states = (
        {} if one is None else dict(zip(first if one[0] is None else one[0], one[1], strict=True))
        for one in said
    )
    return [
        (
            index,
            name_of(names.get(index)) or name_of(descriptions.get(index)),
            types.get(index),
            states.get(index, UP) == UP,
        )
        for index in dict.fromkeys((*names, *descriptions, *types, *states))
    ]


def _candidates(
    named: list[tuple[Any, str, Any, bool]],
    address_index: int | None,
    patterns: tuple[re.Pattern[str], ...],
) -> list[tuple[Any, bool]]:
    """Interfaces of which the first that is up is the one towards the network, by index: see
    docs/profiles.md. The one that holds the management address is taken for up.
    """
    real = [one for one in named if one[2] != LOOPBACK]
    if address_index is not None and any(index == (address_index,) for index, *_ in real):
        return [((address_index,), True)]
    found: dict[Any, bool] = {}
    for pattern in patterns:
        found |= {one[0]: one[3] for one in real if one[0] not in found and pattern.search(one[1])}
    found |= {one[0]: one[3] for one in real if one[2] == ETHERNET}
    return list(found.items())
