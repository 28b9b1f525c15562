"""The two ends of `farola store copy`: which stores they are, from when to when they have rows, and
how rows get into them.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from farola.errors import InputError, StoreError
from farola.settings import Settings, StoreSettings
from timeseries.base import SCHEMA, Batch, Measurement
from timeseries.checking import Rows, checked
from timeseries.delivery import Delivery, packed
from timeseries.influx import InfluxStore
from timeseries.influxql import rows as rows_of
from timeseries.influxql import select
from timeseries.kept_days import GROUP_DAY
from timeseries.lines import CHUNK_LINES, bodies
from timeseries.opening import stored_token
from timeseries.sqlite import SqliteStore
from timeseries.sqlite_files import DAY_MS, ROLLUPS, reading
from timeseries.tables import columns, quoted

CITY, SQLITE, INFLUX = "city", "sqlite", "influx"


@dataclass
class Kept:
    """What became of rows that were written: how many the destination took no longer, being older
    than it keeps, and how many it refused, with its first reason.
    """

    expired: int = 0
    refused: int = 0
    reason: str = ""


@dataclass
class Place:
    """A store at one end of a copy, written to and read from directly."""

    name: str
    store: SqliteStore | InfluxStore
    series: Path
    """Where its marks lie, and the groups of its sites."""
    state: Path
    """The folder for what is known of a copy into it that is not finished."""
    identity: str = field(repr=False)

    def write(self, batch: Batch) -> Kept:
        """Keep the rows of `batch`. Raises StoreError."""
        kept = Kept()
        for one in _acceptable(batch, kept):
            if isinstance(self.store, SqliteStore):
                self.store.write([one])
            else:
                days = one.times if one.measurement == GROUP_DAY else ()
                with self.store.making(set(days)):
                    _deliver(self.store, checked(one), kept)
        return kept

    def days(self, measurement: str) -> list[int]:
        """The UTC days (since 1970) that may have rows of it, oldest first. Raises StoreError."""
        shape = SCHEMA[measurement]
        if isinstance(self.store, InfluxStore):
            ends = [_edge(self.store, shape, order) for order in ("ASC", "DESC")]
        elif not shape.is_rollup:
            return [day for day, _ in self.store.days()]
        else:
            ends = _ends(self.store.folder / ROLLUPS, shape)
        known = [end for end in ends if end is not None]
        return list(range(known[0] // DAY_MS, known[-1] // DAY_MS + 1)) if known else []

    def stamp(self, measurement: str, day: int) -> object:
        """Something that changes when rows of that day are written; None where nothing tells."""
        if not isinstance(self.store, SqliteStore):
            return None
        path = dict(self.store.days()).get(day)
        if SCHEMA[measurement].is_rollup:
            path = self.store.folder / ROLLUPS
        files = [path, path.with_name(path.name + "-wal")] if path else []
        return [(p.stat().st_size, p.stat().st_mtime_ns) for p in files if p.exists()]


def place(text: str, settings: Settings, given: dict[str, str]) -> Place:
    """The place that `text` names: `city`, `sqlite`, `sqlite:FOLDER` or `influx`, which is what the
    settings say of InfluxDB, but for what is `given`.

    Raises InputError, StoreError, and what `opening.stored_token` does.
    """
    kind, _, folder = text.partition(":")
    series = settings.home / "series"
    if kind == CITY and not folder:
        kind, given = settings.store.kind, {}
    if kind == SQLITE:
        chosen = Path(folder).expanduser().absolute() if folder else series
        where = chosen.resolve()
        return Place(f"sqlite:{chosen}", SqliteStore(chosen), chosen, chosen, f"sqlite:{where}")
    if kind != INFLUX or folder:
        raise InputError(f"{text!r} is no store: write city, sqlite, sqlite:FOLDER or influx")
    store: StoreSettings = replace(settings.store, kind=INFLUX, **given)  # type: ignore[arg-type]  # all of them are text
    if not store.url:
        raise InputError("influx: which server? give --influx http://HOST:8086")
    opened = InfluxStore(store, stored_token(replace(settings, store=store)))
    name = f"influx:{store.url.rstrip('/')} {store.bucket}"
    return Place(name, opened, series, settings.home / "copies", f"{name} {store.org}")


def state_path(source: Place, to: Place) -> Path:
    """Where it is kept how far a copy got."""
    digest = hashlib.sha256(f"{source.identity}\0{to.identity}".encode()).hexdigest()
    return to.state / f".copy-{digest[:16]}.json"


def _acceptable(batch: Batch, kept: Kept) -> list[Batch]:
    """The rows of `batch` that stores take today: others may have been kept by an older Farola."""
    try:
        checked(batch)
    except StoreError as error:
        if len(batch.times) == 1:
            kept.refused += 1
            kept.reason = kept.reason or str(error)
            return []
        half = len(batch.times) // 2
        halves = _taken(batch, slice(half)), _taken(batch, slice(half, None))
        return [one for part in halves for one in _acceptable(part, kept)]
    return [batch]


def _taken(batch: Batch, part: slice) -> Batch:
    return Batch(
        batch.measurement,
        batch.times[part],
        {name: column[part] for name, column in batch.tags.items()},
        {name: column[part] for name, column in batch.fields.items()},
    )


def _deliver(store: InfluxStore, rows: Rows, kept: Kept) -> None:
    delivery, left = Delivery(partial(store.send, patient=True)), len(rows.times)
    for body in bodies([rows]):
        outcome = delivery.deliver(packed(body), min(left, CHUNK_LINES))
        left -= CHUNK_LINES
        kept.expired += outcome.expired
        kept.refused += len(outcome.rejected)
        if outcome.rejected:
            kept.reason = kept.reason or outcome.rejected[0][1]


def _edge(store: InfluxStore, shape: Measurement, order: str) -> int | None:
    """The time of the first or the last row that an InfluxDB server has."""
    fields = list(shape.fields)
    statement = select(shape, fields, "").rpartition(" GROUP BY ")[0]
    answer = store.ask(f"{statement} ORDER BY time {order} LIMIT 1", shape)
    found = [one | {"tags": {}} for one in answer]
    return int(rows_of(shape, fields, found)[0][0]) if found else None


def _ends(path: Path, shape: Measurement) -> list[int | None]:
    with reading(path) as connection:
        if connection is None or not columns(connection, shape):
            return []
        query = f"SELECT min(time), max(time) FROM {quoted(shape.name)}"  # noqa: S608 - of SCHEMA
        with closing(connection.execute(query)) as cursor:
            return list(cursor.fetchone())
