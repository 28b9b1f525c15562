"""Maintenance windows: announced in the city's time, listed, ended, and never half understood."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from farola.cli import farola
from farola.errors import FarolaError, InputError
from farola.keys import create_key
from farola.settings import City, Settings, load_settings, write_settings
from farola.times import parse_instant
from inventory.db import open_engine, open_inventory, upgrade
from inventory.maintenance import Window, Windows, in_maintenance
from inventory.models import Device, Site
from inventory.queries import events

PARIS = ZoneInfo("Europe/Paris")


def refused(*words: str) -> str:
    """What is said where `farola maintenance` refuses."""
    with pytest.raises((FarolaError, click.ClickException)) as error:
        farola.main(["maintenance", *words], standalone_mode=False)
    if isinstance(error.value, click.ClickException):
        return error.value.format_message()
    return str(error.value)


def said(*words: object) -> str:
    """What `farola maintenance` prints."""
    done = CliRunner().invoke(farola, ["maintenance", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def told(*words: object) -> Any:
    """The same as data."""
    return json.loads(said(*words, "--json"))


@pytest.fixture
def city(home, run):
    write_settings(Settings(home, City(timezone="America/Mexico_City")))
    create_key(home)
    upgrade(open_engine(load_settings().inventory_url))
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        session.add(Device(id="ap-1", name="ap-1"))
        session.add(Device(id="old", name="old", status="retired"))
        session.add(Site(id="plaza", name="Plaza", lat=19.4, lon=-99.1))
    yield inventory
    inventory.close()


def test_a_window_is_added_listed_and_ended(city):
    night = ("--from", "2099-01-02T22:00", "--to", "2099-01-03T02:00")
    added = told("add", "--device", "ap-1", *night, "--reason", "new firmware")
    assert (added["start"], added["end"]) == ("2099-01-03T04:00:00Z", "2099-01-03T08:00:00Z")
    assert (added["scope"], added["place"]) == ("device", "ap-1")
    told("add", "--site", "plaza", "--reason", "pole moved")
    past = ("--from", "2001-01-01", "--to", "2001-01-02")
    told("add", "--city", *past, "--reason", "long ago")
    listed = told("list")
    assert [one["reason"] for one in listed] == ["pole moved", "new firmware"]
    assert len(told("list", "--all")) == 3
    table = said("list")
    assert "goes on" in table
    assert "2099-01-02 22:00 CST" in table

    assert told("end", listed[0]["id"])["end"] is not None
    never = told("end", added["id"])
    assert never["start"] == never["end"]
    assert told("list") == []
    with city.session() as session:
        kept = [(one.kind, one.device_id, one.site_id) for one in reversed(events(session))]
    assert kept == [
        ("maintenance.added", "ap-1", None), ("maintenance.added", None, "plaza"),
        ("maintenance.added", None, None), ("maintenance.ended", None, "plaza"),
        ("maintenance.ended", "ap-1", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("add --device nope --reason x", "no device 'nope'"),
        ("add --device old --reason x", "no device 'old'"),
        ("add --site ap-1 --reason x", "no site 'ap-1'"),
        ("add --reason x", "one of --device ID, --site ID and --city"),
        ("add --city --site plaza --reason x", "one of --device ID, --site ID and --city"),
        ("add --city --reason x --from 25:00", "--from '25:00' is no time"),
        ("add --city --reason x --from 2099-01-02 --to 2099-01-02", "is not after --from"),
        ("add --city --reason x --from 0001-01-01", "is not in the years 2000 to 2199"),
        ("add --city --reason x --to 9999-12-31T23:59Z", "is not in the years 2000 to 2199"),
        ("add --city --reason x --from=", "'--from': it is empty"),
        ("add --city --reason x --to=", "'--to': it is empty"),
        ("add --city --reason x --to 2001-01-01", "is not after --from"),
        ("end 7", "no maintenance 7"),
        ("end 99999999999999999999", "not in the range"),
    ],
)
def test_what_cannot_be_meant_is_refused(city, words, said):
    assert said in refused(*words.split())


@pytest.mark.parametrize("reason", ["", "   ", "two\nlines", "x" * 501, "bell\a"])
def test_a_reason_is_one_line_of_text(city, reason):
    assert "--reason" in refused("add", "--city", "--reason", reason)


def test_ended_once_is_ended(run, city):
    run("maintenance", "add", "--city", "--reason", "x")
    run("maintenance", "end", 1)
    done = run("maintenance", "end", 1, code=1)
    assert done.stdout == ""
    assert "has ended already" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-01", "2026-10-31T23:00"),
        ("2026-07-01 08:30", "2026-07-01T06:30"),
        ("2026-07-01T08:30Z", "2026-07-01T08:30"),
        ("2026-07-01T08:30+05:30", "2026-07-01T03:00"),
        ("2026-10-25T02:30", "2026-10-25T00:30"),  # twice: the first
    ],
)
def test_times_are_the_citys(text, utc):
    wanted = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert parse_instant(text, PARIS, "--from") == wanted


@pytest.mark.parametrize(
    "text",
    ["2026-03-29T02:30", "", "tomorrow", "2026-13-01", "0001-01-01", "9999-12-31T23:00-23:00"],
)
def test_times_that_are_none_are_refused(text):
    with pytest.raises(InputError, match="--to"):
        parse_instant(text, PARIS, "--to")


@given(st.text())
def test_no_text_breaks_the_reading_of_times(text):
    with contextlib.suppress(InputError):
        assert parse_instant(text, PARIS, "--to").tzinfo is UTC


def test_who_is_in_maintenance_at_a_time():
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    hour = timedelta(hours=1)
    found = [
        Window(1, "device", "a", noon, noon + hour, "", ""),
        Window(2, "site", "plaza", noon - hour, None, "", ""),
        Window(3, "city", "", noon + 5 * hour, noon + 6 * hour, "", ""),
    ]
    sites = {"a": None, "b": "plaza", "c": "market"}
    assert in_maintenance(found, sites, noon) == {"a", "b"}
    assert in_maintenance(found, sites, noon + hour) == {"b"}  # an end is outside
    assert in_maintenance(found, sites, noon - 2 * hour) == frozenset()
    assert in_maintenance(found, sites, noon + 5 * hour) == {"a", "b", "c"}
    assert not Windows([])
