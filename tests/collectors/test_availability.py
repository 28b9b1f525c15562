"""Who is to blame for a poll without an answer: cases told as a string, one letter a poll."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.availability import (
    Ledger,
    PollTold,
    Tally,
    collector_time,
    gone_times,
    network_faults,
)
from collectors.snmp.state import next_state

# '.' answered, 'x' silent while up, 'D' silent and down, '?' silent and never up, ' ' no row
STATES = {".": (True, "up"), "x": (False, "up"), "D": (False, "down"), "?": (False, "unknown")}


def ledger(
    story: str, *, gone: str = "", faults: str = "", work: str = "", seen: bool = False,
    ever: bool = True, asked: bool = False, end: int | None = None,
):  # fmt: skip
    """The tally of a device; in `gone`, `faults` and `work` a letter marks a poll."""

    def marked(text: str) -> frozenset[int]:
        return frozenset(at for at, letter in enumerate(text) if letter != " ")

    during = marked(work)
    book = Ledger(
        range(len(story)), len(story) if end is None else end,
        lambda _at: "plaza", lambda at, _place: at in during, marked(gone), marked(faults),
        lambda _at: ever, lambda: asked, seen=[] if seen else None,
    )  # fmt: skip
    for at, letter in enumerate(story):
        if letter != " ":
            book.add(at, *STATES[letter])
    return book.closed().get("plaza", Tally())


@pytest.mark.parametrize(
    ("story", "marks", "expected"),
    [
        ("....", {}, Tally(up=4)),
        ("..x.", {}, Tally(up=4, lost=1)),
        ("..xx..x.", {}, Tally(up=8, lost=3)),
        # a run that came to down counts from its first unanswered poll on
        ("..xxDD..", {}, Tally(up=4, down=4)),
        ("DD.", {}, Tally(up=1, down=2)),
        ("..xxD", {}, Tally(up=2, down=3)),
        ("..xx", {}, Tally(up=4, lost=2)),
        ("???..", {}, Tally(up=2, unknown=3)),
        # called down before it ever answered: nothing was expected yet
        ("??DDD..xxD.", {"ever": False}, Tally(up=3, unknown=5, down=3)),
        ("?DD", {"gone": "ooo", "ever": False}, Tally(unknown=3)),
        # one that lives but refuses us, until it falls silent
        ("..??xxDD", {}, Tally(up=2, unknown=2, down=4)),
        ("  ..", {}, Tally(up=2)),
        ("  ..", {"asked": True}, Tally(up=2, not_asked=2)),
        ("    ", {"asked": True}, Tally(not_asked=4)),
        # the period ends within a silence: what came of it is known
        ("..xxDD", {"end": 3}, Tally(up=2, down=1)),
        ("..xx..", {"end": 3}, Tally(up=3, lost=1)),
        # re-probes were answered, so it was there
        ("..xxxxxxxD.", {}, Tally(up=7, lost=4, down=4)),
        (".  .", {}, Tally(up=2, not_asked=2)),
        ("..xxDD..", {"gone": "   ooo"}, Tally(up=4, down=1, upstream=3)),
        # what answers is up, whatever is said of the switch
        ("........", {"gone": "   ooo"}, Tally(up=8)),
        ("..xxDD..", {"faults": "  ff"}, Tally(up=4, network=2, down=2)),
        ("..x...", {"faults": "  f"}, Tally(up=5, network=1)),
        ("..xxDD..", {"work": "  wwww"}, Tally(up=4, maintenance=4)),
        ("..x.", {"work": "  w"}, Tally(up=3, maintenance=1)),
        ("....", {"work": "wwww"}, Tally(maintenance=4)),
        ("???", {"work": "w"}, Tally(unknown=2, maintenance=1)),
        # a controller's access point has no row while the controller is silent
        ("..   .", {"gone": "  oo", "seen": True}, Tally(up=3, upstream=2, not_asked=1)),
        ("..   .", {"gone": "  oo"}, Tally(up=3, not_asked=3)),
        ("..  .", {"gone": "  oo", "work": "  w", "seen": True},
         Tally(up=3, upstream=1, maintenance=1)),
        ("", {}, Tally()),
    ],
)  # fmt: skip
def test_each_poll_is_blamed_on_one_thing(story, marks, expected):
    assert ledger(story, **marks) == expected


def test_the_example_of_the_docs():
    parts = [
        ("." * 700 + "x", ""), ("." * 600 + "x", ""), ("." * 80, ""),
        ("xx" + "D" * 28, ""), ("D" * 18, "gone"), ("x" * 10, "work"),
    ]  # fmt: skip
    story = "".join(part for part, _ in parts)
    gone, work = (
        "".join(("o" if mark == one else " ") * len(part) for part, mark in parts)
        for one in ("gone", "work")
    )
    assert len(story) == 1440
    tally = ledger(story, gone=gone, work=work)
    assert (tally.up, tally.lost, tally.down, tally.upstream, tally.maintenance) == (
        1382, 2, 30, 18, 10
    )  # fmt: skip
    assert f"{tally.availability:.5f} {tally.reachable:.5f}" == "0.97875 0.96643"


@pytest.mark.parametrize(("ever", "down", "unknown"), [(True, 2, 0), (False, 0, 2)])
def test_one_that_is_down_from_the_start_is_asked_about(ever, down, unknown):
    book = Ledger(
        range(3), 3, lambda _at: "", lambda _at, _place: False, answered_before=lambda _at: ever
    )
    for at, letter in enumerate("DD."):
        book.add(at, *STATES[letter])
    assert book.closed() == {"": Tally(up=1, down=down, unknown=unknown)}


def test_nothing_expected_is_no_data():
    assert Tally(unknown=5, maintenance=3, network=1).availability is None
    assert Tally(upstream=5).availability is None
    assert Tally(upstream=5).reachable == 0


ANSWERS = st.lists(st.booleans(), max_size=60)
MARKS = st.text("o ", max_size=60)


@given(ANSWERS, MARKS, MARKS, MARKS)
def test_every_poll_is_counted_once(answers, gone, faults, work):
    story, state, misses = "", "unknown", 0
    for answered in answers:
        state = next_state(answered, misses, state, False if misses >= 2 else None)
        misses = 0 if answered else misses + 1
        story += "." if answered else {"up": "x", "down": "D", "unknown": "?"}[state]
    tally = ledger(story, gone=gone, faults=faults, work=work, ever=False)
    kinds = (tally.up, tally.down, tally.upstream, tally.network, tally.maintenance, tally.unknown)
    assert sum(kinds) == len(story)
    assert tally.not_asked == 0
    assert tally.lost <= tally.up
    assert tally.down + tally.upstream <= story.count("D") + story.count("x")
    if "." not in story:
        assert tally.down + tally.upstream + tally.up == 0
    if tally.availability is not None:
        assert 0 <= tally.reachable <= tally.availability <= 1


def test_a_moved_device_counts_where_it_was():
    book = Ledger(range(7), 7, lambda at: "old" if at < 3 else "new", lambda _at, _place: False)
    for at, letter in enumerate("..xxD.."):
        book.add(at, *STATES[letter])
    assert book.closed() == {"old": Tally(up=2, down=1), "new": Tally(up=2, down=2)}


def test_something_is_gone_from_its_first_miss_on_if_it_came_to_down():
    def gone(story):
        rows = ((at, *STATES[letter]) for at, letter in enumerate(story))
        return gone_times(rows, range(len(story)))

    assert gone("..x.xxD.xx") == {4, 5, 6}
    assert gone("...") == gone("???") == frozenset()


def polls(*answered: int, devices: int = 100) -> list[PollTold]:
    return [PollTold(at, devices, number) for at, number in enumerate(answered)]


@pytest.mark.parametrize(
    ("told", "explained", "faults"),
    [
        (polls(98, 98, 0, 0, 97), {}, {2, 3}),
        (polls(98, 40, 98), {}, {1}),
        (polls(98, 60, 60), {}, set()),
        # long dead devices prove nothing: 30 of 100 answer every day
        (polls(30, 30, 29), {}, set()),
        (polls(30, 3, 30), {}, {1}),
        # fewer than five prove nothing
        (polls(4, 0, 4, devices=4), {}, set()),
        # a core switch took 80 with it: not the collector
        (polls(98, 18, 18, 98), {1: 79, 2: 79}, set()),
        # its whole network did, the switch and what hangs on it too
        (polls(98, 0, 98), {1: 40}, {1}),
        # the second poll is judged by what is usual before the silence, however long that lasts
        (polls(98, *[2] * 50, 98), {}, set(range(1, 51))),
        ([*polls(50, 26, devices=50), PollTold(9, 0, 0)], {}, set()),
        ([], {}, set()),
    ],
)
def test_most_of_the_city_silent_at_once_is_the_collectors_network(told, explained, faults):
    assert network_faults(told, explained) == faults


def test_a_silence_of_most_of_the_city_is_the_collectors_network_for_an_hour():
    """Two days of it were excused whole, or not at all, by where the period began."""
    told = [PollTold(i * 60_000, 1000, 990 if i < 10 else 400) for i in range(2 * 1440)]
    hour = frozenset(i * 60_000 for i in range(10, 70))
    assert network_faults(told, {}) == hour
    assert network_faults(told[1440 - 60 :], {}) == frozenset()
    again = [replace(poll, answered=100) if poll.at_ms >= 1000 * 60_000 else poll for poll in told]
    assert len(network_faults(again, {})) == 120  # a new one, of those that were left


@pytest.mark.parametrize(
    ("times", "polls_made", "missed", "down_s"),
    [
        ([0, 60, 120, 180], 4, 0, 0),
        ([0, 60, 240, 300], 4, 2, 120),
        ([0, 60, 130, 180], 4, 0, 0),
        ([0, 60, 120], 3, 1, 60),  # it stopped: the period goes on to 240
        ([120, 180], 2, 2, 120),
        ([], 0, 0, 240),
    ],
)
def test_minutes_without_a_poll_are_the_collectors(times, polls_made, missed, down_s):
    told = collector_time([at * 1000 for at in times], 0, 240_000)
    assert (told.polls, told.missed) == (polls_made, missed)
    assert told.down_s == pytest.approx(down_s)


@pytest.mark.parametrize(("now", "missed"), [(240, 0), (270, 0), (300, 1), (10_000, 1)])
def test_a_poll_that_may_be_under_way_is_not_missed_yet(now, missed):
    told = collector_time([0, 60_000, 120_000], 0, 240_000, now * 1000)
    assert (told.missed, told.down_s) == (missed, missed * 60)


def test_an_interval_that_was_changed_is_no_gap():
    times = [*range(0, 3_600_000, 60_000), *range(3_600_000, 36_000_000, 300_000)]
    assert collector_time(times, 0, 36_000_000).missed == 0


@given(st.lists(st.integers(0, 10**9), unique=True, max_size=60).map(sorted))
def test_no_poll_times_break_the_collectors_account(times):
    told = collector_time(times, 0, 10**9)
    assert told.polls == len(times)
    assert told.missed >= 0
    assert 0 <= told.down_s <= 2 * 10**6
