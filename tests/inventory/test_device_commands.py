"""`farola device list` and `farola device show`."""

from __future__ import annotations

import pytest

from inventory import uplinks
from inventory.models import Credential, Device, Placement, Site


@pytest.fixture
def town(cli, db):
    cli("init", "--name", "Test", "--timezone", "Europe/Lisbon", "--country", "PT")
    cli("device", "credential", "city", "--field", "snmp_community", stdin="s3cret")
    with db() as session:
        assert session.get(Credential, "city")
        session.add(Site(id="plaza", name="Plaza", lat=38.7, lon=-9.1))
        session.add_all(
            [
                Device(id="wlc", name="wlc", role="controller"),
                Device(id="sw", name="sw", role="switch", management_address="10.0.0.2"),
                Device(id="old", name="old", status="retired"),
            ]
        )
        session.flush()
        session.add(
            Device(
                id="ap", name="Fountain", platform="openwrt", management_address="10.0.0.7",
                snmp_port=1161, controller_id="wlc", credential_name="city", host_key="ssh-x AAA",
                snmp_answers_from="10.0.0.8 10.0.0.9", placements=[Placement(site_id="plaza")],
            )
        )  # fmt: skip
        session.flush()
        uplinks.set_by_hand(session, "ap", "sw", "gi7")


def test_devices_are_listed_by_role_and_place(town, cli):
    def ids(*options: str) -> list[str]:
        said = cli("device", "list", *options, "--json").json
        assert said["count"] == len(said["devices"])
        return [one["id"] for one in said["devices"]]

    assert ids() == ["ap", "sw", "wlc"]
    assert ids("--role", "switch") == ["sw"]
    assert ids("--site", "plaza") == ["ap"]
    assert ids("--unplaced") == ["sw", "wlc"]
    none = cli("device", "list", "--role", "swich")
    assert (none.out, "there are access-point, controller, switch" in none.err) == (
        "0 devices\n", True
    )  # fmt: skip
    assert "no site 'park'" in cli("device", "list", "--site", "park", code=1).err
    assert "not both" in cli("device", "list", "--site", "plaza", "--unplaced", code=1).err
    shown = cli("device", "list").out
    assert "sw port gi7" in shown
    assert "3 devices" in shown


def test_a_device_is_shown_whole_and_without_a_secret(town, cli):
    done = cli("device", "show", "ap", "--json")
    shown = done.json
    assert shown["uplink"].pop("seen_at").endswith("+00:00")
    assert shown == {
        "id": "ap", "name": "Fountain", "role": "access-point", "platform": "openwrt",
        "address": "10.0.0.7", "snmp_port": 1161, "ssh_port": 22,
        "answers_from": ["10.0.0.8", "10.0.0.9"], "mac": None, "serial": None, "site": "plaza",
        "controller": "wlc", "uplink": {"upstream": "sw", "port": "gi7", "source": "manual"},
        "credential": "city", "status": "live", "source": "imported",
        "can": ["diff", "atomic", "replace", "confirm", "rollback", "config", "commands"],
    }  # fmt: skip
    text = cli("device", "show", "ap").out
    assert "uplink: sw port gi7 (manual, " in text
    assert "credential: city\n" in text
    assert "s3cret" not in text + done.out
    assert "did you mean 'ap'" in cli("device", "show", "app", code=1).err
    assert "no device 'old'" in cli("device", "show", "old", code=1).err
