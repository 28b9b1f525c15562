"""Values that each are well, and together are not; what a country allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola import regulatory
from farola.errors import ProvisioningError
from farola.settings import City, Settings
from inventory.records import DeviceRecord, Secrets, SiteRecord
from provisioning.intent.levels import read_levels, refuse_unknown_variables
from provisioning.intent.meant import Intent, gather, notices

SITE = SiteRecord("s1", "Plaza", 19.4, -99.1, "fixed", "live", None, "Iztapalapa", None, "x")
VAULT = {"key": Secrets("key", "", {"secret": "eight or more"})}
REFERENCE = {"credential": "key"}
KEYED = {"radius_server": "r.example", "radius_secret": REFERENCE}
ROUTED = {"guest_routing": "routed", "guest_address": "10.20.0.1/22"}


def device(identity: str = "ap1") -> DeviceRecord:
    return DeviceRecord(
        identity, "Plaza 1", "access-point", "openwrt", "10.0.0.1", 22, 161, None, None, "c", None,
        "live", "imported", "s1",
    )  # fmt: skip


def found(
    levels: dict[str, Any] | None = None, country: str = "MX", groups: tuple[str, ...] = ()
) -> Intent:
    city = Settings(Path("home"), City("Prueba", "America/Mexico_City", "CDMX", country))
    return gather(city, device(), SITE, levels=levels, groups=groups, vault=VAULT)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"guest_vlan": 5000}, r"guest_vlan \(from city\) is 5000: .*from 1 to 4094"),
        ({"staff_vlan": 0}, "staff_vlan"),
        ({"management_vlan": "7"}, "management_vlan"),
        ({"guest_vlan": 30, "staff_vlan": 30}, "guest_vlan and staff_vlan are both 30"),
        ({"guest_vlan": 1}, "native_vlan and guest_vlan are both 1"),
        ({"channel_5g": 177}, "channel_5g"),
        ({"channel_5g": 165, "width_5g": 80}, "no channel of 80 MHz"),
        ({"width_2g": 80}, "width_2g .*20, 40"),
        ({"tx_power_2g": 23}, r"tx_power_2g \(from city\) is 23: MX allows 20 dBm"),
        ({"tx_power_5g": 18, "channel_5g": 36}, "tx_power_5g .*MX allows 17 dBm"),
        ({"radio_6g": True}, "radio_6g is true: it needs channel_6g"),
        ({"radio_6g": True, "channel_6g": 37}, "6 GHz has no open networks"),
        ({"ssid_security": "wpa9"}, "ssid_security .*open, owe"),
        ({"ssid_security": "sae"}, "needs ssid_key"),
        ({"staff_ssid": "S"}, "needs radius_server"),
        ({"staff_ssid": "S", "staff_security": "psk2"}, "needs staff_key"),
        ({"staff_ssid": "x" * 33}, "staff_ssid .* 33 bytes"),
        ({"guest_routing": "routed"}, "needs guest_address"),
        ({"guest_routing": "routed", "guest_address": "10.20.0.0/22"}, "guest_address .*address"),
        ({"guest_routing": "routed", "guest_address": "10.20.0.1"}, "with its prefix"),
        ({**ROUTED, "guest_dhcp_start": 1000, "guest_dhcp_limit": 900}, "reach beyond"),
        ({"guest_down_kbit": 1000, "guest_up_kbit": 1000}, "needs guest_routing 'routed'"),
        ({**ROUTED, "guest_down_kbit": 1000}, "set both"),
        ({"client_down_kbit": 1000}, "portal on the access point"),
        ({"portal": "opennds"}, "needs guest_routing 'routed'"),
        ({"portal": "coova"}, "portal .*opennds, chilli, external, none"),
        ({**ROUTED, "portal": "chilli", **KEYED}, "needs portal_url"),
        ({"accounting": "chilli"}, "accounting is 'chilli', but portal is 'none'"),
        ({**ROUTED, "portal": "opennds", "accounting": "chilli"}, "portal is 'opennds'"),
        ({**ROUTED, **KEYED, "portal": "chilli", "portal_url": "https://p.example",
          "accounting": "hostapd"}, "counted twice"),
        ({**ROUTED, "portal": "opennds", "accounting": "external"}, "ends sessions here"),
        ({"accounting": "hostapd"}, "needs radius_acct_server"),
        ({"management_proto": "static"}, "needs management_address"),
        ({"management_address": "10.0.0.256/24"}, "management_address"),
        ({"dns_servers": ["9.9.9.9", "dns.example"]}, "dns_servers .*IP addresses"),
        ({"ntp_servers": ["a b"]}, "ntp_servers .*host name or an IP address"),
        ({"guest_blocked": ["10.0.0.1/8"]}, "guest_blocked .*networks"),
        ({"wireguard_server": "v.example"}, "wireguard_server is set: it needs"),
        ({"wireguard_server_key": "short"}, "32 bytes in Base64"),
        ({"portal_url": "ftp://x"}, "portal_url .*https"),
        ({"client_isolation": "yes"}, "client_isolation must be true or false"),
        ({"ntp_servers": [1]}, "ntp_servers must be a list of texts"),
        ({"radius_secret": "plain"}, "radius_secret is a secret and must not stand in this file"),
        ({"radius_secret": {"credential": "none"}}, "no credential 'none'.*farola device credent"),
        ({"radius_secret": {"credential": "key", "field": "f"}}, "credential 'key' has no field"),
        ({"ssid": {"credential": "key", "colour": "red"}}, "ssid must be text"),
        ({"ssid": REFERENCE}, "ssid is shown wherever it is used"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(variables: dict[str, Any], said: str) -> None:
    with pytest.raises(ProvisioningError, match=said) as caught:
        found({"city": variables})
    assert "\n" not in str(caught.value)
    assert "plain" not in str(caught.value).replace("Plaza", "")


@pytest.mark.parametrize("text", ["seven77", "a\tb-eight", "x" * 64])
def test_a_wifi_key_that_802_11_does_not_allow_is_refused_and_not_shown(text: str) -> None:
    vault = {"key": Secrets("key", "", {"secret": text})}
    city = Settings(Path("home"), City("Prueba", "UTC", "CDMX", "MX"))
    levels = {"city": {"ssid_security": "psk2", "ssid_key": REFERENCE}}
    with pytest.raises(ProvisioningError, match="ap1: ssid_key") as caught:
        gather(city, device(), None, levels=levels, vault=vault)
    assert text not in str(caught.value)


def test_a_group_stands_between_borough_and_site() -> None:
    levels = {
        "boroughs": {"Iztapalapa": {"tx_power_2g": 1, "log_port": 1, "max_clients": 1}},
        "groups": {"plazas": {"tx_power_2g": 2, "log_port": 2}, "others": {"tx_power_2g": 9}},
        "sites": {"s1": {"tx_power_2g": 3}},
    }
    one = found(levels, groups=("plazas",))
    assert [one[name].value for name in ("tx_power_2g", "log_port", "max_clients")] == [3, 2, 1]
    chain = [(before.value, before.source) for before in one["tx_power_2g"].overridden]
    assert chain == [(2, "groups plazas"), (1, "boroughs Iztapalapa")]


def test_two_groups_that_contradict_are_refused_naming_both() -> None:
    groups = {"plazas": {"ssid": "A", "log_port": 1}, "canary": {"ssid": "B", "log_port": 1}}
    with pytest.raises(ProvisioningError, match=r"ap1: ssid .*groups canary and groups plazas"):
        found({"groups": groups}, groups=("canary", "plazas"))
    levels = {"groups": groups, "sites": {"s1": {"ssid": "C"}}}
    settled = found(levels, groups=("canary", "plazas"))
    assert settled["ssid"].value == "C"


@pytest.mark.parametrize(
    ("name", "near"), [("ssidd", "ssid"), ("chanel_5g", "channel_5g"), ("lamp", "docs/intent.md")]
)
def test_an_unknown_variable_names_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ProvisioningError, match=rf"groups plazas: unknown .*{name}.*{near}"):
        refuse_unknown_variables({"groups": {"plazas": {name: 1}}}, ())
    refuse_unknown_variables({"city": {"lamp": 1}}, {"lamp"})


def test_a_plain_country_lowers_the_power_that_nobody_chose() -> None:
    one = found(country="MX")
    assert (one["tx_power_2g"].value, one["tx_power_5g"].value) == (20, 17)
    assert one["tx_power_5g"].source == "default, as MX allows no more"
    assert found(country="00")["tx_power_5g"].value == 20


def test_a_country_without_the_usual_channels_gets_others() -> None:
    assert found(country="BD")["channel_5g"].value in {149, 153, 157, 161, 165}


def test_a_country_that_is_not_listed_is_taken_for_the_world_domain() -> None:
    assert not regulatory.is_listed("AQ")
    with pytest.raises(ProvisioningError, match=r"AQ \(taken for the world domain\) allows 1, 2"):
        found({"city": {"channel_2g": 13}}, "AQ")
    assert any("AQ" in words for words in notices(found(country="AQ")))
    assert any(
        "indoors only" in words for words in notices(found({"city": {"channel_5g": 36}}, "DE"))
    )


def test_a_radio_that_is_off_may_have_any_channel() -> None:
    assert found({"city": {"channel_5g": 177, "radio_5g": False}})["channel_5g"].value == 177


@given(st.sampled_from(["2", "5", "6"]), st.sampled_from([20, 40, 80, 160, 320]))
def test_blocks_of_channels_do_not_overlap(band: str, width: int) -> None:
    if width not in regulatory.widths(band) or band == "2":
        return
    blocks = {regulatory.block(band, channel, width) for channel in range(1, 234)} - {()}
    members = [channel for one in blocks for channel in one]
    assert len(members) == len(set(members))
    assert {len(one) for one in blocks} == {width // 20}


def test_the_rules_of_every_country_are_read() -> None:
    listed = regulatory._rules()
    assert len(listed) > 170
    assert regulatory.allowed("US", "2").keys() == set(range(1, 12))
    assert regulatory.allowed("CL", "5").keys() == {*range(36, 65, 4), *range(149, 166, 4)}
    assert regulatory.allowed("DE", "5")[100] == regulatory.Allowed(26, radar=True, indoors=False)
    assert all(regulatory.allowed(country, "2") for country in listed)


def test_variables_of_groups_are_read_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "variables.yaml").write_text("groups: {plazas: {ssid: G}}")
    assert read_levels(tmp_path) == {"groups": {"plazas": {"ssid": "G"}}}
