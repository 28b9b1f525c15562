"""The store on a server as Farola uses it: what is written is on this machine's disk at once and
sent from there, so that nothing is lost while the server is away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from farola.errors import StoreError
from farola.output import note
from timeseries.base import SCHEMA, Aggregate, Batch, Health, Store, Table, newest_of
from timeseries.checking import Rows, checked, checked_query, to_ms
from timeseries.delivery import packed, unpacked
from timeseries.kept_days import GROUP_DAY, KeptDays, Made, is_of_many_groups
from timeseries.lines import CHUNK_LINES, lines
from timeseries.marks import ROLLED_UP
from timeseries.newest import Newest, kept_of
from timeseries.read_lines import Row, read_rows, split_lines
from timeseries.sender import Marking, Sender, Tell, counted
from timeseries.spool import Spool
from timeseries.spool_file import QUARTER_MS, Backlog, Packed
from timeseries.windows import instant

CLOSE_S = 5.0
"""How long `close` waits for what waits."""
PATIENCE_S = 20.0
"""How long a poll waits for a server to tell of the poll before."""


class Server(Store, Protocol):
    """A store that takes line protocol as it is."""

    def send(self, body: bytes, gzipped: bool) -> None:
        """Hand over a body; on return the server has it. RefusedError, StoreError."""
        ...

    def sign_in_again(self) -> bool:
        """Read the credential anew; whether it is another one."""
        ...

    def made(self, start_ms: int, end_ms: int) -> dict[int, Made]:
        """By the time of a day of groups its mark, in [start, end) milliseconds. StoreError."""
        ...


class SpooledStore:
    """The `Store` on a server, behind a spool on disk."""

    def __init__(
        self,
        server: Server,
        folder: Path,
        most_bytes: int,
        *,
        marking: Marking = lambda _times: nullcontext(),
        tell: Tell = lambda _kind, _text: None,
        identity: str = "",
    ) -> None:
        """`folder` is the spool's. `marking` is held around sending raw rows of these times; `tell`
        is told what people should know. With `identity`, which tells one server and its database
        from others, newest rows are kept on disk. Nothing is made or connected before the first
        call.
        """
        self.server = server
        self.spool = Spool(folder, most_bytes)
        self._newest = Newest(server, identity, self.spool) if identity else None
        self._days = (
            KeptDays(server.made, self._ask_days, identity, folder / "days.db")
            if identity
            else None
        )
        taken = [self._newest.handed_over] if self._newest else []
        self.sender = Sender(self.spool, server.send, marking, tell, *taken)
        """It tries again by itself, so `server.send` should not."""
        self._asking: threading.Thread | None = None

    def write(self, batches: Sequence[Batch]) -> int:
        """Keep all rows; on return they are on disk, and on their way to the server.

        Rollups go to the server at once: they can be made again. Raises StoreError.
        """
        kept = [rows for rows in map(checked, batches) if rows.times]
        rollups = [one for one in batches if SCHEMA[one.measurement].is_rollup]
        raw = [rows for rows in kept if not rows.measurement.is_rollup]
        if rollups:
            self.server.write(rollups)
        if raw:
            packed_up = list(_packed(raw))
            if self._newest:
                for one, rows in zip(packed_up, kept_of(raw, CHUNK_LINES), strict=True):
                    self._newest.spooled(one.body, rows)
            dropped = self.spool.add(packed_up)
            self.sender.start()
            self.sender.wake()
            if dropped.rows:
                if self._newest:
                    self._newest.forget()
                self.sender.say(
                    "store.dropped",
                    f"the spool is full: the {dropped.rows:,} oldest rows that waited for the "
                    "server are lost; bring the server back, or raise [store] spool_gb",
                )
        return sum(len(rows.times) for rows in kept)

    def latest(
        self,
        measurement: str,
        fields: Sequence[str] = (),
        since: datetime | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Table:
        """What the server has; see `Store`. Of all devices that costs it little where the newest
        rows are kept on disk: see `timeseries.newest`.
        """
        if self._newest:
            return self._newest.latest(measurement, fields, since, where)
        return self.server.latest(measurement, fields, since, where)

    def series(
        self,
        measurement: str,
        where: Mapping[str, str],
        start: datetime,
        end: datetime,
        fields: Sequence[str] = (),
    ) -> Table:
        """What the server has; see `Store`. Days of many groups cost it little where they were told
        before: see `timeseries.kept_days`.
        """
        if self._days and is_of_many_groups(measurement, where):
            _, names, tags = checked_query(measurement, fields, where)
            return self._days.series(tags, names, to_ms(start), to_ms(end))
        return self.server.series(measurement, where, start, end, fields)

    def _ask_days(
        self, where: Mapping[str, str], names: Sequence[str], start: int, end: int
    ) -> Table:
        return self.server.series(GROUP_DAY, where, instant(start), instant(end), names)

    def aggregates(
        self,
        measurement: str,
        of: Mapping[str, Aggregate],
        start: datetime,
        end: datetime,
        *,
        by: Sequence[str] = (),
        every_s: int = 0,
        where: Mapping[str, str] | None = None,
    ) -> Table:
        """What the server has; see `Store`."""
        return self.server.aggregates(
            measurement, of, start, end, by=by, every_s=every_s, where=where
        )

    def health(self) -> Health:
        """How the server is, and how much waits for it."""
        told = self.server.health()
        try:
            waiting = self.spool.backlog().rows
        except StoreError as error:
            return Health(False, told.kind, f"{told.detail}; {error}")
        more = f"; {waiting:,} rows wait in the spool" if waiting else ""
        return Health(told.ok, told.kind, told.detail + more)

    def backlog(self) -> Backlog:
        """What waits for the server, what was lost, and what hinders."""
        found = self.spool.backlog()
        return replace(found, fault=self.sender.fault) if self.sender.fault else found

    def sign_in_again(self) -> bool:
        """Read the server's credential anew; whether it is another one. What waits is tried at once
        then.
        """
        changed = self.server.sign_in_again()
        if changed:
            self.sender.try_again()
        return changed

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is sent, not longer than this; whether all is."""
        if self.spool.exists() and self.spool.backlog().rows:
            self.sender.start()
            self.sender.wake()
            return self.sender.wait_until_sent(timeout_s, while_it_fails=True)
        return True

    def waiting_latest(
        self, measurement: str, fields: Sequence[str] = (), since: datetime | None = None
    ) -> Table:
        """For each combination of tags its newest row among those that wait and the newest poll
        that was sent. What was polled longer ago than a poll that told nothing new is not looked
        for.
        """
        shape, names, _ = checked_query(measurement, fields, None)
        newest: dict[tuple[str, ...], Row] = {}
        of_poll, grew = None, True
        since_ms = to_ms(since) if since else 0
        for last_ms, rows, body in self.spool.newest_first(measurement, since_ms):
            if last_ms != of_poll:
                if not grew:
                    break
                of_poll, grew = last_ms, False
            for row in read_rows(split_lines(unpacked(body).decode(), rows), measurement):
                known = newest.get(row.tags)
                grew = grew or known is None
                if row.time >= since_ms and (known is None or row.time > known.time):
                    newest[row.tags] = row
        found = [newest[tags] for tags in sorted(newest)]
        return Table(
            [row.time for row in found],
            {name: [row.tags[i] for row in found] for i, name in enumerate(shape.tags)},
            {name: [row.fields.get(name) for row in found] for name in names},
        )

    def newest(
        self, measurement: str, fields: Sequence[str] = (), since: datetime | None = None
    ) -> Table:
        """As `latest`, with what waits; of what waits alone where the server is away or does not
        answer within PATIENCE_S. Raises StoreError where the spool cannot be read.
        """
        waiting = self.waiting_latest(measurement, fields, since)
        if self.sender.fault:
            return waiting
        told = self._patiently(lambda: self.server.latest(measurement, fields, since))
        return newest_of(told, waiting) if told is not None else waiting

    def close(self) -> None:
        """Wait a little for what waits, and say what is left: the next process sends it."""
        if self.sender.started:
            try:
                if not self.sender.wait_until_sent(CLOSE_S, while_it_fails=False):
                    left = self.spool.backlog().rows
                    note(f"{counted(left)} in {self.spool.path}: still to be sent")
            except StoreError as error:
                note(f"farola: {error}")
        if self.sender.stop(CLOSE_S):
            self.spool.close()
            self.server.close()

    def _patiently(self, ask: Callable[[], Table]) -> Table | None:
        """What the server answers, None where it does not in time. One question at a time is
        asked, so that a server that hangs does not gather threads.
        """
        if self._asking is not None and self._asking.is_alive():
            return None
        answer: list[Table] = []

        def work() -> None:
            try:
                answer.append(ask())
            except StoreError:
                return

        self._asking = threading.Thread(target=work, name="store reader", daemon=True)
        self._asking.start()
        self._asking.join(PATIENCE_S)
        return answer[0] if answer else None


def newest_known(
    store: Store, measurement: str, fields: Sequence[str], since: datetime | None
) -> Table:
    """The newest row of each combination of tags that this machine can know of: `latest`, and
    what waits in the spool. For what goes on while the server is away.
    """
    if isinstance(store, SpooledStore):
        return store.newest(measurement, fields, since)
    return store.latest(measurement, fields, since)


def signed_in_again(store: Store) -> bool:
    """Read the credential of the store's server anew, if it has one; whether it is another one."""
    return isinstance(store, SpooledStore) and store.sign_in_again()


def rows_waiting(store: Store) -> int:
    """How many rows wait for the store's server; none for a store without one."""
    return store.backlog().rows if isinstance(store, SpooledStore) else 0


def rows_left(store: Store) -> int:
    """How many rows still wait after a while, or once the server is found to be away."""
    if isinstance(store, SpooledStore) and store.sender.started:
        store.sender.wait_until_sent(CLOSE_S, while_it_fails=False)
    return rows_waiting(store)


def _packed(batches: Sequence[Rows]) -> Iterator[Packed]:
    """`batches` as they are spooled: at most CHUNK_LINES lines each."""
    every = [line for rows in batches for line in lines(rows)]
    starts = [*accumulate((len(rows.times) for rows in batches), initial=0)]
    for first in range(0, len(every), CHUNK_LINES):
        after = first + CHUNK_LINES
        stamps = {
            (rows.measurement.name, time)
            for rows, start in zip(batches, starts, strict=False)
            if start < after
            for time in set(rows.times[max(first - start, 0) : after - start])
        }
        yield pack(every[first:after], stamps)


def pack(some: Sequence[str], stamps: Iterable[tuple[str, int]]) -> Packed:
    """Lines as they are spooled; `stamps` are their measurements and times."""
    distinct = set(stamps)
    quarters = {time // QUARTER_MS for name, time in distinct if name in ROLLED_UP}
    return Packed(
        packed("\n".join(some).encode()),
        len(some),
        min(time for _, time in distinct),
        max(time for _, time in distinct),
        tuple(sorted(quarters)),
        tuple(sorted({name for name, _ in distinct})),
    )
