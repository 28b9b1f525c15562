"""Looks through the embedded store: each file whole, and the newest rows where they must be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from farola.errors import StoreError
from timeseries.base import SCHEMA, Measurement, Table
from timeseries.findings import Finding
from timeseries.sqlite import SqliteStore
from timeseries.sqlite_files import LATEST, reading, size_of
from timeseries.tables import columns, quoted
from timeseries.windows import instant

COMMIT_S = 2.0
MOST_TOLD = 3
"""Faults of one file that are told."""


def files(store: SqliteStore) -> list[Path]:
    """The databases in the store's folder."""
    return sorted(path for path in store.folder.glob("*.db") if path.is_file())


def whole(path: Path) -> Finding:
    """SQLite's own quick check of one file; polls go on meanwhile."""
    size = f"{size_of(path) / 1e6:,.1f} MB"
    try:
        with reading(path) as connection:
            if connection is None:
                return Finding(path.name, True, "forgotten meanwhile")
            query = f"PRAGMA quick_check({MOST_TOLD})"
            told = [str(line) for (line,) in connection.execute(query)]
    except StoreError as error:
        return Finding(path.name, False, str(error))
    if told == ["ok"]:
        return Finding(path.name, True, f"{size}, whole")
    faults = " | ".join(" ".join(line.split()) for line in told)
    return Finding(path.name, False, f"{path}: {faults}; restore it from a backup")


def strays(store: SqliteStore) -> list[Finding]:
    """Logs of SQLite's that lie beside no database: rows are in them that nothing reads."""
    lone = [
        path
        for path in store.folder.glob("*.db-wal")
        if not path.with_name(path.name.removesuffix("-wal")).exists() and size_of(path)
    ]
    return [
        Finding(path.name, False, f"{path} has lost its database: restore that from a backup")
        for path in lone
    ]


def latest_agrees(store: SqliteStore) -> Iterator[Finding]:
    """Whether `latest.db` has, for each raw measurement, the rows of the newest time in the raw
    files, and none that are newer; each fault that hinders telling so, once.
    """
    told = set()
    for shape in SCHEMA.values():
        if shape.is_rollup:
            continue
        try:
            finding = _latest_agrees(store, shape)
        except StoreError as error:
            finding = None
            if str(error) not in told:
                yield Finding(f"latest {shape.name}", False, f"cannot be compared: {error}")
            told.add(str(error))
        if finding:
            yield finding


def _latest_agrees(store: SqliteStore, shape: Measurement) -> Finding | None:
    what = f"latest {shape.name}"
    ahead = _newest(store.folder / LATEST, shape)
    newest = max(
        (at for _, path in store.days() if (at := _newest(path, shape)) is not None),
        default=None,
    )
    if newest is None:
        if ahead is None:
            return None
        return Finding(what, False, f"rows of {instant(ahead):%F %T} UTC are in no raw file")
    if ahead is not None and ahead > newest:
        return Finding(
            what, False,
            f"latest.db has rows of {instant(ahead):%F %T} UTC, the raw files end at "
            f"{instant(newest):%F %T}: a raw file is missing, restore it from a backup",
        )  # fmt: skip
    raw = store.series(shape.name, {}, instant(newest), instant(newest) + timedelta(milliseconds=1))
    behind, differing = _compared(raw, store.latest(shape.name, since=instant(newest)), newest)
    if behind or differing:
        # A poll's rows are committed to the raw file a moment before they are to `latest.db`.
        time.sleep(COMMIT_S)
        behind, differing = _compared(raw, store.latest(shape.name, since=instant(newest)), newest)
    if behind or differing:
        return Finding(
            what, False,
            f"of {len(raw):,} rows of {instant(newest):%F %T} UTC latest.db lacks {behind:,} and "
            f"has {differing:,} otherwise: the next poll of these devices puts it right",
        )  # fmt: skip
    return Finding(what, True, f"all {len(raw):,} rows of {instant(newest):%F %T} UTC")


def _compared(raw: Table, latest: Table, at: int) -> tuple[int, int]:
    """How many rows of `raw`, all of the time `at`, are not in `latest`, and how many otherwise.

    `latest` is read after them: what a poll writes meanwhile is newer, never missing.
    """
    known = {
        key: (moment, values)
        for key, moment, values in zip(
            zip(*latest.tags.values(), strict=True),
            latest.times,
            zip(*latest.fields.values(), strict=True),
            strict=True,
        )
    }
    behind = differing = 0
    keys, rows = zip(*raw.tags.values(), strict=True), zip(*raw.fields.values(), strict=True)
    for key, values in zip(keys, rows, strict=True):
        moment, kept = known.get(key, (0, ()))
        behind += moment < at
        differing += moment == at and kept != values
    return behind, differing


def _newest(path: Path, shape: Measurement) -> int | None:
    """The newest time that a file has of the measurement, if any."""
    with reading(path) as connection:
        if connection is None or not columns(connection, shape):
            return None
        query = f'SELECT max("time") FROM {quoted(shape.name)}'  # noqa: S608 - of the schema
        (newest,) = connection.execute(query).fetchone()
        return None if newest is None else int(newest)
