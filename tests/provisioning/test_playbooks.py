"""An engineer runs the playbooks with plain ansible-playbook and our inventory plugin."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from provisioning.rollout.push import PLAYBOOKS, _ansible_playbook, _environment
from tests.fleets import PASSWORD
from tests.provisioning.conftest import City

pytestmark = pytest.mark.slow


def play(city: City, playbook: str, *arguments: str) -> tuple[int, str]:
    """Run a playbook; its exit code, and all that it said."""
    environment = _environment(city.settings.home, 0)
    del environment["FAROLA_CHANGE"]
    done = subprocess.run(
        [str(_ansible_playbook()), "-i", str(PLAYBOOKS / "farola.yml"), str(PLAYBOOKS / playbook),
         *arguments],
        env={**os.environ, **environment},
        capture_output=True, text=True, check=False, cwd=PLAYBOOKS,
    )  # fmt: skip
    assert PASSWORD not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_fetch_keeps_configs_of_the_hosts_of_a_group(adopted: City) -> None:
    adopted.run("device", "group", "two plazas", "--add", "ap1", "--add", "ap2")
    code, said = play(adopted, "fetch.yml", "--limit", "two_plazas", "--tags", "fetch")
    assert code == 0, said
    for device, code in (("ap1", 0), ("ap2", 0), ("ap3", 1)):
        adopted.run("provision", "history", device, "--json", code=code)


@pytest.mark.usefixtures("without_ansible")
def test_audit_fails_the_hosts_that_drifted_and_shows_the_diff(adopted: City) -> None:
    adopted.run("provision", "prepare", "--device", "ap1", "--device", "ap2")
    adopted.run("provision", "push", "1", "--no-checks", "--bake", "0", "--waves", "2")
    adopted.edit("ap2", "system", "Plaza", "Somebody")
    code, said = play(adopted, "audit.yml", "--limit", "ap1,ap2", "--diff")
    assert code != 0
    recap = {line.split()[0]: line for line in said.splitlines() if "failed=" in line}
    assert "failed=0" in recap["ap1"]
    assert "failed=1" in recap["ap2"]
    assert "Somebody" in said
    assert "by-hand" in said
    told = json.loads(adopted.run("provision", "audit", "ap1", "--json").stdout)
    assert told["clean"] == 1
