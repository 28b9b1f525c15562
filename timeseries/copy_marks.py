"""What a copy of a store takes along beside its rows: which hours have no rollup yet, and which
groups the sites belonged to.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from zoneinfo import ZoneInfo

from timeseries import group_book, marks
from timeseries.marks import Marks
from timeseries.sqlite_copy import copy_file
from timeseries.sqlite_files import named_faults, reading


def hand_over(
    source: Path,
    to: Path,
    zone: ZoneInfo,
    copied: Collection[int],
    extra: Collection[int],
    *,
    has_rollups: bool,
) -> int:
    """Mark in the folder `to` what is to be rolled up there; how many hours are. `copied` are the
    hours of the rows copied, `extra` those in which the destination has rows of its own: where they
    meet, neither's rollup counts all. `has_rollups` says that rollups were copied too.

    Raises StoreError.
    """
    wanted, is_known = set(copied) & set(extra), False
    if source.resolve() != to.resolve():
        is_known, open_times = _open_in(source / marks.FILE_NAME)
        is_known = is_known and has_rollups
        wanted |= open_times if is_known else set(copied)
        groups = to / group_book.FILE_NAME
        if (source / group_book.FILE_NAME).exists() and not groups.exists():
            with named_faults(groups):
                to.mkdir(parents=True, exist_ok=True)
            copy_file(source / group_book.FILE_NAME, groups)
    learns_all = is_known and not (to / marks.FILE_NAME).exists()
    if not wanted and not learns_all:
        return 0
    there = Marks(to, zone)
    try:
        if learns_all:
            there.learn_past(wanted)  # all others have their rollups
        return len(there.mark(wanted))
    finally:
        there.close()


def _open_in(path: Path) -> tuple[bool, set[int]]:
    """Whether all that is not rolled up is marked there, and the starts of what is."""
    times: set[int] = set()
    with reading(path) as connection:
        if connection is None:
            return False, times
        # Of a day one hour will do: when that is done, so is its day again.
        for table in ("hour", "day"):
            times.update(start for (start,) in connection.execute(f"SELECT start FROM {table}"))  # noqa: S608 - one of the two
        known = connection.execute("SELECT 1 FROM seen WHERE what = 'past'").fetchone()
    return known is not None, times
