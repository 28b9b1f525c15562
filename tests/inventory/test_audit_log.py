"""The audit log: one unbroken chain whatever writes at once, and every way to tamper is told."""

from __future__ import annotations

import json
import multiprocessing

import pytest
from sqlalchemy import delete, select, text, update

from farola.keys import create_key
from farola.settings import Settings, load_settings, write_settings
from inventory import audit_log
from inventory.change_models import AuditEntry
from inventory.db import open_engine, open_inventory, upgrade

WRITERS, EACH = 6, 15


@pytest.fixture
def log(home):
    write_settings(Settings(home))
    create_key(home)
    assert upgrade(open_engine(load_settings().inventory_url))
    audit_log.begin(home)
    inventory = open_inventory(load_settings())
    yield inventory
    inventory.close()


def write(inventory, *actions):
    for action in actions:
        with inventory.session() as session:
            audit_log.record(session, "ana", action, device_id="ap-1", change_id=7, result="done")


def verified(inventory, **options):
    with inventory.session() as session:
        return audit_log.verify(session, **options)


def test_what_was_written_is_read_back_in_order_and_filtered(log):
    write(log, "change.prepared", "change.approved", "device.pushed")
    with log.session() as session:
        audit_log.record(session, "bea", "device.adopted", device_id="ap-2", detail={"model": "x"})
    with log.session() as session:
        found = audit_log.entries(session)
        assert [e.action for e in found] == [
            "change.prepared", "change.approved", "device.pushed", "device.adopted",
        ]  # fmt: skip
        assert found[0].previous == audit_log.FIRST
        assert [e.previous for e in found[1:]] == [e.hash for e in found[:-1]]
        assert [e.actor for e in audit_log.entries(session, device_id="ap-2")] == ["bea"]
        newest = audit_log.entries(session, change_id=7, limit=2)
        assert [e.action for e in newest] == ["change.approved", "device.pushed"]
        assert audit_log.entries(session, since=found[3].at)[-1].id == found[3].id
    result = verified(log)
    assert (result.whole, result.entries, result.sealed) == (True, 4, 4)


def test_an_empty_log_is_whole(log):
    assert verified(log) == audit_log.Verified(0, None, "", audit_log.FIRST, 0)


def test_odd_text_keeps_its_hash(log):
    with log.session() as session:
        audit_log.record(
            session, "an\udc80a\0", "device.pushed", result="é ☂ 'x'",
            detail={"n": float("nan"), "at": 1.5, 3: ("a", None, True), "bad": "\ud800"},
        )  # fmt: skip
    assert verified(log).whole


def test_what_is_rolled_back_leaves_neither_row_nor_seal(log):
    write(log, "change.prepared")

    def fail():
        with log.session() as session:
            audit_log.record(session, "ana", "change.approved")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    result = verified(log)
    assert (result.whole, result.entries, result.sealed) == (True, 1, 1)


TAMPERINGS = {
    "changed": (lambda ids: update(AuditEntry).where(AuditEntry.id == ids[2]).values(actor="eve"),
                2, "was changed"),
    "detail changed": (
        lambda ids: update(AuditEntry).where(AuditEntry.id == ids[0]).values(detail={"x": 1}),
        0, "was changed"),
    "taken out of the middle": (lambda ids: delete(AuditEntry).where(AuditEntry.id == ids[2]),
                                3, "missing or moved"),
    "first taken out": (lambda ids: delete(AuditEntry).where(AuditEntry.id == ids[0]),
                        1, "missing or moved"),
    "cut at the end": (lambda ids: delete(AuditEntry).where(AuditEntry.id >= ids[3]),
                       4, "are missing"),
    "emptied": (lambda _: delete(AuditEntry), 4, "are missing"),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_told_with_its_place(log, how):
    write(log, *(f"change.step{n}" for n in range(5)))
    make, at, why = TAMPERINGS[how]
    with log.session() as session:
        ids = list(session.scalars(select(AuditEntry.id).order_by(AuditEntry.id)))
        session.execute(make(ids))
    result = verified(log)
    assert result.broken_at == ids[at]
    assert why in result.why


def test_two_entries_that_change_places_are_told(log):
    write(log, *(f"change.step{n}" for n in range(4)))
    with log.session() as session:
        for was, becomes in ((2, 99), (3, 2), (99, 3)):
            session.execute(text(f"UPDATE audit_entry SET id={becomes} WHERE id={was}"))
    assert verified(log).broken_at == 2


def rewrite(inventory, from_id):
    """What an attacker without the key can do: change a row and reckon all after it anew."""
    with inventory.session() as session:
        rows = list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))
        session.execute(text("UPDATE audit_entry SET previous = 'x' || id"))
        last = audit_log.FIRST
        for row in rows:
            session.refresh(row)
            row.previous = last
            row.actor = "eve" if row.id == from_id else row.actor
            row.hash = last = audit_log.hash_of(row, None)
            session.flush()


def test_a_chain_reckoned_anew_does_not_match_the_seal(log):
    write(log, *(f"change.step{n}" for n in range(4)))
    rewrite(log, 2)
    assert verified(log).broken_at == 1
    assert "not written by this home" in verified(log).why


def test_a_cut_end_stays_told_when_the_log_goes_on(log):
    write(log, *(f"change.step{n}" for n in range(5)))
    with log.session() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.id > 3))
    write(log, "change.more", "change.more", "change.more", "change.more")
    assert verified(log).broken_at == 5


def test_a_seal_that_is_missing_or_forged_is_told(log, home):
    write(log, "change.prepared", "change.approved")
    seal = home / audit_log.SEAL
    _, digest, mac = seal.read_text().split()
    seal.write_text(f"1 {digest} {mac}\n")
    assert "not written by this home's key" in verified(log).why
    write(log, "change.more")
    assert "not written by this home's key" in verified(log).why, "another entry hides it"
    seal.write_text("nonsense")
    assert "cannot be read" in verified(log).why
    seal.unlink()
    assert "is missing" in verified(log).why


def test_a_lost_seal_stays_told_until_a_person_vouches(log, home, cli):
    write(log, *(f"change.step{n}" for n in range(4)))
    with log.session() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.id > 2))
    (home / audit_log.SEAL).unlink()
    write(log, "change.paused")
    assert "is missing" in cli("provision", "log", "--verify", code=1).err
    assert cli("provision", "log", "--seal", "--json").json["sealed"]
    last = cli("provision", "log", "--json").json[-1]
    assert last["action"] == "log.sealed"
    assert "is missing" in last["result"]


def test_an_emptied_log_without_its_seal_is_told(log, home):
    write(log, "change.prepared")
    with log.session() as session:
        session.execute(delete(AuditEntry))
    (home / audit_log.SEAL).unlink()
    assert "is missing" in verified(log).why
    write(log, "change.paused")
    assert "is missing" in verified(log).why
    assert not upgrade(log.engine), "an upgrade would begin it anew"


@pytest.mark.parametrize("number", [None, 0, -7])
def test_an_entry_forged_without_the_key_is_told_and_never_sealed(log, cli, number):
    write(log, "change.prepared", "change.approved")
    with log.session() as session:
        newest = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        forged = AuditEntry(
            id=number, at=newest.at, actor="bea", action="change.approved", result="", detail={},
            previous=newest.hash if number is None else audit_log.FIRST[1:] + "1",
        )  # fmt: skip
        forged.hash = audit_log.hash_of(forged, None)
        session.add(forged)
        session.flush()
        number = forged.id
    assert verified(log).broken_at == number
    write(log, "device.pushed", "device.pushed")
    told = cli("provision", "log", "--verify", code=1)
    assert f"entry {number} " in told.err
    if number > 2:
        assert (log.settings.home / audit_log.SEAL).read_text().split()[0] == "2"


def test_a_person_can_vouch_anew_for_an_inventory_that_was_restored(log):
    write(log, *(f"change.step{n}" for n in range(5)))
    with log.session() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.id > 3))
    with log.session() as session:
        audit_log.reseal(session)
        audit_log.record(session, "ana", "log.sealed")
    result = verified(log)
    assert (result.whole, result.entries, result.sealed) == (True, 4, 4)


def test_a_hash_noted_elsewhere_is_looked_for(log):
    write(log, "change.prepared", "change.approved")
    noted = verified(log).newest
    write(log, "device.pushed")
    assert verified(log, holds=noted).whole
    assert "no entry has the hash" in verified(log, holds="f" * 64).why


def writer(home, number):
    inventory = open_inventory(load_settings(home))
    for step in range(EACH):
        with inventory.session() as session:
            session.execute(select(AuditEntry.id).limit(1)).all()  # a reader first, as callers are
            audit_log.record(session, f"writer-{number}", "device.pushed", detail={"step": step})
    inventory.close()


def many_writers(home):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=writer, args=(home, n)) for n in range(WRITERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * WRITERS
    inventory = open_inventory(load_settings(home))
    with inventory.session() as session:
        result = audit_log.verify(session)
        found = audit_log.entries(session)
    inventory.close()
    assert (result.why, result.entries) == ("", WRITERS * EACH)
    assert result.sealed == found[-1].id
    for number in range(WRITERS):
        steps = [e.detail["step"] for e in found if e.actor == f"writer-{number}"]
        assert steps == list(range(EACH))


def test_many_forked_writers_make_one_chain_on_sqlite(log, home):
    log.close()
    many_writers(home)


def test_the_command_shows_verifies_and_vouches(log, cli):
    cli("device", "credential", "poles", stdin="hunter22-of-all")
    write(log, "device.pushed", "device.pushed")
    shown = cli("provision", "log", "--json").json
    assert [one["action"] for one in shown] == ["credential.stored", *["device.pushed"] * 2]
    assert "hunter22" not in json.dumps(shown)
    assert len(cli("provision", "log", "--device", "ap-1", "--limit", "1", "--json").json) == 1
    assert cli("provision", "log", "--since", "2099-01-01", "--json").json == []
    assert "no time" in cli("provision", "log", "--since", "soon", code=1).err
    assert "goes with --verify" in cli("provision", "log", "--holds", "x", code=1).err
    noted = cli("provision", "log", "--verify", "--json").json["newest"]
    with log.session() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.id == 3))
    told = cli("provision", "log", "--verify", code=1)
    assert "NOT whole" in told.err
    assert cli("provision", "log", "--seal", "--json").json["whole"]
    assert "are missing" in cli("provision", "log", "--action", "log.sealed", "--json").json[0][
        "result"]  # fmt: skip
    cli("provision", "log", "--verify", "--holds", noted, code=1)
