"""SNMPv3 from the command line: credentials, probes, polls; no password is ever shown."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from collectors.access import AccessError, read_access
from collectors.access_options import AccessOptions, access_of
from collectors.snmp.model import Usm
from farola.errors import InputError
from farola.settings import load_settings
from inventory.commands.credentials import checked
from inventory.db import open_inventory
from inventory.models import Device
from tests.collectors.snmp.v3.agents import AUTH, PRIV, Agent

CITY = Usm("city", "sha256", AUTH, "aes256", PRIV)
FIELDS = {
    "snmp_user": "city", "snmp_auth_protocol": "SHA-256", "snmp_auth_password": AUTH,
    "snmp_priv_protocol": "AES256", "snmp_priv_password": PRIV,
}  # fmt: skip


@pytest.fixture(scope="module")
def agent(needs_program, tmp_path_factory):
    one = Agent(
        needs_program("snmpd", "snmpd"), tmp_path_factory.mktemp("v3"), (Usm("noone"), CITY)
    )
    one.start()
    yield one
    one.stop()


@pytest.mark.service
def test_a_city_of_v3_devices_is_polled_and_probed(run, home, agent):
    run("init")
    for field, value in FIELDS.items():
        done = run("device", "credential", "v3", "--field", field, "--json", input=value)
        assert AUTH not in done.stdout + done.stderr
    inventory = open_inventory(load_settings(home))
    with inventory.session() as session:
        for name, address in (("post", "127.0.0.1"), ("other", "127.0.0.2")):
            session.add(
                Device(id=name, name=name, management_address=address, snmp_port=agent.port,
                       credential_name="v3")
            )  # fmt: skip
    inventory.close()
    polled = json.loads(run("collect", "once", "--json").stdout)
    assert (polled["devices"], polled["answered"], polled["partial"]) == (2, 2, [])
    where = f"127.0.0.1:{agent.port}"
    probed = json.loads(run("snmp", "probe", where, "--credential", "v3", "--json").stdout)
    assert probed["sys_name"] == "lamp post"


@pytest.mark.service
def test_devices_that_refuse_a_wrong_key_are_named_and_not_down(run, home, agent):
    run("init")
    for field, value in {**FIELDS, "snmp_auth_password": "not-the-right-one"}.items():
        run("device", "credential", "v3", "--field", field, input=value)
    inventory = open_inventory(load_settings(home))
    with inventory.session() as session:
        for name, port in (("post", agent.port), ("dead", 9)):
            session.add(
                Device(id=name, name=name, management_address="127.0.0.1", snmp_port=port,
                       credential_name="v3")
            )  # fmt: skip
    inventory.close()
    for down in ([], [], ["dead"]):
        done = run("collect", "once", "--json")
        polled = json.loads(done.stdout)
        assert (polled["answered"], polled["down"]) == (0, down)
        assert polled["not_answered"] == ["dead", "post"]
        (refused,) = polled["refused"]
        assert refused["device"] == "post"
        assert "(wrongDigests)" in refused["reason"]
        assert "1 device lives but refuses to tell us anything: SNMPv3: authen" in done.stderr
        assert "(wrongDigests): post\n" in done.stderr
        assert "not-the-right-one" not in done.stdout + done.stderr
    assert json.loads(run("status", "--json").stdout)["devices"]["unknown"] == 1


@pytest.mark.service
def test_a_probe_says_what_is_wrong_with_the_user(run, agent, monkeypatch):
    where = f"127.0.0.1:{agent.port}"
    monkeypatch.setenv("FAROLA_SNMP_AUTH_PASSWORD", "not-the-right-one")
    done = run("snmp", "probe", where, "--user", "city", "--auth-protocol", "sha256", code=1)
    assert f"{where}: SNMPv3: authentication password or protocol of user 'city'" in done.stderr
    assert "not-the-right-one" not in done.stderr
    assert "unknownUserNames" in run("snmp", "probe", where, "--user", "x", code=1).stderr


NOTHING = AccessOptions(None, None, None, None, None, None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"version": "3"}, "needs a --user"),
        ({"version": "2c", "user": "x"}, "has no users"),
        ({"version": "3", "user": "x", "community": "c"}, "no community"),
        ({"user": "x", "auth_protocol": "sha1"}, "FAROLA_SNMP_AUTH_PASSWORD"),
        ({"credential": "x", "user": "x"}, "--credential alone"),
    ],
)
def test_options_that_do_not_go_together_are_told(monkeypatch, options, words):
    monkeypatch.delenv("FAROLA_SNMP_AUTH_PASSWORD", raising=False)
    with pytest.raises(InputError, match=words):
        access_of(replace(NOTHING, **options))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("snmp_version", "v4", "one of 1, 2c, 3, none"),
        ("snmp_auth_protocol", "rot13", "one of md5"),
        ("snmp_priv_password", "short", "at least 8"),
        ("snmp_user", "x" * 33, "at most 32 bytes"),
    ],
)
def test_a_field_that_cannot_be_is_refused_and_not_shown(field, value, words):
    with pytest.raises(InputError, match=words) as caught:
        checked(field, value)
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "no snmp_community"),
        ({"snmp_version": "3"}, "no snmp_user"),
        ({"snmp_version": "5"}, "none of 1, 2c, 3, none"),
        ({"snmp_user": "x", "snmp_auth_protocol": "sha1"}, "no snmp_auth_password"),
        ({"snmp_user": "x", "snmp_priv_password": "p" * 8}, "no snmp_priv_protocol"),
        (
            {"snmp_user": "x", "snmp_priv_protocol": "des", "snmp_priv_password": "p" * 8},
            "privacy without authentication",
        ),
        (
            {"snmp_user": "x", "snmp_auth_protocol": "sha1", "snmp_auth_password": "secret"},
            "less than 8",
        ),
    ],
)
def test_a_credential_that_lacks_something_says_what(values, words):
    with pytest.raises(AccessError, match=words) as caught:
        read_access(values)
    assert "'secret'" not in str(caught.value)


def test_versions_are_read_from_a_credential():
    def version(**values):
        return read_access(values).version

    assert version(snmp_community="c") == "2c"
    assert version(snmp_community="c", snmp_version="1") == "1"
    assert version(snmp_user="u", snmp_community="c") == "3"
    assert version(snmp_user="u", snmp_community="c", snmp_version="2c") == "2c"
    assert version(snmp_version="none") == "none"
