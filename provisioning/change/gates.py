"""Whether anything may be pushed now: the switch that pauses every push, freezes, and maintenance
windows on the city's clock. Asked before each wave, and by each device's own turn.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from farola.errors import ProvisioningError
from farola.settings import Settings
from inventory import audit_log, queries
from inventory.change_models import Freeze
from inventory.models import Fact

PAUSED = "push.paused"
"""The fact that pauses every push: {by, at, reason}."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(
    r"(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?\s+"
    r"(?P<start>\d{2}:\d{2})-(?P<end>\d{2}:\d{2})", re.ASCII
)  # fmt: skip
_EVERY_DAY = re.compile(r"(?P<start>\d{2}:\d{2})-(?P<end>\d{2}:\d{2})", re.ASCII)
_LOOK_AHEAD_DAYS = 8


@dataclass(frozen=True)
class Gate:
    """Whether a push may go on; `until` (UTC, aware) is when that ends, where it is known."""

    open: bool
    why: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class Window:
    """A time of the week, on the city's clock; it may pass midnight."""

    days: frozenset[int]
    """On which it begins; Monday is 0."""
    start: time
    end: time


def read_windows(text: str) -> tuple[Window, ...]:
    """The windows in `Mon-Fri 01:00-05:00; Sat 22:00-04:00; 03:00-04:00` (the last: every day).

    Raises
    ------
    ProvisioningError
        One cannot be read: the message names it.
    """
    return tuple(
        _window(part) for part in (" ".join(p.split()).lower() for p in text.split(";")) if part
    )


def _window(part: str) -> Window:
    match = _WINDOW.fullmatch(part) or _EVERY_DAY.fullmatch(part)
    named = match.groupdict() if match else {}
    window = None
    with contextlib.suppress(KeyError, ValueError):
        window = Window(
            _days(named.get("first"), named.get("last")), _time(named["start"]), _time(named["end"])
        )
    if window is None or window.start == window.end:
        raise ProvisioningError(
            f"[provisioning] windows: {part!r} is no window: write it as Mon-Fri 01:00-05:00, "
            "several with ; between them"
        )
    return window


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    begin = DAYS.index(first)
    length = (DAYS.index(last or first) - begin) % 7
    return frozenset((begin + day) % 7 for day in range(length + 1))


def _time(text: str) -> time:
    # 24:00 is the midnight at the day's end.
    return time(0) if text == "24:00" else time.fromisoformat(text)


def window_gate(windows: Sequence[Window], now: datetime, zone: ZoneInfo) -> Gate:
    """Whether `now` (aware) lies in one of `windows`; none at all is any time."""
    if not windows:
        return Gate(True)
    today = now.astimezone(zone).date()
    spans = []
    for ahead in range(-1, _LOOK_AHEAD_DAYS):
        day = today + timedelta(days=ahead)
        for window in windows:
            if day.weekday() in window.days:
                past = window.end <= window.start
                start = datetime.combine(day, window.start, zone).astimezone(UTC)
                end = datetime.combine(day + timedelta(days=past), window.end, zone).astimezone(UTC)
                spans.append((start, end))
    spans.sort()
    until = None
    for start, end in spans:
        # Windows that touch or overlap are one.
        if start <= (until or now) and (until or now) < end:
            until = end
    if until is not None:
        return Gate(True, until=until)
    opens = min((start for start, _end in spans if start > now), default=None)
    when = f"; the next one opens {opens.astimezone(zone):%a %d %b %H:%M}" if opens else ""
    return Gate(False, f"it is outside the maintenance windows{when}", opens)


def may_push(
    session: Session, settings: Settings, now: datetime, *, ignore_windows: bool = False
) -> Gate:
    """Whether a push may go on at `now` (aware): pause, then freezes, then windows.

    Raises
    ------
    ProvisioningError
        The windows in farola.toml cannot be read.
    """
    windows = read_windows(settings.provisioning.windows)
    paused = queries.fact(session, PAUSED)
    if paused:
        return Gate(False, _paused(paused))
    instant = _naive(now)
    frozen = session.scalars(
        select(Freeze)
        .where(Freeze.start <= instant, or_(Freeze.end.is_(None), Freeze.end > instant))
        .order_by(Freeze.id)
    ).first()
    if frozen is not None:
        until = frozen.end.replace(tzinfo=UTC) if frozen.end else None
        words = f"freeze {frozen.id} by {frozen.author or 'somebody'}"
        if until:
            words += f" until {until.astimezone(settings.city.zone):%Y-%m-%d %H:%M %Z}"
        return Gate(False, words + (f": {frozen.reason}" if frozen.reason else ""), until)
    if ignore_windows:
        return Gate(True)
    return window_gate(windows, now, settings.city.zone)


@dataclass(frozen=True)
class FreezeRecord:
    """A freeze; instants are UTC, aware, and `end` is None while it is open."""

    id: int
    start: datetime
    end: datetime | None
    reason: str
    author: str


def pause(session: Session, actor: str, reason: str) -> None:
    """Pause every push; ProvisioningError where that was done already."""
    if found := queries.fact(session, PAUSED):
        raise ProvisioningError(_paused(found))
    at = datetime.now(UTC).isoformat(timespec="seconds")
    queries.set_fact(session, PAUSED, {"by": actor, "at": at, "reason": reason})
    audit_log.record(session, actor, "push.paused", result=reason)


def resume(session: Session, actor: str) -> None:
    """Allow pushes again; ProvisioningError where none is paused."""
    row = session.get(Fact, PAUSED)
    if row is None:
        raise ProvisioningError("no push is paused")
    session.delete(row)
    audit_log.record(session, actor, "push.resumed")


def add_freeze(
    session: Session, start: datetime, end: datetime | None, reason: str, actor: str
) -> int:
    """Announce a freeze; its number. ProvisioningError where it ends before it begins."""
    if end is not None and end <= max(start, datetime.now(UTC)):
        raise ProvisioningError("a freeze must end after it begins, and after now")
    row = Freeze(start=_naive(start), end=_naive(end) if end else None, reason=reason, author=actor)
    session.add(row)
    session.flush()
    audit_log.record(
        session, actor, "freeze.added", result=reason,
        detail={"freeze": row.id, "from": start.isoformat(),
                "to": end.isoformat() if end else None},
    )  # fmt: skip
    return row.id


def end_freeze(session: Session, number: int, actor: str) -> None:
    """End a freeze now; ProvisioningError where there is none, or it has ended."""
    row, now = session.get(Freeze, number), _naive(datetime.now(UTC))
    if row is None:
        raise ProvisioningError(f"no freeze {number}: `farola provision freeze list` shows them")
    if row.end is not None and row.end <= max(now, row.start):
        raise ProvisioningError(f"freeze {number} has ended already")
    row.end = max(now, row.start)
    audit_log.record(session, actor, "freeze.ended", detail={"freeze": number})


def freezes(session: Session, now: datetime) -> list[FreezeRecord]:
    """Freezes that go on at `now` (aware) or are to come, by their start."""
    query = (
        select(Freeze)
        .where(or_(Freeze.end.is_(None), and_(Freeze.end > _naive(now), Freeze.end > Freeze.start)))
        .order_by(Freeze.start, Freeze.id)
    )
    return [
        FreezeRecord(
            row.id, row.start.replace(tzinfo=UTC), row.end.replace(tzinfo=UTC) if row.end else None,
            row.reason, row.author,
        )
        for row in session.scalars(query)
    ]  # fmt: skip


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)


def _paused(fact: dict[str, Any]) -> str:
    reason = f": {fact['reason']}" if fact.get("reason") else ""
    at = str(fact.get("at", "?"))[:16].replace("T", " ")
    return (
        f"every push is paused since {at} UTC by {fact.get('by', 'somebody')}{reason} "
        "(`farola provision resume`)"
    )
