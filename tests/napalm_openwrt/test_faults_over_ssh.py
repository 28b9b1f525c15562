"""Hypothesis picks the step at which a push over SSH is struck; the device ends on old or new."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napalm.base.exceptions import NapalmException

from napalm_openwrt import OpenWrtDriver, new_commit_id
from simulator.faults import Fault

Connect = Callable[..., OpenWrtDriver]
TWO = (
    "package system\n\nconfig system\n\toption hostname '{0}'\n\n"
    "package network\n\nconfig globals 'globals'\n\toption mark '{0}'\n"
)
FAULTS = st.builds(
    Fault,
    action=st.sampled_from(["power", "kill", "drop", "full"]),
    number=st.integers(1, 110),
    when=st.sampled_from(["before", "after"]),
    seed=st.none() | st.integers(0, 99),
)


def come_back(connect: Connect) -> OpenWrtDriver:
    """Sign in as soon as the device lets us."""
    while True:
        try:
            return connect("good")
        except NapalmException:
            time.sleep(0.1)


def ends_whole(connect: Connect, good: Any, faults: list[Fault]) -> None:
    strings, boots = good.device.strings, good.device.strings.state().boots
    driver = come_back(connect)
    driver.load_merge_candidate(config=TWO.format("before"))
    driver.commit_config()
    identity, told = new_commit_id(), ""
    driver.next_commit_id = identity
    driver.load_merge_candidate(config=TWO.format("after"))
    strings.clear()
    strings.order(*faults)
    try:
        driver.commit_config(revert_in=5)
        driver.confirm_commit()
        told = "confirmed"
    except NapalmException as error:
        told = str(error)
    finally:
        struck = strings.state().struck
        strings.clear()
    if any(fault.action == "power" for fault in struck):
        strings.wait_booted(boots + 1)
    driver = come_back(connect)
    while (state := driver.commit_state(identity)) == "pending":
        strings.advance(5)
        time.sleep(0.05)
    name = "after" if state == "confirmed" else "before"
    assert f"hostname '{name}'" in good.config("system"), told
    assert f"option mark '{name}'" in good.config("network"), told
    assert driver.get_facts()["hostname"] == name, told
    assert told != "confirmed" or state == "confirmed"
    assert driver.has_pending_commit() is False
    driver.close()


CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.slow
@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(fault=FAULTS)
def test_a_push_that_is_struck_ends_on_the_old_config_or_the_new(
    connect: Connect, good: Any, fault: Fault
) -> None:
    ends_whole(connect, good, [fault])


@pytest.mark.soak
@settings(max_examples=300, deadline=None, suppress_health_check=CHECKS)
@given(faults=st.lists(FAULTS, min_size=1, max_size=2, unique=True))
def test_pushes_that_are_struck_twice_too(connect: Connect, good: Any, faults: list[Fault]) -> None:
    ends_whole(connect, good, faults)
