"""The production store: InfluxDB 1.x, 2.x or 3, through influxdb-client.

Written as line protocol (to `/api/v2/write`, or `/write` where `[store] api` is `v1`), read with
InfluxQL over `/query`: the one pair that all versions share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from farola.errors import StoreError
from farola.settings import Settings, StoreSettings
from timeseries.base import Batch, Health, Table
from timeseries.checking import (
    checked,
    checked_query,
    to_ms,
)
from timeseries.influx_http import Server
from timeseries.influxql import newest, quoted, select, to_table
from timeseries.lines import bodies

PROBE = 'SELECT "devices" FROM "poll" WHERE time >= now() - 1h LIMIT 1'
"""Fails where the database is missing or we may not read it (1.6 answers SHOW with nothing)."""


class InfluxStore:
    """The `Store` on an InfluxDB server. Nothing is connected before the first call."""

    def __init__(self, settings: StoreSettings, token: str = "") -> None:
        """`token` signs in; with `auth = "basic"` it is `user:password`."""
        self._server = Server(settings, token)
        self.database = self._server.database

    def write(self, batches: Sequence[Batch]) -> int:
        """Send all rows in requests of at most 5,000; on return the server has acknowledged all.

        Raises StoreError; what was acknowledged by then stays, and writing the same again is
        harmless.
        """
        kept = [checked(batch) for batch in batches]
        for body in bodies(kept):
            self._server.write(body)
        return sum(len(rows.times) for rows in kept)

    def latest(
        self,
        measurement: str,
        fields: Sequence[str] = (),
        since: datetime | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Table:
        """For each combination of tags its newest row (not older than `since`), by tags."""
        shape, names, tags = checked_query(measurement, fields, where)
        # All fields are asked for, as InfluxQL skips rows that have none of those named.
        statement = select(shape, list(shape.fields), tags, to_ms(since) if since else None)
        return to_table(shape, names, self._server.query(newest(statement)), by_time=False)

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
        statement = select(shape, names, tags, to_ms(start), to_ms(end))
        return to_table(shape, names, self._server.query(statement), by_time=True)

    def health(self) -> Health:
        """The server's version, and whether it lets us write to and read this database."""
        try:
            version = self._server.version()
            self._server.try_write()
            self._server.query(PROBE)
        except StoreError as error:
            return Health(False, "influx", str(error))
        return Health(True, "influx", f"InfluxDB {version}, {self._server.described()}")

    def close(self) -> None:
        """Close the connections to the server."""
        self._server.close()


def prepare(settings: Settings, token: str = "") -> str:
    """Create the database that `[store] bucket` names; return one line saying what was done.

    On InfluxDB 1.x `CREATE DATABASE` and, unless it is `autogen`, a retention policy that keeps
    rows for ever; both change nothing where they exist. InfluxDB 3 makes a database at the first
    write. InfluxDB 2.x needs an operator's token, which Farola does not hold: the error names the
    command to run. Of these only 1.6.7 was run.

    Raises
    ------
    StoreError
        The server cannot be reached, refuses, or is one where a person has to do it.
    """
    server = Server(settings.store, token)
    try:
        version = server.version()
        if version.startswith("3"):
            return f"InfluxDB {version} makes {server.database} at the first write"
        if version.startswith("2"):
            try:
                server.query(PROBE)
            except StoreError as error:
                raise StoreError(
                    f"{error}; on InfluxDB 2 run `influx bucket create --name "
                    f"{settings.store.bucket}` and `influx v1 dbrp create --db {server.database} "
                    f"--rp {server.policy or 'autogen'} --default --bucket-id ID`"
                ) from None
            return f"InfluxDB {version} has {settings.store.bucket}"
        database = quoted(server.database)
        server.command(f"CREATE DATABASE {database}")
        if server.policy not in {"", "autogen"}:
            server.command(
                f"CREATE RETENTION POLICY {quoted(server.policy)} ON {database} "
                "DURATION INF REPLICATION 1"
            )
        return f"InfluxDB {version}: {server.described()} is ready"
    finally:
        server.close()
