"""Times in which a device, a site or the whole city may be down without blame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from farola.errors import InventoryError
from inventory import events
from inventory.models import Device, Maintenance, Placement, Site, utcnow

DEVICE, SITE, CITY = "device", "site", "city"


@dataclass(frozen=True)
class Window:
    """A time of maintenance, UTC; `end` is None while it is open. `place` is the id of a device or
    a site, empty for the city.
    """

    id: int
    scope: str
    place: str
    start: datetime
    end: datetime | None
    reason: str
    author: str

    def covers(self, at: datetime) -> bool:
        """Whether it goes on at `at`; its end is outside."""
        return self.start <= at and (self.end is None or at < self.end)


class Windows:
    """Windows of maintenance, to be asked about a device at a place at a time."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._by: dict[tuple[str, str], list[Window]] = {}
        for one in windows:
            self._by.setdefault((one.scope, one.place), []).append(one)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._by)

    def cover(self, at: datetime, device_id: str, site_id: str | None) -> bool:
        """Whether the device, its site or the city was in maintenance at `at` (UTC, aware)."""
        keys = ((CITY, ""), (SITE, site_id or ""), (DEVICE, device_id))
        return any(one.covers(at) for key in keys for one in self._by.get(key, ()))


def add(
    session: Session, scope: str, place: str, *, start: datetime, end: datetime | None,
    reason: str, actor: str = "farola",
) -> Window:  # fmt: skip
    """Announce maintenance. Raises InventoryError if `place` is not in the inventory."""
    if scope != CITY:
        found = session.get(Device, place) if scope == DEVICE else session.get(Site, place)
        if found is None or found.status == "retired":
            raise InventoryError(f"no {scope} {place!r} in the inventory: correct the id")
    row = Maintenance(
        scope=scope, place=place, start=_naive(start), end=_naive(end) if end else None,
        reason=reason, author=actor,
    )  # fmt: skip
    session.add(row)
    session.flush()
    window = _window(row)
    _record(session, "maintenance.added", f"maintenance {row.id} of {named(window)}", window, actor)
    return window


def end_window(session: Session, window_id: int, actor: str = "farola") -> Window:
    """End a window now; one that has not begun never takes place. Raises InventoryError if there is
    none, or it has ended.
    """
    row = session.get(Maintenance, window_id)
    if row is None:
        raise InventoryError(f"no maintenance {window_id}: `farola maintenance list` shows them")
    now = utcnow()
    if row.end is not None and row.end <= max(now, row.start):
        raise InventoryError(f"maintenance {window_id} has ended already")
    row.end = max(now, row.start)
    session.flush()
    window = _window(row)
    _record(session, "maintenance.ended", f"maintenance {row.id} of {named(window)}", window, actor)
    return window


def windows(
    session: Session, start: datetime | None = None, end: datetime | None = None
) -> list[Window]:
    """The windows that touch the time from `start` to `end`, by their start; all without those.

    One that was ended before it began touches no time.
    """
    query = select(Maintenance).order_by(Maintenance.start, Maintenance.id)
    if end is not None:
        query = query.where(Maintenance.start < _naive(end))
    if start is not None:
        lasting = and_(Maintenance.end > _naive(start), Maintenance.end > Maintenance.start)
        query = query.where(or_(Maintenance.end.is_(None), lasting))
    return [_window(row) for row in session.scalars(query)]


def placements(
    session: Session, start: datetime, end: datetime
) -> dict[str, list[tuple[datetime, datetime | None, str]]]:
    """Where each device was between `start` and `end`: (from, to, site) in order, UTC."""
    query = (
        select(
            Placement.device_id, Placement.valid_from, Placement.valid_to, Placement.site_id
        )
        .where(Placement.valid_from < _naive(end))
        .where(or_(Placement.valid_to.is_(None), Placement.valid_to > _naive(start)))
        .order_by(Placement.device_id, Placement.valid_from)
    )  # fmt: skip
    found: dict[str, list[tuple[datetime, datetime | None, str]]] = {}
    for device, valid_from, valid_to, site in session.execute(query):
        until = valid_to.replace(tzinfo=UTC) if valid_to else None
        found.setdefault(device, []).append((valid_from.replace(tzinfo=UTC), until, site))
    return found


def in_maintenance(
    found: Sequence[Window], sites: Mapping[str, str | None], at: datetime
) -> frozenset[str]:
    """Which of the devices (their sites by id) are in maintenance at `at`."""
    known = Windows([one for one in found if one.covers(at)])
    if not known:
        return frozenset()
    return frozenset(device for device, site in sites.items() if known.cover(at, device, site))


def named(window: Window) -> str:
    """What a window is about, in words."""
    return "the city" if window.scope == CITY else f"{window.scope} {window.place}"


def _record(session: Session, kind: str, text: str, window: Window, actor: str) -> None:
    events.record(
        session, kind, text + (f": {window.reason}" if window.reason else ""),
        device_id=window.place if window.scope == DEVICE else None,
        site_id=window.place if window.scope == SITE else None,
        actor=actor,
        detail={
            "maintenance": window.id, "start": window.start.isoformat(),
            "end": window.end.isoformat() if window.end else None,
        },
    )  # fmt: skip


def _window(row: Maintenance) -> Window:
    return Window(
        row.id, row.scope, row.place, row.start.replace(tzinfo=UTC),
        row.end.replace(tzinfo=UTC) if row.end else None, row.reason, row.author,
    )  # fmt: skip


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)
