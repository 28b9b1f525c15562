"""A device's variables: the particular wins over the general, and a wrong one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola.errors import ProvisioningError, SettingsError
from farola.settings import City, Settings
from inventory.records import DeviceRecord, SiteRecord
from provisioning.intent.meant import gather, is_secret, posix_timezone, read_levels, unknown_names
from provisioning.intent.values import channels, host_name

SITE = SiteRecord("s1", "Plaza Niño", 19.4, -99.1, "fixed", "live", None, "Iztapalapa", None, "x")


def settings(**city: str) -> Settings:
    return Settings(Path("home"), City(name="Prueba", timezone="America/Mexico_City", **city))


def device(identity: str = "ap1", name: str = "Plaza Niño 1") -> DeviceRecord:
    return DeviceRecord(
        identity, name, "access-point", "openwrt", "127.0.0.1", 22, 161, None, None, "c", None,
        "live", "imported", "s1",
    )  # fmt: skip


def values(**arguments: Any) -> dict[str, Any]:
    found = gather(arguments.pop("settings", settings()), device(), SITE, **arguments)
    return {name: one.value for name, one in found.items()}


def test_each_value_tells_where_it_comes_from() -> None:
    found = gather(
        settings(ssid="CDMX", country="mx"), device(), SITE, secrets={"snmp_community": "s"},
        levels={"sites": {"s1": {"tx_power_2g": 10}}},
    )  # fmt: skip
    assert (found["ssid"].value, found["ssid"].source) == ("CDMX", "city settings")
    assert (found["country"].value, found["country"].source) == ("MX", "city settings")
    assert (found["hostname"].value, found["hostname"].source) == ("Plaza-Nino-1", "device name")
    assert (found["location"].value, found["location"].source) == ("Plaza Niño", "site")
    assert (found["tx_power_2g"].value, found["tx_power_2g"].source) == (10, "sites s1")
    assert found["snmp_community"].source == "credential c"


def test_device_beats_site_beats_borough_beats_city() -> None:
    levels = {
        "city": {"ssid": "a", "tx_power_2g": 1, "tx_power_5g": 1, "network": "city"},
        "boroughs": {"Iztapalapa": {"ssid": "b", "tx_power_2g": 2, "tx_power_5g": 2}},
        "sites": {"s1": {"ssid": "c", "tx_power_2g": 3}},
        "devices": {"ap1": {"ssid": "d"}, "another": {"ssid": "no"}},
    }
    found = values(levels=levels)
    assert found["ssid"] == "d"
    assert found["tx_power_2g"] == 3
    assert found["tx_power_5g"] == 2
    assert found["network"] == "city"


def test_the_time_zone_becomes_what_the_device_understands() -> None:
    assert values()["timezone"] == "CST6"
    assert values(levels={"city": {"zonename": "Europe/Paris"}})["timezone"] == (
        "CET-1CEST,M3.5.0,M10.5.0/3"
    )
    with pytest.raises(ProvisioningError, match="Nowhere/Land"):
        posix_timezone("Nowhere/Land")


def test_neighbours_spread_over_the_channels() -> None:
    channels = {gather(settings(), device(f"ap{i}"), None)["channel_2g"].value for i in range(30)}
    assert channels == {1, 6, 11}


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1))
def test_an_ssid_of_32_bytes_is_taken_and_a_longer_one_refused(ssid: str) -> None:
    if len(ssid.encode()) <= 32:
        assert values(settings=settings(ssid=ssid))["ssid"] == ssid
    else:
        with pytest.raises(ProvisioningError, match=r"ap1: ssid .* bytes"):
            values(settings=settings(ssid=ssid))


@pytest.mark.parametrize("character", ["\n", "\0", "\r", "\t", "\x1b", "\x7f", "\x85"])
@pytest.mark.parametrize("field", ["ssid", "location", "network"])
def test_control_characters_are_refused_by_the_fields_name(field: str, character: str) -> None:
    with pytest.raises(ProvisioningError, match=rf"ap1: {field} .*U\+{ord(character):04X}"):
        values(levels={"devices": {"ap1": {field: f"a{character}b"}}})


def test_a_secret_that_cannot_be_used_is_named_and_not_shown() -> None:
    with pytest.raises(ProvisioningError, match="snmp_community") as caught:
        values(secrets={"snmp_community": "top\nsecret"})
    assert "top" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("hostname", "two words"), ("hostname", "x" * 64), ("channel_2g", "six"), ("ssid", "")],
)
def test_what_a_device_cannot_be_is_refused(field: str, value: str) -> None:
    with pytest.raises(ProvisioningError, match=f"ap1: {field}"):
        values(levels={"city": {field: value}})


@pytest.mark.parametrize("value", [True, 1.5, None, ["a"], {"a": 1}])
def test_only_text_and_whole_numbers_are_values(value: object) -> None:
    with pytest.raises(ProvisioningError, match=r"variables\.yaml: city: ssid"):
        values(levels={"city": {"ssid": value}})


@given(st.text())
def test_any_name_gives_a_host_name(name: str) -> None:
    made = host_name(name)
    assert 1 <= len(made) <= 63
    assert host_name(made) == made


@pytest.mark.parametrize(
    "text", ["[1, 2]", "just text", "citty: {ssid: a}", "city: {ssid: [", "\tx: 1"]
)
def test_a_broken_variables_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "variables.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"variables\.yaml") as caught:
        read_levels(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_variables_file_is_no_variables(tmp_path: Path) -> None:
    assert read_levels(tmp_path) == {}
    (tmp_path / "variables.yaml").write_text("")
    assert read_levels(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "5"),
        ("3: {ssid: a}", "'3'"),
        ("city: [1]", "city: must be a mapping"),
        ("devices: ap1", "devices: must be a mapping"),
        ("devices: {ap1: Other}", "devices ap1: must be a mapping"),
        ("sites: {1001: [ssid]}", "sites 1001: must be a mapping"),
    ],
)
def test_a_level_that_is_no_mapping_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "variables.yaml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        read_levels(tmp_path)


@pytest.mark.parametrize("identity", ["1001", "0101", "1_000", "1e3", "on", "2024-01-01", "null"])
def test_an_id_that_yaml_takes_for_something_else_is_found(tmp_path: Path, identity: str) -> None:
    (tmp_path / "variables.yaml").write_text(f"devices: {{{identity}: {{ssid: Other}}}}")
    found = gather(settings(), device(identity), SITE, levels=read_levels(tmp_path))
    assert found["ssid"].value == "Other"


def test_levels_may_be_empty_and_share_by_yamls_own_means(tmp_path: Path) -> None:
    (tmp_path / "variables.yaml").write_text(
        "city:\nboroughs: {a: &a {ssid: S}, b:}\ndevices: {ap1: {<<: *a, network: n}}\n"
    )
    levels = read_levels(tmp_path)
    assert levels["devices"] == {"ap1": {"ssid": "S", "network": "n"}}
    assert (levels["city"], levels["boroughs"]["b"]) == ({}, {})


@pytest.mark.parametrize(
    ("variable", "secret"),
    [("snmp_community", True), ("wifi_key", True), ("radius_secret", True), ("ssid", False),
     ("channel_2g", False), ("keyboard", False)],
)  # fmt: skip
def test_which_variables_are_secret(variable: str, secret: bool) -> None:
    assert is_secret(variable) is secret


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channel_2g", 36), ("channel_2g", 14), ("channel_5g", 999), ("channel_5g", 6),
        ("channel_5g", "forty"), ("channel_6g", 36), ("tx_power_2g", 99), ("tx_power_5g", -50),
        ("tx_power_5g", "20"), ("ssid", 12345), ("country", "XX"), ("country", 52),
        ("network", 7), ("zonename", "Nowhere/Land"), ("ntp_server_1", 1), ("ssid", 1.5),
    ],
)  # fmt: skip
def test_a_value_that_no_radio_takes_is_named_with_its_level(name: str, value: Any) -> None:
    with pytest.raises(ProvisioningError) as caught:
        values(levels={"sites": {"s1": {name: value}}})
    for part in (name, "sites s1", str(value)):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("channel_2g", "auto", 0), ("channel_5g", "AUTO", 0), ("channel_5g", 0, 0),
        ("channel_2g", 13, 13), ("channel_5g", 149, 149), ("channel_6g", 37, 37),
        ("tx_power_2g", 0, 0), ("tx_power_5g", 30, 30), ("country", "mx", "MX"),
        ("lamp", 12345, 12345),
    ],
)  # fmt: skip
def test_a_value_that_radios_take_is_kept(name: str, value: Any, taken: Any) -> None:
    city = {"country": "CR", name: value}
    assert values(levels={"city": city})[name] == taken


def test_a_secret_of_the_wrong_kind_is_not_shown() -> None:
    with pytest.raises(ProvisioningError, match="snmp_community") as caught:
        values(levels={"city": {"snmp_community": 8765309}})
    assert "8765309" not in str(caught.value)


def test_names_that_the_inventory_lacks_are_found() -> None:
    levels = {
        "city": {"ssid": "x"}, "boroughs": {"Iztapalapa": {}, "Atlantis": {}},
        "sites": {"s1": {}, "s2": {}}, "devices": {"ap1": {}, "AP-9": {}},
    }  # fmt: skip
    found = unknown_names(levels, {"ap1"}, [SITE])
    assert found == ["boroughs Atlantis", "sites s2", "devices AP-9"]
    assert unknown_names({}, set(), [SITE]) == []


def test_every_channel_that_is_spread_is_one_that_is_allowed() -> None:
    for number in range(30):
        found = gather(settings(), device(f"ap{number}"), None)
        assert found["channel_2g"].value in channels("2")
        assert found["channel_5g"].value in channels("5")
