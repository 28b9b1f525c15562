"""Walking a table with GETBULK against agents that behave, truncate, loop and lie."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collectors.snmp.v3.walk import Walk

COLUMNS = [(1, 3, 1), (1, 3, 2)]


class Agent:
    """A GETBULK agent over a table in memory (RFC 3416, 4.2.3), that cuts answers at `limit`."""

    def __init__(self, table, limit=1000):
        self.oids, self.table, self.limit = sorted(table), table, limit
        self.requests = 0

    def bulk(self, oids, repetitions):
        self.requests += 1
        last, answer = list(oids), []
        for _ in range(repetitions):
            for position, oid in enumerate(last):
                after = next((o for o in self.oids if o > oid), None)
                answer.append((after or oid, self.table[after] if after else None))
                last[position] = after or oid
        return answer[: self.limit]


def walk_all(agent, columns=COLUMNS):
    walk = Walk(columns)
    while (oids := walk.request()) is not None:
        walk.accept(agent.bulk(oids, walk.repetitions))
    return walk


def rows(walk, columns=COLUMNS):
    return {
        column + index: value
        for column, found in zip(columns, walk.columns, strict=True)
        for index, value in found.items()
    }


table_strategy = st.dictionaries(
    st.tuples(st.just(1), st.just(3), st.integers(0, 4), st.integers(0, 60)),
    st.integers(), max_size=80,
)  # fmt: skip


@given(table_strategy, st.integers(1, 50))
def test_a_walk_reads_its_columns_and_nothing_else(table, limit):
    walk = walk_all(Agent(table, limit))
    assert not walk.broken
    assert rows(walk) == {oid: v for oid, v in table.items() if oid[:3] in COLUMNS}


def test_a_truncated_answer_is_continued_where_it_ended():
    table = {(1, 3, column, row): row for column in (1, 2) for row in range(30)}
    agent = Agent(table, limit=7)
    assert rows(walk_all(agent)) == table
    assert agent.requests > 60 / 7


def test_an_agent_that_does_not_move_on_is_not_asked_for_ever():
    walk = Walk([(1, 3, 1)])
    walk.accept([((1, 3, 1, 5), 1)])
    walk.accept([((1, 3, 1, 5), 1)])
    assert walk.request() is None
    assert walk.broken


def test_an_empty_answer_ends_the_walk_incomplete():
    walk = Walk([(1, 3, 1)])
    walk.accept([])
    assert walk.request() is None
    assert walk.broken


def test_a_walk_asks_for_less_until_a_single_row_is_too_much():
    walk = Walk([(1, 3, 1)])
    sizes = []
    while walk.request() is not None:
        sizes.append(walk.repetitions)
        walk.shrink()
    assert sizes == [25, 6, 1]
    assert walk.broken


@given(st.lists(st.tuples(st.lists(st.integers(0, 5), max_size=6).map(tuple),
                          st.none() | st.integers()), max_size=30))  # fmt: skip
def test_any_answer_leaves_only_rows_of_the_columns(pairs):
    walk = Walk(COLUMNS)
    walk.accept(pairs)
    assert all(oid[:3] in COLUMNS and len(oid) > 3 for oid in rows(walk))
