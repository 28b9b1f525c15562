"""A safe copy of the embedded store while it is written to, through SQLite's backup interface.

Each file is copied as of one instant. Their order keeps the promises between them: latest before
raw (it is never ahead); then marks, which are made before the rows; then rollups: of an hour that
is no longer marked they are there.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from farola.errors import StoreError
from timeseries.sqlite_files import (
    DAMAGED,
    LATEST,
    ROLLUPS,
    days_in,
    named_faults,
    nearest_folder,
    reading,
    size_of,
)

MARKS = "marks.db"
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Copied:
    """Files of a copy, by name, and their bytes."""

    files: tuple[str, ...]
    size: int


def snapshot(folder: Path, to: Path, advance: Advance = lambda _bytes: None) -> Copied:
    """Copy the series in `folder` into the folder `to`, made if need be; nothing may lie there yet
    of the same names. Polls go on meanwhile. `advance` is told the bytes of each file copied.

    Raises
    ------
    StoreError
        A file is damaged or cannot be read, a file of that name is there, the disk is full. What
        was copied by then stays; no file is there in part under its name.
    """
    with named_faults(to / LATEST):
        nearest_folder(to)
        to.mkdir(parents=True, exist_ok=True)
    for name in _in_order(folder):
        if (to / name).exists():
            raise StoreError(f"{to / name} is there already: give an empty folder")
    copied: list[str] = []

    def copy(names: list[str]) -> None:
        for name in names:
            if copy_file(folder / name, to / name):
                copied.append(name)
                advance((to / name).stat().st_size)

    copy([LATEST])
    # Listed anew: the newest rows may be of a day that has just begun.
    copy(_in_order(folder)[1:])
    _sync(to)
    return Copied(tuple(copied), sum(size_of(to / name) for name in copied))


def _in_order(folder: Path) -> list[str]:
    """Names of the files to copy, the newest rows first."""
    days = [path.name for _, path in days_in(folder)]
    found = {path.name for path in folder.glob("*.db")}
    return [LATEST, *days, MARKS, ROLLUPS, *sorted(found - {MARKS, ROLLUPS, LATEST, *days})]


def copy_file(source: Path, target: Path) -> bool:
    """Copy one database as of one instant; False where it was forgotten meanwhile. StoreError."""
    draft = target.with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    try:
        with reading(source) as connection:
            if connection is None:
                return False
            with named_faults(target):
                room = shutil.disk_usage(target.parent).free
                if room < source.stat().st_size:
                    raise StoreError(
                        f"{target.parent}: {room / 1e9:,.1f} GB free, {source.name} takes "
                        f"{source.stat().st_size / 1e9:,.1f} GB: free space on that disk"
                    )
                with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
                    # All pages in one step: one instant, however much is written meanwhile.
                    connection.backup(copy, pages=-1)
                    copy.execute("PRAGMA journal_mode=DELETE")
        _sync(draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return True


def check_copy(copy: Path, source: Path) -> None:
    """SQLite's quick check of a copy; StoreError, naming its `source`, where that is damaged."""
    with (
        named_faults(source),
        closing(sqlite3.connect(f"file:{quote(str(copy))}?mode=ro", uri=True)) as connection,
    ):
        (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if told != "ok":
        raise StoreError(f"{source}: {' '.join(told.split())}; {DAMAGED}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
