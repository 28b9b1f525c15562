"""When the nightly run is due: once a night, on the city's clock, made up for if missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola.errors import SettingsError
from farola.settings import ProvisioningSettings, Settings
from operations.nightly import due, time_of

MEXICO, BERLIN = ZoneInfo("America/Mexico_City"), ZoneInfo("Europe/Berlin")
AT = (3, 30)


def local(zone, *when):
    return datetime(*when, tzinfo=zone).astimezone(UTC)


def test_it_is_due_from_its_time_until_it_is_too_late():
    assert not due(local(MEXICO, 2026, 5, 4, 3, 29), AT, MEXICO, None)
    assert due(local(MEXICO, 2026, 5, 4, 3, 30), AT, MEXICO, None)
    assert due(local(MEXICO, 2026, 5, 4, 7, 29), AT, MEXICO, None)
    assert not due(local(MEXICO, 2026, 5, 4, 7, 30), AT, MEXICO, None)
    assert due(local(MEXICO, 2026, 5, 4, 1, 0), (23, 30), MEXICO, None), "over midnight"


def test_one_that_ran_is_not_due_again_that_night():
    began = local(MEXICO, 2026, 5, 4, 3, 30)
    assert not due(began + timedelta(minutes=1), AT, MEXICO, began)
    assert due(began + timedelta(days=1), AT, MEXICO, began)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.integers(0, 23),
       st.integers(0, 59))  # fmt: skip
def test_each_night_has_one_run_whatever_the_clocks_do(start, hour, minute):
    now, last, runs = start.replace(tzinfo=UTC), None, []
    for _ in range(24 * 6 * 5):
        now += timedelta(minutes=10)
        if due(now, (hour, minute), BERLIN, last):
            last = now
            runs.append(now)
    gaps = [after - before for before, after in pairwise(runs)]
    assert 4 <= len(runs) <= 6
    assert all(timedelta(hours=18) < gap < timedelta(hours=26) for gap in gaps)


@pytest.mark.parametrize("text", ["3", "25:00", "night", "03:30:00"])
def test_a_time_that_is_none_is_one_line(text):
    settings = Settings(Path("x"), provisioning=ProvisioningSettings(nightly=text))
    with pytest.raises(SettingsError, match="write a time"):
        time_of(settings)


def test_empty_is_never():
    settings = Settings(Path("x"), provisioning=ProvisioningSettings(nightly=""))
    assert time_of(settings) is None
    assert time_of(Settings(Path("x"))) == AT
