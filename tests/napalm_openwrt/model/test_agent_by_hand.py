"""The agent's init script run by a person while commits are under way: nothing is taken back that
is not due, and nothing without the lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from napalm_openwrt.agent import LINK, LOCK, STATE
from tests.napalm_openwrt.model.bench import (
    PATIENCE_S,
    REVERT_S,
    Bench,
    commit,
    confirm,
    state_of,
)

FIRST, MINE = "00000000000001-00000001", "00000000000002-00000002"
BY_HAND = ["/etc/init.d/napalm-openwrt start", "/etc/init.d/napalm-openwrt boot"]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Bench]:
    """A device that has had a commit."""
    bench = Bench(tmp_path / "device")
    commit(bench, FIRST, "old", None)
    bench.pass_time(PATIENCE_S)
    yield bench
    bench.close()


@pytest.mark.parametrize("call", [*BY_HAND, f"{LINK} boot"])
def test_a_commit_that_waits_goes_on_waiting(call: str, device: Bench) -> None:
    commit(device, MINE, "new", REVERT_S)
    assert device.run(call).status == 0
    assert device.device.hostname == "new"
    assert state_of(device, MINE) == "pending"
    confirm(device, MINE)
    assert "hostname 'new'" in device.files()["system"]


@pytest.mark.parametrize("call", BY_HAND)
def test_a_commit_whose_watchers_were_killed_has_one_again(call: str, device: Bench) -> None:
    before = device.files()
    commit(device, MINE, "new", REVERT_S)
    for pid in list(device.device.processes.running):
        device.device.kill(pid, 9)
    device.pass_time(PATIENCE_S)
    assert device.files() != before
    device.run(call)
    device.pass_time(PATIENCE_S)
    assert (device.files(), device.device.hostname) == (before, "old")
    assert state_of(device, MINE) == "reverted"


@pytest.mark.parametrize("call", BY_HAND)
def test_after_a_boot_without_the_check_the_services_run_the_old_files_again(
    call: str, device: Bench
) -> None:
    before = device.files()
    commit(device, MINE, "new", REVERT_S)
    device.run("/etc/init.d/napalm-openwrt disable")
    device.device.flash.sync()
    device.device.power_cut()
    device.dark = True
    device.power_on()
    assert device.device.hostname == "new"
    device.run(call)
    device.pass_time(PATIENCE_S)
    assert (device.files(), device.device.hostname) == (before, "old")


@pytest.mark.parametrize("call", [*BY_HAND, f"{LINK} boot"])
def test_what_a_session_is_at_is_left_alone(call: str, device: Bench) -> None:
    """A commit that is being prepared is a hidden folder, which the check at boot clears away."""
    hidden = device.root / f"{STATE}/.{MINE}".lstrip("/")
    hidden.mkdir()
    # A session lives that has the lock.
    device.run(
        f": napalm-openwrt; top=$(ls {LOCK}); mkdir -p {LOCK}; "
        f"ln -s $$/session {LOCK}/$((${{top:-0}} + 1)); {call}; sleep 2; {call}"
    )
    assert hidden.is_dir()
    device.run(f"{LINK} boot; rm -r /var/run/napalm-openwrt/boot; {LINK} boot")
    assert not hidden.exists()
