"""Which switch port each access point hangs on: asks the inventory's switches and access points
for their neighbours, decides, and keeps it as uplinks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.discovery.lldp import QUESTION, Neighbour, read_neighbours
from collectors.discovery.matching import Known
from collectors.snmp.model import Question, Reply, Target
from collectors.snmp.poller import Poller
from collectors.targets import choose_targets
from farola.keys import Keyring
from inventory import events, uplinks
from inventory.db import Inventory
from inventory.models import Discovered
from inventory.queries import devices
from inventory.uplinks import UplinkRecord

ASKED_ROLES = frozenset({"access-point", "switch", "router", "gateway"})
RANK = {"switch": 1, "router": 2, "gateway": 2}
"""Who hangs on whom: the lower on the higher. Everything else is a leaf."""


@dataclass(frozen=True)
class Link:
    """A device of the inventory that hangs on a port of another."""

    device_id: str
    upstream_id: str
    port: str


@dataclass
class Links:
    """What the neighbours of all devices come to."""

    links: list[Link] = field(default_factory=list)
    unmatched: list[tuple[str, Neighbour]] = field(default_factory=list)
    """Heard by this device, and not in the inventory; telephones and computers are left out."""
    undecided: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of equals, such as two switches: a person must say which hangs on which."""


@dataclass(frozen=True)
class Report:
    """What a round of asking came to; lists hold device ids."""

    asked: int
    answered: int
    neighbours: int
    became: Mapping[str, Sequence[str]]
    """See `inventory.uplinks.learn`."""
    found: Links

    def as_json(self) -> dict[str, Any]:
        """As `farola collect neighbours --json` prints it."""
        return {
            "asked": self.asked,
            "answered": self.answered,
            "neighbours": self.neighbours,
            "uplinks": [
                {"device": one.device_id, "upstream": one.upstream_id, "port": one.port}
                for one in self.found.links
            ],
            **self.became,
            "undecided": [list(pair) for pair in self.found.undecided],
            "unmatched": [
                {
                    "device": device_id, "port": one.port, "name": one.name,
                    "mac": next(iter(one.macs), ""), "address": next(iter(one.addresses), ""),
                    "protocol": one.protocol,
                }
                for device_id, one in self.found.unmatched
            ],
        }  # fmt: skip


async def refresh_uplinks(
    inventory: Inventory,
    keyring: Keyring,
    poller: Poller,
    only: Collection[str] | None = None,
    advance: Callable[[int], None] = lambda _n: None,
) -> Report:
    """Ask the live switches and access points (those of `only`, by id, or all) for neighbours and
    keep what follows as uplinks. A move is an event; what a person said stays.
    """
    with inventory.session() as session:
        targets = targets_to_ask(session, keyring, only)
    heard: dict[str, list[Neighbour]] = {}
    async for answer in poller.ask(targets, _converse):
        if answer.result is not None:
            heard[answer.target.device_id] = answer.result
        advance(1)
    with inventory.session() as session:
        known = Known(devices(session), _told_macs(session))
        found = decide(heard, known, uplinks.upstream_of(session))
        became = uplinks.learn(
            session, [(one.device_id, one.upstream_id, one.port) for one in found.links]
        )
        if became["new"]:
            events.record(
                session, "uplink.found",
                f"LLDP tells the switch port of {len(became['new'])} more devices",
                detail={"devices": became["new"][:100]},
            )  # fmt: skip
    neighbours = sum(map(len, heard.values()))
    return Report(len(targets), len(heard), neighbours, became, found)


def targets_to_ask(
    session: Session, keyring: Keyring, only: Collection[str] | None
) -> list[Target]:
    """The pollable devices that may have neighbours to tell of."""
    roles = {one.id: one.role for one in devices(session)}
    return [
        target
        for target in choose_targets(session, keyring).polled
        if roles.get(target.device_id) in ASKED_ROLES and (only is None or target.device_id in only)
    ]


def _converse(_target: Target) -> Generator[Question, Reply, list[Neighbour]]:
    return read_neighbours((yield QUESTION))


def _told_macs(session: Session) -> dict[str, list[str]]:
    """Further MAC addresses of devices, from what searches of the network found."""
    told: dict[str, list[str]] = {}
    query = select(Discovered.device_id, Discovered.mac, Discovered.detail).where(
        Discovered.device_id.is_not(None)
    )
    for device_id, mac, detail in session.execute(query):
        macs = detail.get("macs")
        told.setdefault(device_id, []).extend([mac] if mac else [])
        told[device_id].extend(macs if isinstance(macs, list) else [])
    return told


def decide(
    heard: Mapping[str, Iterable[Neighbour]], known: Known, current: Mapping[str, UplinkRecord]
) -> Links:
    """Who hangs on whom, from what each device (by id) hears.

    What the upper device says goes before what the lower one says; of several the uplink that is
    known already stays while it is heard, else a switch goes before a router.
    """
    found = Links()
    options: dict[str, list[tuple[int, int, Link]]] = defaultdict(list)
    undecided: set[tuple[str, str]] = set()
    for device_id, neighbours in sorted(heard.items()):
        ours = _rank(known, device_id)
        for one in neighbours:
            other = match_neighbour(one, known)
            if other is None:
                if not one.station:
                    found.unmatched.append((device_id, one))
                continue
            if other == device_id:
                continue
            theirs = _rank(known, other)
            if ours > theirs:
                options[other].append((0, ours, Link(other, device_id, one.port)))
            elif ours < theirs:
                options[device_id].append((1, theirs, Link(device_id, other, one.remote_port)))
            else:
                undecided.add((min(device_id, other), max(device_id, other)))
    for device_id, choices in sorted(options.items()):
        now = current.get(device_id)
        found.links.append(min(choices, key=lambda choice: _preference(choice, now))[2])
    linked = {(one.device_id, one.upstream_id) for one in found.links} | {
        (one.device_id, one.upstream_id) for one in current.values()
    }
    found.undecided = sorted(
        pair for pair in undecided if pair not in linked and pair[::-1] not in linked
    )
    return found


def _preference(choice: tuple[int, int, Link], now: UplinkRecord | None) -> tuple[object, ...]:
    """Sorts the link to take first."""
    side, rank, link = choice
    elsewhere = now is None or now.upstream_id != link.upstream_id
    other_port = now is None or now.upstream_port != link.port
    return elsewhere, side, rank, other_port, link.upstream_id, link.port


def _rank(known: Known, device_id: str) -> int:
    record = known.record(device_id)
    return RANK.get(record.role, 0) if record else 0


def match_neighbour(one: Neighbour, known: Known) -> str | None:
    """The inventory's device at the other end: by MAC address, management address, then name."""
    for mac in one.macs:
        if found := known.with_mac(mac):
            return found
    for address in one.addresses:
        if found := known.at_host(address):
            return found
    return known.named(one.name) if one.name else None
