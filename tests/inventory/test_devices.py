"""Access points: one site a coordinate, one device a row; a later import moves, never disturbs."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from inventory import queries
from inventory.models import Bssid, Device, Placement, Radio

HEADER = "id,lat,lon,prog,ip,port,mac,serial,cred,bssids"
OPTIONS = (
    "--id", "id", "--programme", "prog", "--management-address", "ip", "--ssh-port", "port",
    "--mac", "mac", "--serial", "serial", "--credential", "cred", "--bssid", "bssids",
)  # fmt: skip


@pytest.fixture
def aps(city, files):
    def call(*rows, code=0):
        path = files.text("aps.csv", "\n".join([HEADER, *rows, ""]))
        done = city("import", "access-points", path, "--json", *OPTIONS, code=code)
        return {**done.json, "err": done.err}

    call.cli = city
    return call


def ap(identity, lat="-34.6", **cells):
    values = {"id": identity, "lat": lat, "lon": "-58.4", **cells}
    return ",".join(values.get(name, "") for name in HEADER.split(","))


def test_one_site_for_each_coordinate_and_one_device_a_row(aps, db) -> None:
    result = aps(
        ap("North_AP_01", prog="Schools"), ap("North_AP_02", prog="Parks"), ap("x", "-34.601")
    )
    assert (result["imported"], result["sites"]) == (3, 2)
    assert "Schools" in result["warnings"][0]["why"]
    with db() as session:
        devices = {d.id: d for d in queries.devices(session)}
        sites = {s.id: s for s in queries.sites(session)}
    assert devices["North_AP_01"].site_id == devices["North_AP_02"].site_id
    assert devices["x"].site_id == "geo:-34.601000,-58.400000"
    assert sites["geo:-34.600000,-58.400000"].name == "North_AP"
    assert sites["geo:-34.600000,-58.400000"].programme == "Schools"
    assert {(d.role, d.ssh_port, d.snmp_port, d.status) for d in devices.values()} == {
        ("access-point", 22, 161, "live")
    }


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("ip", "10.0.0.1:22", "--ssh-port"), ("ip", "10.0.0.0/8", "prefix"),
        ("ip", "-oProxyCommand=sh", "host name"), ("port", "70000", "65535"),
        ("mac", "aa:bb", "MAC"), ("mac", "ff:ff:ff:ff:ff:ff", "broadcast"),
        ("bssids", "aa:bb:cc:00:11:22 zz", "MAC"),
    ],
)  # fmt: skip
def test_a_bad_address_rejects_its_row_alone(aps, field, value, why) -> None:
    result = aps(ap("good"), ap("bad", **{field: value}))
    assert result["imported"] == 1
    (reject,) = result["rejected"]
    assert (reject["row"], reject["field"]) == (3, field)
    assert why in reject["why"]


def test_shared_macs_serials_and_addresses_are_told(aps) -> None:
    cells = {"mac": "AABBCC001122", "serial": "S1", "ip": "10.0.0.1"}
    result = aps(ap("a", **cells), ap("b", **cells), ap("c", ip="10.0.0.1", port="2222"))
    assert result["imported"] == 3
    assert sorted((w["row"], w["field"]) for w in result["warnings"]) == [
        (3, "ip"), (3, "mac"), (3, "serial"),
    ]  # fmt: skip
    assert all("row 2" in w["why"] for w in result["warnings"])


def test_bssids_are_kept_and_a_second_claim_is_told(aps, db) -> None:
    result = aps(
        ap("a", bssids="AA-BB-CC-00-00-01; aa:bb:cc:00:00:02"), ap("b", bssids="aa:bb:cc:00:00:02")
    )
    assert [w["row"] for w in result["warnings"]] == [3]
    with db() as session:
        assert {b: d for b, (d, _) in queries.own_bssids(session).items()} == {
            "aa:bb:cc:00:00:01": "a", "aa:bb:cc:00:00:02": "a",
        }  # fmt: skip
    result = aps(ap("b", bssids="aa:bb:cc:00:00:02"))
    assert "belonged to a" in result["warnings"][0]["why"]
    with db() as session:
        assert queries.own_bssids(session)["aa:bb:cc:00:00:02"][0] == "b"


def test_a_bssid_that_left_its_devices_list_is_ours_no_more(aps, db) -> None:
    aps(
        ap("a", bssids="aa:bb:cc:00:00:01 aa:bb:cc:00:00:02"), ap("b", bssids="aa:bb:cc:00:00:03"),
        ap("c", bssids="aa:bb:cc:00:00:04"),
    )  # fmt: skip
    with db() as session:  # what Farola saw itself is no list's to take away
        session.add(Radio(device_id="a", name="radio0"))
        session.flush()
        own = session.scalars(select(Radio.id).where(Radio.name == "radio0")).one()
        session.add(Bssid(bssid="aa:bb:cc:00:00:09", radio_id=own))
    result = aps(ap("a", bssids="aa:bb:cc:00:00:02"), ap("b"), ap("c", bssids="nonsense"))
    assert any("1 BSSIDs" in note for note in result["notes"])
    with db() as session:
        assert {bssid: d for bssid, (d, _) in queries.own_bssids(session).items()} == {
            "aa:bb:cc:00:00:02": "a", "aa:bb:cc:00:00:09": "a", "aa:bb:cc:00:00:03": "b",
            "aa:bb:cc:00:00:04": "c",
        }  # fmt: skip


def test_a_bssid_may_pass_from_one_device_to_another_in_one_file(aps, db) -> None:
    one, two = "aa:bb:cc:00:00:01", "aa:bb:cc:00:00:02"
    aps(ap("a", bssids=one), ap("b", bssids=two))
    aps(ap("a", bssids=two), ap("b", bssids=one))
    with db() as session:
        assert {b: d for b, (d, _) in queries.own_bssids(session).items()} == {one: "b", two: "a"}
    aps(ap("a", bssids=one), ap("b", bssids=one))  # the second claim is refused, the list is not
    with db() as session:
        assert {b: d for b, (d, _) in queries.own_bssids(session).items()} == {one: "a"}


def test_a_retired_device_has_no_bssids(aps, db) -> None:
    aps(ap("a", bssids="aa:bb:cc:00:00:01"), ap("b", bssids="aa:bb:cc:00:00:02"))
    with db() as session:
        session.execute(update(Device).where(Device.id == "a").values(status="retired"))
    with db() as session:
        assert list(queries.own_bssids(session)) == ["aa:bb:cc:00:00:02"]


def test_a_credential_that_does_not_exist_is_a_warning(aps, db) -> None:
    result = aps(ap("a", cred="ssh"))
    assert "farola device credential ssh" in result["warnings"][0]["why"]
    aps.cli("device", "credential", "ssh", "--username", "root", stdin="hunter2\n")
    assert aps(ap("a", cred="ssh"))["warnings"] == []
    with db() as session:
        assert queries.devices(session)[0].credential_name == "ssh"


def test_a_move_closes_one_placement_and_opens_another(aps, db) -> None:
    aps(ap("a"))
    assert aps(ap("a"))["unchanged"] == 1
    result = aps(ap("a", "-34.602"))
    assert result["moved"] == 1
    with db() as session:
        old, new = session.scalars(select(Placement).order_by(Placement.id)).all()
        assert old.valid_to == new.valid_from
        assert new.valid_to is None
        assert queries.devices(session)[0].site_id == "geo:-34.602000,-58.400000"
        (before,) = queries.devices(session, at=old.valid_from)
        assert before.site_id == "geo:-34.600000,-58.400000"


def test_an_import_never_disturbs_host_keys_status_or_what_it_does_not_say(aps, db) -> None:
    aps(ap("a", ip="10.0.0.1", port="2222", mac="aa:bb:cc:00:11:22"))
    with db() as session:
        session.execute(update(Device).values(host_key="ssh-ed25519 AAAA", status="planned"))
    result = aps(ap("a", ip="10.0.0.2"))
    assert result["updated"] == 1
    with db() as session:
        (device,) = queries.devices(session)
    assert (device.host_key, device.status) == ("ssh-ed25519 AAAA", "planned")
    assert (device.management_address, device.ssh_port, device.mac) == (
        "10.0.0.2", 2222, "aa:bb:cc:00:11:22",
    )  # fmt: skip
