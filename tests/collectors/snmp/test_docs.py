"""docs/collecting.md names every command and option of collecting."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from collectors.commands import once, run
from collectors.poll import Summary
from collectors.snmp.commands import probe
from collectors.snmp.trap_kinds import known_traps
from collectors.snmp.traps import TrapCounts

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "collecting.md").read_text()
COMMANDS = {"farola collect once": once, "farola collect run": run, "farola snmp probe": probe}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_shown_with_its_options(name):
    command = COMMANDS[name]
    assert f"    {name}" in TEXT or f"… {name}" in TEXT
    assert command.help
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert option in TEXT, f"{name} {option}"


def test_each_key_of_a_poll_is_told():
    for one in fields(Summary):
        assert f"`{one.name}`" in TEXT, one.name


def test_each_kind_of_trap_and_count_is_told():
    for known in known_traps().values():
        assert f"`trap.{known.kind}`" in TEXT
    for name in TrapCounts.NAMES:
        assert f"`{name}`" in TEXT
