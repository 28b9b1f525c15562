"""A capture's place: fixed, or the nearest point of a track in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collectors.airwaves.track import Track, parse_position, read_track
from farola.errors import InputError

START = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
GPX = """<?xml version="1.0"?>
<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1"><trk><trkseg>
<trkpt lat="19.40" lon="-99.10"><time>2023-11-14T22:13:20Z</time></trkpt>
<trkpt lat="19.41" lon="-99.11"><time>2023-11-14T16:13:30-06:00</time></trkpt>
<trkpt lat="19.42" lon="-99.12"/>
</trkseg></trk></gpx>"""
CSV = "Time,Lat,Lon\n2023-11-14T22:13:30Z,19.41,-99.11\n1700000000,19.40,-99.10\n"


@pytest.mark.parametrize(("name", "text"), [("walk.gpx", GPX), ("walk.csv", CSV)])
def test_the_nearest_point_within_five_seconds_counts(tmp_path: Path, name, text) -> None:
    path = tmp_path / name
    path.write_text(text)
    track = read_track(path)
    assert track.at(START) == (19.40, -99.10)
    assert track.at(START + timedelta(seconds=4)) == (19.40, -99.10)
    assert track.at(START + timedelta(seconds=6)) == (19.41, -99.11)
    assert track.at(START + timedelta(seconds=15)) == (19.41, -99.11)
    assert track.at(START + timedelta(seconds=16)) is None
    assert track.at(START - timedelta(seconds=6)) is None


def test_a_fixed_position_holds_at_all_times() -> None:
    assert Track(fixed=parse_position("19.4, -99.1")).at(START) == (19.4, -99.1)
    assert Track().at(START) is None


@pytest.mark.parametrize("text", ["", "19.4", "a,b", "95,0", "19,200", "1,2,3", "0,0", "nan,1"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no position"):
        parse_position(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<gpx><trkpt", "not GPX"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><gpx/>', "no document type"),
        ("<gpx/>", "no point with a time"),
        ("when,lat,lon\n", "no column 'time'"),
        ("time,lat,lon\nnoon,1,2\n", "line 2"),
        ("time,lat,lon\n1700000000,91,2\n", "line 2: lat 91"),
        ("time,lat,lon\n1e300,1,2\n", "line 2"),
        ("time,lat,lon\n1700000000\n", "line 2"),
    ],
)
def test_a_broken_track_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "walk"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_track(path)
