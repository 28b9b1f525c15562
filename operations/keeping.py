"""Whether what was measured is kept as it should be: hours that wait for their rollups, and whether
the disk will hold what is to come. For `farola status` and `farola doctor`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from farola.errors import StoreError
from operations.examinations import Check, city_growth, sized
from timeseries.marks import FILE_NAME, Marks
from timeseries.sqlite_check import whole
from timeseries.sqlite_files import ROLLUPS, nearest_folder, size_of

if TYPE_CHECKING:
    from farola.settings import Settings

MOST_CHECKED = 200 * 10**6
"""Bytes of rollups that `farola doctor` reads through: larger ones are for `farola store check`."""
OVERDUE = timedelta(hours=1)
"""A collector makes an hour two minutes after it is over; after an outage it takes a while."""


@dataclass(frozen=True)
class Rollups:
    """Hours with raw rows that no rollup is made of yet; `overdue` those over for more than
    OVERDUE, the oldest of which began at `oldest`.
    """

    marked: int = 0
    overdue: int = 0
    oldest: datetime | None = None
    error: str = ""


def rollups_of(settings: Settings, now: datetime) -> Rollups:
    """What the marks say at `now`; nothing is made."""
    folder = settings.home / "series"
    marks = Marks(folder, settings.city.zone)
    try:
        nearest_folder(folder)
        if not (found := whole(folder / FILE_NAME)).ok:
            return Rollups(error=found.detail)
        hours = marks.open()
    except StoreError as error:
        return Rollups(error=str(error))
    finally:
        marks.close()
    overdue = [hour for hour in hours if hour.ends < now - OVERDUE]
    return Rollups(len(hours), len(overdue), overdue[0].begins if overdue else None)


def rollups_line(found: Rollups, settings: Settings) -> str:
    """One line for people; empty where all is as it should be."""
    if found.error:
        return f"cannot be told: {found.error}"
    if found.oldest is None:
        return ""
    since = found.oldest.astimezone(settings.city.zone)
    return (
        f"{found.overdue:,} hours wait to be made, the first from {since:%Y-%m-%d %H:%M %Z}: "
        "a collector that runs makes them, or `farola store rollup`"
    )


def rollups_check(settings: Settings) -> Check:
    """Whether hours and days are made of what was measured. Without marks no poll is kept: damaged
    ones must be mended.
    """
    found = rollups_of(settings, datetime.now(UTC))
    if found.error:
        return Check("rollups", False, found.error, "until then no poll is kept")
    path = settings.home / "series" / ROLLUPS
    if size_of(path) <= MOST_CHECKED and not (file := whole(path)).ok:
        return Check("rollups", False, file.detail, "until then no hours are made", required=False)
    told = rollups_line(found, settings)
    return Check(
        "rollups", not told, told or "made of every hour that is over",
        "the collector says on stderr why it did not", required=False,
    )  # fmt: skip


def room_check(settings: Settings) -> Check:
    """Whether the disk holds what the settings let gather on it."""
    free = shutil.disk_usage(settings.home).free
    wanted, told = _to_come(settings)
    return Check(
        "room", wanted <= free, f"{told}; {sized(free)} are free",
        "make room, or allow less in farola.toml: docs/timeseries.md, Room on the disk",
        required=False,
    )  # fmt: skip


def _to_come(settings: Settings) -> tuple[float, str]:
    """Bytes that may still be written at home, and for what."""
    store = settings.store
    if store.kind == "influx":
        from operations.waiting import read_backlog

        left = max(0.0, store.spool_gb * 1e9 - read_backlog(settings).bytes)
        return left, f"the spool may take {left / 1e9:,.1f} GB more (spool_gb)"
    from timeseries.sqlite_retention import raw_days

    folder = settings.home / "series"
    grows = city_growth(settings)
    raw = grows.raw_a_day * grows.days_kept
    held = sum(one.size for one in raw_days(folder)) if folder.exists() else 0
    rollups = folder / "rollups.db"
    held_hours = rollups.stat().st_size if rollups.exists() else 0
    left = max(0.0, raw - held) + max(0.0, grows.hours_in_all - held_hours)
    return left, f"raw rows and hourly rollups will take {left / 1e9:,.1f} GB more"
