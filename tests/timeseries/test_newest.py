"""The newest rows kept beside the spool: whatever two homes write, in whatever order it arrives,
what is told is what the server has, and it is seldom asked for all.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farola.errors import StoreError
from timeseries import SCHEMA, Batch, Table, newest, newest_file, spooled
from timeseries.delivery import unpacked
from timeseries.influx import InfluxStore
from timeseries.influx_http import RefusedError
from timeseries.newest_file import FILE
from timeseries.read_lines import read_rows, split_lines
from timeseries.spooled import SpooledStore
from timeseries.sqlite import SqliteStore

START = int(time.time() * 1000) // 60_000 * 60_000 - 600_000
"""Ten minutes ago: polls of others are looked for in the last day."""


class Embedded(SqliteStore):
    """A server that keeps rows as SQLite does, and says what it is told to say."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: Counter[str] = Counter()
        self.loses_answer = False
        self.refuses = ""
        self.meanwhile: Callable[[], None] | None = None
        """What happens between an answer about devices and its arrival."""

    def send(self, body: bytes, gzipped: bool) -> None:
        text = (unpacked(body) if gzipped else body).decode()
        made = split_lines(text, text.count("\n") + 1)
        if self.refuses and self.refuses in text:
            raise RefusedError("400: no such thing: dropped=1", 400)
        for name in ("device", "poll"):
            for row in read_rows(made, name):
                tags = {tag: [row.tags[i]] for i, tag in enumerate(SCHEMA[name].tags)}
                fields = {field: [value] for field, value in row.fields.items()}
                self.write([Batch(name, [row.time], tags, fields)])
        if self.loses_answer:
            self.loses_answer = False
            raise StoreError("the answer was lost")

    def latest(self, measurement: str, *args: Any, **more: Any) -> Table:
        self.asked[measurement] += 1
        return self._late(measurement, super().latest(measurement, *args, **more))

    def series(self, measurement: str, *args: Any, **more: Any) -> Table:
        return self._late(measurement, super().series(measurement, *args, **more))

    def _late(self, measurement: str, answer: Table) -> Table:
        if self.meanwhile and measurement == "device":
            happens, self.meanwhile = self.meanwhile, None
            happens()
        return answer

    def sign_in_again(self) -> bool:
        return False


class Home:
    """A machine that writes; its sender is run by hand."""

    def __init__(self, server: Any, folder: Path, name: str) -> None:
        self.server, self.folder, self.name = server, folder, name
        self.open()

    def open(self) -> None:
        self.store = SpooledStore(self.server, self.folder, 10**9, identity="one")
        self.store.sender.start = lambda: None  # type: ignore[method-assign]

    def poll(self, at_ms: int, devices: dict[str, int | None], *, announced: bool = True) -> None:
        rows: dict[str, Any] = {
            "clients": list(devices.values()),
            "state": ["up" if value is None else None for value in devices.values()],
        }
        made = [Batch("device", [at_ms] * len(devices), {"device": list(devices)}, rows)]
        if announced:
            many = {"devices": [len(devices)]}
            made.append(Batch("poll", [at_ms], {"collector": [self.name]}, many))
        self.store.write(made)

    def send(self) -> None:
        while self.store.backlog().rows and not self.store.sender.turn():
            pass

    def change_file(self, statement: str) -> None:
        if (self.folder / FILE).exists():
            with (
                suppress(sqlite3.DatabaseError),
                closing(sqlite3.connect(self.folder / FILE)) as db,
                db,
            ):
                db.execute(statement)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing counts as on its way; batches are of two lines; few parts are kept apart."""
    monkeypatch.setattr(newest, "IN_FLIGHT_S", -1.0)
    monkeypatch.setattr(spooled, "CHUNK_LINES", 2)
    monkeypatch.setattr(newest_file, "MOST_PARTS", 5)


@contextmanager
def two_homes() -> Iterator[tuple[Embedded, Home, Home]]:
    with tempfile.TemporaryDirectory() as name:
        server = Embedded(Path(name, "server"))
        homes = [Home(server, Path(name, one), one) for one in ("ours", "theirs")]
        yield server, homes[0], homes[1]
        for home in homes:
            home.store.spool.close()
        server.close()


DEVICES = st.dictionaries(st.sampled_from("abcde"), st.none() | st.integers(0, 9), min_size=1)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["ours", "ours late", "theirs"]), st.integers(0, 5), DEVICES),
    st.sampled_from(
        ["turn", "send", "send", "send theirs", "send theirs", "lose answer", "lose answer",
         "reopen", "meanwhile", "ask", "ask", "ask", "old base", "unlink", "rubbish", "spoil"]
    ),
)  # fmt: skip


@pytest.mark.usefixtures("strict")
@settings(deadline=None, max_examples=60)
@given(steps=st.lists(STEPS, max_size=25))
def test_what_is_told_is_what_the_server_has(steps: list[Any]) -> None:
    with two_homes() as (server, ours, theirs):
        begin, end = [("ours", 0, {"a": 1}), "send", "ask"], ["send", "send theirs", "ask"]
        for number, step in enumerate([*begin, *steps, *end]):
            match step:
                case ("theirs", minute, devices):  # two polls of one collector share no time
                    theirs.poll(START + minute * 60_000 + number, devices)
                case (whose, minute, devices):
                    ours.poll(START + minute * 60_000, devices, announced=whose == "ours")
                case "turn":
                    ours.store.sender.turn()
                case "send":
                    ours.send()
                case "send theirs":
                    theirs.send()
                case "lose answer":
                    server.loses_answer = bool(ours.store.backlog().rows)
                    ours.store.sender.turn()
                case "reopen":
                    ours.store.spool.close()
                    ours.open()
                case "old base":
                    ours.change_file("UPDATE base SET at_ms = at_ms - 4000000")
                case "unlink":
                    (ours.folder / FILE).unlink(missing_ok=True)
                case "rubbish" if (ours.folder / FILE).exists():
                    (ours.folder / FILE).write_bytes(b"no database" * 500)
                case "spoil":
                    ours.change_file("UPDATE part SET columns = substr(columns, 1, 20)")
                case "meanwhile":

                    def happens(at_ms: int = START + number * 30_000) -> None:
                        ours.poll(at_ms, {"a": 5})
                        ours.send()

                    server.meanwhile = happens
                    ours.store.latest("device")  # as it was before, or after
                    server.meanwhile = None
                case "ask":
                    wanted = SqliteStore.latest(server, "device")
                    assert ours.store.latest("device") == wanted
                    since = datetime.fromtimestamp(START / 1000 + 120, UTC)
                    wanted = SqliteStore.latest(server, "device", ("clients",), since)
                    assert ours.store.latest("device", ("clients",), since) == wanted


def test_the_server_is_asked_for_all_once_then_for_what_others_polled(strict: None) -> None:
    with two_homes() as (server, ours, theirs):
        ours.poll(START, {"a": 1, "b": 2, "gone": 3})
        ours.send()
        assert ours.store.latest("device", ("clients",)).fields == {"clients": [1, 2, 3]}
        assert server.asked["device"] == 1
        for minute in (1, 2):
            ours.poll(START + minute * 60_000, {"a": minute, "b": None})
            ours.send()
            theirs.poll(START + minute * 60_000 + 500, {"c": 7, "b": 8})
            theirs.send()
            ours.open()
            found = ours.store.latest("device", ("clients",))
            assert found.tags == {"device": ["a", "b", "c", "gone"]}
            assert found.fields == {"clients": [minute, 8, 7, 3]}
        ours.poll(START + 30_000, {"a": 9, "b": 9, "late": 5})
        ours.send()
        assert ours.store.latest("device", ("clients",)).fields == {"clients": [2, 8, 7, 3, 5]}
        since = datetime.fromtimestamp(START / 1000 + 3600, UTC)
        assert len(ours.store.latest("device", since=since)) == 0
        assert server.asked["device"] == 1


def test_a_city_that_is_polled_on_takes_no_more_room_and_one_that_changes_is_made_one(
    strict: None,
) -> None:
    with two_homes() as (server, ours, _):
        parts = []
        for minute in range(30):
            ours.poll(START + minute * 1000, dict.fromkeys("abcdef", minute))
            if minute > 20:  # each on its own
                for number in range(minute):
                    ours.poll(START + minute * 1000, {f"new {minute} {number}": minute})
            ours.send()
            assert ours.store.latest("device") == SqliteStore.latest(server, "device")
            with closing(sqlite3.connect(ours.folder / FILE)) as db:
                parts += db.execute("SELECT COUNT(*) FROM part").fetchone()
        assert parts[1:21] == [4] * 20  # what the server told, and three batches
        assert max(parts) <= newest_file.MOST_PARTS
        assert server.asked["device"] == 1


def test_what_is_handed_over_while_the_server_answers_is_not_forgotten(strict: None) -> None:
    with two_homes() as (server, ours, theirs):

        def happens() -> None:
            ours.poll(START + 60_000, {"a": 2, "b": 2}, announced=False)
            ours.send()

        ours.poll(START, {"a": 1, "b": 1})
        ours.send()
        server.meanwhile = happens
        ours.store.latest("device")
        assert ours.store.latest("device", ("clients",)).fields == {"clients": [2, 2]}

        def corrected() -> None:
            ours.poll(START + 120_000, {"a": 4}, announced=False)
            ours.send()

        theirs.poll(START + 120_000, {"a": 3})
        theirs.send()
        server.meanwhile = corrected
        ours.store.latest("device")
        assert ours.store.latest("device", ("clients",)).fields == {"clients": [4, 2]}


def test_what_the_server_may_have_though_it_waits_is_asked_for(strict: None) -> None:
    with two_homes() as (server, ours, _):
        ours.poll(START, {"a": 1})
        ours.send()
        ours.store.latest("device")
        ours.poll(START + 60_000, {"a": 2, "b": 2, "c": 2})
        server.loses_answer = True
        ours.store.sender.turn()
        found = ours.store.latest("device", ("clients",))
        assert found.fields == {"clients": [2, 2]}  # a batch has two lines


def test_what_was_taken_away_from_the_server_is_told_an_hour_longer_at_most(strict: None) -> None:
    with two_homes() as (server, ours, _):
        ours.poll(START, {"gone": 1}, announced=False)
        ours.send()
        assert len(ours.store.latest("device")) == 1
        server.close()
        for path in server.folder.iterdir():
            path.unlink()
        ours.poll(START + 60_000, {"a": 1}, announced=False)
        ours.send()
        assert len(ours.store.latest("device")) == 2
        ours.change_file("UPDATE base SET at_ms = at_ms - 3600000")
        for _ in range(2):
            assert ours.store.latest("device").tags == {"device": ["a"]}


def test_refused_rows_are_never_told_as_stored(strict: None) -> None:
    with two_homes() as (server, ours, _):
        ours.poll(START, {"a": 1, "b": 2})
        ours.send()
        ours.store.latest("device")
        server.refuses = "device=b "
        ours.poll(START + 60_000, {"a": 3, "b": 4})
        ours.store.spool.set_aside()
        ours.send()
        assert ours.store.backlog().quarantined == 1
        found = ours.store.latest("device", ("clients",))
        assert found.fields == {"clients": [3, 2]}
        assert found == SqliteStore.latest(server, "device", ("clients",))


def test_rows_that_were_given_up_may_be_on_the_server_all_the_same(strict: None) -> None:
    with two_homes() as (server, ours, _):
        ours.store.spool._most_bytes = 1
        ours.poll(START, {"a": 1}, announced=False)
        ours.send()
        ours.store.latest("device")
        ours.poll(START + 60_000, {"a": 2}, announced=False)
        server.loses_answer = True
        ours.store.sender.turn()
        ours.poll(START + 120_000, {"b": 3}, announced=False)
        ours.send()
        assert ours.store.backlog().dropped_rows == 1
        assert ours.store.latest("device", ("clients",)).fields == {"clients": [2, 3]}


def test_another_server_is_not_answered_for(strict: None) -> None:
    with two_homes() as (server, ours, _):
        ours.poll(START, {"a": 1}, announced=False)
        ours.send()
        ours.store.latest("device")
        other = Embedded(server.folder.parent / "other")
        moved = SpooledStore(other, ours.folder, 10**9, identity="another")
        assert len(moved.latest("device")) == 0
        assert len(ours.store.latest("device")) == 1
        other.close()


def test_a_folder_that_cannot_be_written_to_costs_an_answer_nothing(strict: None) -> None:
    with two_homes() as (server, ours, _):
        ours.folder.mkdir()
        (ours.folder / FILE).mkdir()  # what no database can be made of, by root neither
        ours.poll(START, {"a": 1})
        ours.send()
        for _ in range(2):
            assert ours.store.latest("device", ("clients",)).fields == {"clients": [1]}
        assert server.asked["device"] == 2


@pytest.mark.service
def test_a_server_of_the_kind_that_cities_have_tells_of_the_polls_of_others(
    new_influx: Callable[[], AbstractContextManager[InfluxStore]], tmp_path: Path
) -> None:
    with new_influx() as server:
        ours, theirs = (Home(server, tmp_path / one, one) for one in ("ours", "theirs"))
        for minute in range(7):
            whose = ours if minute % 2 else theirs
            whose.poll(START + minute * 60_000, {"a": minute, f"of {whose.name}": minute})
            whose.send()
            for home in (ours, theirs):
                assert home.store.latest("device") == server.latest("device")
        with closing(sqlite3.connect(ours.folder / FILE)) as db:
            [(polls,)] = db.execute("SELECT COUNT(*) FROM polls")
        assert polls == 7
        for home in (ours, theirs):
            home.store.spool.close()
