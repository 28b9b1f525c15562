"""Marks: what was written is rolled up after it, whoever takes a mark in between."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from farola.errors import StoreError
from timeseries.marks import FILE_NAME, Marks
from timeseries.windows import HOUR_MS, Window

ZONE = ZoneInfo("America/Mexico_City")
AT = 1_780_000_000_000 // HOUR_MS * HOUR_MS
FIRST, SECOND = Window(AT, AT + HOUR_MS), Window(AT + HOUR_MS, AT + 2 * HOUR_MS)


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[Marks]:
    marks = Marks(tmp_path / "series", ZONE)
    yield marks
    marks.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Marks]:
    """The same marks from another process, as far as SQLite is concerned."""
    marks = Marks(tmp_path / "series", ZONE)
    yield marks
    marks.close()


def windows(found: list) -> list[Window]:
    return [mark.window for mark in found]


def test_hours_are_due_once_they_are_over(marks: Marks) -> None:
    marks.mark([AT + 5, AT + HOUR_MS + 5])
    assert marks.open() == [FIRST, SECOND]
    assert windows(marks.due(SECOND.end - 1)) == [FIRST]
    assert windows(marks.due(SECOND.end)) == [FIRST, SECOND]


def test_a_mark_goes_once_it_is_done_and_leaves_its_day(marks: Marks) -> None:
    marks.mark([AT])
    (mark,) = marks.due(FIRST.end)
    assert marks.due_days(AT + 48 * HOUR_MS) == []
    assert marks.done(mark)
    assert marks.open() == []
    (day,) = marks.due_days(AT + 48 * HOUR_MS)
    assert day.window.start <= AT < day.window.end
    assert marks.done_day(day)
    assert marks.due_days(AT + 48 * HOUR_MS) == []


def test_a_day_marked_again_while_it_is_made_stays_due(marks: Marks) -> None:
    marks.mark([AT])
    marks.done(marks.due(FIRST.end)[0])
    (day,) = marks.due_days(AT + 48 * HOUR_MS)
    marks.mark([AT])
    marks.done(marks.due(FIRST.end)[0])
    assert not marks.done_day(day)
    assert len(marks.due_days(AT + 48 * HOUR_MS)) == 1


@pytest.mark.parametrize("taken_by", ["the same", "another"])
def test_rows_written_while_their_hour_is_rolled_up_reopen_it(
    marks: Marks, other: Marks, taken_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeseries.marks.PATIENCE_S", 0.0)
    keeper = marks if taken_by == "the same" else other
    marks.mark([AT])
    with marks.writing([AT + 1]):  # marked already: no write so far
        (mark,) = keeper.due(FIRST.end)
        done = keeper.done(mark)  # it read the store before the rows came
    assert not done
    assert windows(keeper.due(FIRST.end)) == [FIRST]
    (mark,) = keeper.due(FIRST.end)
    with marks.writing([AT + 2]):
        pass
    assert not keeper.done(mark)
    assert windows(keeper.due(FIRST.end)) == [FIRST]


def test_a_write_that_fails_leaves_its_mark(marks: Marks) -> None:
    with pytest.raises(StoreError), marks.writing([AT]):
        raise StoreError("the server is away")
    assert marks.open() == [FIRST]


def test_an_hour_marked_already_costs_no_write(marks: Marks, tmp_path: Path) -> None:
    marks.mark([AT])
    with sqlite3.connect(tmp_path / "series" / FILE_NAME) as looking:
        version = looking.execute("PRAGMA data_version").fetchone()
        for second in range(100):
            with marks.writing([AT + second]):
                pass
        assert looking.execute("PRAGMA data_version").fetchone() == version
        marks.due(FIRST.end)
        marks.mark([AT])
        assert looking.execute("PRAGMA data_version").fetchone() != version


def test_a_mark_outlives_a_kill(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from zoneinfo import ZoneInfo\n"
        "from timeseries.marks import Marks\n"
        f"with Marks(Path(sys.argv[1]), ZoneInfo({ZONE.key!r})).writing([{AT}]):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "series")], check=False, env={**os.environ}
    )
    assert killed.returncode == -signal.SIGKILL
    assert Marks(tmp_path / "series", ZONE).open() == [FIRST]


WRITER = """
import sys
from pathlib import Path
from zoneinfo import ZoneInfo
from timeseries.marks import Marks
marks = Marks(Path(sys.argv[1]), ZoneInfo(sys.argv[2]))
with marks.writing([int(sys.argv[3])]):
    print("marked", flush=True)
    sys.stdin.readline()
    (Path(sys.argv[1]) / "rows").touch()
    print("written", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("patience_s", [0.0, 20.0])
def test_an_hour_taken_before_a_writer_wrote_and_died_has_its_rows_or_its_mark(
    tmp_path: Path, marks: Marks, monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    """Marked; taken, read, done; the rows committed; killed before anything else."""
    monkeypatch.setattr("timeseries.marks.PATIENCE_S", patience_s)
    seen: list[bool] = []

    def keep() -> None:
        for mark in marks.due(FIRST.end):
            seen.append((tmp_path / "series" / "rows").exists())
            marks.done(mark)

    command = [sys.executable, "-c", WRITER, str(tmp_path / "series"), ZONE.key, str(AT)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "marked\n"
        keeper = threading.Thread(target=keep)
        keeper.start()
        keeper.join(0.3 if patience_s else None)
        writer.stdin.write("\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "written\n"
        writer.kill()
    keeper.join()
    assert seen == [bool(patience_s)]
    assert marks.open() == ([] if patience_s else [FIRST])
    keep()
    assert seen[-1]
    assert marks.open() == []


def test_a_file_that_is_no_database_is_one_line(marks: Marks, tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / FILE_NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match=r"marks\.db.*damaged"):
        marks.mark([AT])
