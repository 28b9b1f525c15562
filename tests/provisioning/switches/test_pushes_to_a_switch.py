"""A switch goes the way of every device: prepared, pushed, confirmed, accounted for, taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from farola.errors import ProvisioningError
from farola.keys import Keyring
from inventory import queries
from inventory.db import open_inventory
from inventory.models import Device
from provisioning.change import changes
from provisioning.change.prepare import prepare_change
from provisioning.turn.apply import apply_change
from provisioning.turn.resolve import resolve_change
from tests.provisioning.switches.conftest import VARIABLES


@pytest.fixture
def prepare(cabinet: Any) -> Any:
    def prepared() -> changes.DeviceChange:
        inventory = open_inventory(cabinet.settings)
        try:
            with inventory.session() as session:
                devices = queries.devices(session, ["SW-1"])
            return prepare_change(inventory, devices).devices[0]
        finally:
            inventory.close()

    return prepared


@pytest.mark.usefixtures("without_ansible")
def test_a_switch_is_prepared_pushed_and_taken_back_like_any_device(cabinet: Any) -> None:
    before = cabinet.running
    prepared = cabinet.run("provision", "prepare", "--device", "SW-1", "--json")
    diff = json.loads(prepared.stdout)["devices"][0]["diff"]
    for line in ("-hostname cabinet-3", "+hostname Cabinet-3", "+vlan 20",
                 "+username ops secret •••"):  # fmt: skip
        assert line in diff
    assert "hunter2" not in prepared.stdout + prepared.stderr
    assert cabinet.running == before
    assert cabinet.server.switch.sessions == {}
    pushed = cabinet.run("provision", "push", "1", "--no-checks", "--json")
    assert json.loads(pushed.stdout)["pushed"] == 1
    assert "hunter2" not in pushed.stdout + pushed.stderr
    assert "description pole 8" in cabinet.running
    assert "username ops secret hunter2-hunter2" in cabinet.running
    assert cabinet.server.switch.startup == cabinet.running
    timers = [c for c in cabinet.server.switch.seen if " commit timer " in c]
    assert [c.split()[-1] for c in timers] == ["00:00:30"]
    cabinet.run("provision", "rollback", "1", "--json")
    assert cabinet.running == before


def test_a_pushed_switch_is_as_its_template_says(cabinet: Any, prepare: Any) -> None:
    assert prepare().status == "pending"
    assert apply_change(cabinet.home, 1, "SW-1").status == "pushed"
    assert prepare().status == "unchanged"


def test_a_switch_that_drifted_is_left_out(cabinet: Any, prepare: Any) -> None:
    prepare()
    cabinet.server.switch.running["ntp server 192.0.2.1"] = {}
    before = cabinet.running
    assert apply_change(cabinet.home, 1, "SW-1").status == "drifted"
    assert cabinet.running == before


def test_a_config_that_cuts_us_off_goes_back_and_the_switch_is_asked(
    cabinet: Any, prepare: Any
) -> None:
    before = cabinet.running
    prepare()
    cabinet.server.switch.mute_after_commit = True
    applied = apply_change(cabinet.home, 1, "SW-1")
    assert applied.status == "applying"
    assert "goes back by itself" in applied.message
    assert cabinet.running != before
    cabinet.server.switch.expire()
    assert cabinet.running == before
    inventory = open_inventory(cabinet.settings)
    assert resolve_change(inventory, 1) == {"SW-1": "pending"}
    inventory.close()


@pytest.mark.parametrize("step", ["commit_config", "confirm_commit"])
def test_a_push_killed_before_it_could_commit_or_confirm_is_resolved(
    cabinet: Any, prepare: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cabinet.running
    prepare()

    class Killed(BaseException):
        pass

    def kill(*_args: Any, **_named: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"provisioning.platforms.switch_eos.EosSwitch.{step}", kill)
        with pytest.raises(Killed):
            apply_change(cabinet.home, 1, "SW-1")
    inventory = open_inventory(cabinet.settings)
    assert resolve_change(inventory, 1) == {"SW-1": "pending"}
    inventory.close()
    assert cabinet.running == before
    assert apply_change(cabinet.home, 1, "SW-1").status == "pushed"


def test_a_line_that_the_switch_refuses_changes_nothing(cabinet: Any, prepare: Any) -> None:
    before = cabinet.running
    cabinet.write("hostname x\nbogus secret {{ ops_password }}\n")
    found = prepare()
    assert found.status == "unreachable"
    assert "'bogus secret •••' failed: invalid command" in found.message
    assert cabinet.running == before
    assert cabinet.server.switch.sessions == {}


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("hostname {{ no_such }}\n", "'no_such' is undefined"),
        ("hostname x\nname {{ pole\n", r"switch\.eos\.j2:2: SW-1: unexpected"),
        ("{{ pole.__class__.__mro__ }}\n", "unsafe"),
        ("{{ vlans.append }}{% for x in range(9**9) %}x{% endfor %}\n", "has no attribute|too big"),
        ("{{ 1 / 0 }}\n", "division"),
        ("{% include '/etc/passwd' %}", "passwd"),
        ("\n", "renders to nothing"),
        (None, "no template for switch on eos: write .*switch.eos.j2"),
    ],
)
def test_what_cannot_be_rendered_is_said_before_the_switch_is_asked(
    cabinet: Any, prepare: Any, template: str | None, words: str
) -> None:
    cabinet.write(template)
    with pytest.raises(ProvisioningError, match=words) as error:
        prepare()
    assert "\n" not in str(error.value)
    assert "hunter2" not in str(error.value)
    assert cabinet.server.switch.seen == []


def test_a_value_that_would_begin_a_line_of_its_own_is_refused(cabinet: Any, prepare: Any) -> None:
    (cabinet.home / "variables.yaml").write_text(
        VARIABLES.replace("pole 8", "x\\nno username admin"), encoding="utf-8"
    )
    with pytest.raises(ProvisioningError, match=r"SW-1: pole .*U\+000A"):
        prepare()
    (cabinet.home / "variables.yaml").write_text(VARIABLES, encoding="utf-8")
    inventory = open_inventory(cabinet.settings)
    with inventory.session() as session:
        queries.store_secrets(
            session, "ops", "ops", {"password": "a\nno username admin"}, Keyring(cabinet.home)
        )
    inventory.close()
    with pytest.raises(ProvisioningError, match=r"SW-1: ops_password .*U\+000A") as error:
        prepare()
    assert "no username" not in str(error.value)


def test_what_a_switch_can_is_shown_with_its_intent_and_its_changes(
    cabinet: Any, prepare: Any
) -> None:
    able = ["diff", "atomic", "replace", "confirm", "rollback", "config", "commands"]
    rendered = json.loads(cabinet.run("provision", "render", "SW-1", "--json").stdout)
    assert (rendered["platform"], rendered["can"]) == ("eos", able)
    assert "username ops secret •••\n" in rendered["candidate"]
    assert "hunter2" not in str(rendered)
    assert set(rendered["variables"]) >= {"vlans", "pole", "ops_password"}
    prepare()
    for command in ("show", "status"):
        told = json.loads(cabinet.run("provision", command, "1", "--json").stdout)
        assert told["platforms"]["eos"]["can"] == able
        assert told["platforms"]["eos"]["devices"] == 1
    assert "eos, 1 devices: diff, atomic" in cabinet.run("provision", "show", "1").stdout
    assert json.loads(cabinet.run("device", "show", "SW-1", "--json").stdout)["can"] == able


def test_a_switch_behind_a_certificate_is_adopted_and_what_has_no_transaction_is_left_out(
    cabinet: Any,
) -> None:
    (cabinet.home.parent / "hosts").write_text("", encoding="utf-8")
    adopted = cabinet.run("device", "adopt", "SW-1", "--known-hosts", "hosts", "--json")
    assert json.loads(adopted.stdout)["adopted"][0]["serial"] == "S-EOS"
    inventory = open_inventory(cabinet.settings)
    with inventory.session() as session:
        session.add(
            Device(
                id="WLC", name="WLC", role="controller", platform="cisco_wlc", ssh_port=1,
                management_address="127.0.0.1", credential_name="switches", host_key="ssh-rsa AAAA",
            )
        )  # fmt: skip
    inventory.close()
    prepared = cabinet.run("provision", "prepare", "--all", "--json")
    assert "1 devices are left out: nothing can be pushed to cisco_wlc" in prepared.stderr
    assert [one["device"] for one in json.loads(prepared.stdout)["devices"]] == ["SW-1"]
    refused = cabinet.run("provision", "prepare", "--device", "WLC", code=1)
    assert "WLC: no change can be pushed to platform 'cisco_wlc'" in refused.stderr
