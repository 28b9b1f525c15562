"""`farola collect discover` with snmpd on a few addresses of the range, as a person runs it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from collectors.snmp.model import Target, Usm
from inventory.models import Device, Event
from tests.collectors.discovery.conftest import agents, started
from tests.collectors.snmp.conftest import free_port

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def port(needs_program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    with agents(needs_program("snmpd", "snmpd"), folder, "gate", "plaza", "kiosk") as number:
        yield number


def discover(city, port, *more, **kwargs):
    return city(
        "collect", "discover", "127.20.0.0/27", "--port", port, "--rate", 2000,
        "--timeout", 0.5, *more, "--json", **kwargs,
    ).json  # fmt: skip


def test_only_the_given_range_is_asked_each_address_as_often_as_told(city, ears):
    report = city(
        "collect", "discover", "127.20.0.0/28", "127.20.3.9", "--port", ears.port,
        "--rate", 500, "--tries", 2, "--timeout", 0.1, "--json",
    ).json  # fmt: skip
    expected = {f"127.20.0.{n}": 2 for n in range(1, 15)} | {"127.20.3.9": 2}
    assert dict(ears.asked) == expected
    assert report["requests"] == sum(expected.values())
    assert (report["addresses"], report["found"]) == (15, [])


def test_credentials_are_tried_in_turn_and_few_of_them(city, ears):
    for name in "abcde":
        city("device", "credential", name, "--field", "snmp_community", stdin=f"secret-{name}")
    done = city(
        "collect", "discover", "127.20.0.1", "--port", ears.port, "--tries", 1, "--timeout", 0.1
    )
    assert ears.asked == {"127.20.0.1": 3}
    assert "credentials that are not tried: d, e" in done.err
    assert "secret" not in done.err + done.out


def test_agents_are_found_proposed_accepted_once_and_known_again(city, port, db):
    report = discover(city, port)
    assert [
        (one["key"], one["name"], one["serial"], one["model"], one["unknown"])
        for one in report["found"]
    ] == [
        (f"127.20.0.10:{port}", "gate", "SN-0", "Lamp 9000", True),
        (f"127.20.0.11:{port}", "plaza", "SN-1", "Lamp 9000", True),
        (f"127.20.0.12:{port}", "kiosk", "SN-2", "Lamp 9000", True),
    ]
    assert all(one["family"] == "generic" and one["mac"] for one in report["found"])
    assert city("device", "discovered", "--json").json["unknown"] == 3

    gate, plaza = f"127.20.0.10:{port}", f"127.20.0.11:{port}"
    assert city("device", "accept", gate, "--role", "switch", "--json").json["new"] == 1
    assert city("device", "ignore", plaza, "--json").json["ignored"] == [plaza]
    assert city("device", "accept", "--all-new", "--json").json["new"] == 1
    with db() as session:
        devices = {one.id: one for one in session.query(Device)}
        before = {name: dict(vars(one)) for name, one in devices.items()}
    assert set(devices) == {"gate", "kiosk"}
    assert (devices["gate"].role, devices["gate"].management_address) == ("switch", "127.20.0.10")
    assert (devices["gate"].snmp_port, devices["gate"].serial) == (port, "SN-0")

    again = city("device", "accept", gate, "--json").json
    assert again == {
        "accepted": [{"key": gate, "device_id": "gate", "what": "unchanged"}], "new": 0
    }  # fmt: skip
    assert city("device", "accept", "--all-new", "--json").json == {"accepted": [], "new": 0}
    report = discover(city, port)
    assert [one["device_id"] for one in report["found"]] == ["gate", None, "kiosk"]
    assert (report["unknown"], report["ignored"], report["known"]) == (0, 1, 2)
    assert [one["ignored"] for one in report["found"]] == [False, True, False]
    seen = city("device", "discovered", "--all", "--json").json
    assert (seen["unknown"], len(seen["proposals"])) == (0, 3)
    for at in (seen["proposals"][0][key] for key in ("first_seen", "last_seen")):
        assert datetime.fromisoformat(at).utcoffset() == timedelta(0)
    with db() as session:
        after = {one.id: dict(vars(one)) for one in session.query(Device)}
    for states in (before, after):
        for state in states.values():
            state.pop("_sa_instance_state")
    assert after == before


def test_a_device_at_another_address_is_told_and_not_proposed_again(city, port, db):
    city("device", "accept", *[one["key"] for one in discover(city, port)["found"]])
    with db() as session:
        session.get(Device, "gate").management_address = "127.20.9.9"
    (gate, *_) = discover(city, port)["found"]
    assert (gate["device_id"], gate["unknown"]) == ("gate", False)
    assert gate["remark"] == f"the inventory has it at 127.20.9.9, SNMP port {port}"

    kept = city("device", "accept", gate["key"], "--json")
    assert kept.json["accepted"][0]["what"] == "unchanged"
    assert f"(127.20.9.9:{port})" in kept.err
    assert "--move" in kept.err
    for what in ("moved", "unchanged"):
        (done,) = city("device", "accept", gate["key"], "--move", "--json").json["accepted"]
        assert done == {"key": gate["key"], "device_id": "gate", "what": what}
    with db() as session:
        assert session.get(Device, "gate").management_address == "127.20.0.10"
        (event,) = session.query(Event).where(Event.kind == "device.moved")
        assert event.text == f"gate is at 127.20.0.10:{port}, no longer at 127.20.9.9:{port}"
        session.get(Device, "gate").management_address = "127.20.9.9"
        session.get(Device, "plaza").management_address = "127.20.0.10"
    taken = city("device", "accept", gate["key"], "--move", code=1).err
    assert "that is plaza's address; move that one first" in taken


def test_another_community_is_told_as_one_that_must_be_stored(city, needs_program, tmp_path):
    snmpd = needs_program("snmpd", "snmpd")
    with agents(snmpd, tmp_path, "gate", community="hidden") as port:
        assert discover(city, port)["found"] == []
        (found,) = discover(city, port, "--community", "hidden")["found"]
        assert found["credential_needed"] is True
        city("device", "credential", "lamps", "--field", "snmp_community", stdin="hidden")
        (found,) = discover(city, port)["found"]
    assert (found["credential"], "credential_needed" in found) == ("lamps", False)
    done = city("device", "accept", found["key"], "--json")
    assert done.json["new"] == 1
    assert "hidden" not in done.out + done.err


def test_snmpv3_users_find_agents_and_what_refuses_them_is_told(city, needs_program, tmp_path):
    """One agent at two addresses, which lets only one user in."""
    (tmp_path / "snmpd.conf").write_text(
        "agentAddress udp:127.20.0.10:{0},udp:127.20.0.11:{0}\nsysName vault\n"
        "createUser anna SHA-256 authsecret AES privsecret\nrouser anna priv\n".format(
            port := free_port()
        )
    )
    snmpd = needs_program("snmpd", "snmpd")
    command = [snmpd, "-f", "-Lo", "-C", "-c", str(tmp_path / "snmpd.conf"), "-I", "-smux"]
    usm = Usm("anna", "sha256", "authsecret", "aes128", "privsecret")
    anna = Target("vault", "127.20.0.10", port, "", timeout_s=0.5, version="3", usm=usm)

    def store(name: str, **fields: str) -> None:
        for field, value in fields.items():
            city("device", "credential", name, "--field", f"snmp_{field}", stdin=value)

    with started(command, anna, tmp_path / "log", SNMP_PERSISTENT_DIR=tmp_path):
        store("a-stranger", version="3", user="bob")
        report = discover(city, port)
        assert report["found"] == []
        assert [one["address"] for one in report["refused"]] == ["127.20.0.10", "127.20.0.11"]
        assert all("'bob'" in one["why"] for one in report["refused"])
        store(
            "lamps", version="3", user=usm.user, auth_protocol="sha256",
            auth_password=usm.auth_password, priv_protocol="aes128",
            priv_password=usm.priv_password,
        )  # fmt: skip
        report = discover(city, port)
    assert [(one["name"], one["credential"]) for one in report["found"]] == [("vault", "lamps")] * 2
    assert (report["refused"], report["found"][0]["same_engine"]) == ([], 1)
    done = city("device", "accept", "--all-new")
    assert "one device with several addresses" in done.err


def test_two_credentials_at_once_are_refused_in_one_line(city):
    done = city(
        "collect", "discover", "127.20.0.1", "--community", "a", "--credential", "b", code=1
    )
    assert "not both" in done.err
    done = city("collect", "discover", "127.20.0.1", "--credential", "nobody", code=1)
    assert "no credential 'nobody'" in done.err
    done = city("device", "accept", code=1)
    assert "--all-new" in done.err
    assert "no proposal 'x'" in city("device", "ignore", "x", code=1).err
