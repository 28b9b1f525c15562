"""Intent on pretend access points: prepared, pushed, read on the device's own disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from farola.keys import Keyring
from inventory import queries
from inventory.db import open_inventory
from inventory.models import DeviceGroup
from napalm_openwrt.uci_text import parse

KEY = "don't \"#\\ guess"
SSID = b" Caf\xe9 'n\\# "
VARIABLES = f"""
groups:
  plazas:
    ssid: "hex:{SSID.hex()}"
    ssid_security: owe-transition
    staff_ssid: Ayuntamiento 😀
    staff_security: psk2
    staff_key: {{credential: wifi}}
    guest_vlan: 30
    management_vlan: 50
    wireguard_server: vpn.example
    wireguard_server_key: 9lFOvzVkDlkuVUMXGYlFzDHXJ/0iCXSOo1eRxvzTZHs=
    wireguard_allowed: [10.99.0.0/16]
devices:
  ap1: {{wireguard_address: 10.99.0.1/16}}
  ap2: {{wireguard_address: 10.99.0.2/16}}
"""


@pytest.fixture
def plazas(adopted: Any, home: Path) -> Any:
    """A city whose ap1 is in a group that wants much."""
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        session.add(DeviceGroup(name="plazas", device_id="ap1"))
        queries.store_secrets(session, "wifi", "", {"secret": KEY}, Keyring(home))
    inventory.close()
    (home / "variables.yaml").write_text(VARIABLES)
    return adopted


def ask(city: Any, *words: Any, code: int = 0) -> Any:
    return json.loads(city.run("provision", *words, "--json", code=code).stdout)


@pytest.mark.usefixtures("without_ansible")
def test_features_reach_a_device_and_a_second_time_nothing_changes(plazas: Any) -> None:
    said = plazas.run("provision", "prepare", "--device", "ap1", code=1).stderr
    assert "private key" in said
    assert "farola device wireguard" in said
    key = json.loads(plazas.run("device", "wireguard", "ap1", "--json").stdout)["devices"][0]
    assert (key["made"], key["address"]) == (True, "10.99.0.1/16")
    again = json.loads(plazas.run("device", "wireguard", "ap1", "--json").stdout)["devices"][0]
    assert again == key | {"made": False}

    change = ask(plazas, "prepare", "--device", "ap1")
    device = change["devices"][0]
    assert KEY not in json.dumps(change)
    assert set(device["secrets"]) == {"snmp_community", "staff_key", "wireguard_private_key"}
    assert ask(plazas, "push", change["change"])["pushed"] == 1

    path = plazas.fleet.device("ap1").root / "etc" / "config"
    wireless = parse((path / "wireless").read_text("utf-8", "surrogateescape"), "wireless")
    networks = wireless["wireless"].of_type("wifi-iface")
    names = [one.text("ssid").encode("utf-8", "surrogateescape") for one in networks]
    assert names.count(SSID) == 2
    staff = [one for one in networks if one.get("ssid") == "Ayuntamiento 😀"]
    assert [one.get("key") for one in staff] == [KEY, KEY]
    network = plazas.config("ap1", "network")
    assert "list ports 'eth0:t'" in network
    assert "config wireguard_citywg 'citywg_peer'" in network
    assert ask(plazas, "prepare", "--device", "ap1")["devices"][0]["status"] == "unchanged"


def test_a_changed_secret_is_told_by_its_fingerprint(plazas: Any, home: Path) -> None:
    (home / "variables.yaml").write_text(
        "city: {ssid_security: psk2, ssid_key: {credential: wifi}}"
    )
    before = ask(plazas, "prepare", "--device", "ap1")["devices"][0]["secrets"]
    plazas.run("device", "credential", "wifi", "--field", "secret", input="another key")
    after = ask(plazas, "render", "ap1")
    assert after["variables"]["ssid_key"] == {"value": "•••", "from": "city"}
    assert after["fingerprints"]["snmp_community"] == before["snmp_community"]
    assert after["fingerprints"]["ssid_key"] != before["ssid_key"]


def test_render_shows_what_a_value_took_the_place_of(plazas: Any, home: Path) -> None:
    (home / "variables.yaml").write_text(
        "city: {tx_power_2g: 18}\ngroups: {plazas: {tx_power_2g: 15}}\n"
        "sites: {s1: {tx_power_2g: 9}}"
    )
    assert ask(plazas, "render", "ap1")["variables"]["tx_power_2g"] == {
        "value": 9,
        "from": "sites s1",
        "overridden": [
            {"value": 15, "from": "groups plazas"}, {"value": 18, "from": "city"},
        ],
    }  # fmt: skip
    shown = plazas.run("provision", "render", "ap1").stdout
    assert "groups plazas" in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("city: {guest_vlan: 5000}", "guest_vlan (from city) is 5000"),
        ("city: {chanel_5g: 36}", "did you mean 'channel_5g'?"),
        ("city: {ssid_key: in-the-clear}", "ssid_key is a secret"),
        (
            "city: {management_proto: static, management_address: 10.5.0.7/24}",
            "ap1 and ap2 have one management_address, 10.5.0.7",
        ),
    ],
)
def test_a_wrong_variable_stops_all_before_a_device_is_asked(
    adopted: Any, home: Path, text: str, said: str
) -> None:
    (home / "variables.yaml").write_text(text)
    done = adopted.run("provision", "prepare", "--device", "ap1", "--device", "ap2", code=1)
    assert said in done.stderr
    assert "in-the-clear" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_two_devices_with_one_management_address_are_named(adopted: Any) -> None:
    other = adopted.fleet.device("ap2")
    adopted.change("ap1", management_address=other.address, ssh_port=other.ssh_port)
    done = adopted.run("provision", "prepare", "--device", "ap1", code=1)
    assert "ap1 and ap2 have one management address" in done.stderr
    assert ask(adopted, "prepare", "--device", "ap3")["devices"][0]["device"] == "ap3"
