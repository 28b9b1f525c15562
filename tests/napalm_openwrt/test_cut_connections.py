"""A connection that dies half-way: what was meant is there and runs, and nothing is left over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from napalm.base.exceptions import CommitError, ConnectionClosedException

from napalm_openwrt import OpenWrtDriver, new_commit_id, transaction
from tests.fleets import free_block

Connect = Callable[..., OpenWrtDriver]
HOSTNAME = "package system\n\nconfig system\n\toption hostname '{}'\n"


def test_a_commit_whose_end_was_not_heard_comes_back_and_sees(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, commit = connect("good"), transaction.commit

    def cut(session: Any, *arguments: Any, **named: Any) -> None:
        commit(session, *arguments, **named)
        session.close()
        session.run("true")

    monkeypatch.setattr(transaction, "commit", cut)
    driver.load_merge_candidate(config=HOSTNAME.format("back-again"))
    driver.commit_config()
    assert driver.get_facts()["hostname"] == "back-again"
    driver.rollback()


def test_a_commit_that_never_reached_the_device_is_told_so_and_is_void(
    connect: Connect, good: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, before = connect("good"), good.config("system")
    late: list[Callable[[], None]] = []

    def lost(session: Any, *arguments: Any, **named: Any) -> None:
        late.append(lambda: commit(driver.session, *arguments, **named))
        raise ConnectionClosedException("the line broke")

    commit = transaction.commit
    monkeypatch.setattr(transaction, "commit", lost)
    driver.load_merge_candidate(config=HOSTNAME.format("never"))
    with pytest.raises(CommitError, match="the line broke; the old config is untouched"):
        driver.commit_config()
    with pytest.raises(CommitError, match="void"):
        late[0]()
    assert good.config("system") == before


def test_services_that_cut_us_off_are_reloaded_again_and_not_for_ever(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, reload_services = connect("good"), transaction.reload_services
    calls: list[int] = []

    def lost(session: Any, packages: Any) -> None:
        calls.append(1)
        if len(calls) < 6:
            session.close()
        reload_services(session, packages)

    monkeypatch.setattr(transaction, "reload_services", lost)
    with pytest.raises(CommitError, match="the config is in place, but the connection"):
        driver.reload(["system"])
    driver.reload(["system"])
    assert len(calls) == 6


@pytest.mark.parametrize(
    ("script", "told"),
    [("echo no such zone >&2; exit 1", True), ("exit 1", False), ("echo a note >&2", False),
     ("exit 127", True)],
)  # fmt: skip
def test_a_service_that_says_it_did_not_reload_is_named(
    script: str, told: bool, connect: Connect, good: Any
) -> None:
    driver = connect("good")
    service = good.device.root / "etc" / "init.d" / "system"
    stock = service.read_text(encoding="utf-8")
    service.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    try:
        if told:
            with pytest.raises(CommitError, match=r"in place, but .* did not reload: system"):
                driver.reload(["network", "system"])
        else:
            driver.reload(["network", "system"])
    finally:
        service.write_text(stock, encoding="utf-8")
    assert "napalm" not in driver.cli(["ls -a /tmp"]).popitem()[1]


def test_what_a_cut_left_long_ago_is_swept_and_what_is_at_work_is_not(connect: Connect) -> None:
    driver = connect("good")
    old, young = new_commit_id(7200), new_commit_id(60)
    driver.cli([f"mkdir /tmp/napalm-openwrt.{name}" for name in (old, young)])
    driver.load_merge_candidate(config=HOSTNAME.format("x"))
    left = driver.cli(["ls /tmp"]).popitem()[1]
    assert old not in left
    assert young in left
    driver.cli([f"rmdir /tmp/napalm-openwrt.{young}"])


def test_runs_side_by_side_get_address_blocks_of_their_own() -> None:
    with free_block() as mine, free_block() as another:
        assert mine != another
