"""What a device ran is shown without its secrets, and put back with them by a change."""

from __future__ import annotations

import json

import pytest

from farola.errors import ProvisioningError
from farola.keys import Keyring
from inventory import queries
from inventory.change_models import ChangeDevice
from inventory.db import open_inventory
from provisioning.history.blame import blamed
from provisioning.history.configs import History
from provisioning.history.restore import candidate_of
from tests.provisioning.conftest import COMMUNITY, City
from tests.provisioning.test_audit import said

SSID = "Una red"


@pytest.fixture
def history(adopted: City) -> History:
    return History(adopted.settings.home, Keyring(adopted.settings.home))


def wireless(key: str, community: str = COMMUNITY) -> str:
    community = community.replace("'", "'\\''")
    return (
        "package snmpd\n\nconfig com2sec 'public'\n"
        f"\toption community '{community}'\n\n"
        f"package wireless\n\nconfig wifi-iface 'city'\n\toption ssid '{SSID}'\n"
        f"\toption key '{key}'\n\n"
    )


def test_a_config_is_brought_back_by_a_change_of_its_own(adopted, history):
    first = json.loads(said("fetch", "ap1", "--json"))
    assert first["recorded"] == ["ap1"]
    before = adopted.config("ap1", "wireless")
    adopted.edit("ap1", "wireless", "OpenWrt", "Somebody's")
    said("fetch", "ap1")
    listed = json.loads(said("history", "ap1", "--json"))["versions"]
    assert len(listed) == 2
    assert listed[1]["cause"] == "by hand"
    shown = said("history", "ap1", listed[0]["version"][:8])
    assert "option ssid 'OpenWrt'" in shown
    assert said("history", "ap1", "--blame").count("by hand") == shown.count("\n")
    change = json.loads(said("restore", "ap1", "last~1", "--json"))
    assert change["devices"][0]["status"] == "pending"
    assert "+\toption ssid 'OpenWrt'" in change["devices"][0]["diff"]
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        assert session.get(ChangeDevice, (change["change"], "ap1")).replace
    inventory.close()
    assert "Somebody" in adopted.config("ap1", "wireless"), "nothing is pushed by preparing"
    assert "Somebody" not in before
    nothing = adopted.run("provision", "restore", "ap1", "zz", code=1).stderr
    assert "no version 'zz'" in nothing
    actions = [one["action"] for one in json.loads(said("log", "--json"))]
    assert actions.count("config.fetched") == 2


def test_a_restore_brings_secrets_back_and_a_rotated_credential_stays_rotated(adopted, history):
    version, _ = history.add("ap1", wireless("of nobody"))
    assert candidate_of(history, version).text == wireless("of nobody")
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        values = {"password": "x", "snmp_community": "newer's"}
        queries.store_secrets(session, "ap", "root", values, history.keyring)
    inventory.close()
    found = candidate_of(history, version)
    assert found.text == wireless("of nobody", "newer's")
    assert found.notes == (
        "snmp_community of credential ap was changed since: the new one is used",
    )
    assert "newer" not in repr(found)
    assert candidate_of(history, version, as_it_was=True).text == wireless("of nobody")


@pytest.mark.parametrize("text", ["", "no config"])
def test_what_is_no_config_cannot_be_put_back(history, text):
    version, _ = history.add("ap1", text)
    with pytest.raises(ProvisioningError, match="no config that"):
        candidate_of(history, version)


def test_each_line_is_blamed_on_the_version_that_brought_it():
    versions = [["a", "b"], ["a", "c", "b"], ["c", "b", "b"]]
    assert blamed(versions) == [(1, "c"), (0, "b"), (2, "b")]
