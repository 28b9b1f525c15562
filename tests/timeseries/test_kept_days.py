"""Days of groups kept beside the spool: whoever writes, late or cut off, what is told is what the
server has, and it is seldom asked for more than the marks of days.
"""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farola.errors import StoreError
from timeseries import Batch, Table, kept_days
from timeseries.influx import InfluxStore
from timeseries.kept_days import DAY_MS, FEW_DAYS, KeptDays, Made
from timeseries.spooled import SpooledStore
from timeseries.sqlite import SqliteStore
from timeseries.windows import instant

FIRST = int(time.time() * 1000) // DAY_MS * DAY_MS - 20 * DAY_MS
FILE = "days"
OF_KIND = {"kind": "neighbourhood"}


def rows(day: int, polls: dict[str, int]) -> Batch:
    tags = {"kind": [OF_KIND["kind"]] * len(polls), "group": list(polls)}
    fields = {"polls": list(polls.values())}
    return Batch("group_day", [FIRST + day * DAY_MS] * len(polls), tags, fields)


class Embedded(SqliteStore):
    """A server that keeps rows as SQLite does, with marks on days as writers leave them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.marks: dict[int, Made] = {}
        self.numbers = itertools.count()
        self.asked: list[int] = []
        """Of how many days rows were asked for."""
        self.meanwhile: Callable[[], None] | None = None

    def begin(self, day: int) -> int:
        number = next(self.numbers)
        self.marks[FIRST + day * DAY_MS] = number, False
        return number

    def end(self, day: int, number: int) -> None:
        self.marks[FIRST + day * DAY_MS] = number, True

    def made(self, start_ms: int, end_ms: int) -> dict[int, Made]:
        return {at: one for at, one in self.marks.items() if start_ms <= at < end_ms}

    def make(self, day: int, polls: dict[str, int]) -> None:
        number = self.begin(day)
        self.write([rows(day, polls)])
        self.end(day, number)

    def ask(self, where: Any, names: Any, start: int, end: int) -> Table:
        self.asked.append(round((end - start) / DAY_MS))
        answer = self._rows("group_day", where, names, start, end)
        if self.meanwhile:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        return answer


@contextmanager
def city() -> Iterator[tuple[Embedded, Path]]:
    with tempfile.TemporaryDirectory() as name:
        server = Embedded(Path(name, "server"))
        yield server, Path(name, "spool")
        server.close()


def opened(server: Embedded, folder: Path, identity: str = "one") -> KeptDays:
    return KeptDays(server.made, server.ask, identity, folder / FILE)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows are worth a file."""
    monkeypatch.setattr(kept_days, "LEAST_ROWS", 0)


def told(kept: KeptDays, server: Embedded, first: int = -1, after: int = 30) -> Table:
    """What is told, after it was held against what the server has."""
    start, end = FIRST + first * DAY_MS, FIRST + after * DAY_MS
    found = kept.series(OF_KIND, ["polls"], start, end)
    assert found == server._rows("group_day", OF_KIND, ["polls"], start, end)
    return found


POLLS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), min_size=1)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["make", "make", "cut off", "meanwhile"]), st.integers(0, 5), POLLS),
    st.tuples(st.just("ask"), st.integers(-1, 4), st.integers(2, 9)),
    st.sampled_from(["ask", "ask", "unlink", "rubbish", "spoil", "old", "another"]),
)


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(STEPS, max_size=25))
def test_what_is_told_is_what_the_server_has(steps: list[Any]) -> None:
    with city() as (server, folder):
        kept = opened(server, folder)
        for step in [("make", 0, {"a": 1}), "ask", *steps, "ask"]:
            file = folder / FILE
            match step:
                case ("make", day, polls):
                    server.make(day, polls)
                case ("cut off", day, polls):
                    server.begin(day)
                    server.write([rows(day, polls)])
                case ("meanwhile", day, polls):
                    server.meanwhile = lambda day=day, polls=polls: server.make(day, polls)  # type: ignore[misc]
                    kept.series(OF_KIND, ["polls"], FIRST, FIRST + 30 * DAY_MS)
                    server.meanwhile = None
                case ("ask", first, after):
                    told(kept, server, first, after)
                case "ask":
                    told(kept, server)
                case "unlink":
                    file.unlink(missing_ok=True)
                case "rubbish" if file.exists():
                    file.write_bytes(b"no database" * 500)
                case "spoil" | "old" if file.exists():
                    change = "columns = substr(columns, 1, 9)", "at_ms = at_ms - 4000000"
                    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(file)) as db, db:
                        db.execute(f"UPDATE answer SET {change[step == 'old']}")
                case "another":
                    kept = opened(server, folder)


def test_rows_are_asked_for_once_then_those_of_days_that_were_made_since() -> None:
    with city() as (server, folder):
        for day in range(10):
            server.make(day, {"a": day, "b": 1})
        assert len(told(opened(server, folder), server)) == 20
        server.asked.clear()
        kept = opened(server, folder)
        assert len(told(kept, server, 3, 30)) == 14
        assert server.asked == []
        server.make(10, {"a": 5})
        server.make(4, {"b": 7, "late": 2})
        assert len(told(kept, server)) == 22
        assert server.asked == [0, 0]
        assert len(told(kept, server, 0, 40)) == 22
        server.begin(5)
        told(kept, server)
        told(kept, server)
        assert server.asked == [0, 0, 0, 0]  # a day that is being made is asked for each time
        for day in range(FEW_DAYS + 1):
            server.make(day, {"a": 8})
        told(kept, server)
        assert server.asked.pop() > 10
        told(opened(server, folder, "another"), server)
        assert server.asked.pop() > 10


def test_what_came_without_a_mark_is_told_an_hour_later_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with city() as (server, folder):
        kept = opened(server, folder)
        server.make(1, {"a": 1})
        told(kept, server)
        server.write([rows(1, {"a": 2})])
        assert kept.series(OF_KIND, ["polls"], FIRST, FIRST + 9 * DAY_MS).fields["polls"] == [1]
        monkeypatch.setattr("timeseries.kept_days.GOOD_FOR_S", -1.0)
        told(kept, server)


def test_a_file_that_is_damaged_is_made_anew() -> None:
    with city() as (server, folder):
        server.make(1, {"a": 1})
        told(opened(server, folder), server)
        (folder / FILE).write_bytes(b"no database" * 500)
        told(opened(server, folder), server)
        server.asked.clear()
        told(opened(server, folder), server)
        assert server.asked == []


def test_a_folder_that_cannot_be_written_to_costs_an_answer_nothing() -> None:
    with city() as (server, folder):
        folder.mkdir()
        (folder / FILE).mkdir()
        server.make(1, {"a": 1})
        for _ in range(2):
            assert len(told(opened(server, folder), server)) == 1


@settings(deadline=None, max_examples=30)
@given(steps=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), POLLS), max_size=12))
def test_sqlite_files_tell_what_any_process_wrote_last(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        stores = [SqliteStore(Path(name)) for _ in range(2)]
        for whose, day, polls in steps:
            stores[whose].write([rows(day, polls)])
            for first, store in enumerate(stores):
                span = FIRST + first * DAY_MS, FIRST + 9 * DAY_MS
                wanted = store._rows("group_day", OF_KIND, ["polls"], *span)
                span_of = map(instant, span)
                assert store.series("group_day", OF_KIND, *span_of, ("polls",)) == wanted
        assert (Path(name) / "days.kept").exists() == bool(steps)
        for store in stores:
            store.close()


@pytest.mark.service
def test_writers_of_a_real_server_mark_the_days_that_they_make(
    new_influx: Callable[[], AbstractContextManager[InfluxStore]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with new_influx() as server:
        homes = [SpooledStore(server, tmp_path / name, 10**9, identity="one") for name in "ab"]
        span = "group_day", OF_KIND, instant(FIRST), instant(FIRST + 30 * DAY_MS), ("polls",)
        for day in (0, 1, 0, 2, 2):
            for home in homes:
                home.write([rows(day, {"a": 9 - day, home.spool.folder.name: day})])
                for other in homes:
                    assert other.series(*span) == server.series(*span)
        whole = FIRST, FIRST + 30 * DAY_MS
        assert [done for _, done in server.made(*whole).values()] == [True] * 3

        def refused(*_: Any) -> None:
            raise StoreError("away")

        sent = server._server.write
        with monkeypatch.context() as patch:
            patch.setattr(
                server._server, "write",
                lambda body, *more: refused() if body[:10] == b"group_day," else sent(body, *more),
            )  # fmt: skip
            with pytest.raises(StoreError):
                homes[0].write([rows(1, {"a": 4})])
        assert [done for _, done in server.made(*whole).values()] == [True, False, True]
        server.send(b"group_day,kind=neighbourhood,group=z polls=3i %d" % (FIRST + DAY_MS))
        for home in homes:
            assert home.series(*span) == server.series(*span)
            home.close()
