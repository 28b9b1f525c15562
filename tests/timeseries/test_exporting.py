"""Rows as CSV: all of them, read back as they were, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola.cli import farola
from farola.errors import FarolaError
from farola.settings import City, Settings, write_settings
from timeseries import SCHEMA, Batch
from timeseries.export_command import write_rows
from timeseries.exporting import cell, iso_ms, lines
from timeseries.sqlite import SqliteStore

NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)
T = int(NOON.timestamp() * 1000)
EVIL = ['=HYPERLINK("http://x")', "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1"]
START = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")
COLUMNS = ["time", "device", "answered", "state", "clients"]


@pytest.mark.parametrize("text", EVIL)
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert cell(text) == "'" + text


@given(texts=st.lists(st.text(), min_size=1))
def test_any_text_can_be_had_again(texts: list[str]) -> None:
    out = io.StringIO(newline="")
    assert write_rows(out, [["name", "text"]], [["x", cell(text)] for text in texts]) == len(texts)
    _, *rows = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert len(rows) == len(texts)
    for (_, read), text in zip(rows, texts, strict=True):
        assert read in {text, f"'{text}"}
        assert (read == text) == (not text.startswith(START))
        assert not read.startswith(START) or read.startswith("'")


def test_numbers_truth_and_times_are_plain() -> None:
    assert [cell(v) for v in (-3, -0.5, True, False, None, 1e300)] == [
        "-3", "-0.5", "true", "false", "", "1e+300",
    ]  # fmt: skip
    assert [iso_ms(T), iso_ms(T + 7)] == ["2024-05-17T12:00:00Z", "2024-05-17T12:00:00.007Z"]


def test_all_rows_come_once_however_dense_they_lie(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    times = [*range(T, T + 3000), *(T + 86_400_000 * day for day in range(1, 40))]
    store.write([Batch("device", times, {"device": ["a"] * len(times)}, {"clients": times})])
    told: list[int] = []
    with closing(store), pytest.MonkeyPatch.context() as patch:
        patch.setattr("timeseries.exporting.MOST_ROWS", 100)
        found = lines(
            store, SCHEMA["device"], fields=["clients"], where={"device": "a"}, start=NOON,
            end=NOON + timedelta(days=50), advance=told.append,
        )  # fmt: skip
        assert [int(row[2]) for row in found] == times
    assert sum(told) == 50 * 24


@pytest.fixture
def filled(home: Path) -> Path:
    write_settings(Settings(home, City(timezone="America/Mexico_City")))
    with closing(SqliteStore(home / "series")) as store:
        n = len(EVIL)
        fields: dict[str, Any] = {
            "answered": [True] * n, "state": EVIL, "clients": [*range(n - 1), None]
        }  # fmt: skip
        store.write([Batch("device", [T] * n, {"device": [f"ap-{i}" for i in range(n)]}, fields)])
    return home


def test_a_file_has_the_rows_that_were_asked_for(run: Any, filled: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    chosen = [word for name in COLUMNS[2:] for word in ("--field", name)]
    done = run(
        "store", "export", "device", path, "--from", "2024-05-17", "--to", "2024-05-18", *chosen,
        "--json",
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told == {"measurement": "device", "rows": len(EVIL), "file": str(path)}
    with path.open(newline="", encoding="utf-8") as text:
        header, *rows = csv.reader(text)
    assert header == COLUMNS
    assert rows[0] == ["2024-05-17T12:00:00Z", "ap-0", "true", "'" + EVIL[0], "0"]
    assert [row[3] for row in rows] == ["'" + text for text in EVIL]
    assert rows[-1][4] == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    one = run("store", "export", "device", "--from", "2024-05-17", "--where", "device=ap-3")
    assert [row.split(",")[1] for row in one.stdout.splitlines()] == ["device", "ap-3"]


def _exported(run: Any, path: Path, *more: str, code: int = 0) -> Any:
    words = "--from", "2024-05-17", "--to", "2024-05-18"
    return run("store", "export", "device", path, *words, *more, code=code)


def test_a_file_that_is_there_stays_unless_it_may_be_overwritten(
    run: Any, filled: Path, tmp_path: Path
) -> None:
    path, link = tmp_path / "mine.csv", tmp_path / "link.csv"
    path.write_text("precious")
    path.chmod(0o600)
    link.symlink_to(path)
    for name in (path, link):
        assert "is there already" in _exported(run, name, code=1).stderr
    assert path.read_text() == "precious"
    _exported(run, link, "--overwrite")
    assert link.is_symlink()
    assert path.read_text().startswith("time,device,")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (dangling := tmp_path / "new.csv").symlink_to(tmp_path / "target.csv")
    _exported(run, dangling)
    assert dangling.is_symlink()
    assert (tmp_path / "target.csv").read_text() == path.read_text()
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_what_is_no_file_is_written_to_and_stays_what_it_is(
    run: Any, filled: Path, tmp_path: Path
) -> None:
    os.mkfifo(fifo := tmp_path / "fifo")
    read: list[str] = []
    # Opened to read and write, so that neither side waits for the other.
    descriptor = os.open(fifo, os.O_RDWR)
    with os.fdopen(descriptor, "rb", buffering=0) as out:
        reader = threading.Thread(target=lambda: read.append(out.read(65536).decode()), daemon=True)
        reader.start()
        _exported(run, fifo)
        assert stat.S_ISFIFO(fifo.stat().st_mode)
        reader.join()
    assert read[0].startswith("time,device,")
    (device := tmp_path / "null").symlink_to("/dev/null")
    _exported(run, device)
    assert device.is_symlink()
    (full := tmp_path / "full").symlink_to("/dev/full")
    assert "No space left" in _exported(run, full, code=1).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nonsense --from 2024-05-17", "no measurement 'nonsense'"),
        ("device --from 2024-05-17 --where site=x", "device has no tag 'site'"),
        ("device --from 2024-05-17 --where device", "write it as TAG=VALUE"),
        ("device --from 2024-05-17 --where device=a --where device=b", "names a tag twice"),
        ("device --from 2024-05-17 --field colour", "device has no field 'colour'"),
        ("device --from 2024-05-18 --to 2024-05-17", "is empty"),
        ("device --from 2024-05-17 no/folder/x.csv", "cannot be written: No such file"),
    ],
)
def test_a_question_that_is_none_is_one_line(filled: Path, words: str, said: str) -> None:
    with pytest.raises(FarolaError, match=said) as error:
        farola.main(["store", "export", *words.split()], standalone_mode=False)
    assert "\n" not in str(error.value)
