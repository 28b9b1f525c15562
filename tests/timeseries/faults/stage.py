"""Where a fault run plays: a writer, its servers and disks, and what can be done to them."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

from farola.settings import StoreSettings
from tests.timeseries.faults.ledger import Account, read
from tests.timeseries.faults.polls import MEASUREMENTS, Point
from tests.timeseries.faults.servers import (
    DATABASE,
    PASSWORD,
    TOKEN,
    USER,
    Gate,
    Influxd,
    Nginx,
    own_address,
    small_disk,
)
from tests.timeseries.faults.writer import Job, send_what_waits, write
from timeseries import SCHEMA
from timeseries.sqlite import SqliteStore
from timeseries.sqlite_check import files, latest_agrees, whole

DIRECT, PROXIED, EMBEDDED = "influxd", "nginx", "sqlite"
SMALL_MB = {EMBEDDED: 6, DIRECT: 24, PROXIED: 24}

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.timeseries.faults.writer"])


class Stage:
    """A writer, its servers and disks; what can befall them."""

    def __init__(self, path: str, seed: int, folder: Path, inside: ExitStack) -> None:
        self.path, self.chance, self._folder = path, Random(seed), folder
        self.inside = inside
        self.home = folder / "home"
        self.disk = folder
        self.gate: Gate | None = None
        self.kills = 0
        self._seed = seed
        self._stop = folder / "stop"
        self._writer: BaseProcess | None = None
        self._address = own_address()
        self._data = folder / "influxd"
        self._influxd: Influxd | None = None
        self._nginx: Nginx | None = None
        inside.callback(self.kill_writer)

    def on_small_disk(self, *, of_server: bool) -> None:
        """Put the data of the server, or the home, on a disk of its own. Before `begin`."""
        self.disk = self.inside.enter_context(
            small_disk(self._folder / "disk", SMALL_MB[self.path] if of_server else 6)
        )
        if of_server and self.path != EMBEDDED:
            self._data = self.disk / "influxd"
        else:
            self.home = self.disk / "home"

    def begin(self, *, gated: bool = False, auth: bool = False) -> None:
        """Start all; mostly, rows flow before anything befalls them."""
        if self.path != EMBEDDED:
            program = _program("influxd")
            self._influxd = Influxd(program, self._data, self._folder, self._address)
            self.inside.callback(self._influxd.kill)
            self._influxd.start()
            self._influxd.prepare(auth=auth)
        if self.path == PROXIED:
            self._nginx = Nginx(_program("nginx"), self._folder / "nginx", self._address)
            self.inside.callback(self._nginx.kill)
            self._nginx.start()
        if gated:
            self.gate = Gate(self._address, 8080 if self.path == PROXIED else 8086)
            self.inside.callback(self.gate.shut)
        self.start_writer()
        if self.path != EMBEDDED and self.chance.random() < 0.8:
            self.until(lambda account: account.sent > 0)

    @property
    def influxd(self) -> Influxd:
        assert self._influxd is not None
        return self._influxd

    def wait(self, least: float, most: float) -> None:
        time.sleep(self.chance.uniform(least, most))

    def start_writer(self) -> None:
        self._writer = _forks.Process(target=write, args=(self._job(),), daemon=True)
        self._writer.start()

    def until(self, seen: Callable[..., bool], at_most_s: float = 3) -> None:
        """Wait until the ledger tells so, not longer than a few seconds."""
        until = time.monotonic() + at_most_s
        while not seen(self.account()) and time.monotonic() < until:
            time.sleep(0.02)

    def until_it_hurts(self) -> None:
        """Wait until a request met the fault, not longer than a few seconds."""
        before = sum(self.account().faults.values())
        self.until(lambda account: sum(account.faults.values()) > before)

    def kill_writer(self) -> None:
        """kill -9."""
        if self._writer is not None:
            self._writer.kill()
            self._writer.join()
            assert self._writer.exitcode in {0, -signal.SIGKILL}, "the writer ended by itself"
            self._writer = None
            self.kills += 1

    def kill_server(self) -> None:
        self.influxd.kill()
        self.kills += 1

    def perhaps_kill_writer(self) -> None:
        """In half of the runs: another writer goes on."""
        if self.chance.random() < 0.5:
            self.kill_writer()
            self.start_writer()

    def front(self, *, most: int) -> None:
        """Start what takes the requests anew, with another limit of their size."""
        if self._nginx is not None:
            self._nginx.start(most=most)
        else:
            self.influxd.start(most=most)

    def finish(self) -> None:
        """Stop the writer, one way or the other, and send what waits.

        On a busy machine none may have lived until its first poll: the last one does.
        """
        self.until(lambda account: bool(account.acknowledged), 30)
        if self.chance.random() < 0.5:
            self.kill_writer()
        elif self._writer is not None:
            self._stop.touch()
            self._writer.join(60)
            assert self._writer.exitcode == 0, f"the writer ended with {self._writer.exitcode}"
        last = _forks.Process(target=send_what_waits, args=(self._job(),), daemon=True)
        last.start()
        last.join(120)
        assert last.exitcode == 0, f"the last writer ended with {last.exitcode}"

    def account(self) -> Account:
        return read(self._job().ledger)

    def points(self) -> list[Point]:
        """All that the store has."""
        if self.path != EMBEDDED:
            return list(self.influxd.points())
        return list(_embedded(SqliteStore(self.home / "series")))

    def _job(self) -> Job:
        if self.path == EMBEDDED:
            store, token = StoreSettings(), ""
        elif self.path == DIRECT:
            url = self.gate.url if self.gate else self.influxd.url
            store = StoreSettings("influx", url, "v1", f"{DATABASE}/autogen", auth="basic")
            token = f"{USER}:{PASSWORD}"
        else:
            assert self._nginx is not None
            url = self.gate.url if self.gate else self._nginx.url
            store = StoreSettings("influx", url, "v2", f"{DATABASE}/autogen")
            token = TOKEN
        return Job(self._seed, self.home, store, token, self._folder / "ledger", self._stop)


def _program(name: str) -> str:
    found = shutil.which(name, path="/usr/bin:/usr/sbin:/usr/local/bin")
    assert found, f"{name} is missing"
    return found


def _embedded(store: SqliteStore) -> Iterator[Point]:
    ever = datetime(2023, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    for finding in (*map(whole, files(store)), *latest_agrees(store)):
        assert finding.ok, finding
    for name in MEASUREMENTS:
        table = store.series(name, {}, *ever)
        for i, at in enumerate(table.times):
            tags = tuple(table.tags[tag][i] for tag in SCHEMA[name].tags)
            values: dict[str, Any] = {k: column[i] for k, column in table.fields.items()}
            yield (name, at, tags), {k: v for k, v in values.items() if v is not None}
    store.close()
