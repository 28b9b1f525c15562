"""The production store: InfluxDB 1.x, 2.x or 3, through influxdb-client.

Written as line protocol (to `/api/v2/write`, or `/write` where `[store] api` is `v1`), read with
InfluxQL over `/query`: the one pair that all versions share.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from farola.errors import StoreError
from farola.settings import StoreSettings
from timeseries.asking import checked_question
from timeseries.base import SCHEMA, Aggregate, Batch, Health, Measurement, Table
from timeseries.checking import checked, checked_query, to_ms
from timeseries.delivery import EXPIRED
from timeseries.influx_figures import figures
from timeseries.influx_http import FIGURES_MS, GZIP, RefusedError, Server
from timeseries.influx_latest import latest_rows
from timeseries.influx_setup import PROBE, prepare
from timeseries.influx_versions import works_there
from timeseries.influxql import columns, condition, flat, to_table
from timeseries.kept_days import GROUP_DAY, Made
from timeseries.lines import bodies, measurement_of

__all__ = ["InfluxStore", "prepare"]

MADE = "group_day_made"
"""Marks on the days of groups, one row a day without tags; no measurement that people ask for."""


class InfluxStore:
    """The `Store` on an InfluxDB server. Nothing is connected before the first call."""

    def __init__(
        self,
        settings: StoreSettings,
        token: str = "",
        renew: Callable[[], str] | None = None,
        *,
        hasty: bool = False,
    ) -> None:
        """`token` signs in; with `auth = "basic"` it is `user:password`; `renew` reads it anew
        where the server refuses it. With `hasty` a server that hangs is given up after seconds.
        """
        self._server = Server(settings, token, renew, hasty=hasty)
        self.database = self._server.database

    def write(self, batches: Sequence[Batch]) -> int:
        """Send all rows in requests of at most 5,000; on return the server has acknowledged all.

        Raises StoreError; what was acknowledged by then stays, and writing the same again is
        harmless.
        """
        kept = [checked(batch) for batch in batches]
        days = {at for rows in kept if rows.measurement.name == GROUP_DAY for at in rows.times}
        with self.making(days):
            for body in bodies(kept):
                self._server.write(body, self._bucket_of(body[:200]))
        return sum(len(rows.times) for rows in kept)

    @contextmanager
    def making(self, days: Collection[int]) -> Iterator[None]:
        """Around writing rows of GROUP_DAY of these times (milliseconds): who keeps such rows sees
        that others come. After an error the days stay marked as not done. Raises StoreError.
        """
        number = secrets.randbits(62)
        if days:
            self._mark_days(days, f"version={number}i,done=false")
        yield
        if days:
            self._mark_days(days, f"version={number}i,done=true")

    def _mark_days(self, days: Collection[int], told: str) -> None:
        body = "\n".join(f"{MADE} {told} {day}" for day in sorted(days))
        try:
            self._server.write(body.encode(), self._server.rollup_bucket)
        except RefusedError as error:
            if not EXPIRED.search(str(error)):  # then it takes no rows of those days either
                raise

    def made(self, start_ms: int, end_ms: int) -> dict[int, Made]:
        """By the time of a day of groups its mark, in [start, end) milliseconds. StoreError."""
        statement = f'SELECT version, done FROM "{MADE}"{condition({}, start_ms, end_ms)}'  # noqa: S608 - ours
        found: dict[int, Made] = {}
        for one in self._server.query(statement, self._server.rollup_bucket):
            found |= {at: (number, bool(done)) for at, number, done in one["values"]}
        return found

    def send(self, body: bytes, gzipped: bool = False, *, patient: bool = False) -> None:
        """Send line protocol as `timeseries.lines.bodies` makes it, to the bucket of its rows; on
        return the server has acknowledged it. Once, unless `patient`: the sender tries again.

        Raises
        ------
        RefusedError
            The server answered, and not with success; a StoreError with `status`.
        StoreError
            It did not answer.
        """
        start = zlib.decompressobj(GZIP).decompress(body, 200) if gzipped else body[:200]
        self._server.write(body, self._bucket_of(start), gzipped, once=not patient)

    def sign_in_again(self) -> bool:
        """Read the credential anew; whether it is another one, which is used from now on."""
        return self._server.sign_in_again()

    def latest(
        self,
        measurement: str,
        fields: Sequence[str] = (),
        since: datetime | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Table:
        """For each combination of tags its newest row (not older than `since`), by tags."""
        shape, names, tags = checked_query(measurement, fields, where)
        query = partial(self._server.query, bucket=self._bucket(shape))
        newest = latest_rows(query, shape, tags, to_ms(since) if since else None)
        width = 1 + len(shape.tags) + len(shape.fields)
        found = [list(column) for column in zip(*newest, strict=True)] or [[]] * width
        return _picked(to_table(shape, list(shape.fields), found, by_time=False), names)

    def series(
        self,
        measurement: str,
        where: Mapping[str, str],
        start: datetime,
        end: datetime,
        fields: Sequence[str] = (),
    ) -> Table:
        """Rows whose tags equal `where`, by time then tags."""
        shape, names, tags = checked_query(measurement, fields, where)
        statement = flat(shape, names, tags, condition(tags, to_ms(start), to_ms(end)))
        answer = self._server.query(statement, self._bucket(shape))
        return to_table(shape, names, columns(shape, names, answer, tags), by_time=True)

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
        """Figures of the rows in each window, by the server; see `Store.aggregates`."""
        question = checked_question(
            measurement, of, start, end, by=by, every_s=every_s, where=where
        )
        bucket = self._bucket(question.shape)
        return figures(partial(self._server.query, bucket=bucket, wait_ms=FIGURES_MS), question)

    def ask(self, statement: str, measurement: Measurement) -> list[dict[str, Any]]:
        """The series that an InfluxQL statement answers with, from that measurement's bucket."""
        return self._server.query(statement, self._bucket(measurement), FIGURES_MS)

    def health(self) -> Health:
        """Version, what works there, and whether we may write to and read the buckets."""
        try:
            version = self._server.version()
            for bucket in dict.fromkeys((self._server.bucket, self._server.rollup_bucket)):
                self._server.try_write(bucket)
                self._server.query(PROBE, bucket)
        except StoreError as error:
            return Health(False, "influx", str(error))
        works = works_there(version)
        return Health(True, "influx", f"InfluxDB {version}, {self._server.described()}; {works}")

    def close(self) -> None:
        """Close the connections to the server."""
        self._server.close()

    def _bucket_of(self, start: bytes) -> str:
        shape = SCHEMA.get(measurement_of(start))
        return self._bucket(shape) if shape else self._server.bucket

    def _bucket(self, shape: Measurement) -> str:
        return self._server.rollup_bucket if shape.is_rollup else self._server.bucket


def _picked(table: Table, names: Sequence[str]) -> Table:
    return Table(table.times, table.tags, {name: table.fields[name] for name in names})
