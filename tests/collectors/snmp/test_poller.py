"""The poller against a real agent, silent addresses, and senders that lie."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager

import pytest
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api

from collectors.snmp.book import IDENTITY, SYS_NAME
from collectors.snmp.model import Question, Target
from collectors.snmp.probe import read_one
from collectors.snmp.sweep import SweepPoller

v2c = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]


def poll(targets, poller=None, question=None):
    """Answers in the order in which they came."""

    def converse(_target):
        return (yield question or Question(IDENTITY))

    async def collect():
        return [answer async for answer in (poller or SweepPoller()).ask(targets, converse)]

    return asyncio.run(collect())


def name_in(answer):
    """sysName of an answer to IDENTITY."""
    return answer.result.scalars[IDENTITY.index(SYS_NAME)]


@pytest.fixture
def silent():
    """A port where a socket is open and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


def answer_to(packet: bytes, name: bytes, change=lambda *_parts: None) -> bytes:
    request, _ = decoder.decode(packet, asn1Spec=v2c.Message())
    message = v2c.apiMessage.get_response(request)
    pdu = v2c.apiMessage.get_pdu(message)
    v2c.apiPDU.set_varbinds(pdu, [(SYS_NAME, v2c.OctetString(name))])
    change(message, pdu)
    return encoder.encode(message)


@contextmanager
def agent(*replies):
    """A fake agent on a real socket: for each request sends what each of `replies` makes of it,
    from its own address or (a pair) from another one.
    """
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        own.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.2", 0))
        stop = threading.Event()
        own.settimeout(0.1)

        def serve():
            while not stop.is_set():
                try:
                    packet, sender = own.recvfrom(65535)
                except TimeoutError:
                    continue
                for reply in replies:
                    through, make = (other, reply[1]) if isinstance(reply, tuple) else (own, reply)
                    through.sendto(make(packet), sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield own.getsockname()[1]
        finally:
            stop.set()
            thread.join()


@pytest.mark.service
def test_dead_devices_hold_up_nobody(snmpd, silent):
    port = snmpd("sysName live")
    live = [Target(f"live-{n}", f"127.9.0.{n}", port) for n in range(1, 31)]
    dead = [Target(f"dead-{n}", "127.0.0.1", silent, timeout_s=1.0) for n in range(10)]
    answers = poll([*dead, *live], SweepPoller())
    assert len(answers) == 40
    assert {a.target.device_id for a in answers if a.answered} == {t.device_id for t in live}
    # The dead were asked first, and yet every live one is through before the first is given up.
    assert [a.answered for a in answers] == [True] * 30 + [False] * 10


@pytest.mark.service
def test_more_dead_devices_than_places_still_end(silent):
    many = [Target(str(n), "127.0.0.1", silent, timeout_s=0.1, retries=0) for n in range(150)]
    answers = poll(many, SweepPoller(receive_buffer=4096))
    assert [answer.error for answer in answers] == ["no answer"] * 150


@pytest.mark.service
def test_each_address_of_an_agent_is_a_device_of_its_own(snmpd):
    port = snmpd("sysName shared")
    answers = poll([Target("a", "127.1.2.3", port), Target("b", "127.3.2.1", port)])
    assert {answer.target.device_id: answer.answered for answer in answers} == {
        "a": True, "b": True,
    }  # fmt: skip
    assert all(answer.rtt_ms > 0 for answer in answers)


@pytest.mark.service
def test_a_wrong_community_is_no_answer(snmpd):
    target = Target("a", "127.0.0.1", snmpd(), "wrong", timeout_s=0.3, retries=0)
    assert [answer.answered for answer in poll([target])] == [False]


@pytest.mark.parametrize("address", ["no.such.host.invalid", "300.1.1.1", "", "a b", "::zz"])
def test_an_address_that_is_none_is_named(address):
    (answer,) = poll([Target("a", address, 161, timeout_s=0.2, retries=0)])
    assert not answer.answered
    assert "is not an address" in answer.error


def test_a_reply_from_another_address_is_not_believed():
    with agent((None, lambda p: answer_to(p, b"liar")), lambda p: answer_to(p, b"true")) as port:
        (answer,) = poll([Target("a", "127.0.0.1", port)])
    assert name_in(answer) == b"true"
    with agent((None, lambda p: answer_to(p, b"liar"))) as port:
        (answer,) = poll([Target("a", "127.0.0.1", port, timeout_s=0.3, retries=0)])
    assert not answer.answered


def test_rubbish_and_foreign_replies_before_the_right_one_are_dropped():
    def other_id(_message, pdu):
        v2c.apiPDU.set_request_id(pdu, 1)

    def old_version(message, _pdu):
        message.setComponentByPosition(0, 0)

    with agent(
        lambda _p: b"rubbish",
        lambda p: p,
        lambda p: p[:-3],
        lambda p: answer_to(p, b"other", other_id),
        lambda p: answer_to(p, b"old", old_version),
        lambda p: answer_to(p, b"tail") + b"\0",
        lambda p: answer_to(p, b"true"),
    ) as port:
        (answer,) = poll([Target("a", "127.0.0.1", port)])
    assert name_in(answer) == b"true"


def test_a_lost_first_packet_is_asked_again():
    seen = []

    def second_time(packet):
        seen.append(packet)
        return answer_to(packet, b"late") if len(seen) > 1 else b""

    with agent(second_time) as port:
        (answer,) = poll([Target("a", "127.0.0.1", port, timeout_s=0.3, retries=1)])
    assert answer.answered
    assert len(seen) == 2


def test_values_that_were_not_asked_for_are_left_out():
    with agent(lambda p: answer_to(p, b"unasked")) as port:
        (answer,) = poll([Target("a", "127.0.0.1", port)], question=Question(((1, 3, 6, 9),)))
    assert answer.answered
    assert answer.result.scalars == [None]


def test_a_device_that_falls_silent_is_given_up_at_its_first_table():
    bulks = []

    def only_get(packet):
        request, _ = decoder.decode(packet, asn1Spec=v2c.Message())
        if v2c.apiMessage.get_pdu(request).tagSet == v2c.GetRequestPDU.tagSet:
            return answer_to(packet, b"here")
        bulks.append(packet)
        return b""

    question = Question((SYS_NAME,), (((1, 3, 1),), ((1, 3, 2),), ((1, 3, 3),)))
    with agent(only_get) as port:
        target = Target("a", "127.0.0.1", port, timeout_s=0.2, retries=0)
        (answer,) = poll([target], question=question)
    assert answer.answered
    assert answer.result.scalars == [b"here"]
    assert answer.result.tables == [None, None, None]
    assert answer.error == "no answer at table 1.3"
    assert len(bulks) == 4  # 25 rows, 12, 3, 1; nothing for the other two tables


@pytest.mark.service
def test_a_renamed_openwrt_is_read_in_full_from_a_real_agent(snmpd, openwrt_config):
    port = snmpd(openwrt_config)
    reading = asyncio.run(read_one(SweepPoller(), Target("a", "127.0.0.1", port, timeout_s=5)))
    assert (reading.family, reading.sys_name, reading.error) == ("openwrt", "ap-0042", "")
    assert [(r.name, r.band, r.channel, r.clients) for r in reading.radios] == [
        ("wlan0", "5", 36, 7), ("wlan1", "2.4", 6, 5),
    ]  # fmt: skip
    assert reading.radios[0].noise_dbm == -95
    assert reading.radios[0].tx_power_dbm == 20
    assert reading.radios[0].utilization_pct == 31
    assert [(ssid.name, ssid.clients) for ssid in reading.ssids] == [("City Free", 12)]
    assert reading.clients == 12
    assert reading.uptime_s > reading.agent_uptime_s > 0
