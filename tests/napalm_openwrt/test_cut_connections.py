"""A connection that dies half-way: what was meant is there and runs, and nothing is left over."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from napalm.base.exceptions import CommitError, ConnectionClosedException

from napalm_openwrt import OpenWrtDriver, transaction
from napalm_openwrt.session import Output
from tests.fleets import free_block

Connect = Callable[..., OpenWrtDriver]
HOSTNAME = "package system\n\nconfig system\n\toption hostname '{}'\n"
SNAPSHOT = "00000000000001-00000001"


def test_a_commit_cut_off_before_its_reload_comes_back_and_reloads(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, commit = connect("good"), transaction.commit

    def cut(session: Any, *arguments: Any, **named: Any) -> str:
        identity = commit(session, *arguments, **named)
        session.close()
        return identity

    monkeypatch.setattr(transaction, "commit", cut)
    driver.load_merge_candidate(config=HOSTNAME.format("back-again"))
    driver.commit_config()
    assert driver.get_facts()["hostname"] == "back-again"
    driver.rollback()


def test_a_config_in_place_is_taken_over_by_a_reload(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, reload_services = connect("good"), transaction.reload_services

    def lost(session: Any, packages: Any) -> None:
        session.close()
        reload_services(session, packages)

    driver.load_merge_candidate(config=HOSTNAME.format("at-last"))
    with monkeypatch.context() as patch:
        patch.setattr(transaction, "reload_services", lost)
        with pytest.raises(CommitError, match="the config is in place, but the connection"):
            driver.commit_config()
    assert driver.get_facts()["hostname"] != "at-last"
    driver.reload(["system"])
    assert driver.get_facts()["hostname"] == "at-last"
    driver.rollback()


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
    old, young = transaction._new_id(7200), transaction._new_id(60)
    driver.cli([f"mkdir /tmp/napalm-openwrt.{name}" for name in (old, young)])
    driver.load_merge_candidate(config=HOSTNAME.format("x"))
    left = driver.cli(["ls /tmp"]).popitem()[1]
    assert old not in left
    assert young in left
    driver.cli([f"rmdir /tmp/napalm-openwrt.{young}"])


class Cut:
    """The real scripts in a real busybox ash, its /etc, /var and /tmp under `root`; whoever reads
    what the commit script prints is gone before it prints.
    """

    def __init__(self, busybox: str, root: Path) -> None:
        self.busybox, self.root, self.access = busybox, root, SimpleNamespace(name="cut")

    def run(self, command: str, stdin: str = "") -> Output:
        script = re.sub(r"/(etc|var|tmp)/", rf"{self.root}/\1/", command)
        reader, writer = os.pipe()
        is_commit = command.startswith(": napalm-openwrt commit")
        if is_commit:
            os.close(reader)
        done = subprocess.run(
            [self.busybox, "ash", "-c", script], input=stdin, text=True, check=False,
            stdout=writer if is_commit else subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.close(writer)
        if is_commit:
            raise ConnectionClosedException("cut")
        os.close(reader)
        return Output(done.returncode, done.stdout, done.stderr)


def test_a_rollback_cut_off_while_it_prints_is_whole_and_leaves_nothing(
    tmp_path: Path, needs_program: Callable[[str, str], str]
) -> None:
    session: Any = Cut(needs_program("busybox", "busybox"), tmp_path)
    config, state = tmp_path / "etc" / "config", tmp_path / "etc" / "napalm-openwrt"
    for folder in (config, state / SNAPSHOT, tmp_path / "tmp"):
        folder.mkdir(parents=True)
    (config / "system").write_text("config system\n\toption hostname 'new'\n")
    old = "config system\n\toption hostname 'old'\n"
    (state / SNAPSHOT / "system").write_text(old)
    with pytest.raises(ConnectionClosedException):
        transaction.restore(session, SNAPSHOT, {"system": old}, "test")
    assert (config / "system").read_text() == old
    assert list(state.iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((tmp_path / "var" / "lock").iterdir()) == []


def test_runs_side_by_side_get_address_blocks_of_their_own() -> None:
    with free_block() as mine, free_block() as another:
        assert mine != another
