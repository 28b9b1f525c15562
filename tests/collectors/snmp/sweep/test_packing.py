"""Packets that columns of several tables and scalars share: always the same answer, in fewer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.snmp.model import Question, Reply, Target
from collectors.snmp.sweep import SweepPoller
from collectors.snmp.sweep.ber import decode_response
from collectors.snmp.sweep.conversation import Session, SilentError, TimeUpError, hold
from collectors.snmp.sweep.fast import open_envelope
from collectors.snmp.sweep.requests import Plans, head_of
from collectors.snmp.sweep.together import Together, Whole
from tests.collectors.snmp.sweep.fakes import decode, fake, poll, table_agent

BASE = (1, 3, 6, 1, 4, 1, 99999)
SCALARS = tuple((*BASE, 1, n, 0) for n in range(1, 7))
TABLES = tuple(tuple((*BASE, 2, t, 1, c) for c in range(1, 4)) for t in range(1, 5))
QUESTION = Question(SCALARS, TABLES)
TARGET = Target("a", "127.0.0.1")
HEAD = head_of(1, "public")
DEAD, LATE = "dead", "late"


def device(rows=(3, 2, 1, 0), lacks=()):
    """What an agent has: tables of so many rows, and all scalars but those it lacks."""
    table = {oid: n for n, oid in enumerate(SCALARS) if n not in lacks}
    for columns, count in zip(TABLES, rows, strict=True):
        table |= {(*oid, row): 1000 + row for oid in columns for row in range(1, count + 1)}
    return table


def truth(table, question=QUESTION):
    columns = [
        [
            {oid[len(c) :]: value for oid, value in table.items() if oid[: len(c)] == c}
            for c in columns
        ]
        for columns in question.tables
    ]
    return [table.get(oid) for oid in question.scalars], columns


class Asker:
    """Puts a question to an agent poll by poll, as the engine would, without sockets."""

    def __init__(self, version_1=False):
        self.plans, self.learned, self.is_v1 = Plans(), {}, version_1
        self.head = head_of(0 if version_1 else 1, "public")

    def poll(self, handle, question=QUESTION, retries=1):
        """The reply, and the requests of this poll; DEAD if the first is never answered."""

        def converse(_target):
            return (yield question)

        session = Session(self.plans, self.learned, self.is_v1, 20.0)
        steps = hold(TARGET, converse, session)
        asked, found, tries, heard = [], None, 0, False
        try:
            request = next(steps)
            while True:
                packet = request.packet(self.head, bytes((1, 2, 3, len(asked) % 250)))
                asked.append(decode(packet))
                tries += 1
                answer = handle(asked[-1])
                if answer is LATE:
                    request = steps.throw(TimeUpError())
                elif answer is None:
                    if tries > retries and not heard:
                        steps.close()
                        return DEAD, asked
                    if tries > retries or not request.patient:
                        before, request = request, steps.throw(SilentError("no answer"))
                        tries = 0 if request is not before else tries
                if answer in {None, LATE}:
                    continue
                heard, tries = True, 0
                envelope = open_envelope(answer)
                found = envelope and request.read(answer, envelope[2])
                if found is None:
                    found = decode_response(answer)
                    assert len(found.pairs) <= request.most_pairs
                request = steps.send(found)
        except StopIteration as end:
            return end.value, asked


def told(reply):
    return list(reply.scalars), [table and list(table) for table in reply.tables]


def is_shared(request):
    """Whether a request asks for more than one table does."""
    tables = {oid[:9] for oid in request.oids[request.once :]}
    return bool(request.repetitions) and (request.once > 0 or len(tables) > 1)


def test_once_a_device_is_known_one_packet_asks_for_scalars_and_tables():
    asker, table = Asker(), device(lacks=(1, 4))
    sent = []
    for _ in range(4):
        reply, asked = asker.poll(table_agent(table))
        assert (told(reply), reply.error) == (truth(table), "")
        sent.append(len(asked))
    assert sent == [5, 2, 1, 1]


def test_a_table_without_rows_costs_a_cell_a_column_and_its_first_rows_are_seen_at_once():
    asker, empty, grown = Asker(), device(), device((3, 2, 1, 2))
    for _ in range(4):
        _, asked = asker.poll(table_agent(empty))
    assert [one.once for one in asked] == [len(SCALARS) + len(TABLES[3])]
    sent = []
    for _ in range(3):
        reply, asked = asker.poll(table_agent(grown))
        assert (told(reply), reply.error) == (truth(grown), "")
        sent.append(len(asked))
    assert sent == [2, 1, 1]
    assert asked[0].once == len(SCALARS)


def test_what_does_not_fit_one_packet_takes_as_many_as_it_needs():
    asker, table = Asker(), device((40, 30, 2, 9))
    sent = []
    for _ in range(4):
        reply, asked = asker.poll(table_agent(table, 70))
        assert (told(reply), reply.error) == (truth(table), "")
        sent.append(len(asked))
    assert sent[-1] <= 0.7 * sent[0]


states = st.tuples(
    st.tuples(*[st.integers(0, 24)] * 4),
    st.sets(st.integers(0, 5), max_size=6),
    st.sampled_from([5, 17, 10_000]),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(states, min_size=1, max_size=3))
def test_the_answer_is_the_same_however_tables_grow_shrink_and_vanish(past):
    asker = Asker()
    for rows, lacks, limit in past:
        table = device(rows, lacks)
        agent = table_agent(table, limit)
        for _ in range(3):
            reply, _ = asker.poll(agent)
            assert (told(reply), reply.error) == (truth(table), "")


def test_v1_has_no_getbulk_to_pack():
    asker, table = Asker(version_1=True), device()
    for _ in range(4):
        reply, asked = asker.poll(table_agent(table))
        assert told(reply) == truth(table)
    assert all(not request.repetitions for request in asked)


def refusing(table, answer):
    """An agent that answers `answer` to all that is packed."""
    sound = table_agent(table)
    return lambda request: answer(request) if is_shared(request) else sound(request)


def test_what_is_refused_or_lost_is_asked_as_ever_and_ever_more_rarely_tried():
    table = device()
    for answer in (
        lambda _: None,
        lambda request: request.answer(status=1),
        lambda request: request.answer(status=5),
        lambda request: request.answer(),
        lambda request: request.answer([(oid, 1) for oid in request.oids]),
    ):
        asker, tried = Asker(), 0
        for _ in range(30):
            reply, asked = asker.poll(refusing(table, answer))
            assert (told(reply), reply.error) == (truth(table), "")
            tried += any(map(is_shared, asked))
        assert 2 <= tried <= 6


def test_a_device_that_drops_what_is_packed_later_on_misses_one_poll_at_most():
    asker, table = Asker(), device()
    for _ in range(4):
        asker.poll(table_agent(table))
    replies = [asker.poll(refusing(table, lambda _: None))[0] for _ in range(30)]
    assert replies.count(DEAD) == 1
    assert all(told(reply) == truth(table) for reply in replies if reply != DEAD)


def test_a_lost_packet_costs_no_value_and_is_no_reason_to_give_packing_up():
    asker, table = Asker(), device((40, 30, 2, 9))
    sound, count = table_agent(table), [0]

    def lossy(request):
        count[0] += 1
        return None if count[0] % 23 == 0 else sound(request)

    sent = []
    for _ in range(24):
        reply, asked = asker.poll(lossy, retries=2)
        assert (told(reply), reply.error) == (truth(table), "")
        sent.append(len(asked))
    plain = len(Asker().poll(sound)[1])
    assert sum(sent) < 0.8 * 24 * plain


def test_scalars_that_getbulk_tells_otherwise_than_get_are_left_to_get():
    table, asker = device(), Asker()
    hidden = {oid: value for oid, value in table.items() if oid != SCALARS[2]}
    whole, partly = table_agent(table), table_agent(hidden)
    for _ in range(6):
        reply, asked = asker.poll(lambda r: (partly if r.repetitions else whole)(r))
        assert (told(reply), reply.error) == (truth(table), "")
    assert [request.repetitions == 0 for request in asked] == [True, False]


def test_a_scalar_that_comes_or_goes_is_noticed_in_that_poll():
    asker = Asker()
    for lacks in [()] * 4 + [(3,)] * 4 + [()] * 4 + [(0, 5)] * 4:
        table = device(lacks=lacks)
        reply, asked = asker.poll(table_agent(table))
        assert told(reply) == truth(table)
    assert len(asked) == 1


def test_a_cell_asked_among_the_scalars_is_never_another_ones():
    """What comes before a cell is the row before it: an index may have parts between the two."""
    cell = (*BASE, 5, 1, 2)
    question = Question((*SCALARS, cell), TABLES)
    asker, table = Asker(), device()
    between = {(*BASE, 5, 1, 1): 7, (*BASE, 5, 1, 1, 9): 8}
    for more in [{cell: 1}] * 4 + [{cell: 2} | between] * 4 + [between] * 4:
        agent = table_agent(table | more)
        reply, _ = asker.poll(agent, question)
        assert reply.scalars[-1] == more.get(cell)
        assert told(reply) == truth(table | more, question)


def test_a_table_that_breaks_is_none_and_named_and_the_others_are_whole():
    asker, table = Asker(), device()
    sound = table_agent(table)
    for _ in range(3):
        asker.poll(sound)
    bad = TABLES[1]

    def circling(request):
        if not any(oid[:9] == bad[0][:9] for oid in request.oids[request.once :]):
            return sound(request)
        pairs = [((*bad[0], 1), 1)] * ((request.repetitions or 1) * len(request.oids))
        return request.answer(pairs)

    for _ in range(5):
        reply, _ = asker.poll(circling)
        scalars, tables = truth(table)
        assert told(reply) == (scalars, [tables[0], None, *tables[2:]])
        assert reply.error.startswith("table 1.3.6.1.4.1.99999.2.2.1 goes in circles")


def test_devices_alike_share_one_packing():
    plans = Plans()
    askers = [Asker() for _ in range(3)]
    for asker, rows in zip(askers, [(3, 2, 1, 0), (3, 2, 1, 0), (28, 2, 1, 0)], strict=True):
        asker.plans = plans
        for _ in range(4):
            asker.poll(table_agent(device(rows)))
    key = plans.of(QUESTION).key
    first, same, other = (asker.learned[key] for asker in askers)
    assert first is same is not other


def test_over_real_sockets_the_packets_are_fewer_too():
    table = device()
    poller, sent = SweepPoller(), []
    with fake(table_agent(table)) as port:
        for _ in range(4):
            (answer,), figures = poll(
                [Target("a", "127.0.0.1", port, timeout_s=2)], QUESTION, poller=poller
            )
            assert told(answer.result[0]) == truth(table)
            sent.append(figures.sent)
    assert sent == [5, 2, 1, 1]


def test_a_table_that_is_always_refused_keeps_no_other_from_being_packed():
    asker, table = Asker(), device()
    sound, bad = table_agent(table), TABLES[2][0][:9]

    def refuses(request):
        if any(oid[:9] == bad for oid in request.oids[request.once :]):
            return request.answer(status=16)
        return sound(request)

    sent = []
    for _ in range(4):
        reply, asked = asker.poll(refuses)
        scalars, tables = truth(table)
        assert told(reply) == (scalars, [*tables[:2], None, tables[3]])
        assert reply.error == (
            "table 1.3.6.1.4.1.99999.2.3.1 was refused with authorizationError: broke off"
        )
        sent.append(len(asked))
    assert sent == [5, 3, 2, 2]


def test_when_time_is_up_what_came_is_kept_and_the_rest_named():
    asker, table = Asker(), device()
    for _ in range(4):
        asker.poll(table_agent(table))
    cut, count = table_agent(table, 20), []

    def dawdles(request):
        count.append(request)
        return cut(request) if len(count) == 1 else LATE

    reply, _ = asker.poll(dawdles)
    scalars, tables = truth(table)
    assert told(reply) == (scalars, [None, None, None, tables[3]])
    assert reply.error.startswith("given up after 20 s, at ")


@pytest.fixture(scope="module")
def packed():
    """A Part, and the answer to it."""
    asker, table = Asker(), device(lacks=(2,))
    for _ in range(4):
        asker.poll(table_agent(table))
    part = asker.learned[asker.plans.of(QUESTION).key].parts[0]
    packet = Together(part, False).packet(HEAD, bytes((1, 2, 3, 4)))
    return part, table_agent(table)(decode(packet))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=3))
def test_spoilt_bytes_are_read_alike_at_once_and_one_by_one(packed, spoilt):
    part, answer = packed
    data = bytearray(answer)
    for place, octet in spoilt:
        data[place % len(data)] = octet
    data = bytes(data)
    envelope, message = open_envelope(data), decode_response(data)
    quick, slow = Together(part, False), Together(part, False)
    ours = envelope is not None and envelope[0] == HEAD
    rows = quick.read(data, envelope[2]) if ours else None
    if rows is None:
        assert spoilt
        return
    assert message is not None
    assert rows == slow.read_pairs(message.pairs)
    assert quick.values == slow.values
    whole = Whole(part, (range(len(part.columns)),))
    found = whole.read(data, envelope[2])
    if isinstance(found, Reply):
        assert part.foresaw(slow.values, rows)
        assert (found.scalars, list(found.tables[0])) == (slow.values, rows[0])
    else:
        assert (found.found, found.walk.values) == (rows, slow.values)


def test_what_has_the_shape_of_an_answer_before_is_read_at_once():
    asker, known = Asker(), device(lacks=(2,))
    for _ in range(4):
        asker.poll(table_agent(known))
    part = asker.learned[asker.plans.of(QUESTION).key].parts[0]
    packet = decode(Together(part, False).packet(HEAD, bytes((1, 2, 3, 4))))
    others = {oid: value + 7 for oid, value in known.items()}
    data = table_agent(others)(packet)
    begin, message = open_envelope(data)[2], decode_response(data)
    walk = Together(part, False)
    rows = walk.read_pairs(message.pairs)
    quick = Together(part, False)
    assert quick.take(part.shapes.read(data, begin)) == rows
    assert quick.values == walk.values
    assert walk.values[0] == known[SCALARS[0]] + 7
    longer = table_agent({oid: value + 70_000 for oid, value in known.items()})(packet)
    assert part.shapes.read(longer, open_envelope(longer)[2]) is None
