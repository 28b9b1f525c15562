"""The NOC's list and the day of one device: pure decisions, then the page."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from timeseries.base import Table
from web.day import Span, availability, interfaces, span_of, strip, traffic_chart, with_gaps
from web.fleet import STALE_MS, Row, choose, join


def row(name: str, **more: object) -> Row:
    given = {"address": None, "mac": None, "serial": None, "platform": None, "site_id": None,
             "site": "", "borough": ""}  # fmt: skip
    return Row(id=name, name=name, **(given | more))  # type: ignore[arg-type]


ROWS = [
    row("b", state="up", clients=5, address="10.0.0.2", mac="02:AB:cd:00:00:01"),
    row("a", state="unknown", serial="SN-77"),
    row("c", state="down", site="Plaza Mayor", borough="Centro"),
]


def test_worst_comes_first() -> None:
    assert [r.name for r in choose(ROWS)] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("text", "name"),
    [("10.0.0.2", "b"), ("02ABCD000001", "b"), ("02-ab-cd", "b"), ("sn-7", "a"), ("PLAZA", "c"),
     ("centro", "c"), (" c ", "c")],
)  # fmt: skip
def test_a_device_is_found_by_what_is_written_on_it(text: str, name: str) -> None:
    assert name in [r.name for r in choose(ROWS, text)]


def test_rows_are_filtered_and_sorted_as_asked() -> None:
    assert [r.name for r in choose(ROWS, state="up")] == ["b"]
    assert next(r.name for r in choose(ROWS, sort="clients", down=True)) == "b"
    assert [r.name for r in choose(ROWS, sort="no such column")] == ["c", "a", "b"]
    assert choose(ROWS, "nothing like this") == []


def test_a_sample_much_older_than_the_citys_newest_tells_nothing() -> None:
    newest = 10_000_000
    table = Table(
        [newest, newest - STALE_MS, newest - STALE_MS - 1],
        {"device": ["a", "b", "c"]},
        {"state": ["up"] * 3, "answered": [True] * 3, "clients": [3, 4, 5], "rtt_ms": [1.0] * 3},
    )
    found = {r.name: r for r in join(ROWS, table)}
    assert (found["a"].state, found["a"].clients) == ("up", 3)
    assert found["b"].state == "up"
    assert (found["c"].state, found["c"].clients) == ("unknown", None)
    assert found["c"].sampled == newest - STALE_MS - 1


@given(st.lists(st.integers(0, 10**9), unique=True, max_size=50).map(sorted))
def test_gaps_add_nothing_but_nothings(times: list[int]) -> None:
    chart = with_gaps(times, {"x": [float(t) for t in times]})
    assert [t for t, v in zip(chart.times, chart.columns["x"], strict=True) if v is not None] == [
        t / 1000 for t in times
    ]
    assert chart.times == sorted(chart.times)


def test_a_missed_hour_breaks_the_line() -> None:
    minute = 60_000
    chart = with_gaps([0, minute, 2 * minute, 62 * minute, 63 * minute], {"x": [1.0] * 5})
    assert chart.columns["x"] == [1.0, 1.0, 1.0, None, 1.0, 1.0]


def test_traffic_is_bits_a_second_over_the_interval_it_was_counted_in() -> None:
    table = Table(
        [0, 300_000, 600_000],
        {"device": ["a"] * 3, "interface": ["wan"] * 3},
        {"rx_bytes": [37_500_000, None, 75_000_000], "tx_bytes": [0, 1, 2],
         "interval_s": [300.0, 300.0, 0.0]},
    )  # fmt: skip
    chart = traffic_chart(table)
    assert chart.columns["rx"] == [1.0, None, None]
    assert interfaces(table) == ["wan"]


def test_the_strip_shows_the_worst_of_a_quarter_and_nothing_where_nothing_was_seen() -> None:
    start = datetime(2025, 3, 1, tzinfo=UTC)
    span = Span(start, start + timedelta(hours=1), None)
    at = int(start.timestamp() * 1000)
    table = Table(
        [at, at + 60_000, at + 16 * 60_000, at + 50 * 60_000],
        {"device": ["a"] * 4},
        {"state": ["up", "down", "unknown", "up"]},
    )
    assert [c.state for c in strip(table, span)] == ["down", "unknown", "none", "up"]
    assert availability(table) == pytest.approx(2 / 3)
    assert availability(Table()) is None


@pytest.mark.parametrize(
    ("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-06-01", 24)]
)
def test_a_day_is_the_citys_own_even_when_clocks_change(day: str, hours: int) -> None:
    span = span_of(day, ZoneInfo("Europe/Paris"), datetime(2026, 1, 1, tzinfo=UTC))
    assert span.day == date.fromisoformat(day)
    assert span.end.timestamp() - span.start.timestamp() == hours * 3600
    assert len(strip(Table(), span)) == hours * 4


def test_without_a_day_it_is_the_last_24_hours() -> None:
    now = datetime(2025, 3, 1, 12, 7, tzinfo=UTC)
    span = span_of("not a day", ZoneInfo("UTC"), now)
    assert (span.start, span.end) == (
        datetime(2025, 2, 28, 12, 15, tzinfo=UTC), datetime(2025, 3, 1, 12, 15, tzinfo=UTC),
    )  # fmt: skip


def test_the_list_pages_filters_and_answers_parts(client: FlaskClient) -> None:
    page = client.get("/devices").text
    assert "120 of 120 devices" in page
    assert page.count("<tr>") == 101
    assert client.get("/devices?page=2").text.count("<tr>") == 21
    down = client.get("/devices?state=down").text
    assert "ap-cen" in down or "ap-rib" in down or "ap-las" in down
    assert "> up" not in down.split("<tbody>")[1]
    part = client.get("/devices?q=10.20.0.8", headers={"HX-Target": "device-list"}).text
    assert part.lstrip().startswith('<div id="device-list"')
    assert "No device fits" in client.get("/devices?q=zzz").text
    assert client.get("/devices?page=99999999999999999999").status_code == 200
    assert client.get("/devices?page=-4").status_code == 200
