"""Radios, antennas and heights in a table of access points."""

from __future__ import annotations

import json

import pytest

from farola.settings import load_settings
from inventory import queries
from inventory.db import open_inventory

COLUMNS = ("band", "channel", "power", "antenna-gain", "azimuth", "beamwidth", "tilt", "height",
           "indoor", "bssid")  # fmt: skip


@pytest.fixture
def imported(run, tmp_path):
    run("init", "--name", "Town")

    def import_rows(*rows, columns=COLUMNS):
        path = tmp_path / "aps.csv"
        head = "id;lat;lon;" + ";".join(columns)
        path.write_text("\n".join([head, *rows]), encoding="utf-8")
        options = [word for name in columns for word in (f"--{name}", name)]
        done = run(
            "import", "access-points", path, "--id", "id", "--lat", "lat", "--lon", "lon",
            *options, "--json",
        )  # fmt: skip
        with open_inventory(load_settings()).session() as session:
            return json.loads(done.stdout), queries.radios(session), queries.sites(session)

    return import_rows


def test_a_row_describes_its_radios_and_its_site(imported):
    told, radios, sites = imported(
        "a;19.4;-99.1;2.4/5;6/36;20;5;;;;8,5;no;",
        "b;19.5;-99.1;5 GHz;auto;23;14;-90;65;4;12;sí;",
        "c;19.6;-99.1;;;;;;;;;;02:00:00:00:00:01",
    )
    assert told["imported"] == 3
    assert told["radios"] == 3
    first, second, third, _ = radios
    assert (first.band, first.channel, second.band, second.channel) == ("2.4", 6, "5", 36)
    assert (first.power_dbm, first.antenna_dbi, first.azimuth_deg) == (20.0, 5.0, None)
    assert (third.band, third.channel, third.azimuth_deg, third.beamwidth_deg) == (
        "5", None, 270.0, 65.0,
    )  # fmt: skip
    assert [(site.height_m, site.indoor) for site in sites] == [
        (8.5, False), (12.0, True), (None, False),
    ]  # fmt: skip


def test_a_second_import_changes_what_it_says_and_no_more(imported):
    row = "a;19.4;-99.1;5;36;20;5;;;;8;no;02:00:00:00:00:01"
    imported(row)
    again, radios, _ = imported(row)
    assert again["radios"] == 0
    assert len(radios) == 1
    _, (radio,), _ = imported("a;19.4;-99.1;5;;17;", columns=("band", "channel", "power"))
    assert (radio.power_dbm, radio.channel, radio.antenna_dbi) == (17.0, 36, 5.0)


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ("60;;;;;;;;;", "band"), ("5;11;90;;;;;;;", "power"), ("2.4;36;;;;;;;;", "channel"),
        ("2.4/5;36;;;;;;;;", "channel"), ("5;;;;;65;;;;", "beamwidth"),
        ("5;;nan;;;;;;;", "power"), ("5;;;;;;;0;;", "height"), ("5;;;;;;;;perhaps;", "indoor"),
        ("5;;;;400;90;;;;", "azimuth"),
    ],
)  # fmt: skip
def test_a_radio_that_cannot_be_rejects_its_row(imported, cells, field):
    told, radios, _ = imported(f"a;19.4;-99.1;{cells}", "b;19.5;-99.1;5;;;;;;;;;")
    assert [(fault["row"], fault["field"]) for fault in told["rejected"]] == [(2, field)]
    assert [radio.device_id for radio in radios] == ["b"]
