"""The audit on access points that really run: state, cause, remedy, series, history, events."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from farola.cli import farola
from farola.keys import Keyring
from farola.settings import ProvisioningSettings
from inventory import queries
from inventory.change_models import Change, ChangeDevice, Drift
from inventory.db import open_inventory
from inventory.models import Device, Event
from operations import nightly
from provisioning.change.prepare import prepare_change
from provisioning.platforms.choosing import credentials
from provisioning.platforms.drivers import open_driver
from tests.provisioning.conftest import City
from timeseries import open_store


def said(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(farola, ["provision", *words], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout


def audit(_city: City, *words: str, code: int = 1):
    return json.loads(said("audit", *words, "--json", code=code))


def pushed(city: City, device: str) -> int:
    """A change of ours that arrived, by the shortest way."""
    keyring = Keyring(city.settings.home)
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        devices = queries.devices(session, [device])
        secrets = credentials(session, devices, keyring)["ap"]
    number = prepare_change(inventory, devices, author="ana").id
    with inventory.session() as session:
        row = session.get_one(ChangeDevice, (number, device))
        driver = open_driver(devices[0], secrets)
        driver.open()
        driver.load_merge_candidate(config=keyring.decrypt(row.candidate))
        driver.commit_config()
        driver.close()
        row.status = session.get_one(Change, number).status = "pushed"
    inventory.close()
    return number


@pytest.fixture
def rows(adopted: City):
    def read(kind):
        inventory = open_inventory(adopted.settings)
        with inventory.session() as session:
            found = list(session.scalars(select(kind)))
        inventory.close()
        return found

    return read


def test_drift_is_found_by_cause_and_remedied_by_a_change(adopted, rows):
    first = audit(adopted, "ap1")["devices"][0]
    assert (first["state"], first["cause"]) == ("drifted", "intent"), "nothing was pushed yet"
    pushed(adopted, "ap1")
    clean = audit(adopted, "ap1", code=0)
    assert (clean["clean"], clean["devices"][0]["diff"]) == (1, "")
    assert clean["devices"][0]["firmware"]

    adopted.edit("ap1", "snmpd", "city", "nobody")
    found = audit(adopted, "ap1", "--prepare")
    device = found["devices"][0]
    assert (device["state"], device["cause"], device["causes"]) == (
        "drifted", "by-hand", {"by-hand": 1},
    )  # fmt: skip
    assert "•••" in device["diff"]
    assert "nobody" not in json.dumps(found)
    change = next(one for one in rows(Change) if one.id == found["change"])
    assert change.kind == "remediation"
    (drift,) = rows(Drift)
    assert (drift.state, drift.cause, list(drift.detail["keys"].values())) == (
        "drifted", "by-hand", ["by-hand"],
    )  # fmt: skip
    assert "nobody" not in json.dumps(drift.detail) + drift.diff
    again = said("audit", "ap1", code=1)
    assert "ap1: 1 option by-hand, since 20" in again
    assert again.endswith("1 drifted\n")
    (later,) = rows(Drift)
    assert (later.since, later.at > drift.at) == (drift.since, True)
    kinds = [one.kind for one in rows(Event)]
    assert kinds.count("drift.found") == 2
    assert kinds.count("drift.ended") == 1
    store = open_store(adopted.settings)
    newest = store.latest("config", ["drifted", "by_hand", "rules_failed"])
    store.close()
    assert newest.tags["device"] == ["ap1"]
    assert (newest.fields["drifted"], newest.fields["by_hand"]) == ([True], [1])


def test_a_device_that_was_away_for_a_night_drifted_once(adopted, rows):
    audit(adopted, "ap1")
    (first,) = rows(Drift)
    port = adopted.fleet.device("ap1").ssh_port
    adopted.change("ap1", ssh_port=1)
    audit(adopted, "ap1")
    (away,) = rows(Drift)
    assert (away.state, away.since) == ("unreachable", first.since)
    adopted.change("ap1", ssh_port=port)
    audit(adopted, "ap1")
    (back,) = rows(Drift)
    assert (back.state, back.since) == ("drifted", first.since)
    assert "known" not in back.detail
    assert [one.kind for one in rows(Event)].count("drift.found") == 1


def test_what_cannot_be_asked_and_rules_not_kept_are_told(adopted):
    adopted.change("ap2", ssh_port=1)
    rules = adopted.settings.home / "validate.yaml"
    rules.write_text("- get_facts: {os_version: 1.0, vendor: OpenWrt}\n")
    found = audit(adopted, "ap1", "ap2")
    assert found["unreachable"] == 1
    one, two = found["devices"]
    assert one["rules_failed"] == ["get_facts: os_version"]
    assert two["state"] == "unreachable"
    templates = adopted.settings.home / "templates"
    templates.mkdir()
    (templates / "access-point.yaml").write_text("- no template")
    refused = audit(adopted, "ap3")["devices"][0]
    assert refused["state"] == "refused"
    assert "access-point.yaml" in refused["why"]
    assert refused["rules_failed"] == ["get_facts: os_version"]
    assert len(json.loads(said("history", "ap3", "--json"))["versions"]) == 1
    rules.write_text("{")
    refused = adopted.run("provision", "audit", "ap1", code=1).stderr
    assert refused.startswith("farola: ")
    assert refused.count("\n") == 1


def test_a_broken_file_and_broken_rules_are_told_as_what_they_are(adopted, rows):
    pushed(adopted, "ap1")
    (adopted.settings.home / "validate.yaml").write_text(
        "acess-point:\n- get_facts: {vendor: OpenWrt}\nall:\n- get_fact: {vendor: OpenWrt}\n"
    )
    system = adopted.fleet.device("ap2").root / "etc" / "config" / "system"
    system.write_text("config system\n\toption hostname 'half\n")
    done = CliRunner().invoke(farola, ["provision", "audit", "ap1", "ap2"], catch_exceptions=False)
    assert "ap1: rule not kept: get_fact: there is no such getter" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 against-rules, 1 broken"
    assert (
        "validate.yaml: acess-point: neither a platform nor the role of any device" in done.stderr
    )
    assert "farola: ap2: " in done.stderr
    assert "/etc/config/system on the device is broken" in done.stderr
    assert {row.device_id: row.state for row in rows(Drift)} == {"ap1": "clean", "ap2": "broken"}


def test_a_retired_device_is_told_as_retired(adopted):
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        session.get_one(Device, "ap3").status = "retired"
    inventory.close()
    told = adopted.run("provision", "audit", "ap3", code=1).stderr
    assert "ap3: retired" in told
    assert "no device ap9 in" in adopted.run("provision", "audit", "ap3", "ap9", code=1).stderr


def test_a_night_fetches_and_audits_all_and_is_logged(adopted, rows):
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        session.get_one(Device, "ap3").management_address = None
    night = nightly.run(inventory, threading.Event())
    inventory.close()
    assert {state: ids for state, ids in night.items() if ids} == {
        "drifted": ["ap1", "ap2", "full"]
    }
    assert nightly.in_words(night) == "3 drifted (ap1, ap2, full)"
    listed = json.loads(said("history", "ap1", "--json"))["versions"]
    assert [(one["author"], one["cause"]) for one in listed] == [("nightly", "nightly")]
    log = json.loads(said("log", "--action", "config.audited", "--json"))
    assert [one["result"] for one in log] == ["3 drifted"]
    assert "config.audited" in {one.kind for one in rows(Event)}


def test_at_its_time_it_runs_once(adopted, rows):
    local = datetime.now(adopted.settings.city.zone)
    settings = replace(
        adopted.settings, provisioning=ProvisioningSettings(nightly=f"{local:%H:%M}")
    )
    stop = threading.Event()
    thread = threading.Thread(target=nightly.wait_and_run, args=(settings, stop))
    thread.start()
    stopper = threading.Timer(60, stop.set)
    stopper.start()
    while thread.is_alive() and "config.audited" not in {one.kind for one in rows(Event)}:
        time.sleep(0.1)
    stop.set()
    stopper.cancel()
    thread.join()
    inventory = open_inventory(settings)
    began = nightly.last_run(inventory)
    inventory.close()
    at, zone = nightly.time_of(settings), settings.city.zone
    assert nightly.due(datetime.now(UTC), at, zone, None)
    assert not nightly.due(datetime.now(UTC), at, zone, began)
    assert [one.kind for one in rows(Event)].count("config.audited") == 1
    assert len(rows(Drift)) == 4


def test_a_device_that_a_push_is_at_is_left_alone(adopted, rows):
    number = json.loads(said("prepare", "--device", "ap1", "--json"))["change"]
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        row = session.get_one(Change, number)
        row.status, row.devices[0].status = "pushing", "applying"
    found = audit(adopted, "ap1")
    assert (found["skipped"], rows(Drift)) == (1, [])
    with inventory.session() as session:
        row = session.get_one(Change, number)
        row.status, row.devices[0].status = "failed", "failed"
    inventory.close()
    device = audit(adopted, "ap1")["devices"][0]
    assert (device["cause"], device["change"]) == ("failed-push", number)
