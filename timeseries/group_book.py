"""Which groups a site belonged to, and from when on: `series/groups.db` of a home.

The inventory tells only of now: a neighbourhood drawn anew must not rewrite the hours before, not
even where late rows make one of them again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from timeseries.sqlite_files import LOCK_WAIT_S, named_faults, patiently

FILE_NAME = "groups.db"
_TABLE = """
CREATE TABLE IF NOT EXISTS belongs (
  site TEXT, kind TEXT, since INTEGER, name TEXT NOT NULL, PRIMARY KEY (site, kind, since)
) WITHOUT ROWID
"""
Group = tuple[str, str]


class GroupBook:
    """The groups of sites through time. Raises StoreError where its file cannot be used."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the series."""
        self._path = folder / FILE_NAME

    def learn(self, at_ms: int, groups: Mapping[str, Sequence[Group]]) -> None:
        """Note that sites belong to these groups (kind and id) since `at_ms`, where that differs
        from what was known last. What is said of a site that is not among them stays.
        """
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            known: dict[str, dict[str, str]] = {}
            for site, kind, name in connection.execute(
                "SELECT site, kind, name FROM belongs ORDER BY site, kind, since"
            ):
                known.setdefault(site, {})[kind] = name
            new = []
            for site, told in groups.items():
                now, before = dict(told), known.get(site, {})
                if now == before:
                    continue
                new += [
                    (site, kind, at_ms, now.get(kind, ""))
                    for kind in now.keys() | before.keys()
                    if now.get(kind, "") != before.get(kind)
                ]
            connection.executemany("INSERT OR REPLACE INTO belongs VALUES (?, ?, ?, ?)", new)
            connection.execute("COMMIT")

    def at(self, at_ms: int) -> dict[str, list[Group]]:
        """The groups of each site at `at_ms`; before anything was known of it, its first ones."""
        last: dict[tuple[str, str], str] = {}
        with self._opened() as connection:
            for site, kind, since, name in connection.execute(
                "SELECT site, kind, since, name FROM belongs ORDER BY site, kind, since"
            ):
                if since <= at_ms or (site, kind) not in last:
                    last[site, kind] = name
        groups: dict[str, list[Group]] = {}
        for (site, kind), name in last.items():
            of_site = groups.setdefault(site, [])
            if name:
                of_site.append((kind, name))
        return groups

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with named_faults(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(
                sqlite3.connect(self._path, timeout=LOCK_WAIT_S, isolation_level=None)
            ) as connection:
                patiently(lambda: connection.execute("PRAGMA journal_mode=WAL").close())
                connection.execute("PRAGMA synchronous=FULL")
                patiently(lambda: connection.execute(_TABLE).close())
                yield connection
