"""Whether anything may be pushed now: the switch that pauses every push, freezes, and maintenance
windows on the city's clock. Asked before each wave, and by each device's own turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from farola.errors import ProvisioningError
from farola.settings import Settings
from inventory import queries
from inventory.change_models import Freeze

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
    found = []
    for part in filter(None, (" ".join(part.split()).lower() for part in text.split(";"))):
        match = _WINDOW.fullmatch(part) or _EVERY_DAY.fullmatch(part)
        try:
            if match is None:
                raise ValueError
            named = match.groupdict()
            days = _days(named.get("first"), named.get("last"))
            start, end = (_time(named[which]) for which in ("start", "end"))
            if start == end:
                raise ValueError
        except ValueError:
            raise ProvisioningError(
                f"[provisioning] windows: {part!r} is no window: write it as Mon-Fri 01:00-05:00, "
                "several with ; between them"
            ) from None
        found.append(Window(days, start, end))
    return tuple(found)


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
    instant = now.astimezone(UTC).replace(tzinfo=None)
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


def _paused(fact: dict[str, Any]) -> str:
    reason = f": {fact['reason']}" if fact.get("reason") else ""
    return (
        f"every push is paused since {fact.get('at', '?')} by {fact.get('by', 'somebody')}{reason} "
        "(`farola provision resume`)"
    )
