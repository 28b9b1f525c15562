"""What `farola snmp probe` and `farola snmp walk` say of hosts and users that cannot be asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from collectors.access_options import AccessOptions, access_of
from collectors.access_target import target_of, unanswered
from collectors.snmp.addresses import split_host_port
from collectors.snmp.model import SweepFigures, Usm
from farola.errors import InputError
from tests.collectors.snmp.v3.agents import AUTH, PRIV, Agent
from tests.inventory.conftest import cli

__all__ = ["cli"]

ADA = Usm("ada", "sha256", AUTH, "aes128", PRIV)
NOTHING = AccessOptions(None, None, None, None, None, None)


@pytest.fixture(scope="module")
def agent(needs_program, tmp_path_factory) -> Iterator[Agent]:
    one = Agent(
        needs_program("snmpd", "snmpd"), tmp_path_factory.mktemp("v3"),
        (ADA, Usm("half", "sha256", AUTH)),
    )  # fmt: skip
    one.start()
    yield one
    one.stop()


@pytest.mark.service
@pytest.mark.parametrize(
    ("options", "passwords", "said"),
    [
        (("--user", "bob"), (AUTH, PRIV), "does not know user 'bob' (unknownUserNames); check --"),
        (("--user", "ada", "--auth-protocol", "sha256", "--priv-protocol", "aes128"),
         ("not-the-right-one", PRIV), "(wrongDigests); check FAROLA_SNMP_AUTH_PASSWORD and --auth"),
        (("--user", "ada", "--auth-protocol", "sha256", "--priv-protocol", "aes128"),
         (AUTH, "not-the-right-one"), "check FAROLA_SNMP_PRIV_PASSWORD and --priv-protocol"),
        (("--user", "ada"), (AUTH, PRIV), "(authorizationError); check what the device lets"),
        (("--user", "half", "--auth-protocol", "sha256", "--priv-protocol", "aes128"),
         (AUTH, PRIV), "(unsupportedSecLevels); check --auth-protocol and --priv-protocol"),
    ],
)  # fmt: skip
def test_walk_and_probe_say_the_same_of_a_user_that_is_refused(
    cli, agent, monkeypatch, options, passwords, said
):
    monkeypatch.setenv("FAROLA_SNMP_AUTH_PASSWORD", passwords[0])
    monkeypatch.setenv("FAROLA_SNMP_PRIV_PASSWORD", passwords[1])
    where = (f"127.0.0.1:{agent.port}", *options, "--timeout", "0.3")
    probed = cli("snmp", "probe", *where, code=1).err
    walked = cli("snmp", "walk", where[0], "ifDescr", *where[1:], code=1).err
    assert said in probed
    assert "the address" not in probed
    assert "not-the-right-one" not in probed + walked
    assert walked == probed


@pytest.fixture
def rubbish() -> Iterator[int]:
    """An agent that answers each packet with two that are no SNMP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]

        def serve() -> None:
            while True:
                packet, sender = sock.recvfrom(65_535)
                if packet == b"stop":
                    return
                for _ in range(2):
                    sock.sendto(b"220 lamp ESMTP\r\n", sender)

        thread = threading.Thread(target=serve)
        thread.start()
        yield port
        sock.sendto(b"stop", ("127.0.0.1", port))
        thread.join()


def test_packets_that_are_no_snmp_are_counted(cli, rubbish):
    where = f"127.0.0.1:{rubbish}"
    probed = cli("snmp", "probe", where, "--timeout", "0.1", code=1).err
    assert f"{where}: no answer; 4 packets came that are not SNMP v2c; check the ad" in probed
    walked = cli("snmp", "walk", where, "iso", "--timeout", "0.1", code=1).err
    assert "no answer; 2 packets came that are not SNMP v2c; check the ad" in walked


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("no.such.invalid", "'no.such.invalid' does not resolve: correct the name, or give the IP"),
        ("http://127.0.0.1", "is a URL: give one host"),
        ("127.0.0.1/24", "is a network or a path: give one host"),
        ("[::1", "is no IPv6 address"),
        ("::1:21999", "write [::1]:21999"),
        ("1:2:x", "is no IPv6 address"),
    ],
)
@pytest.mark.parametrize("words", [("probe",), ("walk", "iso")], ids=" ".join)
def test_a_host_that_is_none_is_told_and_nothing_said_of_snmp(cli, words, host, said):
    done = cli("snmp", words[0], host, *words[1:], code=1)
    assert said in done.err
    assert "SNMP" not in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("snmp", "probe", "127.0.0.1", "--timeout"),
        ("snmp", "walk", "127.0.0.1", "iso", "--timeout"),
        ("collect", "discover", "127.0.0.1", "--timeout"),
        ("collect", "discover", "127.0.0.1", "--rate"), ("collect", "once", "--linger"),
        ("collect", "run", "--interval"), ("up", "--interval"), ("reactor", "--quiet"),
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_number_that_is_none_is_refused(cli, words, value):
    assert f"{value} is " in cli(*words, value, code=2).err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"user": "bob", "community": "x"}, "leave out --community"),
        ({"user": ""}, "--user is empty"),
        ({"community": ""}, "--community is empty"),
        ({"credential": ""}, "--credential is empty"),
        ({"user": "ñ" * 17}, "at most 32 bytes"),
        ({"user": "x", "priv_protocol": "aes128"}, "give --auth-protocol too"),
        ({"user": "x", "auth_protocol": "md5"}, "FAROLA_SNMP_AUTH_PASSWORD holds less than"),
    ],
)
def test_a_user_that_cannot_be_is_told_in_the_words_of_the_options(monkeypatch, options, said):
    monkeypatch.setenv("FAROLA_SNMP_AUTH_PASSWORD", "secret")
    with pytest.raises(InputError) as told:
        access_of(replace(NOTHING, **options))
    assert said in str(told.value)
    assert "secret" not in str(told.value)


def test_an_empty_community_of_the_environment_is_none(monkeypatch):
    monkeypatch.setenv("FAROLA_SNMP_COMMUNITY", "")
    assert access_of(NOTHING).community == "public"


def test_an_ipv6_address_that_ends_like_a_port_is_asked_about():
    target = target_of("::1:1161", NOTHING, 1.0)
    assert (target.address, target.port) == ("::1:1161", 161)
    said = str(unanswered(target, NOTHING, "no answer", SweepFigures()))
    assert "write [::1]:1161" in said
    assert split_host_port("[::1]:1161", 161) == ("::1", 1161)
