"""A spool whose sender is run by hand, before a server in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from farola.errors import StoreError
from timeseries import Batch, Table
from timeseries.delivery import unpacked
from timeseries.read_lines import read_rows
from timeseries.spooled import SpooledStore

Rows = dict[tuple[str, int], dict[str, Any]]


class Remembering:
    """A server in memory: keeps rows as stores do, says what it is told to say."""

    def __init__(self) -> None:
        self.rows: Rows = {}
        self.bodies: list[list[str]] = []
        self.away = False

    def send(self, body: bytes, gzipped: bool) -> None:
        if self.away:
            raise StoreError("the server is away")
        text = (unpacked(body) if gzipped else body).decode()
        made = text.split("\n")
        self.bodies.append(made)
        for row in read_rows(made, "device"):
            self.rows.setdefault((row.tags[0], row.time), {}).update(row.fields)

    def latest(self, *_args: object) -> Table:
        raise StoreError("the server is away")

    def close(self) -> None:
        """Nothing is open."""


def poll(at_ms: int, clients: int, *devices: str) -> Batch:
    names = list(devices or ("ap-1",))
    return Batch(
        "device", [at_ms] * len(names), {"device": names}, {"clients": [clients] * len(names)}
    )


def spooled(folder: Path, most_bytes: int = 10**9) -> tuple[SpooledStore, Remembering]:
    """A store whose sender is run by hand (`store.sender.turn()`)."""
    server = Remembering()
    store = SpooledStore(server, folder, most_bytes)  # type: ignore[arg-type]  # what is used of one
    store.sender.start = lambda: None  # type: ignore[method-assign]
    return store, server


def sent_times(server: Remembering) -> list[int]:
    return [int(line.rpartition(" ")[2]) for body in server.bodies for line in body]


def grow_old(store: SpooledStore) -> None:
    """What waits was made long ago."""
    with store.spool._writing() as db:
        db.execute("UPDATE batch SET made_ms = 1")
