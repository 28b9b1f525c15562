"""Hours and days of the city's clock tile time in every zone, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeseries.windows import HOUR_MS, day_of, hour_of, hours_between, instant

ZONES = (
    "UTC", "America/Mexico_City", "Europe/Paris", "Asia/Kolkata", "Asia/Kathmandu",
    "Australia/Lord_Howe", "America/St_Johns", "America/Santiago", "Africa/Cairo",
    "Asia/Beirut", "America/Havana", "Atlantic/Azores", "Pacific/Chatham", "Pacific/Apia",
    "America/Nuuk", "Africa/Casablanca",
)  # fmt: skip


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@given(st.sampled_from(ZONES), st.integers(ms("2012-01-01"), ms("2037-01-01")))
@settings(deadline=None, max_examples=400)
def test_hours_tile_time_and_lie_within_days(name: str, at: int) -> None:
    zone = ZoneInfo(name)
    hour = hour_of(at, zone)
    assert hour.start <= at < hour.end <= hour.start + HOUR_MS
    assert hour_of(hour.start, zone) == hour == hour_of(hour.end - 1, zone)
    assert hour_of(hour.end, zone).start == hour.end
    day = day_of(at, zone)
    assert day.start <= hour.start < hour.end <= day.end
    assert day_of(day.start, zone) == day == day_of(day.end - 1, zone)
    assert day_of(day.end, zone).start == day.end
    shown = instant(at).astimezone(zone)
    begin = instant(hour.start).astimezone(zone)
    assert (begin.date(), begin.hour) == (shown.date(), shown.hour)


@pytest.mark.parametrize(
    ("zone", "noon", "hours"),
    [
        ("Europe/Paris", "2026-03-29T12:00", 23),
        ("Europe/Paris", "2026-10-25T12:00", 25),
        ("Europe/Paris", "2026-06-01T12:00", 24),
        ("America/Santiago", "2026-09-06T12:00", 23),  # begins at 01:00
        ("America/Havana", "2026-11-01T12:00", 25),  # midnight comes twice
        ("Asia/Kolkata", "2026-06-01T12:00", 24),
    ],
)
def test_a_day_has_its_hours(zone: str, noon: str, hours: int) -> None:
    day = day_of(ms(noon, zone), ZoneInfo(zone))
    assert day.end - day.start == hours * HOUR_MS
    assert len(list(hours_between(*day, ZoneInfo(zone)))) == hours


def test_a_clock_put_back_by_half_an_hour_cuts_an_hour() -> None:
    day = day_of(ms("2026-04-05T12:00", "Australia/Lord_Howe"), ZoneInfo("Australia/Lord_Howe"))
    lengths = [
        hour.end - hour.start for hour in hours_between(*day, ZoneInfo("Australia/Lord_Howe"))
    ]
    assert day.end - day.start == 24.5 * HOUR_MS
    assert sorted(lengths) == [HOUR_MS // 2, *[HOUR_MS] * 24]


def test_hours_of_a_half_hour_zone_begin_at_half_past() -> None:
    hour = hour_of(ms("2026-06-01T00:10"), ZoneInfo("Asia/Kolkata"))
    assert instant(hour.start) == datetime(2026, 5, 31, 23, 30, tzinfo=UTC)
