"""Intent becomes config: escaped, fitted to the device's own radios, nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farola.errors import ProvisioningError
from napalm_openwrt.uci_merge import merge
from napalm_openwrt.uci_text import Config, format_config, parse
from provisioning.intent.fit import band_of
from provisioning.intent.meant import Value
from provisioning.intent.render import default_radios, fit, read_template, render

TEMPLATE = read_template(Path("nowhere"), "access-point")[0]
FACTORY = (Path(__file__).parent / "factory.uci").read_text(encoding="utf-8")


def intent(**changed: str | int) -> dict[str, Value]:
    values: dict[str, str | int] = {
        "hostname": "plaza-1", "zonename": "America/Mexico_City", "timezone": "CST6",
        "ntp_server_1": "a.example", "ntp_server_2": "b.example", "ssid": "CDMX", "network": "lan",
        "country": "MX", "channel_2g": 6, "channel_5g": 40, "tx_power_2g": 20, "tx_power_5g": 17,
        "location": "Plaza", "snmp_community": "city",
    }  # fmt: skip
    return {name: Value(value, "test") for name, value in {**values, **changed}.items()}


def candidate(**changed: str | int) -> Config:
    return fit(render(TEMPLATE, intent(**changed)), parse(FACTORY))


def test_the_candidate_is_the_one_written_by_hand() -> None:
    expected = (Path(__file__).parent / "candidate.uci").read_text(encoding="utf-8")
    assert format_config(candidate()) == expected


def test_radios_keep_their_hardware_settings() -> None:
    before = {s.name: s for s in parse(FACTORY)["wireless"].of_type("wifi-device")}
    after = merge(parse(FACTORY), candidate())["wireless"]
    for radio in after.of_type("wifi-device"):
        for option in ("type", "path", "band", "htmode"):
            assert radio.get(option) == before[radio.name].get(option)
        assert radio.get("disabled") == "0"


def test_the_factorys_open_network_is_off_the_air() -> None:
    after = merge(parse(FACTORY), candidate())["wireless"]
    assert {s.get("ssid") for s in after.of_type("wifi-iface")} == {"CDMX"}
    assert len(after.of_type("wifi-iface")) == 2


def test_the_city_network_isolates_its_clients() -> None:
    for section in candidate()["wireless"].of_type("wifi-iface"):
        assert section.get("isolate") == "1"
        assert section.get("encryption") == "none"


def test_the_one_system_section_is_changed_not_doubled() -> None:
    named = parse(FACTORY.replace("config system\n", "config system 'main'\n"))
    for running in (parse(FACTORY), named):
        result = merge(running, fit(render(TEMPLATE, intent()), running))
        assert [s.get("hostname") for s in result["system"].of_type("system")] == ["plaza-1"]


def test_a_device_with_one_radio_gets_one_network() -> None:
    one = parse("package wireless\n\nconfig wifi-device 'wl'\n\toption hwmode '11a'\n")
    wireless = fit(render(TEMPLATE, intent()), one)["wireless"]
    assert [(s.type, s.name) for s in wireless.sections] == [
        ("wifi-device", "wl"),
        ("wifi-iface", "city_5g_wl"),
    ]


def test_two_radios_of_a_band_both_serve() -> None:
    two = parse(
        "package wireless\n\nconfig wifi-device 'a'\n\toption band '5g'\n\n"
        "config wifi-device 'b'\n\toption channel '149'\n"
    )
    wireless = fit(render(TEMPLATE, intent()), two)["wireless"]
    assert [s.get("device") for s in wireless.of_type("wifi-iface")] == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "band"),
    [("option band '6g'", "6g"), ("option hwmode '11g'", "2g"), ("option hwmode '11a'", "5g"),
     ("option channel '11'", "2g"), ("option channel '36'", "5g"), ("option channel 'auto'", "")],
)  # fmt: skip
def test_a_radios_band_is_told_from_what_old_and_new_releases_write(
    options: str, band: str
) -> None:
    package = parse(f"package wireless\n\nconfig wifi-device 'r'\n\t{options}\n")["wireless"]
    assert band_of(package.sections[0]) == band


@given(
    ssid=st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=32),
    community=st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40),
)
@settings(max_examples=200)
def test_any_text_arrives_unchanged_and_opens_nothing(ssid: str, community: str) -> None:
    plain = candidate()
    made = parse(format_config(candidate(ssid=ssid, snmp_community=community)))
    assert {s.get("ssid") for s in made["wireless"].of_type("wifi-iface")} == {ssid}
    assert made["snmpd"].of_type("com2sec")[0].get("community") == community
    assert {n: len(p.sections) for n, p in made.items()} == {
        n: len(p.sections) for n, p in plain.items()
    }


@pytest.mark.parametrize(
    "ssid",
    ["L'été", "😀 gratis 😀", "'; rm -rf /", '"', "\\", "$(reboot)", "a#b", "{{ssid}}", "fv0vf"],
)
def test_an_ssid_that_looks_like_syntax_is_only_text(ssid: str) -> None:
    wireless = parse(format_config(candidate(ssid=ssid)))["wireless"]
    assert {s.get("ssid") for s in wireless.of_type("wifi-iface")} == {ssid}


def test_without_a_community_snmp_access_is_left_alone() -> None:
    values = intent()
    del values["snmp_community"]
    made = fit(render(TEMPLATE, values), parse(FACTORY))
    assert made["snmpd"].of_type("com2sec") == []
    assert "fv" not in format_config(made)


def test_devices_that_differ_only_in_text_share_one_render(monkeypatch) -> None:
    render(TEMPLATE, intent())
    monkeypatch.setattr("netjsonconfig.OpenWrt.render", None)  # a second one would raise
    for number in range(200):
        made = render(TEMPLATE, intent(hostname=f"ap-{number}", ssid=f"net {number}"))
        assert f"net {number}" in format_config(made)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("[", "not YAML"),
        ("just text", "mapping"),
        ('general: {hostname: "{{nosuch}}"}', "unknown variable 'nosuch'"),
        ("radios: [{name: r, protocol: 802.11n, channel: 99}]", "radios"),
        ("general: {timezone: Mars}", "general.timezone"),
    ],
)
def test_a_broken_template_is_told_in_one_line(template: str, said: str) -> None:
    with pytest.raises(ProvisioningError, match=said) as caught:
        render(template, intent(), name="mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_country_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ProvisioningError, match="radios"):
        candidate(country="XX")


def test_the_homes_own_template_wins(tmp_path: Path) -> None:
    own = tmp_path / "templates" / "access-point.yaml"
    own.parent.mkdir()
    own.write_text('general: {hostname: "{{hostname}}", id: system}\n')
    text, path = read_template(tmp_path, "access-point")
    assert path == str(own)
    assert list(render(text, intent())) == ["system"]
    with pytest.raises(ProvisioningError, match=r"switch\.yaml"):
        read_template(tmp_path, "switch")


def test_a_preview_needs_no_device() -> None:
    rendered = render(TEMPLATE, intent())
    shown = fit(rendered, default_radios(rendered))["wireless"]
    assert [s.name for s in shown.of_type("wifi-device")] == ["radio0", "radio1"]


def test_an_automatic_channel_is_rendered_so() -> None:
    radios = candidate(channel_2g=0, channel_5g=0)["wireless"].of_type("wifi-device")
    assert [radio.get("channel") for radio in radios] == ["auto", "auto"]


def test_what_netjsonconfig_refuses_is_named_without_a_dump() -> None:
    with pytest.raises(ProvisioningError) as caught:
        render(TEMPLATE, intent(channel_5g=999))
    assert "999" in str(caught.value)
    assert "{" not in str(caught.value)
