"""Instants as people type them, in the city's time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from farola.errors import InputError

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Nothing that Farola tells of was before, and nothing is announced for later."""


def parse_instant(text: str, zone: ZoneInfo, option: str) -> datetime:
    """The instant (UTC) that `text` names: `2026-11-01`, `2026-11-01 08:30`, in `zone` unless it
    carries its own, as in `2026-11-01T08:30+01:00`. Of an hour that clocks repeat, the first.

    Raises
    ------
    InputError
        It is no such instant, one that the clocks of `zone` skip, or before 2000 or after 2199.
    """
    try:
        local = datetime.fromisoformat(text.strip())
        own = local.tzinfo is not None
        instant = (local if own else local.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(
            f"{option} {text!r} is no time: write it as 2026-11-01 or 2026-11-01T08:30"
        ) from None
    if not EARLIEST <= instant < LATEST:
        raise InputError(f"{option} {text!r} is not in the years 2000 to 2199: is the year right?")
    if not own and instant.astimezone(zone).replace(tzinfo=None) != local:
        raise InputError(f"{option} {text!r} does not exist: clocks in {zone.key} skip it")
    return instant


def show_instant(instant: datetime, zone: ZoneInfo) -> str:
    """`instant`, aware or UTC without a zone, as the city's clocks show it, to the minute."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return aware.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def iso(instant: datetime) -> str:
    """`instant`, aware or UTC without a zone, as `2026-11-01T08:30:00Z`."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
