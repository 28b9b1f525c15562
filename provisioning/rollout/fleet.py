"""What a rollout must know of the devices of a change: where they are, what hangs on what, and how
large their failure domains are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from inventory import queries
from inventory.records import DeviceRecord
from inventory.uplinks import upstream_of
from provisioning.rollout.waves import Domains

MESH = "access-point"
"""A device of this role that others hang on is their mesh parent."""


@dataclass(frozen=True)
class Fleet:
    """Devices by id, the device that each hangs on, and sizes of sites and upstreams."""

    devices: Mapping[str, DeviceRecord]
    parents: Mapping[str, str]
    domains: Domains
    mesh_parents: frozenset[str]
    """Devices that others reach the network through by radio."""


def read_fleet(session: Session, ids: Iterable[str]) -> Fleet:
    """Read what a rollout to `ids` must know; those that are retired are left out."""
    everything = queries.devices(session)
    wanted = set(ids)
    parents = {name: link.upstream_id for name, link in upstream_of(session).items()}
    roles = {device.id: device.role for device in everything}
    return Fleet(
        {device.id: device for device in everything if device.id in wanted},
        parents,
        Domains(
            Counter(device.site_id for device in everything if device.site_id),
            Counter(parents.values()),
        ),
        frozenset(up for up in parents.values() if roles.get(up) == MESH),
    )


def held_back(fleet: Fleet, good: Mapping[str, bool], waiting: Iterable[str]) -> dict[str, str]:
    """Mesh parents in `waiting` that must not be changed, and the child because of which: one that
    is in the change, had its turn, and does not run it. Whoever hangs on a parent that was changed
    alone may never be reached again.

    `good` says of each device of the change whether it runs it; `waiting` still have their turn.
    """
    waits = set(waiting)
    found: dict[str, str] = {}
    stuck = sorted(name for name, runs in good.items() if not runs and name not in waits)
    while stuck:
        child = stuck.pop()
        parent = fleet.parents.get(child)
        if parent in fleet.mesh_parents and parent in waits and parent not in found:
            found[parent] = child
            stuck.append(parent)
    return found
