"""Mexico City's open data, as published: every piece of its dirt repaired or named."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from inventory import queries
from inventory.places import Places

pytestmark = pytest.mark.realdata


@pytest.fixture
def cdmx(testdata: Path) -> Path:
    return testdata / "data" / "cdmx"


@pytest.fixture
def told(cli):
    return lambda *args: cli(*args, "--json").json


def neighbourhoods(told, cdmx):
    return told(
        "import", "neighbourhoods", cdmx / "ageb_urbana_09a.shp", "--id", "CVEGEO",
        "--crs", "EPSG:6372",
        "--join", cdmx / "imu_2020_ageb.csv", "--join-key", "CVE_AGEB",
        "--population", "POB_TOTAL", "--deprivation", "IM_2020",
        "--deprivation-order", "low-is-worse", "--grade", "GM_2020", "--borough", "NOM_MUN",
    )  # fmt: skip


def access_points(told, cdmx):
    return told(
        "import", "access-points", cdmx / "wifi_cdmx.xlsx", "--id", "id", "--lat", "latitud",
        "--lon", "longitud", "--programme", "programa", "--borough", "alcaldia",
    )  # fmt: skip


def test_the_whole_city(cli, told, cdmx, db) -> None:
    cli("init", "--timezone", "America/Mexico_City")
    areas = neighbourhoods(told, cdmx)
    assert (areas["read"], areas["imported"], areas["population"]) == (2430, 2430, 9_128_766)
    assert areas["join"]["joined"] == 2380
    assert len(areas["warnings"]) == 50
    assert all("unknown" in w["why"] for w in areas["warnings"])
    (reject,) = areas["rejected"]
    assert (reject["field"], reject["value"]) == ("CVE_AGEB", "0901100261501")
    assert "imu_2020_ageb.csv" in reject["why"]

    aps = access_points(told, cdmx)
    assert (aps["read"], aps["imported"], aps["sites"], aps["rejected"]) == (
        35350,
        35350,
        27489,
        [],
    )
    repairs = Counter((r["field"], r["why"]) for r in aps["repaired"])
    assert repairs[("latitud", "trailing comma removed")] == 6
    assert repairs[("id", "outer spaces removed")] == 33
    assert repairs[("longitud", "outer spaces removed")] == 1
    spellings = Counter(
        (r["was"], r["became"]) for r in aps["repaired"] if r["field"] == "alcaldia"
    )
    assert spellings[("IZTAPALAPA", "Iztapalapa")] == 1
    assert spellings[("Magdalena Contreras", "La Magdalena Contreras")] == 797
    # by the polygons of urban blocks; see test_boroughs_by_their_own_outlines for 183
    contradicted = [w for w in aps["warnings"] if w["field"] == "alcaldia"]
    assert len(contradicted) == 174
    outside = [w for w in aps["warnings"] if "outside" in w["why"]]
    assert len(outside) == 92
    far = [w for w in outside if "6145_PROSOC" in w["why"]]
    assert [w["row"] for w in far] == [34144, 34145]
    assert "11.8 km" in far[0]["why"]
    assert {w["field"] for w in aps["warnings"]} == {"alcaldia", "latitud", "programa"}

    schools = told("import", "candidates", cdmx / "escuelas_publicas.csv", "--name", "Nombre",
                    "--lat", "Latitud", "--lon", "Longitud")  # fmt: skip
    assert (schools["read"], schools["imported"]) == (2383, 2242)
    assert len(schools["rejected"]) == 141
    assert all("the latitude is missing (Nombre " in r["why"] for r in schools["rejected"])

    again = neighbourhoods(told, cdmx), access_points(told, cdmx)
    assert [(a["created"], a["updated"], a["unchanged"]) for a in again] == [
        (0, 0, 2430), (0, 0, 35350),
    ]  # fmt: skip
    with db() as session:
        assert queries.counts(session) == {
            "neighbourhoods": 2430, "sites": 27489, "candidates": 2242, "devices": 35350,
        }  # fmt: skip
        stored = queries.neighbourhoods(session)
        devices = queries.devices(session)
        sites = {s.id: s for s in queries.sites(session)}
    assert sum(n.population is None for n in stored) == 50
    assert sum(n.population or 0 for n in stored) == 9_128_766
    assert not any(n.high_is_worse for n in stored)
    places = Places(stored)
    at = [sites[d.site_id] for d in devices if d.site_id]
    found, _ = places.locate([s.lat for s in at], [s.lon for s in at])
    inside = [stored[index] for index in found if index >= 0]
    assert len(inside) == 35258
    assert sum(bool(area.grade) for area in inside) == 34559


def test_boroughs_by_their_own_outlines(cli, told, cdmx) -> None:
    cli("init", "--timezone", "America/Mexico_City")
    areas = told("import", "neighbourhoods", cdmx / "alcaldias.geojson", "--id", "CVE_MUN",
                  "--name", "NOM_MUN", "--borough", "NOM_MUN")  # fmt: skip
    assert areas["imported"] == 16
    aps = access_points(told, cdmx)
    assert sum(w["field"] == "alcaldia" for w in aps["warnings"]) == 183
    assert sum("outside" in w["why"] for w in aps["warnings"]) == 35350 - 35341


def test_outlines_with_invalid_rings(cli, told, cdmx) -> None:
    cli("init")
    areas = told("import", "neighbourhoods", cdmx / "colonias.geojson", "--name", "colonia",
                  "--borough", "alcaldia")  # fmt: skip
    assert areas["imported"] == 1651
    assert [r["field"] for r in areas["repaired"]] == ["geometry"] * 2


def test_newcastles_branches_are_sites(cli, told, testdata) -> None:
    cli("init", "--timezone", "Europe/London")
    branches = told("import", "sites", testdata / "data" / "newcastle" / "libraries.csv",
                     "--id", "Library", "--name", "Library")  # fmt: skip
    assert (branches["read"], branches["imported"]) == (13, 13)
