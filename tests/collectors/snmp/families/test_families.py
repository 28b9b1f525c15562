"""Each family's made-up recording, read over UDP, gives the reading beside it; and docs/families.md
says of each family what its profile does.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collectors.snmp.book import packaged
from collectors.snmp.probe import probe_json
from tests.collectors.snmp.families.agent import Device, Oid, oid_of, value_bytes
from tests.collectors.snmp.families.conftest import recording
from tests.collectors.snmp.families.table import CHECKED, row, rows_of_page

HERE = Path(__file__).parent
RECORDINGS = sorted(path.stem for path in HERE.glob("*.snmprec"))
FAMILIES = {profile.family: profile for profile in packaged().profiles}
ELSEWHERE = {"generic", "openwrt", "unifi", "airos", "routeros", "aruba-instant", "cisco-wlc"}
"""Families that are read from real agents and recordings of real devices in other tests."""


@pytest.mark.parametrize("family", RECORDINGS)
def test_a_made_up_device_is_read_as_the_json_beside_it_says(read, family):
    expected = json.loads((HERE / f"{family}.json").read_text())
    printed = probe_json(read(family))
    assert (printed.pop("complete"), printed.pop("error")) == (True, "")
    assert printed == expected
    assert expected["family"] == family


def test_every_family_has_a_recording():
    assert set(FAMILIES) - ELSEWHERE == set(RECORDINGS)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_table_of_families_says_what_the_profile_does(family):
    page, profile = rows_of_page(), FAMILIES[family]
    assert family in page, f"docs/families.md lacks {family}: {row(profile)}"
    assert page[family][:4] == row(profile)
    assert page[family][4].startswith(CHECKED[profile.verified])


def test_the_table_names_no_family_that_is_not_there():
    assert set(rows_of_page()) <= set(FAMILIES)


def test_without_the_table_of_access_points_those_that_have_radios_are_told(agent, read):
    known = recording(HERE / "arubaos.snmprec")
    table = oid_of("1.3.6.1.4.1.14823.2.2.1.5.2.1.4")
    radios_only = {oid: value for oid, value in known.items() if oid[: len(table)] != table}
    agent.devices[b"radios-only"] = Device(radios_only)
    told = read("radios-only").access_points
    assert [(one.key, one.name, one.up, one.clients) for one in told] == [
        ("02:fa:01:00:00:01", "lamp-1", None, 17)
    ]
    assert [radio.channel for radio in told[0].radios] == [100, 6]


def test_a_catalyst_without_airespace_tells_of_the_access_points_of_its_own_mib(agent, read):
    known = recording(HERE / "cisco-9800.snmprec")
    airespace, lwapp = oid_of("1.3.6.1.4.1.14179"), oid_of("1.3.6.1.4.1.9.9.513.1.1.1.1")
    values = {oid: value for oid, value in known.items() if oid[: len(airespace)] != airespace}
    first = (2, 0xFA, 1, 0, 0, 1)
    values[(*lwapp, 2, *first)] = value_bytes("4x", "02fa01000101")
    values[(*lwapp, 5, *first)] = value_bytes("4", "lamp-1")
    agent.devices[b"lwapp-only"] = Device(values)
    told = read("lwapp-only").access_points
    assert [(one.key, one.name, one.clients, one.uptime_s) for one in told] == [
        ("02:fa:01:00:01:01", "lamp-1", 15, 3600.0)
    ]


def test_a_controller_of_3000_access_points_is_read_whole_and_right(agent, read):
    agent.devices[b"large"] = Device(large_controller(3000))
    reading = read("large")
    assert reading.error == ""
    assert reading.clients == 3000 * 7
    told = {one.key: one for one in reading.access_points}
    assert len(told) == 3000
    for number in range(3000):
        one = told[f"02:fa:02:00:{number >> 8:02x}:{number & 0xFF:02x}"]
        assert (one.name, one.serial, one.address) == (
            f"lamp-{number}", f"MADEUP{number}", f"198.18.{number >> 8}.{number & 0xFF}"
        )  # fmt: skip
        assert (one.up, one.uptime_s) == (number % 10 != 0, number)
        five, two = one.radios
        assert (five.name, five.band, five.clients) == ("1", "5", number % 50)
        assert (two.name, two.band, two.clients) == ("2", "2.4", 1)
        assert (five.noise_dbm, two.utilization_pct) == (-90.0, number % 100)
        assert one.clients == number % 50 + 1


def large_controller(count: int) -> dict[Oid, bytes]:
    """A made-up ArubaOS controller: columns of wlsxWlanAPTable, wlsxWlanRadioTable and
    wlsxWlanAPChStatsTable, for a test alone too many to stand in a file.
    """
    base = oid_of("1.3.6.1.4.1.14823.2.2.1")
    ap, radio, air = (*base, 5, 2, 1, 4, 1), (*base, 5, 2, 1, 5, 1), (*base, 5, 3, 1, 6, 1)
    values = {
        oid_of("1.3.6.1.2.1.1.1.0"): value_bytes("4", "ArubaOS (MODEL: made up)"),
        oid_of("1.3.6.1.2.1.1.2.0"): value_bytes("6", "1.3.6.1.4.1.14823.1.1.9998"),
        oid_of("1.3.6.1.2.1.1.3.0"): value_bytes("67", "100"),
        (*base, 1, 3, 2, 0): value_bytes("66", str(count * 7)),
    }
    for number in range(count):
        mac = (2, 0xFA, 2, 0, number >> 8, number & 0xFF)
        row = {
            2: ("64", f"198.18.{number >> 8}.{number & 0xFF}"), 3: ("4", f"lamp-{number}"),
            6: ("4", f"MADEUP{number}"), 12: ("67", str(number * 100)), 13: ("4", "000"),
            19: ("2", "2" if number % 10 == 0 else "1"),
        }  # fmt: skip
        values |= {(*ap, column, *mac): value_bytes(*value) for column, value in row.items()}
        for place, kind, clients in ((1, 1, number % 50), (2, 3, 1)):
            figures = {2: kind, 3: 6 + place, 4: 40, 6: number % 100, 7: clients}
            values |= {
                (*radio, column, *mac, place): value_bytes("2", str(value))
                for column, value in figures.items()
            }
            values[(*air, 9, *mac, place)] = value_bytes("2", "90")
    return values
