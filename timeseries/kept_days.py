"""The days of many groups of a city as a store told them, kept in a file: a day that is over seldom
changes, and all neighbourhoods' of a month cost a server half a second, and SQLite a tenth.

Whoever writes rows of `group_day` leaves a mark of that day in the store: before, that it is being
made, and after, that it is done, with a number that no other time has (SQLite has both at once). A
day is told from the file only where the store has the very mark that was there before the file's
rows were asked for, and the day was done then. What somebody writes without marks shows within
GOOD_FOR_S.
"""

from __future__ import annotations

import json
import sqlite3
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from timeseries.base import SCHEMA, Table
from timeseries.checking import LAST_TIME
from timeseries.kept_file import KeptFile, NoFileError, packed_columns, unpacked_columns
from timeseries.sqlite_files import DAY_MS

GROUP_DAY = "group_day"
GOOD_FOR_S = 3600.0
FEW_DAYS = 3
"""So many are asked for one by one."""
LEAST_ROWS, MOST_ROWS, MOST_QUESTIONS = 2_000, 400_000, 8
"""Of fewer rows it is not worth a file."""
Made = tuple[int, bool]
"""The number of a day's mark, and whether the day is done."""
_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS answer (
  question TEXT PRIMARY KEY, server TEXT NOT NULL, at_ms INTEGER NOT NULL,
  start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, columns BLOB NOT NULL)
"""


Marks = Callable[[int, int], dict[int, Made]]
"""Tells the marks of the days in [start, end) milliseconds, by their times. StoreError."""
Ask = Callable[[Mapping[str, str], Sequence[str], int, int], Table]
"""Asks the store for the rows that `KeptDays.series` tells."""


@dataclass(frozen=True)
class _Answer:
    """Rows of [start, end) milliseconds that a store told at `at_ms` or later, each day after its
    mark in `made`.
    """

    at_ms: int
    start: int
    end: int
    made: dict[int, Made]
    table: Table


class KeptDays:
    """Answers `series` of GROUP_DAY for many groups at once. Threads may share it."""

    def __init__(self, marks: Marks, ask: Ask, identity: str, path: Path) -> None:
        """`identity` tells one store from others; the file is at `path`."""
        self._marks, self._ask, self._identity = marks, ask, identity
        self._file = KeptFile(path, _VERSION, _TABLES)

    def series(self, where: Mapping[str, str], names: Sequence[str], start: int, end: int) -> Table:
        """Rows whose tags equal `where`, with one of the fields `names` at least, in [start, end)
        milliseconds, by time then tags. StoreError where the store does not answer.
        """
        question = json.dumps([sorted(where.items()), list(names)])
        now = int(time.time() * 1000)
        kept = self._kept(question, start, end, now)
        if kept is None:
            # Some more, so that who asks again a little later is answered.
            first = max(start // DAY_MS * DAY_MS - DAY_MS, 0)
            after = LAST_TIME if end > now - DAY_MS else end
            made = self._marks(first, after)
            table = self._ask(where, names, first, after)
            kept = _Answer(now, first, after, made, table)
            self._keep(question, kept)
        else:
            made = self._marks(start, end)
            there = {at: one for at, one in kept.made.items() if start <= at < end}
            other = {at for at in made.keys() | there.keys() if made.get(at) != there.get(at)}
            other.update(at for at, (_, done) in made.items() if not done)
            if len(other) > FEW_DAYS or there.keys() - made.keys():  # some were taken away
                return self._anew(question, where, names, start, end)
            if other:
                table = kept.table
                for at in sorted(other):
                    table = _replaced(table, at, self._ask(where, names, at, at + 1))
                kept = _Answer(kept.at_ms, kept.start, kept.end, kept.made | made, table)
                self._keep(question, kept)
        return _cut(kept.table, start, end)

    def _anew(
        self, question: str, where: Mapping[str, str], names: Sequence[str], start: int, end: int
    ) -> Table:
        with suppress(NoFileError):
            self._file.write(
                lambda db: db.execute("DELETE FROM answer WHERE question = ?", (question,)).close()
            )
            return self.series(where, names, start, end)
        return self._ask(where, names, start, end)

    def _kept(self, question: str, start: int, end: int, now: int) -> _Answer | None:
        """What is kept for that time and not too old."""
        query = (
            "SELECT at_ms, start_ms, end_ms, columns FROM answer WHERE question = ? AND server = ? "
            "AND at_ms BETWEEN ? AND ? AND start_ms <= ? AND end_ms >= ?"
        )
        oldest = now - int(GOOD_FOR_S * 1000)
        values = question, self._identity, oldest, now, start, end
        with suppress(NoFileError), self._file.reading() as db:
            row = db and db.execute(query, values).fetchone()
            if row:
                at_ms, first, after, packed = row
                made, times, tags, fields = unpacked_columns(packed)
                return _Answer(at_ms, first, after, made, Table(times, tags, fields))
        return None

    def _keep(self, question: str, one: _Answer) -> None:
        if not LEAST_ROWS <= len(one.table) <= MOST_ROWS:
            return
        once: dict[str, str] = {}
        tags = {
            tag: [once.setdefault(text, text) for text in column]
            for tag, column in one.table.tags.items()
        }
        packed = packed_columns((one.made, one.table.times, tags, one.table.fields))
        values = question, self._identity, one.at_ms, one.start, one.end, packed

        def put(db: sqlite3.Connection) -> None:
            db.execute(_PUT, values)
            db.execute(_LAST)

        with suppress(NoFileError):
            self._file.write(put)


_PUT = "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?, ?)"
_LAST = (
    "DELETE FROM answer WHERE question NOT IN "  # noqa: S608 - a number of ours
    f"(SELECT question FROM answer ORDER BY at_ms DESC LIMIT {MOST_QUESTIONS})"
)


def _cut(table: Table, start: int, end: int) -> Table:
    """The rows of [start, end) of a table by time."""
    part = slice(bisect_left(table.times, start), bisect_left(table.times, end))
    return Table(
        table.times[part],
        {tag: column[part] for tag, column in table.tags.items()},
        {name: column[part] for name, column in table.fields.items()},
    )


def _replaced(table: Table, at: int, rows: Table) -> Table:
    """`table` with `rows` for those that it has of the time `at`."""
    before, after = _cut(table, 0, at), _cut(table, at + 1, LAST_TIME + 1)
    return Table(
        before.times + rows.times + after.times,
        {tag: before.tags[tag] + rows.tags[tag] + after.tags[tag] for tag in table.tags},
        {n: before.fields[n] + rows.fields[n] + after.fields[n] for n in table.fields},
    )


def is_of_many_groups(measurement: str, where: Mapping[str, str]) -> bool:
    """Whether a question is one that `KeptDays` answers."""
    return measurement == GROUP_DAY and SCHEMA[GROUP_DAY].tags[-1] not in where
