"""SNMPv3 against Debian's snmpd: every level and protocol, refusals, reboots, and lies."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from collectors.snmp.model import V3, Question, Target, Usm
from collectors.snmp.v3.message import RESPONSE, decode_message, decode_scoped
from collectors.snmp.v3.poller import V3Poller
from tests.collectors.snmp.v3.agents import (
    AUTH,
    NOBODY,
    PRIV,
    SYS_DESCR,
    SYS_NAME,
    SYSTEM,
    USERS,
    ask,
)
from tests.conftest import ROOT, require

pytestmark = pytest.mark.service
CITY = Usm("city", "sha1", AUTH, "aes128", PRIV)
SIGNED, SECRET = (
    Usm("auth-sha256", "sha256", AUTH),
    Usm("sha256-aes256", "sha256", AUTH, "aes256", PRIV),
)
WRONG = "Some0therThing"


def errors(agent, *usms):
    answers = {a.target.usm: a for a in ask(*(agent.target(usm) for usm in usms))}
    assert not any(answer.answered for answer in answers.values())
    assert all(answer.rtt_ms is not None for answer in answers.values())  # they did say something
    return [answers[usm].error for usm in usms]


def test_every_level_and_protocol_is_spoken(agent):
    answers = ask(*(agent.target(usm) for usm in USERS))
    assert {a.target.usm: a.result and a.result[0] for a in answers} == dict.fromkeys(
        USERS, b"lamp post"
    )
    assert {a.error for a in answers} == {""}


def test_what_is_wrong_with_a_user_is_told(agent):
    unknown, key, protocol, level, privacy, too_much = errors(
        agent,
        replace(SECRET, user="stranger"),
        replace(SECRET, auth_password=WRONG),
        replace(SECRET, auth_protocol="sha1"),
        Usm(SECRET.user),
        replace(SECRET, priv_password=WRONG),
        replace(SIGNED, priv_protocol="aes128", priv_password=PRIV),
    )
    assert "does not know user 'stranger' (unknownUserNames)" in unknown
    assert "authentication password or protocol of user 'sha256-aes256' is wrong" in key
    assert "(wrongDigests)" in protocol
    assert "may not read at noAuthNoPriv (authorizationError)" in level
    assert "privacy password or protocol of user 'sha256-aes256' is wrong" in privacy
    assert "not set up for authPriv on the device (unsupportedSecLevels)" in too_much


def test_a_wrong_privacy_protocol_is_told_from_a_wrong_password_of_the_signature(agent):
    short, signature = errors(
        agent,
        replace(SECRET, priv_protocol="aes128"),
        Usm("sha1-aes256", "sha1", WRONG, "aes256", PRIV),
    )
    assert "privacy password or protocol" in short
    assert "authentication password or protocol" in signature


def test_no_password_shows_in_an_error_or_a_repr(agent):
    poller = V3Poller()
    answers = ask(agent.target(replace(SECRET, auth_password=WRONG)), poller=poller)
    shown = repr(answers) + repr(poller.__dict__) + answers[0].error
    assert WRONG not in shown
    assert PRIV not in shown


def test_a_second_poll_needs_no_discovery(agent):
    poller = V3Poller()
    for expected in (2, 1):
        assert ask(agent.target(SECRET), poller=poller)[0].answered
        assert poller.figures.sent == poller.figures.received == expected


def test_tables_come_whole_and_aligned(agent):
    name, kind = (1, 3, 6, 1, 2, 1, 2, 2, 1, 2), (1, 3, 6, 1, 2, 1, 2, 2, 1, 3)
    lacking = (*SYSTEM, 99, 0)

    def converse(_target):
        reply = yield Question((lacking, SYS_NAME), ((name, kind), ((*SYSTEM, 9, 1, 3),)))
        return reply

    reply = ask(agent.target(SECRET), converse=converse)[0].result
    assert reply.scalars == [None, b"lamp post"]
    names, kinds = reply.tables[0]
    assert b"lo" in names.values()
    assert names.keys() == kinds.keys()
    assert len(reply.tables[1][0]) > 5


def test_a_reply_too_large_for_a_packet_is_asked_in_parts(agent):
    def converse(_target):
        reply = yield Question(tuple([SYS_DESCR] * 40 + [SYS_NAME]))
        return reply.scalars

    scalars = ask(agent.target(SECRET), converse=converse)[0].result
    assert scalars[-1] == b"lamp post"
    assert None not in scalars


def test_a_table_that_is_refused_is_not_said_to_be_too_large(meddler, agent):
    def refuse(packet):
        if decode_scoped(decode_message(packet).data).kind == RESPONSE:  # its status and index
            packet = packet.replace(b"\2\1\0\2\1\0\x30", b"\2\1\5\2\1\1\x30")
        return [packet]

    def converse(_target):
        reply = yield Question((), (((1, 3, 6, 1, 2, 1, 2, 2, 1, 2),),))
        return reply.tables

    meddler.change = refuse
    answer = ask(agent.target(NOBODY, port=meddler.port), converse=converse)[0]
    assert answer.result == [None]
    assert answer.error == "table 1.3.6.1.2.1.2.2.1 was refused with error 5 (genErr): broke off"


LINK_LOCAL = """
import sys
from pathlib import Path
from collectors.snmp.model import Target
from collectors.snmp.sweep import SweepPoller
from tests.collectors.snmp.v3.agents import NOBODY, Agent, ask, named

agent = Agent(sys.argv[1], Path(sys.argv[2]), (NOBODY,))
agent.also = f",udp6:[::]:{agent.port}"
agent.start()
try:
    for address in ("fe80::7%lo", "fe80::7%other"):
        at = {"address": address, "timeout_s": 0.5, "retries": 0}
        plain = Target("plain", port=agent.port, community="public", **at)
        answers = ask(agent.target(NOBODY, **at)) + ask(plain, poller=SweepPoller())
        print([(one.answered, one.error) for one in answers])
finally:
    agent.stop()
"""


def test_a_link_local_address_is_asked_on_its_link_in_every_version(needs_program, tmp_path):
    inside = (
        "ip link set lo up && ip addr add fe80::7/64 dev lo nodad && "
        "ip link add other type veth peer name far && ip link set other up && "
        'ip link set far up && exec "$@"'
    )
    snmpd = needs_program("snmpd", "snmpd")
    possible = subprocess.run(
        ["unshare", "--net", "sh", "-c", inside, "sh", "true"], capture_output=True, check=False
    )
    require(not possible.returncode, f"no network namespaces here: {possible.stderr.decode()}")
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", inside, "sh", sys.executable, "-c", LINK_LOCAL, snmpd,
         str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=120,
    )  # fmt: skip
    here, elsewhere = done.stdout.splitlines()
    assert here == "[(True, ''), (True, '')]"
    assert "True" not in elsewhere


def test_a_fault_of_ours_costs_only_its_own_device():
    class Faulty(V3Poller):
        async def _converse(self, wire, target, converse):
            if target.device_id == "b":
                raise ValueError("not foreseen")
            return await super()._converse(wire, target, converse)

    targets = [Target(name, "127.0.0.1", 9, version=V3) for name in "abc"]
    answers = ask(*targets, poller=Faulty(in_flight=1))
    assert [one.target.device_id for one in answers] == ["a", "b", "c"]
    assert answers[1].error == "ValueError: not foreseen"


def test_a_conversation_that_fails_costs_only_its_own_device(agent):
    def converse(target):
        reply = yield Question((SYS_NAME,))
        return reply.scalars[0] if target.usm == SECRET else 1 // 0

    answers = {
        a.target.usm: a for a in ask(agent.target(SECRET), agent.target(SIGNED), converse=converse)
    }
    assert answers[SECRET].result == b"lamp post"
    assert "ZeroDivisionError" in answers[SIGNED].error


def test_dead_devices_are_told_and_delay_no_other(agent):
    dead = [agent.target(SECRET, address=f"127.9.9.{n}", port=9, retries=0) for n in range(1, 30)]
    order = ask(*dead, agent.target(SECRET))
    assert order[0].answered
    assert {a.error for a in order[1:]} == {"no answer"}


def test_a_host_that_is_none_is_told(agent):
    assert "is not an address" in ask(agent.target(SECRET, address="no.such.invalid"))[0].error


def test_an_agent_that_restarts_is_followed(own_agent):
    poller = V3Poller()
    before = ask(own_agent.target(CITY), poller=poller)[0].result[1]
    own_agent.stop()
    assert not ask(own_agent.target(CITY, retries=0), poller=poller)[0].answered
    own_agent.start()
    after = ask(own_agent.target(CITY), poller=poller)[0]
    assert (after.error, after.result[1]) == ("", before + 1)


def test_a_reboot_between_polls_costs_one_more_packet(own_agent):
    poller = V3Poller()
    before = ask(own_agent.target(CITY), poller=poller)[0].result[1]
    own_agent.stop()
    own_agent.start()
    after = ask(own_agent.target(CITY), poller=poller)[0]
    assert (after.error, after.result[1]) == ("", before + 1)
    assert poller.figures.sent == 2  # refused as not in its time window, and sent again


def test_a_replaced_device_with_another_engine_is_discovered_anew(own_agent):
    poller = V3Poller()
    assert ask(own_agent.target(CITY), poller=poller)[0].answered
    own_agent.stop()
    own_agent.start(memory="another")
    answer = ask(own_agent.target(CITY), poller=poller)[0]
    assert (answer.answered, answer.error) == (True, "")


@pytest.mark.parametrize(
    "usm", [SIGNED, Usm("md5-des", "md5", AUTH, "des", PRIV), SECRET], ids=lambda usm: usm.user
)
def test_an_answer_changed_on_its_way_counts_for_nothing(meddler, agent, usm):
    poller = V3Poller()
    target = agent.target(usm, port=meddler.port, retries=0)
    assert ask(target, poller=poller)[0].answered
    meddler.change = lambda packet: [packet[:-1] + bytes([packet[-1] ^ 1])]
    assert not ask(target, poller=poller)[0].answered
    assert poller.figures.unmatched == 1


def test_a_true_answer_is_taken_after_forged_and_broken_ones(meddler, agent):
    def change(packet):
        flags = packet.index(bytes([4, 1, decode_message(packet).flags]), 8) + 2
        plain = packet[:flags] + b"\0" + packet[flags + 1 :]  # claims that nothing is signed
        return [b"\x30\x80", packet[:-3], plain, packet[:-1] + b"\xee", packet, packet]

    poller = V3Poller()
    target = agent.target(SIGNED, port=meddler.port)
    assert ask(target, poller=poller)[0].answered
    meddler.change = change
    answer = ask(target, poller=poller)[0]
    assert answer.result[0] == b"lamp post"
    assert poller.figures.malformed == 2
    assert poller.figures.unmatched >= 2


def test_an_older_answer_said_again_counts_for_nothing(meddler, agent):
    kept: list[bytes] = []
    poller = V3Poller()
    target = agent.target(SECRET, port=meddler.port, retries=0)
    meddler.change = lambda packet: kept.append(packet) or [packet]
    assert ask(target, poller=poller)[0].answered
    meddler.change = lambda _packet: kept[-1:]
    assert not ask(target, poller=poller)[0].answered
    assert poller.figures.unmatched == 1


def test_nobody_can_say_for_the_device_that_its_clock_moved(meddler, agent):
    """A report that claims another clock is believed only if it is signed."""
    poller = V3Poller()
    target = agent.target(SIGNED, port=meddler.port, retries=0)
    assert ask(target, poller=poller)[0].answered
    session = next(iter(poller._sessions.values()))
    session.clock.boots += 1  # so that the agent reports, signed, that we are out of its window
    meddler.change = lambda packet: [unsigned(packet)]
    assert not ask(target, poller=poller)[0].answered
    assert poller.figures.unmatched == 1


def unsigned(packet: bytes) -> bytes:
    """The same report without its signature."""
    at = packet.index(bytes([4, 1, decode_message(packet).flags]), 8) + 2
    return packet[:at] + b"\0" + packet[at + 1 :]


def test_an_answer_from_another_address_is_named_and_taken_only_where_allowed(meddler, agent):
    poller = V3Poller()
    target = agent.target(SECRET, port=meddler.port, retries=0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))
        meddler.out = other
        assert not ask(target, poller=poller)[0].answered
        assert poller.figures.other_address == (target.device_id,)
        allowed = replace(target, answers_from=frozenset({"127.0.0.2"}))
        assert ask(allowed, poller=poller)[0].answered
        assert poller.figures.other_address == ()
