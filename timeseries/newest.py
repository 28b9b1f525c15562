"""The newest row of every device of a city whose rows are on a server, without asking it for all of
them each time: what this home handed over is in a file beside the spool, and of what others wrote
the server tells by the series `poll`, one row a poll, written after all others of that poll.

What is told is what the server has, of all rows that

- this home handed over: they are in the file before they leave the spool. What has waited longer
  than IN_FLIGHT_S may be on the server in part; then the server is asked for all.
- others wrote with a poll: if the server has a poll that the file does not know, its rows are asked
  for; of more than a few, or where one is gone, all.
- anybody wrote otherwise, or took away: within GOOD_FOR_S, after which all is asked for again.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b
from itertools import accumulate

from farola.errors import StoreError
from timeseries.base import SCHEMA, Store, Table
from timeseries.checking import LAST_TIME, Rows, checked_query, to_ms
from timeseries.delivery import unpacked
from timeseries.newest_file import (
    DEVICE,
    KEPT,
    POLL,
    SAYS_POLLED,
    Base,
    NewestFile,
    NoFileError,
    Poll,
    rows_of,
)
from timeseries.read_lines import read_rows, split_lines
from timeseries.spool import Spool
from timeseries.windows import instant

IN_FLIGHT_S = 10.0
GOOD_FOR_S = 3600.0
POLLS_KNOWN_MS = 86_400_000
"""How far back from the last full answer polls of others are looked for."""
FEW_POLLS = 3
MOST_AT_HAND, MOST_ROWS_AT_HAND = 1_000, 100_000
"""Batches, and rows of them, that are kept in memory until the server has them, a poll or two of a
city; of others lines are read."""
_EVER = instant(LAST_TIME)


class Newest:
    """Answers `latest` of devices. Threads may share it."""

    def __init__(self, server: Store, identity: str, spool: Spool) -> None:
        """`identity` tells one server and database from others."""
        self._server, self._identity, self._spool = server, identity, spool
        self._file = NewestFile(spool.folder)
        self._lock = threading.Lock()
        self._at_hand: OrderedDict[bytes, list[Rows]] = OrderedDict()
        self._rows_at_hand = 0

    def spooled(self, body: bytes, rows: list[Rows]) -> None:
        """Remember the rows of KEPT in a batch that is spooled, to save reading its lines."""
        digest = _digest(body)
        with self._lock:
            self._drop(digest)
            self._at_hand[digest] = rows
            self._rows_at_hand += _count(rows)
            while self._rows_at_hand > MOST_ROWS_AT_HAND or len(self._at_hand) > MOST_AT_HAND:
                self._drop(next(iter(self._at_hand)))

    def _drop(self, digest: bytes) -> list[Rows] | None:
        rows = self._at_hand.pop(digest, None)
        self._rows_at_hand -= _count(rows or ())
        return rows

    def handed_over(self, body: bytes, rows: int, whole: bool) -> None:
        """Keep what the server acknowledged of a batch, before it leaves the spool; if it is not
        the `whole` batch, the server is asked for everything next time. Never raises.
        """
        with self._lock:
            kept = self._drop(_digest(body))
        try:
            if not whole:
                self._file.forget()
            elif kept is None:
                kept = [_read(body, rows, name) for name in KEPT]
            if whole and any(one.times for one in kept or ()):
                self._file.add(kept or (), _now_ms() - int(GOOD_FOR_S * 1000))
        except (StoreError, OSError, ValueError):
            # A full disk, perhaps: without a file nobody takes it for complete.
            self.forget()

    def forget(self) -> None:
        """The server may have rows of ours that were given up: it is asked for everything."""
        with suppress(OSError):
            self._file.forget()

    def latest(
        self,
        measurement: str,
        fields: Sequence[str],
        since: datetime | None,
        where: Mapping[str, str] | None,
    ) -> Table:
        """As `Store.latest`; see above for what it may not know yet."""
        if measurement != DEVICE or where:
            return self._server.latest(measurement, fields, since, where)
        _, names, _ = checked_query(measurement, fields, where)
        since_ms = None if since is None else to_ms(since)
        if self._waits_for_long():
            return self._server.latest(measurement, fields, since)
        found = None
        with suppress(NoFileError):
            if (base := self._usable_base()) and self._knows_all_polls(base):
                found = self._file.table(base, names, since_ms)
        return _of(self._asked_anew(), names, since_ms) if found is None else found

    def _waits_for_long(self) -> bool:
        try:
            return self._spool.waits(DEVICE, _now_ms() - int(IN_FLIGHT_S * 1000))
        except StoreError:
            return True

    def _usable_base(self) -> Base | None:
        base, now = self._file.base(), _now_ms()
        if base is None or base.server != self._identity:
            return None
        return base if now - int(GOOD_FOR_S * 1000) <= base.at_ms <= now else None

    def _knows_all_polls(self, base: Base) -> bool:
        """Whether the file has the rows of all polls that the server has, after asking for those of
        a few that it does not. StoreError where the server does not answer.
        """
        known = self._file.polls(base.since_ms)
        there = self._polls(base.since_ms)
        if known == there:
            return True
        handed = self._file.handed()
        new = there - self._file.polls(base.since_ms)  # without those of ours that came meanwhile
        times = sorted({at for at, _ in new})
        if known - there or len(times) > FEW_POLLS:  # some were taken away, or many came
            return False
        for at in times:
            table = self._server.series(DEVICE, {}, instant(at), instant(at + 1))
            polls = {poll for poll in new if poll[0] == at}
            if not self._file.learn(handed, polls, rows_of(table)):
                return False
        return True

    def _asked_anew(self) -> Table:
        """All of the server, and stand on that from now on, if the file can be written and nothing
        is handed over meanwhile.
        """
        handed = None
        with suppress(NoFileError):
            handed = self._file.handed()
        at_ms = _now_ms()
        since_ms = at_ms - POLLS_KNOWN_MS
        # Before the rows: of what is known, all of them are there.
        polls = self._polls(since_ms)
        table = self._server.latest(DEVICE)
        if handed is not None:
            base = Base(self._identity, at_ms, since_ms)
            with suppress(NoFileError):
                self._file.begin(base, handed, polls, rows_of(table))
        return table

    def _polls(self, since_ms: int) -> set[Poll]:
        told = self._server.series(POLL, {}, instant(since_ms), _EVER, (SAYS_POLLED,))
        return set(zip(told.times, told.tags["collector"], strict=True))


def kept_of(raw: Sequence[Rows], lines_at_once: int) -> list[list[Rows]]:
    """The rows of KEPT in each batch, where all lines of `raw` are cut into batches."""
    starts = list(accumulate((len(rows.times) for rows in raw), initial=0))
    found = []
    for first in range(0, starts[-1], lines_at_once):
        after = first + lines_at_once
        found.append([
            rows.part(max(first - start, 0), after - start)
            for rows, start in zip(raw, starts, strict=False)
            if rows.measurement.name in KEPT and start < after and start + len(rows.times) > first
        ])  # fmt: skip
    return found


def _read(body: bytes, rows: int, name: str) -> Rows:
    """The rows of a measurement in a spooled batch."""
    shape = SCHEMA[name]
    found = list(read_rows(split_lines(unpacked(body).decode(), rows), name))
    return Rows(
        shape,
        [row.time for row in found],
        tuple([row.tags[i] for row in found] for i in range(len(shape.tags))),
        {field: [row.fields.get(field) for row in found] for field in shape.fields},
    )


def _of(table: Table, names: Sequence[str], since_ms: int | None) -> Table:
    """What of a table of all fields was asked for."""
    keep = [i for i, at in enumerate(table.times) if since_ms is None or at >= since_ms]
    return Table(
        [table.times[i] for i in keep],
        {tag: [column[i] for i in keep] for tag, column in table.tags.items()},
        {name: [table.fields[name][i] for i in keep] for name in names},
    )


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=32).digest()


def _count(rows: Sequence[Rows]) -> int:
    return sum(len(one.times) for one in rows)


def _now_ms() -> int:
    return int(time.time() * 1000)
