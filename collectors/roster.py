"""The devices to poll, kept up with the inventory: it is looked at before every poll, and read
whole only when something in it changed. Also what a controller's access points are in it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.discovery.proposals import propose_access_points
from collectors.poll import Summary
from collectors.snmp.model import AccessPointReading
from collectors.targets import Targets, choose_targets
from farola.keys import Keyring
from farola.output import note
from farola.settings import Settings
from inventory.db import Inventory
from inventory.maintenance import in_maintenance, windows
from inventory.models import Device
from inventory.queries import devices

_LOOKS = ("SELECT * FROM device ORDER BY id", "SELECT * FROM credential ORDER BY name")
"""Whole rows, so that a column that counts one day is not forgotten here."""


@dataclass(frozen=True)
class Listed:
    """The targets, and the devices that each controller reports and that are not asked."""

    targets: Targets
    looked_after: Mapping[str, Sequence[str]]


class Roster:
    """Knows the targets of one inventory; what is odd about them is told once."""

    def __init__(self, inventory: Inventory, settings: Settings) -> None:
        self._inventory = inventory
        self._settings = settings
        self._seen: list[object] | None = None
        self._listed: Listed | None = None
        self._told: frozenset[str] = frozenset()

    async def listed(self) -> Listed:
        """What to poll now: the same object as last time if nothing changed.

        Raises InventoryError.
        """
        listed = await asyncio.to_thread(self._read)  # may wait for a lock, and traps must not
        for line in listed.targets.notes:
            if line not in self._told:
                note(line)
        self._told |= frozenset(listed.targets.notes)
        return listed

    async def excused(self, summary: Summary) -> Summary:
        """`summary` with those that are down in maintenance apart. Raises InventoryError."""
        if not summary.down:
            return summary
        maintained = await asyncio.to_thread(self._maintained, summary.down)
        return replace(
            summary,
            down=tuple(one for one in summary.down if one not in maintained),
            maintenance=tuple(one for one in summary.down if one in maintained),
        )

    def _maintained(self, ids: Sequence[str]) -> frozenset[str]:
        now = datetime.now(UTC)
        with self._inventory.session() as session:
            found = windows(session, now, None)
            if not any(window.covers(now) for window in found):
                return frozenset()
            wanted = set(ids)
            sites = {one.id: one.site_id for one in devices(session) if one.id in wanted}
        return in_maintenance(found, sites, now)

    def identify(self, controller_id: str, told: Sequence[AccessPointReading]) -> Mapping[str, str]:
        """The inventory's devices among a controller's access points, by their keys; the others
        become proposals. Raises InventoryError.
        """
        with self._inventory.session() as session:
            return propose_access_points(session, controller_id, told)

    def _read(self) -> Listed:
        with self._inventory.session() as session:
            seen = _look(session)
            if self._listed is None or seen != self._seen:
                targets = choose_targets(session, Keyring(self._settings.home))
                self._listed = Listed(targets, _looked_after(session))
                self._seen = seen
            return self._listed


def _look(session: Session) -> list[object]:
    """What decides about the targets, to be compared: a third of the time of reading them."""
    connection = session.connection()
    return [row for look in _LOOKS for row in connection.exec_driver_sql(look).fetchall()]


def _looked_after(session: Session) -> dict[str, list[str]]:
    by_controller: dict[str, list[str]] = defaultdict(list)
    for device, controller in session.execute(
        select(Device.id, Device.controller_id)
        .where(Device.status == "live", Device.controller_id.is_not(None))
        .where(Device.management_address.is_(None) | (Device.management_address == ""))
    ):
        by_controller[str(controller)].append(device)
    return dict(by_controller)
