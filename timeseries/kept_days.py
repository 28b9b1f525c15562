"""The days of groups of a city whose rollups are on a server, kept in `spool/days.db`: a day that
is over seldom changes, and to tell all neighbourhoods' of a month costs a server most of a second.

Whoever writes rows of `group_day` leaves a mark of that day on the server (`Making`): before, that
it is being made, and after, that it is done, with a number that no other time has. A day is told
from the file only where the server has the very mark that was there before the file's rows were
asked for, and the day was done then. What somebody writes without marks shows within GOOD_FOR_S.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from timeseries.base import SCHEMA, Store, Table
from timeseries.checking import LAST_TIME
from timeseries.kept_file import KeptFile, NoFileError, packed_columns, unpacked_columns
from timeseries.sqlite_files import DAY_MS
from timeseries.windows import instant

FILE, GROUP_DAY = "days.db", "group_day"
GOOD_FOR_S = 3600.0
FEW_DAYS = 3
"""So many are asked for one by one."""
MOST_ROWS, MOST_QUESTIONS = 400_000, 8
Made = tuple[int, bool]
"""The number of a day's mark, and whether the day is done."""
_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS answer (
  question TEXT PRIMARY KEY, server TEXT NOT NULL, at_ms INTEGER NOT NULL,
  start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, columns BLOB NOT NULL)
"""


class Making(Store, Protocol):
    """A store that tells of the marks on days of groups."""

    def made(self, start_ms: int, end_ms: int) -> dict[int, Made]:
        """By the time of a day its mark, in [start, end) milliseconds. StoreError."""
        ...


@dataclass(frozen=True)
class _Answer:
    """Rows of [start, end) milliseconds that a server told at `at_ms` or later, each day after its
    mark in `made`.
    """

    at_ms: int
    start: int
    end: int
    made: dict[int, Made]
    table: Table


class KeptDays:
    """Answers `series` of GROUP_DAY for many groups at once. Threads may share it."""

    def __init__(self, server: Making, identity: str, folder: Path) -> None:
        """`identity` tells one server and database from others; `folder` is the spool's."""
        self._server, self._identity = server, identity
        self._file = KeptFile(folder / FILE, _VERSION, _TABLES)

    def series(self, where: Mapping[str, str], names: Sequence[str], start: int, end: int) -> Table:
        """Rows whose tags equal `where`, with one of the fields `names` at least, in [start, end)
        milliseconds, by time then tags. StoreError where the server does not answer.
        """
        question = json.dumps([sorted(where.items()), list(names)])
        now = int(time.time() * 1000)
        kept = self._kept(question, start, end, now)
        if kept is None:
            # Some more, so that who asks again a little later is answered.
            first = max(start // DAY_MS * DAY_MS - DAY_MS, 0)
            after = LAST_TIME if end > now - DAY_MS else end
            made = self._server.made(first, after)
            table = self._asked(where, names, first, after)
            kept = _Answer(now, first, after, made, table)
            self._keep(question, kept)
        else:
            made = self._server.made(start, end)
            there = {at: one for at, one in kept.made.items() if start <= at < end}
            other = {at for at in made.keys() | there.keys() if made.get(at) != there.get(at)}
            other.update(at for at, (_, done) in made.items() if not done)
            if len(other) > FEW_DAYS or there.keys() - made.keys():  # some were taken away
                return self._anew(question, where, names, start, end)
            if other:
                table = kept.table
                for at in sorted(other):
                    table = _replaced(table, at, self._asked(where, names, at, at + 1))
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
        return self._asked(where, names, start, end)

    def _asked(self, where: Mapping[str, str], names: Sequence[str], start: int, end: int) -> Table:
        return self._server.series(GROUP_DAY, where, instant(start), instant(end), names)

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
                made, times, tags, fields = unpacked_columns(row[3])
                return _Answer(*row[:3], made, Table(times, tags, fields))
        return None

    def _keep(self, question: str, one: _Answer) -> None:
        if len(one.table) > MOST_ROWS:
            return
        once: dict[str, str] = {}
        tags = {
            tag: [once.setdefault(text, text) for text in column]
            for tag, column in one.table.tags.items()
        }
        packed = packed_columns((one.made, one.table.times, tags, one.table.fields))
        values = question, self._identity, one.at_ms, one.start, one.end, packed
        with suppress(NoFileError):
            self._file.write(lambda db: db.execute(_PUT, values).close() or db.execute(_LAST))


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
