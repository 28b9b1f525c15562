"""What the copying command says: its ends, how it compares rows, its verdict, its advice."""

from __future__ import annotations

import random
import shlex
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.timeseries.copies import (
    city,
)
from timeseries import SCHEMA, Table
from timeseries.copy_command import _verdict
from timeseries.copy_rows import Sum, compared
from timeseries.copying import Tally
from timeseries.sqlite import SqliteStore


@pytest.fixture
def inited(run: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that `farola init` made, with its key beside it."""
    monkeypatch.setenv("FAROLA_HOME", str(home))
    monkeypatch.setenv("FAROLA_KEY_FILE", str(home.parent / "key"))
    run("init")
    return home


ROWS = st.dictionaries(
    st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", ""])),
    st.fixed_dictionaries({
        "state": st.none() | st.sampled_from(["up", "", "down"]),
        "rtt_ms": st.none() | st.sampled_from([0.0, -0.0, 1.5, 2.0]),
        "clients": st.none() | st.integers(0, 2),
    }).filter(lambda row: any(v is not None for v in row.values())),
)  # fmt: skip


def as_table(rows: dict[tuple[int, str], dict[str, Any]], order: random.Random) -> Table:
    keys = list(rows)
    order.shuffle(keys)
    fields = SCHEMA["device"].fields
    return Table(
        [at for at, _ in keys],
        {"device": [name for _, name in keys]},
        {name: [rows[key].get(name) for key in keys] for name in fields},
    )


@given(source=ROWS, there=ROWS, order=st.randoms(use_true_random=False))
def test_comparing_is_as_plain_python_has_it(
    source: dict[Any, Any], there: dict[Any, Any], order: random.Random
) -> None:
    shape, left, right = SCHEMA["device"], as_table(source, order), as_table(there, order)
    found = compared(shape, left, right)
    lacking = {
        key
        for key, row in source.items()
        if any(v is not None and there.get(key, {}).get(name) != v for name, v in row.items())
    }
    keys = list(zip(left.times, left.tags["device"], strict=True))
    assert {keys[i] for i in found.missing} == lacking
    assert (found.source == found.there) == (not lacking)
    assert sorted(found.extra) == sorted(at for at, _ in there.keys() - source.keys())
    halves = [dict(list(source.items())[i::2]) for i in (0, 1)]
    assert found.source == compared(shape, as_table(source, order), right).source
    parts = [compared(shape, as_table(half, order), right).source for half in halves]
    assert parts[0] + parts[1] + Sum() == found.source


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ("--from sqlite:{0}/typo --to sqlite:{0}/new", "typo does not exist"),
        ("--from sqlite:{0}/empty --to sqlite:{0}/new", "empty holds no series"),
        ("--from sqlite:{0}/file --to sqlite:{0}/new", "file is a file, not a folder"),
        ("--from sqlite: --to sqlite:{0}/new", "names no folder"),
        ("--to sqlite:", "names no folder"),
        ("--to sqlite:{0}/file", "file is a file, not a folder"),
        ("--to sqlite:{0}/new", "series does not exist"),
    ],
)
@pytest.mark.usefixtures("inited")
def test_an_end_that_is_none_is_one_line(run: Any, tmp_path: Path, ends: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    done = run("store", "copy", *ends.format(tmp_path).split(), code=1)
    assert said in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert not (tmp_path / "new").exists()


def test_rows_that_are_only_too_old_are_called_so() -> None:
    some, all_of_them = Sum(2, 5), Sum(3, 9)
    assert _verdict(Tally(some, some)) == "equal"
    assert _verdict(Tally(all_of_them, some, lacking=1, expired=1)) == "too old"
    assert _verdict(Tally(all_of_them, some, lacking=1)) == "DIFFERS"
    assert _verdict(Tally(all_of_them, some, lacking=2, expired=1)) == "DIFFERS"


def test_the_advice_after_a_copy_makes_rollups_in_the_copy(
    run: Any, inited: Path, tmp_path: Path
) -> None:
    other = tmp_path / "my copy"
    with closing(SqliteStore(inited / "series")) as store:
        store.write([batch for batch in city(3) if batch.measurement in ("device", "poll")])
    told = run("store", "copy", "--to", f"sqlite:{other}").stderr.splitlines()
    (advice,) = (line for line in told if "are to be rolled up there" in line)
    _, *words = shlex.split(advice.partition("there: ")[2])
    assert words == ["store", "rollup", "--in", str(other)]
    run(*words)
    assert not (inited / "series" / "rollups.db").exists()
    assert len(SqliteStore(other).latest("group_hour")) > 0
