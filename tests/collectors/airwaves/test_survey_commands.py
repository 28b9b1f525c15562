"""`farola survey import` and `farola airwaves scan`, as one would run them."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

MAC = re.compile(rb"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
OURS, NEIGHBOUR, IMPOSTOR = "02:00:00:00:00:01", "02:77:00:00:00:01", "02:99:00:00:00:01"
POINTS = f"id,lat,lon,bssid\nap-1,19.4,-99.1,{OURS}\n"


@pytest.fixture
def city(run, home: Path, tmp_path: Path) -> Path:
    run("init", "--ssid", "Free WiFi", "--timezone", "America/Mexico_City")
    return home


@pytest.fixture
def with_bssid(city: Path, run, tmp_path: Path) -> Path:
    table = tmp_path / "points.csv"
    table.write_text(POINTS)
    run("import", "access-points", table, "--id", "id", "--bssid", "bssid")
    return city


@pytest.fixture
def walk(tmp_path, make_beacon, pcap) -> Path:
    frames = []
    for n in range(30):
        frames += [
            make_beacon(bssid=OURS, signal=-60 - n % 3),
            make_beacon(b"Familia Perez", NEIGHBOUR, security="WPA2", signal=-70),
            make_beacon(bssid=IMPOSTOR, security="WPA2", signal=-40, channel=11, frequency=2462),
            make_beacon(b"probe", "02:55:00:00:00:09", subtype=0x40),
        ]
    return pcap(tmp_path / "walk.pcap", frames)


def rows(home: Path, query: str) -> list[tuple]:
    with sqlite3.connect(home / "inventory.db") as database:
        return database.execute(query).fetchall()


def every_byte(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())


def test_a_capture_becomes_a_reading_a_second_with_neighbours_unnamed(
    with_bssid: Path, run, walk: Path
) -> None:
    said = json.loads(run("survey", "import", walk, "--position", "19.4,-99.1", "--json").stdout)
    assert (said["read"], said["imported"], said["rejected"]) == (90, 90, [])
    assert said["skipped"] == {"other": 30}
    assert (said["readings"], said["networks"], said["ours"]) == (36, 3, 12)

    kept = rows(with_bssid, "select bssid, ssid, rssi_dbm, lat, channel from survey_reading")
    ours = [row for row in kept if row[0] == OURS]
    assert {row[1] for row in ours} == {"Free WiFi"}
    assert all(-62 <= row[2] <= -60 and row[3:] == (19.4, 6) for row in ours)
    others = {row[0] for row in kept} - {OURS}
    assert len(others) == 2
    assert all(re.fullmatch("p:[0-9a-f]{16}", name) for name in others)
    assert {row[1] for row in kept if row[4] == 6 and row[0] != OURS} == {None}

    stored = every_byte(with_bssid)
    assert b"Familia" not in stored
    assert {m for m in MAC.findall(stored) if m.startswith(b"02:")} == {OURS.encode()}


def test_a_second_import_changes_nothing(with_bssid: Path, run, walk: Path) -> None:
    run("survey", "import", walk)
    before = rows(with_bssid, "select * from survey_reading order by id")
    events = rows(with_bssid, "select count(*) from event")
    again = json.loads(run("survey", "import", walk, "--json").stdout)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 36)
    assert again["imported"] == 90
    assert rows(with_bssid, "select * from survey_reading order by id") == before
    assert rows(with_bssid, "select count(*) from event") == events


def test_rejected_rows_are_named_without_naming_anybody(city: Path, run, tmp_path) -> None:
    log = tmp_path / "walk.csv"
    log.write_text(
        "WigleWifi-1.4,appRelease=2.26\n"
        "MAC,SSID,AuthMode,FirstSeen,Channel,RSSI,CurrentLatitude,CurrentLongitude,"
        "AltitudeMeters,AccuracyMeters,Type\n"
        f"{NEIGHBOUR},Familia Perez,[ESS],2024-05-01 10:00:00,6,40,19.4,-99.1,0,5,WIFI\n"
        "02:77:00:00:0,Familia Perez,[ESS],2024-05-01 10:00:00,6,-40,19.4,-99.1,0,5,WIFI\n"
        f"{NEIGHBOUR},Familia Perez,[ESS],2024-05-01 10:00:00,6,-40,19.4,-99.1,0,5,WIFI\n"
    )
    said = json.loads(run("survey", "import", log, "--json").stdout)
    assert (said["read"], said["imported"]) == (3, 1)
    assert [(r["row"], r["field"], r["value"]) for r in said["rejected"]] == [
        (3, "rssi", "40"),
        (4, "MAC", "02:77:00:xx:x"),
    ]
    rejects = Path(said["reject_file"]).read_text()
    assert "no receiver measures this" in rejects
    stored = every_byte(city)
    assert b"Familia" not in stored
    assert NEIGHBOUR.encode() not in stored

    strict = run("survey", "import", log, "--survey", "strict", "--strict", "--json", code=1)
    assert "the first is row 3, rssi '40'" in strict.stderr
    assert json.loads(strict.stdout)["imported"] == 0
    assert rows(city, "select count(*) from survey_reading where survey = 'strict'") == [(0,)]


def test_a_fault_of_one_file_imports_none_of_them(city: Path, run, walk: Path, tmp_path) -> None:
    done = run("survey", "import", walk, tmp_path / "gone.pcap", code=1)
    assert "gone.pcap: cannot be read" in done.stderr
    assert rows(city, "select count(*) from survey_reading") == [(0,)]


def test_readings_far_from_the_city_are_kept_with_a_warning(
    city: Path, run, walk, tmp_path
) -> None:
    ring = [[-99.2, 19.3], [-99.0, 19.3], [-99.0, 19.5], [-99.2, 19.5], [-99.2, 19.3]]
    areas = tmp_path / "areas.geojson"
    feature = {
        "type": "Feature", "properties": {"id": "1"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }  # fmt: skip
    areas.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    run("import", "neighbourhoods", areas, "--id", "id")
    near = json.loads(run("survey", "import", walk, "--position", "19.9,-99.1", "--json").stdout)
    far = json.loads(run("survey", "import", walk, "--position", "20.0,-99.1", "--json").stdout)
    assert near["warnings"] == []
    assert "36 readings lie more than 50 km from every" in far["warnings"][0]["why"]
    assert far["imported"] == 90


def test_impostors_are_named_and_told_once(with_bssid: Path, run, walk: Path) -> None:
    said = json.loads(run("airwaves", "scan", walk, "--json").stdout)
    (one,) = said["findings"]
    assert (said["cannot_tell"], said["carriers"], said["ours"]) == (False, 2, 1)
    assert (one["bssid"], one["grade"], one["times_heard"]) == (IMPOSTOR, "impostor", 30)
    assert (one["security"], one["channels"], one["strongest_rssi_dbm"]) == ("WPA2", [11], -40)
    assert one["first_seen"].startswith("2023-11-14T22:13:20")
    assert said["new_events"] == 1

    again = json.loads(run("airwaves", "scan", walk, "--json").stdout)
    assert (len(again["findings"]), again["new_events"]) == (1, 0)
    ((kind, text),) = rows(with_bssid, "select kind, text from event where kind like 'airwaves%'")
    assert kind == "airwaves.impostor"
    assert IMPOSTOR in text

    printed = run("airwaves", "scan", walk).stdout
    assert IMPOSTOR in printed
    assert "its security is WPA2; ours is open" in printed
    assert NEIGHBOUR not in printed


def test_without_a_bssid_it_says_that_it_cannot_tell(city: Path, run, walk: Path) -> None:
    done = run("airwaves", "scan", walk, "--json")
    said = json.loads(done.stdout)
    assert said["cannot_tell"] is True
    assert said["findings"] == []
    assert "no BSSID of our own" in said["cannot_tell_why"]
    assert "cannot tell: no BSSID of our own" in run("airwaves", "scan", walk).stdout


def test_a_hostile_name_cannot_write_to_the_terminal(
    with_bssid: Path, run, tmp_path, make_beacon, pcap
) -> None:
    names = [b"\x1b[2J\x07Free WiFi", "Free WiFi\u202e\u200b".encode()]
    path = pcap(tmp_path / "a.pcap", [make_beacon(name, IMPOSTOR) for name in names])
    for option in ((), ("--json",)):
        out = run("airwaves", "scan", path, *option).stdout
        assert not {"\x1b", "\x07", "\u202e", "\u200b"} & set(out)
    text = "".join(row[0] for row in rows(with_bssid, "select text from event"))
    assert not {"\x1b", "\u202e"} & set(text)


UNUSABLE = [
    ("table.csv", b"a,b\n1,2\n", "neither a pcap or pcapng capture nor a WiGLE log"),
    ("empty.pcap", b"", "is empty"),
    ("short.pcap", b"\xd4\xc3\xb2\xa1\x02", "not a pcap or pcapng capture"),
    ("columns.csv", b"WigleWifi-1.4\nMAC,SSID\n", "no column 'AuthMode'"),
    ("latin.csv", b"WigleWifi-1.4\nMAC,SSID\xff\n", "line 2 is not UTF-8"),
    ("gone.csv", None, "cannot be read"),
]


def test_a_file_that_cannot_be_used_is_one_line(city: Path, run, tmp_path: Path) -> None:
    commands = (("survey", "import"), ("airwaves", "scan"))
    for n, (name, content, says) in enumerate(UNUSABLE):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        done = run(*commands[n % 2], path, code=1)
        assert says in done.stderr
        assert done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.realdata
def test_the_three_walks(city: Path, run, testdata: Path) -> None:
    walks = sorted((testdata / "data" / "survey").glob("wigle_walk_*.csv"))
    said = json.loads(
        run("survey", "import", *walks, "--ssid", "Ariel_University", "--json").stdout
    )
    assert [f["read"] for f in said["files"]] == [813, 345, 223]
    assert [f["networks"] for f in said["files"]] == [386, 172, 118]
    assert (said["imported"], said["created"], said["rejected"]) == (1381, 1381, [])
    ours, names = rows(
        city, "select count(*), count(distinct ssid) from survey_reading where ssid is not null"
    )[0]
    assert names == 1
    assert 0 < ours < 1381
    low, high = rows(city, "select min(rssi_dbm), max(rssi_dbm) from survey_reading")[0]
    assert (low, high) == (-95, -53)
    scan = json.loads(
        run("airwaves", "scan", *walks, "--ssid", "Ariel_University", "--json").stdout
    )
    assert (scan["cannot_tell"], scan["carriers"]) == (True, 186)
