"""Marks on the days of groups in `rollups.db`, written with their rows; what they are for is told
in `timeseries.kept_days`.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable

from timeseries.kept_days import Made

FILE = "days.kept"
"""Beside the files of the series, and no database that is copied or looked at with them."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS group_day_made "
    "(time INTEGER PRIMARY KEY, version INTEGER) WITHOUT ROWID"
)


def mark_days(connection: sqlite3.Connection, days: Iterable[int]) -> None:
    """Give these days, of which rows are written in the same transaction, marks of their own."""
    number = secrets.randbits(62)
    connection.execute(_TABLE)
    connection.executemany(
        "INSERT OR REPLACE INTO group_day_made VALUES (?, ?)", ((day, number) for day in set(days))
    )


def made_in(connection: sqlite3.Connection, start_ms: int, end_ms: int) -> dict[int, Made]:
    """By the time of a day its mark, in [start, end) milliseconds."""
    try:
        found = connection.execute(
            "SELECT time, version FROM group_day_made WHERE time >= ? AND time < ?",
            (start_ms, end_ms),
        )
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return {}
    return {at: (number, True) for at, number in found}
