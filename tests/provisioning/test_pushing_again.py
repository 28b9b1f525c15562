"""Pushing a change again while one of its devices fails each time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inventory.db import open_inventory
from provisioning.rollout import push_change
from tests.provisioning.test_rollouts import NEW, QUICK, prepare, statuses

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_ansible")]


def test_a_device_that_fails_each_time_keeps_the_change_from_nobody_else(adopted: Any) -> None:
    change, inventory = prepare(adopted, "ap2", "ap3", "full"), open_inventory(adopted.settings)
    adopted.run("provision", "push", change, "--without", "ap2", "--without", "ap3", code=1)
    assert statuses(adopted, change) == {"ap2": "pending", "ap3": "pending", "full": "failed"}
    again = push_change(inventory, change, replace(QUICK, waves=(1, 1, 1)))
    assert (again.pushed, again.waves, again.status) == (2, 3, "halted")
    assert dict(again.failed).keys() == {"full"}
    assert NEW in adopted.config("ap2", "wireless")


def test_devices_are_left_out_and_each_is_counted_as_what_it_is(adopted: Any) -> None:
    change = prepare(adopted, "ap2", "ap3", "full")
    said = adopted.run("provision", "push", change, "--without", "ap3", code=1).stdout
    assert "1 pushed, 0 unchanged, 1 failed, 1 not tried, in" in said
    unknown = adopted.run("provision", "push", change, "--without", "ap9", code=1)
    assert "has no device ap9" in unknown.stderr
