"""Holds the lease for one collector: takes it, renews it while it polls, and tells in time that it
is lost, so that no two collectors write the same city.

The holder trusts its own clock less than the database's: it counts its lease from before it asked
for it, and asks the database again right before each poll is written. A process that was paused
for longer than its lease finds out there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from collectors.holder import is_gone, own_mark, shown
from collectors.lease import LeaseRecord, LeaseTable
from collectors.schedule import in_a_line
from farola.errors import FarolaError, InventoryError
from farola.output import note
from inventory.db import Inventory

LEASE_INTERVALS, MOST_LEASE_S = 1.25, 120.0
"""A lease lasts so many intervals, and never longer than that: with the check of the standby the
city is polled again within two intervals."""
RENEWALS = 6
"""Renewals in the time of one lease."""
MOST_CHECK_S = 1.0
"""Seconds between two looks of a standby at most, so that it starts at once after a clean stop."""


class LeaseLostError(FarolaError):
    """Another collector polls this city now: what this one read must not be written."""


def lease_s(interval_s: float) -> float:
    """How long a lease lasts for polls every `interval_s` seconds."""
    return min(LEASE_INTERVALS * interval_s, MOST_LEASE_S)


class LeaseKeeper:
    """The lease of the collector `name`. Used by one event loop; `confirm` may run in a thread."""

    def __init__(
        self,
        inventory: Inventory,
        name: str,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        ttl_s = lease_s(interval_s)
        self._table = LeaseTable(inventory, ttl_s)
        self._clock = clock
        self._valid_until = 0.0
        self.holder = f"{name} {own_mark()}"
        """Its own name, another for each process."""
        self.term: int | None = None
        """The term it holds, None while it is standby."""
        self.before: LeaseRecord | None = None
        """Who held the lease when it was taken last."""
        self.renew_s = ttl_s / RENEWALS
        self.check_s = min(interval_s / 4, MOST_CHECK_S)

    async def take(self) -> bool:
        """Take the lease if it is free, or if its holder is a process of this machine that is no
        more. Raises InventoryError.
        """
        asked = self._clock()
        self.before = await asyncio.to_thread(self._table.seen)
        dead = self.before if self.before and is_gone(self.before.holder) else None
        self.term = await asyncio.to_thread(self._table.take, self.holder, dead)
        if self.term is not None:
            self._valid_until = asked + self._table.ttl_s
        return self.term is not None

    async def other(self) -> LeaseRecord | None:
        """Who else holds the lease now. Raises InventoryError."""
        held = await asyncio.to_thread(self._table.seen)
        return held if held and held.valid and held.holder != self.holder else None

    async def keep(self) -> str:
        """Renew until the lease is lost; return how that came about.

        An inventory that cannot be asked is asked again until the lease runs out by this
        collector's own clock, which is before it does by the database's.
        """
        failed = ""
        while True:
            left_s = self._valid_until - self._clock()
            if left_s <= 0 and failed:
                return f"the lease ran out and could not be renewed: {failed}"
            pause_s = min(self.renew_s, max(0.0, left_s)) if failed else self.renew_s
            await asyncio.sleep(pause_s)
            try:
                left_s = self._valid_until - self._clock()
                async with asyncio.timeout(left_s if left_s > 0 else self.renew_s):
                    if not await asyncio.to_thread(self._renew):
                        return "another collector took the lease"
                failed = ""
            except TimeoutError:
                failed = failed or "the inventory does not answer"
            except Exception as error:  # whatever it was, the lease may still be renewed in time
                if not failed:
                    note(f"farola: lease not renewed yet: {in_a_line(error)}")
                failed = in_a_line(error)

    def confirm(self) -> None:
        """Raise LeaseLostError unless the lease is still this collector's, as the database says.

        A lease that ran out and that nobody took is taken up again. While the database cannot be
        asked, what is left of the lease by this collector's clock counts.
        """
        try:
            held = self._table.seen()
            mine = held is not None and (held.holder, held.term) == (self.holder, self.term)
            if mine and held is not None and not held.valid:
                mine = self._renew()
        except InventoryError as error:
            if self._clock() >= self._valid_until:
                raise LeaseLostError(f"the lease ran out: {error}") from None
            return
        if not mine:
            by = f": {shown(held.holder)}" if held else ""
            raise LeaseLostError(f"another collector took the lease{by}")

    async def release(self) -> None:
        """Give the lease back, so that a standby starts at once; what fails is told."""
        if self.term is None:
            return
        try:
            await asyncio.to_thread(self._table.release, self.holder, self.term)
        except InventoryError as error:
            note(f"farola: lease not given back, it runs out by itself: {error}")
        self.term = None

    def _renew(self) -> bool:
        asked = self._clock()
        if self.term is None or not self._table.renew(self.holder, self.term):
            return False
        self._valid_until = asked + self._table.ttl_s
        return True
