"""`farola import usage`, as one would run it; Newcastle and Paris are the real thing."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from farola.settings import load_settings
from timeseries import open_store


@pytest.fixture
def city(run, home: Path) -> Path:
    run("init", "--timezone", "America/Mexico_City")
    return home


@pytest.fixture
def sites(city: Path, run, tmp_path: Path) -> Path:
    table = tmp_path / "sites.csv"
    table.write_text("id,name,lat,lon\nA,Alameda,19.43,-99.14\nB,Balbuena,19.42,-99.11\n")
    run("import", "sites", table, "--id", "id", "--name", "name")
    return city


def rows(home: Path, query: str) -> list[tuple]:
    with sqlite3.connect(home / "inventory.db") as database:
        return database.execute(query).fetchall()


def test_days_at_sites_go_to_the_series_too_at_the_citys_midnight(
    sites: Path, run, tmp_path: Path
) -> None:
    table = tmp_path / "days.csv"
    table.write_text("place,day,users,sessions,minutes\nAlameda,2024-05-01,10,20,99.5\n"
                     "balbuena,2024-05-01,7,9,12\nAlameda,2024-05-02,11,21,100\n")  # fmt: skip
    command = ("import", "usage", table, "--site", "place", "--period", "day", "--users", "users",
               "--sessions", "sessions", "--minutes", "minutes", "--json")  # fmt: skip
    said = json.loads(run(*command).stdout)
    assert (said["read"], said["imported"], said["series_rows"], said["created"]) == (3, 3, 3, 3)
    assert [r["became"] for r in said["repaired"]] == ["Balbuena"]

    again = json.loads(run(*command).stdout)
    assert (again["imported"], again["unchanged"], again["created"]) == (3, 3, 0)
    assert rows(sites, "select count(*) from usage") == [(3,)]
    assert rows(sites, "select count(*) from event where kind = 'import.usage'") == [(1,)]

    store = open_store(load_settings(sites))
    start = datetime(2024, 5, 1, tzinfo=ZoneInfo("America/Mexico_City"))
    found = store.series("portal", {}, start, datetime(2024, 6, 1, tzinfo=UTC))
    store.close()
    assert len(found) == 3
    assert found.times[0] == int(start.timestamp() * 1000)
    assert found.tags["site"] == ["A", "B", "A"]
    assert found.fields["users"] == [10, 7, 11]
    assert found.fields["minutes"] == [99.5, 12.0, 100.0]


def test_another_table_fills_in_what_the_first_did_not_have(sites, run, tmp_path) -> None:
    first, second = tmp_path / "users.csv", tmp_path / "sessions.csv"
    first.write_text("s,p,n\nA,2024-05,10\n")
    second.write_text("s,p,n\nA,2024-05,30\nA,2024-Q2,99\n")
    run("import", "usage", first, "--site", "s", "--period", "p", "--users", "n")
    said = json.loads(
        run("import", "usage", second, "--site", "s", "--period", "p", "--sessions", "n",
            "--json").stdout
    )  # fmt: skip
    assert (said["updated"], said["created"]) == (1, 0)
    assert "overlaps 2024-05 of row 2" in said["rejected"][0]["why"]
    assert rows(sites, "select users, sessions, minutes from usage") == [(10, 30, None)]

    second.write_text("s,p,n\nA,2024-Q2,99\n")
    later = run("import", "usage", second, "--site", "s", "--period", "p", "--sessions", "n",
                "--json")  # fmt: skip
    assert "which an earlier import brought" in json.loads(later.stdout)["warnings"][0]["why"]


def test_strict_imports_nothing_and_says_so(sites: Path, run, tmp_path: Path) -> None:
    table = tmp_path / "usage.csv"
    table.write_text("s,p,n\nA,2024-05,10\nNowhere,2024-05,10\n")
    command = ("import", "usage", table, "--site", "s", "--period", "p", "--users", "n")
    done = run(*command, "--strict", code=1)
    assert "row 3, s 'Nowhere'" in done.stderr
    assert rows(sites, "select count(*) from usage") == [(0,)]
    said = json.loads(run(*command, "--json").stdout)
    assert said["imported"] == 1
    assert "Nowhere" in Path(said["reject_file"]).read_text()


def test_what_a_simulated_city_uses_is_marked_so(sites: Path, run, tmp_path: Path) -> None:
    with sqlite3.connect(sites / "inventory.db") as database:
        database.execute("insert into fact (key, value) values ('simulated', '{\"seed\": 1}')")
    table = tmp_path / "usage.csv"
    table.write_text("s,p,n\nA,2024-05,10\n")
    run("import", "usage", table, "--site", "s", "--period", "p", "--users", "n")
    assert rows(sites, "select source from usage") == [("simulated",)]


def test_faults_of_the_whole_file_are_one_line_and_import_nothing(
    city: Path, run, tmp_path: Path
) -> None:
    table = tmp_path / "usage.csv"
    table.write_text("s,p,n,mac\nA,2024-05,10,02:00:00:aa:00:01\n")
    good = ("--period", "p", "--users", "n")
    cases = [
        ((table, "--city", *good), "holds MAC addresses"),
        ((tmp_path / "gone.csv", "--city", *good), "cannot be read"),
    ]
    plain = tmp_path / "plain.csv"
    plain.write_text("s,p,n\nA,2024-05,10\n")
    cases += [
        ((plain, "--site", "s", *good), "the inventory has no sites"),
        ((plain, "--city", "--period", "p", "--users", "N"), "did you mean 'n'"),
    ]
    for arguments, says in cases:
        done = run("import", "usage", *arguments, code=1)
        assert says in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert rows(city, "select count(*) from usage") == [(0,)]


NEWCASTLE = ("--site", "Library", "--period", "2019-04", "--period", "2019-05", "--period",
             "2019-06", "--json")  # fmt: skip


@pytest.mark.realdata
def test_newcastle_by_branch_and_month(city: Path, run, testdata: Path) -> None:
    folder = testdata / "data" / "newcastle"
    run("import", "sites", folder / "libraries.csv", "--id", "Library", "--name", "Library")
    table = folder / "library_wifi_users_monthly.csv"
    said = json.loads(run("import", "usage", table, *NEWCASTLE).stdout)
    assert (said["read"], said["imported"], said["figures"]) == (13, 12, 36)
    assert [(r["row"], r["was"], r["became"]) for r in said["repaired"]] == [
        (4, "Cruddas Park", "Cruddas")
    ]
    (walker,) = said["rejected"]
    assert walker["row"] == 13
    assert walker["why"].startswith("Walker: no figure")
    (april,) = said["warnings"]
    assert april["field"] == "2019-04"
    assert "2019-04 looks like a part of its time: in 12 series" in april["why"]
    assert rows(city, "select users from usage where place = 'Cruddas' order by start") == [
        (205,), (744,), (667,)
    ]  # fmt: skip
    again = json.loads(run("import", "usage", table, *NEWCASTLE).stdout)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 36)


KINDS = {
    "parcs": ("nombre_session_parcs_et_jardins", "trafic_en_minutes_parcs_et_jardi"),
    "bibliotheques": ("nombre_de_sessions_bibliotheques", "trafic_en_minutes_bibliotheques"),
    "hotel de ville": ("nombre_de_sessions_hotel_de_vill", "trafic_en_minutes_hotel_de_ville"),
    "culture": ("nombre_de_sessions_centre_cultur", "trafic_en_minutes_centre_culture"),
    "divers": ("nombre_de_sessions_divers", "trafic_en_minutes_divers"),
}


def paris(table: Path) -> list[object]:
    arguments: list[object] = ["import", "usage", table, "--city", "--json", "--period", "mois",
                               "--period", "annee", "--sessions", "nombre_session_total",
                               "--minutes", "trafic_en_minutes_total"]  # fmt: skip
    for kind, (sessions, minutes) in KINDS.items():
        arguments += ["--sessions", f"{kind}={sessions}", "--minutes", f"{kind}={minutes}"]
    return arguments


@pytest.mark.realdata
def test_paris_by_month_and_kind_of_site(city: Path, run, testdata: Path, tmp_path: Path) -> None:
    table = testdata / "data" / "paris" / "wifi_monthly_2009_2013.csv"
    said = json.loads(run(*paris(table)).stdout)
    assert (said["read"], said["imported"], said["figures"]) == (48, 46, 46 * 12)
    march, august = said["rejected"]
    assert (march["row"], march["value"]) == (2, "16")
    assert march["why"].startswith("2013-03: 16 sessions is more than 100 times off the median")
    assert (august["row"], august["field"], august["value"]) == (46, "mois, annee", "Ao&ucirc 2013")
    assert "HTML" in august["why"]
    assert said["periods"] == sorted(said["periods"])
    assert (said["periods"][0], said["periods"][-1]) == ("2009-04", "2013-07")

    # 42 months are written with spaces and a decimal comma, all six columns of minutes
    assert len(said["repaired"]) == 42 * 6
    june = rows(
        city, "select sessions, minutes from usage where kind = '' and start = '2011-06-01'"
    )
    assert june == [(56197, 2625117.83)]
    plain = rows(city, "select minutes from usage where kind = 'parcs' and start = '2013-07-01'")
    assert plain == [(5357460,)]
    total, parts = rows(
        city,
        "select sum(case kind when '' then sessions end), "
        "sum(case kind when '' then 0 else sessions end) from usage",
    )[0]
    assert total == parts


@pytest.mark.realdata
def test_mending_the_month_of_paris_does_not_let_the_shifted_row_in(
    city: Path, run, testdata: Path, tmp_path: Path
) -> None:
    text = (testdata / "data" / "paris" / "wifi_monthly_2009_2013.csv").read_text()
    mended = tmp_path / "paris.csv"
    mended.write_text(text.replace("Ao&ucirc;2013;2013", "Août;2013;2013"))
    said = json.loads(run(*paris(mended)).stdout)
    assert said["imported"] == 46
    (august,) = [r for r in said["rejected"] if r["row"] == 46]
    assert "2013-08: the total of sessions is 157 but its kinds sum to 172,249" in august["why"]
