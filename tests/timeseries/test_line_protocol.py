"""Our line protocol against that of the client's own Point, read back, in bounded requests."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from influxdb_client import Point, WritePrecision

from timeseries import SCHEMA, Batch
from timeseries.checking import checked
from timeseries.lines import CHUNK_LINES, MANY, bodies, lines
from timeseries.read_lines import read_rows, split_lines
from timeseries.tags import fault_of_tag

TAG = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).filter(
    lambda text: not fault_of_tag("radio", text)
)
FLOAT = st.floats(allow_nan=False, allow_infinity=False).filter(lambda f: not f.is_integer())
"""Point drops the .0 of a whole number; that we do not is seen in the contract's types."""


@given(
    tags=st.tuples(TAG, TAG, TAG),
    clients=st.none() | st.integers(-(2**63), 2**63 - 1),
    noise=st.none() | FLOAT,
    time=st.integers(0, 9_223_372_036_854),
)
@example(tags=("a,b=c d", "\\,", '"\\ '), clients=1, noise=-95.5, time=0)
def test_tags_and_numbers_are_escaped_as_point_does(
    tags: tuple[str, str, str], clients: int | None, noise: float | None, time: int
) -> None:
    named = dict(zip(SCHEMA["radio"].tags, tags, strict=True))
    fields = {"clients": clients, "noise_dbm": noise}
    batch = Batch("radio", [time], {k: [v] for k, v in named.items()}, _columns(fields))
    assert "\n".join(lines(checked(batch))) == _point("radio", named, fields, time)


@given(
    answered=st.none() | st.booleans(),
    state=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
)
@example(answered=True, state='back\\slash "quoted"\nnext line \\')
def test_strings_and_booleans_are_escaped_as_point_does(
    answered: bool | None, state: str | None
) -> None:
    fields = {"answered": answered, "state": state}
    batch = Batch("device", [5], {"device": ["ap"]}, _columns(fields))
    assert "\n".join(lines(checked(batch))) == _point("device", {"device": "ap"}, fields, 5)


def test_a_request_has_a_bounded_number_of_lines() -> None:
    n = 2 * CHUNK_LINES + 1
    batch = Batch("ssid", [1] * n, {"device": ["a"] * n, "ssid": ["s"] * n}, {"clients": [0] * n})
    small = Batch("poll", [1], {"collector": ["main"]}, {"devices": [n]})
    sizes = [body.count(b"\n") + 1 for body in bodies([checked(batch), checked(small)])]
    assert sizes == [CHUNK_LINES, CHUNK_LINES, 2]


def test_a_large_batch_is_made_as_small_ones_are() -> None:
    names = [f"ap,{i}" for i in range(MANY)]
    shown = [None if i % 7 == 0 else i / 8 for i in range(MANY)]
    fields: dict[str, list[Any]] = {
        "rtt_ms": shown, "cpu_pct": [(-0.0, 0.0, 1.5, -2e300)[i % 4] for i in range(MANY)],
        "state": [None if i % 3 == 0 else 'a"' for i in range(MANY)],
        "answered": [i % 2 == 0 for i in range(MANY)], "clients": list(range(MANY)),
    }  # fmt: skip
    for at in (5, 6):
        rows = checked(Batch("device", [at] * MANY, {"device": names}, fields))
        alone = [lines(rows.part(i, i + 1))[0] for i in range(MANY)]
        assert lines(rows) == alone
        names[at] = "another"  # and the next poll has it


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@given(
    st.lists(
        st.tuples(
            text.filter(lambda tag: not tag.endswith("\\")),
            st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
        ),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_lines_are_read_back_as_they_were_written(made: list[tuple[Any, ...]]) -> None:
    rows = checked(
        Batch(
            "device", list(range(len(made))), {"device": [one[0] for one in made]},
            {
                "state": [one[1] for one in made], "clients": [one[2] for one in made],
                "rtt_ms": [one[3] for one in made], "answered": [True] * len(made),
            },
        )
    )  # fmt: skip
    body = "\n".join(lines(rows))
    found = list(read_rows(split_lines(body, len(made)), "device"))
    names = ("state", "clients", "rtt_ms")
    assert [(row.tags[0], *map(row.fields.get, names)) for row in found] == made


def _columns(fields: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [value] for name, value in fields.items()}


def _point(measurement: str, tags: dict[str, str], fields: dict[str, Any], time: int) -> str:
    point = Point(measurement).time(time, WritePrecision.MS)
    for key, value in tags.items():
        point.tag(key, value)
    for key, value in fields.items():
        point.field(key, value)
    return str(point.to_line_protocol())
