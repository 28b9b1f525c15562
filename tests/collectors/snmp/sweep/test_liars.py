"""Agents that lie, stumble or dawdle: nothing they send raises, and no wrong value is taken."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from collectors.snmp.model import Question, Target
from collectors.snmp.sweep import SweepPoller, tables
from tests.collectors.snmp.sweep.fakes import DESCR, NAME, V2C, fake, one, poll, table_agent

BASE = (1, 3, 6, 1, 4, 1, 99999, 1)
COLUMNS = tuple((*BASE, column) for column in (1, 2))
TABLE = {(*column, row): row for column in COLUMNS for row in range(1, 41)}
WALK = Question((), (COLUMNS,))
BOTH = Question((NAME, DESCR))


def truth(request):
    return request.answer([(NAME, b"true")])


def names(answer):
    return answer.result and [reply.scalars[0] for reply in answer.result]


def set_version(message, _pdu):
    message.setComponentByPosition(0, 0)


def set_community(message, _pdu):
    V2C.apiMessage.set_community(message, b"other")


def set_id(_message, pdu):
    V2C.apiPDU.set_request_id(pdu, 1)


def test_what_is_no_answer_is_counted_and_dropped():
    def lies(request):
        false = request.answer([(NAME, b"false")])
        many = [(NAME, b"x" * 200)] * 280
        return [
            b"rubbish", false[:-3], false + b"\0", b"\x30\x80" + false[2:],
            request.answer([(NAME, b"false")], change=set_version), request.answer(many),
            request.answer([(NAME, b"false")], change=set_community),
            request.answer([(NAME, b"false")], change=set_id), (True, false),
        ]  # fmt: skip

    with fake(lies, truth) as port:
        answer, figures = one(port)
    assert (names(answer), answer.error) == ([b"true"], "")
    assert (figures.malformed, figures.unmatched, figures.received) == (6, 3, 10)
    assert figures.other_address == ("a",)


def test_a_replay_is_dropped():
    old = []

    def replays(request):
        old.append(truth(request))
        return [*old[:1], request.answer([(NAME, b"next")])] if len(old) > 1 else [old[0], old[0]]

    with fake(replays) as port:
        answer, figures = one(port, *[Question((NAME,))] * 2)
    assert names(answer) == [b"true", b"next"]
    assert (figures.sent, figures.unmatched) == (2, 2)


def test_another_address_is_believed_only_where_the_owner_says_so():
    with fake(lambda request: (True, truth(request))) as port:
        assert not one(port)[0].answered
        answer, figures = one(port, answers_from=frozenset({"127.0.0.2"}))
    assert names(answer) == [b"true"]
    assert figures.other_address == ()


def test_a_second_sending_is_answered_by_the_first_ones_late_answer():
    seen = []

    def late(request):
        seen.append(request)
        time.sleep(0.4 if len(seen) == 1 else 0)
        return truth(request)

    with fake(late) as port:
        answer, figures = one(port, retries=3)
    assert names(answer) == [b"true"]
    assert answer.rtt_ms >= 390  # of the sending that it answers, not of the last
    assert figures.retried >= 1


@pytest.mark.parametrize("status", [1, 5, 2, 16])
def test_a_get_that_is_refused_is_asked_in_parts(status):
    def choosy(request):
        if len(request.oids) > 1:
            return request.answer([(o, 0) for o in request.oids], status=status, place=0)
        return truth(request)

    with fake(choosy) as port:
        answer, figures = one(port, Question((DESCR, NAME, (*NAME, 1), (*NAME, 2))))
    assert answer.result[0].scalars == [None, b"true", None, None]
    assert (answer.error, figures.sent) == ("", 7)


@pytest.mark.parametrize("version", ["1", "2c"])
def test_an_oid_that_the_agent_refuses_is_left_out_of_the_next_get(version):
    def refuses(request):
        if DESCR in request.oids:
            place = request.oids.index(DESCR) + 1
            return request.answer([(o, 0) for o in request.oids], status=2, place=place)
        return truth(request)

    with fake(refuses) as port:
        answer, figures = one(port, BOTH, version=version)
    assert answer.result[0].scalars == [b"true", None]
    assert figures.sent == 2


def test_values_in_another_order_find_their_place_and_strangers_are_left_out():
    with fake(lambda r: r.answer([(DESCR, b"d"), (NAME, b"n")])) as port:
        assert one(port, BOTH)[0].result[0].scalars == [b"n", b"d"]
    with fake(lambda r: r.answer([((1, 3, 9), b"x"), (NAME, b"n")])) as port:
        assert one(port, BOTH)[0].result[0].scalars == [b"n", None]


def test_a_number_out_of_range_is_no_value_and_costs_no_other():
    def odd(request):
        good = request.answer([(NAME, b"n"), (DESCR, V2C.Counter32(5))])
        return good[:-1] + b"\xff"  # -1

    with fake(odd) as port:
        assert one(port, BOTH)[0].result[0].scalars == [b"n", None]


@pytest.mark.parametrize(("version", "limit"), [("1", 99), ("2c", 10_000), ("2c", 7), ("2c", 1)])
def test_a_table_is_read_to_its_end_however_the_agent_cuts_it(version, limit):
    after = {(*BASE, 3, 1): b"behind"}
    with fake(table_agent(TABLE | after, limit)) as port:
        answer, _ = one(port, WALK, version=version, timeout_s=2)
    assert answer.error == ""
    assert answer.result[0].tables == [[{(row,): row for row in range(1, 41)}] * 2]


def test_the_next_walk_asks_for_as_many_rows_as_the_last_one_found():
    asked = []

    def listen(request):
        asked.append(request.repetitions)

    poller = SweepPoller()
    rows = {oid: row for oid, row in TABLE.items() if oid[-1] <= 25}
    with fake(listen, table_agent(rows)) as port:
        for _ in range(2):
            answer, figures = one(port, WALK, poller=poller)
            assert len(answer.result[0].tables[0][1]) == 25
    assert (asked, figures.sent) == ([20, 20, 26], 1)


def test_a_table_that_goes_in_circles_is_none():
    def circles(request):
        return request.answer([(oid if len(oid) > 9 else (*oid, 1), 1) for oid in request.oids])

    with fake(circles) as port:
        answer, figures = one(port, WALK)
    assert answer.result[0].tables == [None]
    assert answer.error == "table 1.3.6.1.4.1.99999.1 goes in circles: broke off"
    assert figures.sent == 2


def test_a_table_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(tables, "MAX_CELLS", 500)

    def endless(request):
        starts = [oid if len(oid) > 9 else (*oid, 0) for oid in request.oids]
        return request.answer(
            [((*o[:-1], o[-1] + n + 1), 1) for n in range(request.repetitions) for o in starts]
        )

    with fake(endless) as port:
        answer, _ = one(port, WALK)
    assert answer.result[0].tables == [None]
    assert "has more than 500 values" in answer.error


@pytest.mark.parametrize("lost", [True, False])
def test_fewer_rows_are_asked_for_after_too_big_or_a_lost_answer(lost):
    sound = table_agent(TABLE)

    def small(request):
        if request.repetitions > 10:
            return None if lost else request.answer(status=1)
        return sound(request)

    with fake(small) as port:
        answer, _ = one(port, WALK, retries=1)
    assert answer.error == ""
    assert len(answer.result[0].tables[0][0]) == 40


def test_a_table_that_the_agent_refuses_is_none_and_the_next_one_is_asked():
    sound = table_agent(TABLE)

    def refuses(request):
        if request.oids[0][:8] == (1, 3, 6, 1, 4, 1, 99999, 2):
            return request.answer(status=16)
        return sound(request)

    question = Question((), (((1, 3, 6, 1, 4, 1, 99999, 2, 1),), COLUMNS))
    with fake(refuses) as port:
        answer, _ = one(port, question)
    assert answer.result[0].tables[0] is None
    assert len(answer.result[0].tables[1][0]) == 40
    assert "was refused with authorizationError" in answer.error


def test_a_conversation_that_fails_costs_its_device_alone():
    def converse(target):
        reply = yield Question((NAME,))
        if target.device_id == "bad":
            raise ValueError("a secret")
        return reply.scalars[0]

    async def ask(targets):
        return [answer async for answer in SweepPoller().ask(targets, converse)]

    with fake(truth) as port:
        answers = asyncio.run(ask([Target(n, "127.0.0.1", port) for n in ("bad", "good")]))
    bad, good = sorted(answers, key=lambda answer: answer.target.device_id)
    assert (bad.result, bad.error) == (None, "the conversation failed: ValueError")
    assert (good.result, good.error) == (b"true", "")


def test_a_conversation_that_never_ends_is_ended_at_the_deadline():
    def converse(_target):
        while True:
            yield Question((NAME,))

    async def ask(target):
        return [answer async for answer in SweepPoller().ask([target], converse)]

    with fake(truth) as port:
        (answer,) = asyncio.run(ask(Target("a", "127.0.0.1", port, deadline_s=0.3)))
    assert answer.answered
    assert answer.result is None
    assert "given up after 0.3 s" in answer.error


def test_what_cannot_be_asked_is_named():
    targets = [
        Target("port", "127.0.0.1", 0), Target("v3", "127.0.0.1", version="3"),
        Target("name", "no.such.host.invalid"), Target("net", "255.255.255.255", timeout_s=0.1),
        Target("link", "fe80::1%no-such-link"),
    ]  # fmt: skip
    answers, _ = poll(targets)
    errors = {answer.target.device_id: answer.error for answer in answers}
    assert not any(answer.answered for answer in answers)
    assert errors == {
        "port": "0 is not a port",
        "v3": "SNMP version '3' is neither 1 nor 2c",
        "name": "'no.such.host.invalid' is not an address",
        "net": "cannot be asked: Permission denied",
        "link": "'fe80::1%no-such-link' is not an address",
    }


def test_asking_again_and_again_leaves_nothing_open():
    def converse(_target):
        yield Question((NAME,))

    async def first_only(poller, targets):
        async for _ in (answers := poller.ask(targets, converse)):
            break
        await answers.aclose()

    def open_now():
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    poller = SweepPoller()
    with fake(truth) as port:
        targets = [Target("a", "127.0.0.1", port), Target("b", "127.0.0.9", 9, timeout_s=60)]
        asyncio.run(first_only(poller, targets))
        before = open_now()
        for _ in range(5):
            asyncio.run(first_only(poller, targets))
            assert open_now() == before
