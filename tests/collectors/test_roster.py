"""The devices to poll follow the inventory, and are read whole only when something changed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, update

from collectors.poll import Summary
from collectors.roster import Roster
from farola.errors import InventoryError
from farola.keys import Keyring, create_key
from farola.settings import Settings, load_settings, write_settings
from inventory import maintenance
from inventory.db import open_engine, open_inventory, upgrade
from inventory.models import Device, Placement, Site
from inventory.queries import store_secrets


@pytest.fixture
def inventory(home):
    write_settings(Settings(home))
    create_key(home)
    upgrade(open_engine(load_settings().inventory_url))
    opened = open_inventory(load_settings())
    with opened.session() as session:
        session.add(Site(id="plaza", name="Plaza", lat=1, lon=1))
        for number in (1, 2, 3):
            session.add(
                Device(
                    id=f"ap-{number}", name=f"ap-{number}", management_address=f"10.0.0.{number}"
                )
            )
        session.add(Device(id="wlc", name="wlc", role="controller", management_address="10.0.0.9"))
        session.flush()
        session.add(Device(id="cap", name="cap", controller_id="wlc"))
        session.add(Placement(device_id="ap-2", site_id="plaza"))
    yield opened
    opened.close()


def listed(roster):
    return asyncio.run(roster.listed())


def test_nothing_is_read_again_until_a_device_or_credential_changes(inventory, capsys):
    roster = Roster(inventory, load_settings())
    first = listed(roster)
    assert {target.device_id for target in first.targets.polled} == {"ap-1", "ap-2", "ap-3", "wlc"}
    assert first.looked_after == {"wlc": ["cap"]}
    assert listed(roster) is first
    with inventory.session() as session:
        session.execute(update(Device).where(Device.id == "ap-1").values(status="retired"))
    second = listed(roster)
    assert {target.device_id for target in second.targets.polled} == {"ap-2", "ap-3", "wlc"}
    assert listed(roster) is second
    for community in ("one", "another"):
        with inventory.session() as session:
            keyring = Keyring(load_settings().home)
            store_secrets(session, "city", "", {"snmp_community": community}, keyring)
            session.execute(update(Device).values(credential_name="city"))
        assert {target.community for target in listed(roster).targets.polled} == {community}
    with inventory.session() as session:
        session.execute(delete(Device).where(Device.id == "ap-3"))
    assert {target.device_id for target in listed(roster).targets.polled} == {"ap-2", "wlc"}
    assert capsys.readouterr().err.count("asked with the community") == 2  # 4 devices, then 3


def test_an_inventory_that_goes_is_told_and_comes_back(inventory):
    roster = Roster(inventory, load_settings())
    first = listed(roster)
    with inventory.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
        connection.exec_driver_sql("ALTER TABLE device RENAME TO gone")
    with pytest.raises(InventoryError, match="farola init"):
        listed(roster)
    with inventory.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO device")
    assert listed(roster) is first


def test_who_is_down_in_maintenance_is_told_apart(inventory):
    summary = Summary(
        devices=3, answered=0, timed_out=3, skipped=0, points=3, duration_s=1, cpu_s=0, late=0,
        lag_s=0, not_answered=("ap-1", "ap-2", "ap-3"), partial=(), down=("ap-1", "ap-2", "ap-3"),
    )  # fmt: skip
    roster = Roster(inventory, load_settings())
    assert asyncio.run(roster.excused(summary)) == summary
    with inventory.session() as session:
        for scope, place in ((maintenance.DEVICE, "ap-1"), (maintenance.SITE, "plaza")):
            maintenance.add(session, scope, place, start=datetime.now(UTC), end=None, reason="x")
    excused = asyncio.run(roster.excused(summary))
    assert (excused.down, excused.maintenance) == (("ap-3",), ("ap-1", "ap-2"))
    assert excused.not_answered == summary.not_answered
