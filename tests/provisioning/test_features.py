"""Features of intent: on, off again, and nothing of them where nobody asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farola.errors import ProvisioningError
from farola.settings import City, Settings
from inventory.records import DeviceRecord, Secrets
from napalm_openwrt.uci_merge import diff, mask_config, merge
from napalm_openwrt.uci_text import Config, Package, Section, format_config, format_file, parse
from provisioning.intent.context import fingerprint, secret_fingerprints
from provisioning.intent.features import evaluate, variables_of
from provisioning.intent.fit import candidate_text
from provisioning.intent.meant import Intent, gather
from provisioning.intent.render import TEMPLATES, default_radios, fit, read_template, render
from provisioning.intent.values import spelled
from provisioning.intent.variables import VARIABLES
from simulator.stock_config import Identity, config_files
from simulator.uci.syntax import read as device_read

TEMPLATE, PATH = read_template(Path("nowhere"), "access-point")
KEY, SHARED = "correct 'horse' \"battery\" \\ #", "radius's own 😀"
WG_KEY = "9lFOvzVkDlkuVUMXGYlFzDHXJ/0iCXSOo1eRxvzTZHs="
VAULT = {
    "wifi": Secrets("wifi", "", {"secret": KEY}),
    "radius": Secrets("radius", "", {"secret": SHARED, "other": "another one"}),
    "wireguard-ap1": Secrets("wireguard-ap1", "", {"secret": WG_KEY}),
}
RADIUS = {"radius_server": "10.9.9.9", "radius_secret": {"credential": "radius"}}
ROUTED = {"guest_routing": "routed", "guest_address": "10.20.0.1/22", "wan_zone": "lan"}
EVERYTHING: dict[str, Any] = {
    "ssid_security": "owe-transition", "staff_ssid": "Staff", **RADIUS, **ROUTED,
    "guest_vlan": 30, "staff_vlan": 40, "management_vlan": 50, "dns_servers": ["9.9.9.9"],
    "portal": "opennds", "portal_server": "portal.example", "client_down_kbit": 2000,
    "portal_secret": {"credential": "wifi"}, "portal_allowed": ["a.example", "b.example"],
    "guest_down_kbit": 50000, "guest_up_kbit": 20000, "log_server": "10.1.1.1",
    "ntp_servers": ["a.example", "b.example"], "width_5g": 40, "max_clients": 60,
    "radius_acct_server": "10.9.9.9", "guest_allowed": ["10.0.0.9/32"],
    "wireguard_server": "vpn.example", "wireguard_server_key": WG_KEY,
    "wireguard_allowed": ["10.99.0.0/16"], "wireguard_address": "10.99.0.7/16",
}  # fmt: skip


def stock() -> Config:
    """What a pretend access point runs when it comes."""
    who = Identity("ap1", "02:00:00:00:00:00", "S", "02:00:00:00:00:01", "02:00:00:00:00:02")
    config: Config = {}
    for name, text in config_files(who).items():
        config |= parse(text, name)
    return config


STOCK = stock()


def intent(variables: Mapping[str, Any], country: str = "MX", **more: Any) -> Intent:
    city = Settings(Path("home"), City("Prueba", "America/Mexico_City", "CDMX", country))
    device = DeviceRecord(
        "ap1", "Plaza 1", "access-point", "openwrt", "10.0.0.1", 22, 161, None, None, "ap", None,
        "live", "imported", "s1",
    )  # fmt: skip
    return gather(city, device, None, levels={"city": dict(variables)}, vault=VAULT, **more)


def candidate(running: Config, variables: Mapping[str, Any], **more: Any) -> Config:
    rendered = render(TEMPLATE, intent(variables, **more), name=PATH)
    return parse(candidate_text(fit(rendered, running)), keep_empty=True)


def pushed(running: Config, variables: Mapping[str, Any], **more: Any) -> Config:
    return merge(running, candidate(running, variables, **more)) | {
        name: package
        for name, package in running.items()
        if name not in candidate(running, variables, **more)
    }


def section(config: Config, package: str, name: str) -> Section:
    return next(one for one in config[package].sections if one.name == name)


def test_a_plain_city_gets_what_it_always_got() -> None:
    made = candidate(STOCK, {})
    assert set(made) == {"system", "wireless", "snmpd"}
    assert len(made["wireless"].sections) == 4
    assert {one.get("htmode") for one in made["wireless"].of_type("wifi-device")} == {None}


def test_all_features_together_render_and_a_second_time_change_nothing() -> None:
    once = pushed(STOCK, EVERYTHING)
    assert diff(once, pushed(once, EVERYTHING)) == ""
    assert {"opennds", "sqm", "network", "firewall", "dhcp"} <= set(once)


def test_features_that_are_taken_out_are_off_the_air_and_stay_so() -> None:
    off = pushed(pushed(STOCK, EVERYTHING), {})
    serving = {
        one.get("ssid")
        for one in off["wireless"].of_type("wifi-iface")
        if one.get("disabled") != "1"
    }
    assert serving == {"CDMX"}
    assert section(off, "opennds", "portal").get("enabled") == "0"
    assert section(off, "sqm", "cityguest").get("enabled") == "0"
    assert section(off, "firewall", "city_guest_wan").get("enabled") == "0"
    assert section(off, "network", "citywg").get("disabled") == "1"
    assert section(off, "network", "citywg").get("private_key") is None
    assert section(off, "network", "lan").get("device") == "br-lan"
    assert {one.get("device") for one in off["network"].of_type("bridge-vlan")} == {"unused"}
    for name in ("default_radio0", "default_radio1"):
        assert section(off, "wireless", name).get("owe_transition_ifname") is None
        assert section(off, "wireless", name).get("network") == "lan"
    assert diff(off, pushed(off, {})) == ""


def test_features_that_come_back_serve_again() -> None:
    once = pushed(STOCK, EVERYTHING)
    again = pushed(pushed(once, {}), EVERYTHING)
    for package in again:
        before = {(s.type, s.name): dict(s.options) for s in once[package].sections}
        after = {(s.type, s.name): dict(s.options) for s in again[package].sections}
        for value in after.values():
            value.pop("disabled", None) if value.get("disabled") == "0" else None
        for value in before.values():
            value.pop("disabled", None) if value.get("disabled") == "0" else None
        assert after == before


def test_what_somebody_else_set_on_a_device_is_left_alone() -> None:
    by_hand = STOCK | parse(
        "package opennds\n\nconfig opennds\n\toption enabled '1'\n"
        "package dropbear\n\nconfig dropbear\n\toption PasswordAuth 'off'\n"
    )
    lan = section(by_hand, "network", "lan")
    options = tuple((k, "none" if k == "proto" else v) for k, v in lan.options)
    by_hand["network"] = merge(
        by_hand, {"network": Package("network", (Section("interface", "lan", options),))}
    )["network"]
    made = candidate(by_hand, {})
    assert set(made) == {"system", "wireless", "snmpd"}


def test_vlans_are_put_on_the_bridge_that_the_device_has() -> None:
    text = (
        "config device\n\toption name 'eth9'\n\nconfig device\n\toption name 'br-lan'\n\toption "
        "type 'bridge'\n\tlist ports 'lan1'\n\tlist ports 'wan'\n\nconfig interface 'lan'\n"
        "\toption device 'br-lan'\n\toption proto 'dhcp'\n"
    )
    running = STOCK | parse(text, "network")
    network = pushed(running, {"guest_vlan": 30})["network"]
    devices = network.of_type("device")
    assert [one.get("name") for one in devices] == ["eth9", "br-lan"]
    assert [one.get("vlan_filtering") for one in devices] == [None, "1"]
    ports = {one.get("vlan"): one.get("ports") for one in network.of_type("bridge-vlan")}
    assert ports == {"1": ("lan1:u*", "wan:u*"), "30": ("lan1:t", "wan:t")}
    assert [one.get("device") for one in network.sections if one.name == "lan"] == ["br-lan.1"]


def test_a_device_without_what_intent_builds_on_is_named() -> None:
    with pytest.raises(ProvisioningError, match=r"no bridge 'br-city'.*set\s+bridge"):
        candidate(STOCK, {"guest_vlan": 30, "bridge": "br-city"})
    with pytest.raises(ProvisioningError, match=r"no firewall zone 'wan'.*lan.*set wan_zone"):
        candidate(STOCK, {**ROUTED, "wan_zone": "wan"})


def test_owe_transition_is_two_networks_that_name_each_other() -> None:
    wireless = candidate(STOCK, {"ssid_security": "owe-transition"})["wireless"]
    pairs = {one.get("ifname"): one for one in wireless.of_type("wifi-iface")}
    assert set(pairs) == {"wlan0", "wlan1", "owe-radio0", "owe-radio1"}
    for number in "01":
        open_one, owe = pairs[f"wlan{number}"], pairs[f"owe-radio{number}"]
        assert open_one.get("owe_transition_ifname") == owe.get("ifname")
        assert owe.get("owe_transition_ifname") == open_one.get("ifname")
        assert (open_one.get("encryption"), owe.get("encryption")) == ("none", "owe")
        assert owe.get("hidden") == "1"
        assert open_one.get("ssid") == "CDMX" != owe.get("ssid")
        assert len(str(owe.get("ssid"))) <= 32


@pytest.mark.parametrize(
    ("security", "encryption"),
    [("psk2", "psk2+ccmp"), ("sae", "sae"), ("sae-mixed", "sae-mixed")],
)
def test_a_city_network_with_a_key(security: str, encryption: str) -> None:
    given = {"ssid_security": security, "ssid_key": {"credential": "wifi"}}
    for one in candidate(STOCK, given)["wireless"].of_type("wifi-iface"):
        assert (one.get("encryption"), one.get("key")) == (encryption, KEY)


def test_a_city_network_that_is_open_again_forgets_its_key() -> None:
    keyed = pushed(STOCK, {"ssid_security": "psk2", "ssid_key": {"credential": "wifi"}})
    for one in pushed(keyed, {})["wireless"].of_type("wifi-iface"):
        assert (one.get("encryption"), one.get("key")) == ("none", None)


@pytest.mark.parametrize(
    ("security", "encryption"),
    [("wpa2-eap", "wpa2+ccmp"), ("wpa3-eap", "wpa3"), ("wpa3-mixed-eap", "wpa3-mixed")],
)
def test_staff_sign_in_with_radius(security: str, encryption: str) -> None:
    given = {"staff_ssid": "Staff", "staff_security": security, **RADIUS,
             "radius_acct_server": "acct.example",
             "radius_acct_secret": {"credential": "radius", "field": "other"}}  # fmt: skip
    staff = section(candidate(STOCK, given), "wireless", "citystaff_5g_radio1")
    assert dict(staff.options) == {
        "device": "radio1", "mode": "ap", "ssid": "Staff", "network": "lan",
        "encryption": encryption, "isolate": "0", "auth_server": "10.9.9.9", "auth_port": "1812",
        "auth_secret": SHARED, "acct_server": "acct.example", "acct_port": "1813",
        "acct_secret": "another one", "acct_interval": "600", "nasid": "Plaza-1", "disabled": "0",
    }  # fmt: skip


def test_a_radio_keeps_its_generation_and_takes_the_width() -> None:
    radios = candidate(STOCK, {"width_5g": 40, "width_2g": 20, "radio_2g": False})["wireless"]
    found = {one.name: one for one in radios.of_type("wifi-device")}
    assert found["radio1"].get("htmode") == "VHT40"
    assert (found["radio0"].get("htmode"), found["radio0"].get("disabled")) == ("HT20", "1")


def test_chilli_gives_out_the_addresses_itself() -> None:
    given = {**RADIUS, **ROUTED, "portal": "chilli", "portal_url": "https://portal.example/login",
             "portal_allowed": ["a.example", "10.0.0.0"], "client_up_kbit": 500}  # fmt: skip
    packaged = STOCK | parse("package chilli\n\nconfig chilli\n\toption disabled '1'\n")
    made = pushed(packaged, given)
    chilli = made["chilli"].sections[0]
    assert len(made["chilli"].sections) == 1
    assert chilli.get("disabled") is None
    assert chilli.get("uamallowed") == "a.example,10.0.0.0"
    assert chilli.get("net") == "10.20.0.0/22"
    assert chilli.get("defsessiontimeout") == "43200"
    assert chilli.get("defbandwidthmaxup") == "500000"
    assert section(made, "network", "cityguest").get("proto") == "none"
    assert "cityguest" not in {one.name for one in made["dhcp"].sections}
    assert intent(given)["accounting"].value == "chilli"


def test_snmpv3_comes_from_the_devices_credential() -> None:
    secrets = {"snmp_version": "3", "snmp_user": "farola", "snmp_auth_protocol": "sha256",
               "snmp_auth_password": "auth-pass-1", "snmp_priv_protocol": "aes128",
               "snmp_priv_password": "priv-pass-1", "snmp_community": "old"}  # fmt: skip
    made = candidate(STOCK, {}, secrets=secrets)
    assert section(made, "snmpd", "general").get("snmp_version") == "v3"
    assert dict(section(made, "snmpd", "city").options) == {
        "username": "farola", "auth_type": "SHA-256", "auth_pass": "auth-pass-1",
        "privacy_type": "AES", "privacy_pass": "priv-pass-1", "allow_write": "0",
    }  # fmt: skip
    assert made["snmpd"].of_type("com2sec") == []


def test_no_secret_shows_and_a_changed_one_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    from farola.keys import Keyring, create_key

    monkeypatch.setenv("FAROLA_KEY_FILE", str(tmp_path / "key"))
    create_key(tmp_path)
    keyring = Keyring(tmp_path)
    found = intent(EVERYTHING)
    text = format_config(mask_config(fit(render(TEMPLATE, found, name=PATH), STOCK)))
    for secret in (KEY, SHARED):
        assert secret not in text + repr(found)
    marks = secret_fingerprints(found, keyring)
    assert set(marks) == {
        "radius_secret", "radius_acct_secret", "portal_secret", "wireguard_private_key",
    }  # fmt: skip
    assert marks["radius_secret"] == fingerprint(keyring, SHARED) != marks["portal_secret"]


WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=32)
RAW = st.binary(min_size=1, max_size=32).filter(lambda b: not any(c < 32 or c == 127 for c in b))
SSIDS: st.SearchStrategy[str] = st.one_of(
    WORDS.filter(lambda text: len(text.encode()) <= 32),
    RAW.map(lambda raw: f"hex:{raw.hex()}"),
    st.sampled_from([" both ends ", "'", "\\'", "#x", "@owe", "{{ssid}}", "@ports:t", "fv0vf"]),
).filter(lambda text: not any(0x7F <= ord(one) <= 0x9F for one in str(spelled("ssid", text))))
KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=8, max_size=63)


@settings(max_examples=60, deadline=None)
@given(ssid=SSIDS, staff=SSIDS, key=KEYS)
def test_any_network_and_key_arrive_through_the_pretend_devices_own_uci(
    ssid: str, staff: str, key: str
) -> None:
    vault = {"wifi": Secrets("wifi", "", {"secret": key})}
    given = {
        "ssid": ssid,
        "ssid_security": "psk2",
        "ssid_key": {"credential": "wifi"},
        "staff_ssid": staff,
        "staff_security": "psk2",
        "staff_key": {"credential": "wifi"},
    }
    city = Settings(Path("home"), City("Prueba", "UTC", "CDMX", "MX"))
    device = DeviceRecord("ap1", "P", "access-point", "openwrt", "", 22, 161, None, None, None,
                          None, "live", "imported", None)  # fmt: skip
    found = gather(city, device, None, levels={"city": given}, vault=vault)
    after = merge(STOCK, fit(render(TEMPLATE, found, name=PATH), STOCK))["wireless"]
    assert parse(format_file(after), "wireless")["wireless"] == after
    (package,) = device_read(format_file(after), "wireless")
    networks = [
        {option.name: option.value for option in one.options}
        for one in package.sections
        if one.type == "wifi-iface"
    ]
    assert {one["ssid"] for one in networks} == {spelled("ssid", ssid), spelled("ssid", staff)}
    assert {one["key"] for one in networks} == {key}
    assert {one.get("ifname") for one in networks} == {None, "wlan0", "wlan1"}


def test_each_variable_is_known_to_a_template_and_each_is_documented() -> None:
    texts = [TEMPLATE, *(path.read_text() for path in (TEMPLATES / "features").glob("*.yaml"))]
    named = frozenset().union(*(variables_of(text) for text in texts))
    through_others = {
        "guest_address", "management_address", "staff_security", "radius_secret",
        "snmp_auth_protocol", "snmp_priv_protocol", "client_down_kbit", "client_up_kbit",
    }  # fmt: skip
    assert VARIABLES.keys() - named - through_others == set()
    page = (Path(__file__).parents[2] / "docs" / "intent.md").read_text(encoding="utf-8")
    assert [name for name in VARIABLES if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "not YAML"),
        ("just text", "mapping of UCI packages"),
        ("wireless: {a: b}", "list of sections"),
        ("wireless: [{options: {a: b}}]", "`type: name`"),
        ("wireless: [{wifi-iface: 'a b'}]", "`type: name`"),
        ("wireless: [{wifi-iface: a, options: {'b c': 1}}]", "'b c' cannot name an option"),
        ("wireless: [{wifi-iface: a, options: {b: '{{stff_ssid}}'}}]", "'staff_ssid'"),
        ("wireless: [{wifi-iface: a, when: stff_ssid}]", "did you mean 'staff_ssid'"),
        ("wireless: [{wifi-iface: a, when: 'a and b'}]", "name=a|b"),
        ("wireless: [{wifi-iface: a, else: {b: {only: c}}}]", "else: b"),
    ],
)
def test_a_broken_feature_is_told_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ProvisioningError) as caught:
        evaluate(text, {}, name="mine.yaml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("mine.yaml: ")
    assert "\n" not in str(caught.value)


def test_a_home_can_write_its_own_feature(tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "features"
    folder.mkdir(parents=True)
    (folder / "led.yaml").write_text(
        "when: led_colour\nsystem:\n  - led: lamp\n    options:\n      name: '{{led_colour}}'\n"
        "      every: '@join:x:{{ntp_servers}}'\n      "
        "trigger: {when: led_colour!=red, value: blink}\n"
        "    else: {trigger: none}\n"
    )
    template = "features: [led]\ngeneral: {id: system, hostname: '{{hostname}}'}\n"
    path = str(tmp_path / "templates" / "access-point.yaml")
    found = {"led_colour": "green", "ntp_servers": ["a.example", "b.example"]}
    made = fit(render(template, intent(found), name=path), {})
    assert dict(section(made, "system", "lamp").options) == {
        "name": "green", "every": "x,a.example,b.example", "trigger": "blink",
    }  # fmt: skip
    lamp = parse("config led 'lamp'\n\toption trigger 'on'\n", "system")
    off = fit(render(template, intent({"led_colour": "none"}), name=path), lamp)
    assert section(off, "system", "lamp").get("trigger") == "none"
    (tmp_path / "templates" / "features" / "led.yaml").unlink()
    with pytest.raises(ProvisioningError, match="no feature 'led'"):
        render(template, intent({}), name=path)


def test_a_preview_shows_vlans_on_one_port() -> None:
    rendered = render(TEMPLATE, intent({"guest_vlan": 30}), name=PATH)
    shown = fit(rendered, default_radios(rendered))["network"]
    assert [one.get("ports") for one in shown.of_type("bridge-vlan")] == [("eth0:u*",), ("eth0:t",)]
