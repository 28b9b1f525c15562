"""Commit-confirm against pretend access points: confirmed over a new connection, or taken back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from napalm.base.exceptions import CommitError, LockError

from napalm_openwrt import OpenWrtDriver, confirming, new_commit_id

Connect = Callable[..., OpenWrtDriver]
HOSTNAME = "package system\n\nconfig system\n\toption hostname '{}'\n"


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until `condition`; the test's own time limit ends it otherwise."""
    while not condition():
        time.sleep(0.05)


def test_a_commit_that_is_confirmed_stays(connect: Connect, good: Any) -> None:
    driver = connect("good")
    driver.next_commit_id = identity = new_commit_id()
    assert driver.commit_state(new_commit_id()) == "unknown"
    driver.load_merge_candidate(config=HOSTNAME.format("stays"))
    driver.commit_config(message="new name", revert_in=60)
    pending = driver.pending_commit()
    assert pending is not None
    assert (pending["id"], pending["message"]) == (identity, "new name")
    assert 0 < pending["remaining_s"] <= 60
    assert driver.commit_state(identity) == "pending"
    driver.confirm_commit()
    assert driver.has_pending_commit() is False
    assert driver.commits()[0] == {"id": identity, "message": "new name", "state": "confirmed"}
    assert "hostname 'stays'" in good.config("system")
    driver.rollback()
    assert driver.commit_state(identity) == "reverted"


def test_a_commit_that_nobody_confirms_is_taken_back(connect: Connect, good: Any) -> None:
    before = good.config("system")
    driver = connect("good")
    driver.load_merge_candidate(config=HOSTNAME.format("gone"))
    driver.commit_config(revert_in=5)
    driver.close()
    assert "hostname 'gone'" in good.config("system")
    wait_for(lambda: good.config("system") == before)
    driver.open()
    # It counts as pending until its services have taken the old config over.
    wait_for(lambda: not driver.has_pending_commit())
    assert driver.commits()[0]["state"] == "reverted"
    with pytest.raises(CommitError, match="has reverted; there is nothing"):
        driver.confirm_commit()


def test_no_commit_is_taken_back_from_under_one_that_begins_just_then(
    connect: Connect, good: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = connect("good"), connect("good")
    first.load_merge_candidate(config=HOSTNAME.format("below"))
    first.commit_config()
    below = first.commits()[0]["id"]
    take_back = confirming.take_back

    def late(*arguments: Any) -> str:
        second.load_merge_candidate(config=HOSTNAME.format("above"))
        second.commit_config(revert_in=60)
        return take_back(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(confirming, "take_back", late)
        with pytest.raises(CommitError, match="came after"):
            first.rollback_to(below)
    assert "hostname 'above'" in good.config("system")
    second.rollback()
    assert "hostname 'below'" in good.config("system")
    first.rollback_to(below)
    assert "hostname 'below'" not in good.config("system")


def test_a_second_push_is_refused_while_one_is_pending(connect: Connect, good: Any) -> None:
    first, second = connect("good"), connect("good")
    first.load_merge_candidate(config=HOSTNAME.format("first"))
    first.commit_config(revert_in=60)
    second.load_merge_candidate(config=HOSTNAME.format("second"))
    with pytest.raises(LockError, match=r"root through NAPALM waits to be confirmed for \d+ s"):
        second.commit_config()
    assert "hostname 'first'" in good.config("system")
    second.rollback()
    assert "hostname 'first'" not in good.config("system")
    with pytest.raises(CommitError, match="has reverted"):
        first.confirm_commit()


def test_after_a_second_commit_that_was_refused_the_first_is_confirmed(
    connect: Connect, good: Any
) -> None:
    driver = connect("good")
    driver.load_merge_candidate(config=HOSTNAME.format("first"))
    driver.commit_config(revert_in=60)
    driver.load_merge_candidate(config=HOSTNAME.format("second"))
    with pytest.raises(LockError):
        driver.commit_config(revert_in=60)
    driver.confirm_commit()
    assert not driver.has_pending_commit()
    assert "hostname 'first'" in good.config("system")
