"""Pushing a change again while one of its devices fails each time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inventory.db import open_inventory
from provisioning.rollout.rollout import push_change
from tests.provisioning.test_rollouts import QUICK, prepare, statuses

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_ansible")]


def test_a_device_that_fails_each_time_keeps_the_change_from_nobody_else(adopted: Any) -> None:
    change, inventory = prepare(adopted), open_inventory(adopted.settings)
    adopted.change("ap1", host_key=adopted.fleet.device("ap2").host_key)
    policy = replace(QUICK, waves=(1, 1, 1))
    first = push_change(inventory, change, policy)
    assert (first.pushed, first.waves, first.became["ap1"]) == (0, 1, "failed"), "the canary"
    again = push_change(inventory, change, policy)
    assert (again.pushed, again.waves, again.status) == (2, 3, "halted")
    assert statuses(adopted, change) == {"ap1": "failed", "ap2": "pushed", "ap3": "pushed"}


def test_devices_are_left_out_and_each_is_counted_as_what_it_is(adopted: Any) -> None:
    change = prepare(adopted, "ap2", "ap3", "full")
    said = adopted.run("provision", "push", change, "--without", "ap3", code=1).stdout
    assert "1 pushed, 0 unchanged, 1 failed, 1 not tried, in" in said
    unknown = adopted.run("provision", "push", change, "--without", "ap9", code=1)
    assert "has no device ap9" in unknown.stderr
