"""A reader remembers what a device is, asks only for what it has, and notices another device."""

from __future__ import annotations

import pytest

from collectors.snmp.book import oid_of, packaged
from collectors.snmp.model import V1, Reply, Target
from collectors.snmp.profile import IDENTITY
from collectors.snmp.read import RELEARN, Reader

DESCR, OBJECT_ID, TICKS, NAME = IDENTITY
UNIFI = oid_of("1.3.6.1.4.1.41112")
IF, IFX = oid_of("1.3.6.1.2.1.2.2.1"), oid_of("1.3.6.1.2.1.31.1.1.1")
ADDRESS = oid_of("1.3.6.1.2.1.4.20.1.2.192.0.2.7")


def agent(object_id=UNIFI, descr=b"UAP-AC 6.5", ticks=100, **more):
    identity = {OBJECT_ID: object_id, DESCR: descr, TICKS: ticks, NAME: b"ap"}
    return identity | more.get("values", {})


def ports(wide=True, names=True, index=1):
    """An agent's eth0, with or without ifXTable."""
    values = {(*IF, 2, index): b"eth0", (*IF, 3, index): 6, (*IF, 8, index): 1}
    values |= {(*IF, 10, index): 10, (*IF, 16, index): 20}
    if wide:
        values |= {(*IFX, 6, index): 2**40, (*IFX, 10, index): 2**41}
    if names:
        values[(*IFX, 1, index)] = b"eth0"
    return values


class Conversations:
    """Holds a reader's conversations with an agent made of values; counts what was asked."""

    def __init__(self, said) -> None:
        self.said = said
        self.reader = Reader(None)  # type: ignore[arg-type]  # no packet leaves
        self.asked = []

    def read(self, values, address="192.0.2.7", version="2c", broken=()):
        """`broken` are numbers of questions to which nothing comes back but an error."""
        talk = self.reader._conversation(Target("ap", address, version=version))
        self.asked = []
        try:
            question = next(talk)
            while True:
                number = len(self.asked)
                self.asked.append(question)
                question = talk.send(self._reply(question, values, number in broken))
        except StopIteration as end:
            return end.value

    def _reply(self, question, values, is_broken):
        if is_broken:
            nothing = [None] * len(question.scalars)
            return Reply(nothing, [None] * len(question.tables), "no answer")
        return self.said(question, values)


@pytest.fixture
def talks(said):
    return Conversations(said)


def columns_asked(question):
    """Columns that are walked, or of which cells are asked."""
    walked = {column for table in question.tables for column in table}
    return walked | {oid[:-1] for oid in question.scalars}


def test_a_known_device_is_asked_once_and_all_at_once(talks):
    assert talks.read(agent(values=ports())).family == "unifi"
    assert len(talks.asked) == 3  # who are you, where is your address, everything
    reading = talks.read(agent(ticks=200, values=ports()))
    assert len(talks.asked) == 1
    assert (reading.family, reading.agent_uptime_s) == ("unifi", 2.0)
    assert reading.interfaces[0].rx_bytes_total == 2**40


def test_two_devices_of_a_family_share_one_question(talks):
    talks.read(agent(values=ports()))
    first = talks.asked[-1]
    talks.reader._known.clear()
    talks.read(agent(values=ports()))
    assert talks.asked[-1] is first


def test_32_bit_counters_are_asked_only_of_a_device_without_others(talks):
    reading = talks.read(agent(values=ports(wide=False)))
    (kept,) = reading.interfaces
    assert (kept.rx_bytes_total, kept.bits) == (10, 32)
    talks.read(agent(values=ports(wide=False)))
    (question,) = talks.asked
    assert (*IF, 10) in columns_asked(question)
    assert (*IFX, 6) not in columns_asked(question)


def test_descriptions_are_asked_only_of_a_device_without_names(talks):
    reading = talks.read(agent(values=ports(names=False)))
    assert [one.name for one in reading.interfaces] == ["eth0"]
    talks.read(agent(values=ports()))
    assert (*IF, 2) in columns_asked(talks.asked[0])
    talks.reader._known.clear()
    talks.read(agent(values=ports()))
    assert (*IF, 2) not in columns_asked(talks.asked[-1])


def test_version_1_is_never_asked_for_64_bit_counters(talks):
    reading = talks.read(agent(values=ports()), version=V1)
    assert all((*IFX, 6) not in columns_asked(question) for question in talks.asked)
    assert reading.interfaces[0].bits == 32


def test_tables_that_a_model_lacks_are_left_out_until_the_agent_restarts(talks):
    router = {"object_id": oid_of("1.3.6.1.4.1.14988.1"), "descr": b"RouterOS hAP"}
    access = oid_of("1.3.6.1.4.1.14988.1.1.1.3.1.6")
    values = {**ports(), (*access, 1): 7}
    assert talks.read(agent(**router, values=ports())).clients is None
    talks.read(agent(**router, ticks=200, values=ports()))
    assert access not in columns_asked(talks.asked[0])
    reading = talks.read(agent(**router, ticks=10, values=values))
    assert reading.clients == 7


def columns_walked(talks):
    """Those that a device is asked where its rows are not known yet."""
    (known,) = talks.reader._known.values()
    return columns_asked(known.profile.question)


def test_what_a_scalar_tells_takes_no_walk(talks):
    openwrt = {"object_id": oid_of("1.3.6.1.4.1.8072.3.2.10"), "descr": b"Linux OpenWrt"}
    memory, sizes = oid_of("1.3.6.1.4.1.2021.4"), oid_of("1.3.6.1.2.1.25.2.3.1.5")
    ucd = {(*memory, 5, 0): 1000, (*memory, 6, 0): 400, (*memory, 14, 0): 100}
    for ticks in (100, 200):
        assert talks.read(agent(**openwrt, ticks=ticks, values=ports() | ucd)).mem_pct == 50.0
    assert sizes not in columns_walked(talks)
    talks.reader._known.clear()
    for ticks in (100, 200):
        talks.read(agent(**openwrt, ticks=ticks, values=ports() | {(*sizes, 1): 1000}))
    assert sizes in columns_walked(talks)
    talks.reader._known.clear()
    for ticks in (100, 200):  # neither of them
        talks.read(agent(**openwrt, ticks=ticks, values=ports()))
    assert sizes not in columns_walked(talks)


def test_now_and_then_a_device_is_asked_for_everything_again(talks):
    router = {"object_id": oid_of("1.3.6.1.4.1.14988.1"), "descr": b"RouterOS hAP"}
    access = oid_of("1.3.6.1.4.1.14988.1.1.1.3.1.6")
    talks.read(agent(**router, values=ports()))
    values = {**ports(), (*access, 1): 7}
    seen = [
        talks.read(agent(**router, ticks=200 + n, values=values)).clients for n in range(RELEARN)
    ]
    assert seen[0] is None
    assert seen[-1] == 7


def test_a_swapped_device_is_read_as_what_it_is_in_the_same_poll(talks):
    talks.read(agent(values=ports()))
    other = agent(object_id=oid_of("1.3.6.1.4.1.14988.1"), descr=b"RouterOS", values=ports(index=9))
    assert talks.read(other).family == "routeros"
    assert talks.read(other).family == "routeros"
    assert len(talks.asked) == 1


def test_a_device_swapped_while_half_of_its_answers_get_lost_is_not_read_as_the_old_one(talks):
    talks.read(agent(values=ports()))
    other = agent(object_id=oid_of("1.3.6.1.4.1.14988.1"), descr=b"RouterOS", values=ports())
    reading = talks.read(other, broken={1, 2})
    assert reading.answered
    assert reading.family == "routeros"
    assert reading.interfaces == ()
    # What could not be made sure is asked again.
    assert talks.read(other).family == "routeros"
    assert len(talks.asked) > 1


def test_an_answer_without_identity_speaks_against_nothing(talks):
    talks.read(agent(values=ports()))
    reading = talks.read(ports())
    assert reading.family == "unifi"
    assert reading.interfaces[0].name == "eth0"
    assert len(talks.asked) == 1


def test_a_lost_answer_teaches_nothing(talks):
    talks.read(agent(values=ports()), broken={2})
    talks.read(agent(ticks=200, values=ports()))
    assert (*IFX, 6) in columns_asked(talks.asked[0])
    assert len(talks.asked) == 1


def test_the_interface_of_the_address_is_asked_again_after_a_restart_or_a_move(talks):
    def two(number, first, second):
        values = ports(index=1) | ports(index=2) | {ADDRESS: number}
        return values | {(*IFX, 1, 1): first, (*IFX, 1, 2): second}

    def uplink(reading):
        return [one.name for one in reading.interfaces if one.role == "uplink"]

    assert uplink(talks.read(agent(ticks=500, values=two(2, b"eth0", b"mgmt")))) == ["mgmt"]
    assert uplink(talks.read(agent(ticks=5, values=two(1, b"mgmt", b"eth0")))) == ["mgmt"]
    moved = talks.read(agent(ticks=9, values=two(1, b"mgmt", b"eth0")), address="192.0.2.8")
    assert uplink(moved) == ["eth0"]


def test_new_firmware_is_the_same_family_without_a_further_question(talks):
    talks.read(agent(values=ports()))
    assert talks.read(agent(descr=b"UAP-AC 6.6", ticks=200, values=ports())).family == "unifi"
    assert len(talks.asked) == 1


def test_who_says_nothing_is_not_read(talks):
    assert talks.read({}, broken={0}) is None


def test_the_book_is_the_packaged_one_unless_another_is_given():
    assert Reader(None)._book is packaged()  # type: ignore[arg-type]  # no packet leaves
