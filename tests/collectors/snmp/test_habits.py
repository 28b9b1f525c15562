"""Once a device's rows are known only the cells in use are asked: fewer packets, the same readings,
whatever the device does to its rows meanwhile.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collectors.snmp.book import oid_of
from collectors.snmp.habits import MOST_CELLS, Habits
from collectors.snmp.model import V1, Reply, Target
from collectors.snmp.profile import IDENTITY
from collectors.snmp.read import RELEARN, Reader
from tests.collectors.snmp.conftest import reply_to

DESCR, OBJECT_ID, TICKS, NAME = IDENTITY
IF, IFX = oid_of("1.3.6.1.2.1.2.2.1"), oid_of("1.3.6.1.2.1.31.1.1.1")
NUMBER, STORAGE = oid_of("1.3.6.1.2.1.2.1.0"), oid_of("1.3.6.1.2.1.25.2.3.1")
LOAD, EXTEND = oid_of("1.3.6.1.2.1.25.3.3.1.2"), oid_of("1.3.6.1.4.1.8072.1.3.2.3.1")
ROUTEROS, OPENWRT = oid_of("1.3.6.1.4.1.14988.1"), oid_of("1.3.6.1.4.1.8072.3.2.10")
ACCESS_CLIENTS = oid_of("1.3.6.1.4.1.14988.1.1.1.3.1.6")
ETHERNET, BRIDGE, WIFI = 6, 209, 71


def port(name, index, kind=ETHERNET, up=True, rx=1000, tx=2000):
    return SimpleNamespace(name=name, index=index, kind=kind, up=up, rx=rx, tx=tx, wide=True)


class Agent:
    """An agent whose rows can be changed while it runs; it restarts never."""

    def __init__(self, *ports, object_id=(1, 3, 6, 1, 4, 1, 55555), descr=b"agent") -> None:
        self.ports, self.more, self.ticks = list(ports), {}, 0
        self.identity = {OBJECT_ID: object_id, DESCR: descr, NAME: b"ap"}
        self.storage = {1: (b"Physical memory", 1000, 400), 6: (b"Memory buffers", 1000, 100)}
        self.loads = {1: 10, 2: 30}

    def values(self):
        self.ticks += 100
        values = {**self.identity, TICKS: self.ticks, NUMBER: len(self.ports), **self.more}
        for one in self.ports:
            n = one.index
            values |= {(*IFX, 1, n): one.name.encode(), (*IF, 3, n): one.kind}
            values |= {(*IF, 8, n): 1 if one.up else 2, (*IFX, 19, n): 0}
            if one.wide:
                values |= {(*IFX, 6, n): one.rx, (*IFX, 10, n): one.tx}
        for row, (name, size, used) in self.storage.items():
            values |= {(*STORAGE, 3, row): name, (*STORAGE, 5, row): size, (*STORAGE, 6, row): used}
        return values | {(*LOAD, row): load for row, load in self.loads.items()}


class Polls:
    """A reader that goes on reading one agent; `asked` are the questions of its last poll."""

    def __init__(self, agent, name="ap") -> None:
        self.agent, self.name = agent, name
        self.reader = Reader(None)  # type: ignore[arg-type]  # no packet leaves
        self.asked = []

    def read(self, version="2c", lost=()):
        self.asked, values = [], self.agent.values()
        talk = self.reader._conversation(Target(self.name, "ap.example", version=version))
        try:
            question = next(talk)
            while True:
                self.asked.append(question)
                reply = reply_to(question, values)
                if len(self.asked) - 1 in lost:
                    reply = Reply(
                        [None] * len(question.scalars), [None] * len(question.tables), "-"
                    )
                question = talk.send(reply)
        except StopIteration as end:
            return end.value

    @property
    def walked(self):
        return sum(len(question.tables) for question in self.asked)


def interfaces(reading):
    return {(one.name, one.role): (one.rx_bytes_total, one.bits) for one in reading.interfaces}


@pytest.fixture
def city():
    agent = Agent(port("eth0", 1), port("eth1", 2), port("wlan0", 3, WIFI), port("lan1", 4, BRIDGE))
    polls = Polls(agent)
    polls.read()
    return SimpleNamespace(agent=agent, polls=polls, ports={one.name: one for one in agent.ports})


def test_what_lasts_is_not_walked_again(city):
    city.ports["wlan0"].rx += 5
    reading = city.polls.read()
    assert city.polls.walked == 0
    assert len(city.polls.asked) == 1
    assert interfaces(reading) == {("eth0", "uplink"): (1000, 64), ("wlan0", "radio"): (1005, 64)}
    assert (reading.mem_pct, reading.cpu_pct) == (30.0, 20.0)
    # Nothing is asked of the interfaces that are not kept, nor of other storage.
    assert not any(oid[-1] in (2, 4) and oid[:-2] == IFX for oid in city.polls.asked[0].scalars)


def test_it_is_walked_again_in_time(city):
    walks = [city.polls.read() and city.polls.walked > 0 for _ in range(3 * RELEARN)]
    assert walks.count(True) == 3
    assert walks.index(True, walks.index(True) + 1) - walks.index(True) == RELEARN


def test_a_device_is_walked_in_one_poll_of_its_turn(city):
    walks = [city.polls.read() and city.polls.walked > 0 for _ in range(2 * RELEARN)]
    turn = walks.index(True)
    assert walks[turn : turn + 3] == [True, False, False]


def test_devices_have_their_turn_in_different_polls():
    turns = set()
    for number in range(200):
        polls = Polls(Agent(), f"ap-{number}")
        polls.read()
        turns.add(polls.reader._known[polls.name].polls)
    assert turns <= set(range(1, RELEARN))
    assert len(turns) > RELEARN * 3 // 4


def test_devices_with_the_same_rows_share_one_question():
    one, other = (Polls(Agent(port("eth0", 1), port("wlan0", 2, WIFI)), name) for name in "ab")
    other.reader = one.reader
    for polls in (one, other):
        polls.read()
        polls.read()
    assert one.walked == 0
    assert one.asked[0] is other.asked[0]
    assert one.reader._known["a"].habit is one.reader._known["b"].habit


def test_beyond_so_many_different_ones_devices_are_walked(city, monkeypatch):
    monkeypatch.setattr("collectors.snmp.habits.MOST_QUESTIONS", 1)
    other = Polls(Agent(port("eth0", 77)))
    other.reader._habits = city.polls.reader._habits
    readings = [other.read() for _ in range(3)]
    assert other.walked > 0
    assert [interfaces(one) for one in readings] == [{("eth0", "uplink"): (1000, 64)}] * 3


def test_the_old_number_of_an_interface_tells_nothing_of_the_new_one(city):
    city.ports["eth0"].index, city.ports["eth1"].index = 2, 1
    city.ports["eth1"].rx = 777
    assert interfaces(city.polls.read())["eth0", "uplink"] == (1000, 64)
    assert city.polls.walked > 0
    city.polls.read()
    assert city.polls.walked == 0


def test_a_new_interface_is_found_at_once_where_they_are_counted(city):
    city.agent.ports.append(port("wlan1", 9, WIFI))
    assert ("wlan1", "radio") in interfaces(city.polls.read())


def test_an_agent_that_counts_wrongly_is_walked_for_it_only_once(city):
    city.agent.more[NUMBER] = 99
    agent_values = city.agent.values
    city.agent.values = lambda: agent_values() | {NUMBER: 99}
    walked = [city.polls.read() and city.polls.walked > 0 for _ in range(4)]
    assert walked == [True, False, False, False]


def test_another_uplink_comes_up(city):
    city.ports["eth0"].up = False
    assert ("eth1", "uplink") in interfaces(city.polls.read())
    city.polls.read()
    assert city.polls.walked == 0
    city.ports["eth0"].up = True
    assert ("eth0", "uplink") in interfaces(city.polls.read())


def test_rows_that_change_all_the_time_are_walked_all_the_time(city):
    questions = []
    for number in range(40):
        city.ports["wlan0"].name = f"wlan{number}"
        assert (f"wlan{number}", "radio") in interfaces(city.polls.read())
        questions.append(len(city.polls.asked))
    assert sum(count > 1 for count in questions) < len(questions) / 3  # 1, 2, 4 … polls apart


def test_a_lost_answer_is_nothing_moved_and_no_old_value(city):
    reading = city.polls.read(lost={0})
    assert reading is None or (reading.interfaces, reading.mem_pct) == ((), None)
    assert len(city.polls.asked) == 1
    assert interfaces(city.polls.read())["wlan0", "radio"] == (1000, 64)
    assert city.polls.walked == 0


def test_version_1_asks_only_what_was_there(city):
    agent = city.agent
    for one in agent.ports:
        agent.more |= {(*IF, 10, one.index): 5, (*IF, 16, one.index): 6}
    polls = Polls(agent)
    for _ in range(2):
        assert interfaces(polls.read(V1))["eth0", "uplink"] == (5, 32)
    assert polls.walked == 0
    values = agent.values()
    assert all(oid in values for oid in polls.asked[0].scalars[len(IDENTITY) + 3 :])


def test_a_device_with_very_many_rows_in_use_is_walked():
    polls = Polls(Agent(*(port(f"wlan{n}", n + 1, WIFI) for n in range(MOST_CELLS))))
    for _ in range(2):
        assert len(polls.read().interfaces) == MOST_CELLS
    assert polls.walked == 1


def test_a_row_that_another_table_speaks_of_for_the_first_time():
    registration = oid_of("1.3.6.1.4.1.14988.1.1.21.4.1")
    agent = Agent(
        port("ether1", 1), port("guests", 7, BRIDGE), object_id=ROUTEROS, descr=b"RouterOS"
    )
    polls = Polls(agent)
    polls.read()
    polls.read()
    mac = (2, 0, 0, 0, 0, 1)
    agent.more = {
        (*registration, 3, *mac, 7): b"City", (*registration, 8, *mac, 7): b"5ghz-ax"
    }  # fmt: skip
    reading = polls.read()
    assert [(radio.name, radio.clients) for radio in reading.radios] == [("guests", 1)]
    assert ("guests", "radio") in interfaces(reading)
    polls.read()
    assert len(polls.asked) == 1
    agent.ports[1].name = "visitors"
    assert [radio.name for radio in polls.read().radios] == ["visitors"]


def test_a_script_for_another_radio_is_found_by_the_listing():
    def said(column, name, value):
        return {(*EXTEND, column, len(name), *name.encode()): value}

    agent = Agent(port("eth0", 1), object_id=OPENWRT, descr=b"Linux OpenWrt")
    agent.more = (
        said(2, "interfaces", b"wlan0,a") | said(1, "clients-wlan0", b"7")
        | said(1, "frequency-wlan0", b"5180") | said(1, "uptime", b"1")
        | said(1, "clients-wlan1", b"3") | said(1, "frequency-wlan1", b"2412")
    )  # fmt: skip
    polls = Polls(agent)
    for _ in range(2):
        assert [(one.name, one.clients) for one in polls.read().radios] == [("wlan0", 7)]
    assert polls.walked == 0
    agent.more |= said(2, "interfaces", b"wlan0,a\nwlan1,b") | said(1, "clients-wlan0", b"8")
    for _ in range(2):
        told = [(one.name, one.clients, one.channel) for one in polls.read().radios]
        assert told == [("wlan0", 8, 36), ("wlan1", 3, 1)]
    assert polls.walked == 0


numbers = st.integers(0, 5)
changes = st.one_of(
    st.tuples(st.just("traffic"), numbers, st.integers(1, 2**40)),
    st.tuples(st.just("state"), numbers, st.booleans()),
    st.tuples(st.just("reset"), numbers, st.none()),
    st.tuples(st.just("swap"), numbers, numbers),
    st.tuples(st.just("add"), numbers, st.sampled_from([ETHERNET, BRIDGE, WIFI])),
    st.tuples(st.just("remove"), numbers, st.none()),
    st.tuples(st.just("narrow"), numbers, st.none()),
    st.tuples(st.just("memory"), st.integers(1, 9), st.integers(0, 900)),
    st.tuples(st.just("load"), st.integers(1, 3), st.integers(0, 100)),
)


def change(agent, what, number, how):
    ports = agent.ports
    if what == "memory":
        row = next(iter(agent.storage))
        rest = {r: told for r, told in agent.storage.items() if r != row}
        agent.storage = {number + 10: (b"Physical memory", 1000, how), **rest}
    elif what == "load":
        agent.loads = dict.fromkeys(list(agent.loads)[:number] or [1], how)
    elif what == "add":
        name = f"eth{len(ports) + 10}" if how == ETHERNET else f"x{len(ports)}"
        ports.append(port(name, max((one.index for one in ports), default=0) + 1, how))
    elif ports:
        one = ports[number % len(ports)]
        if what == "traffic":
            one.rx, one.tx = one.rx + how, one.tx + how
        elif what == "state":
            one.up = how
        elif what == "reset":
            one.rx = one.tx = 0
        elif what == "swap":
            other = ports[how % len(ports)]
            one.index, other.index = other.index, one.index
        elif what == "remove":
            ports.remove(one)
        else:
            one.wide = False


def is_told_by_ifnumber(step):
    """Whether no interface comes while another one goes between two polls: ifNumber is the same
    then, and a new one is found in time only (`test_one_comes_as_another_goes`).
    """
    return not {"add", "remove"} <= {what for what, *_ in step}


@pytest.mark.parametrize(("gone", "polls"), [("wlan0", 1), ("lan1", RELEARN)])
def test_one_comes_as_another_goes(city, gone, polls):
    # One in use that goes is missed at once; else the new one is found when all is walked.
    city.agent.ports = [one for one in city.agent.ports if one.name != gone]
    city.agent.ports.append(port("wlan9", 9, WIFI))
    said = [interfaces(city.polls.read()) for _ in range(polls)]
    assert ("wlan9", "radio") in said[-1]
    assert not any(name == gone for one in said for name, _ in one)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(changes, max_size=2).filter(is_told_by_ifnumber), max_size=12))
@example(  # one interface goes while the device is walked, and another comes
    [
        [("state", 5, True), ("add", 5, BRIDGE)], [("reset", 1, None), ("swap", 2, 5)],
        [("remove", 0, None)], [("add", 1, WIFI)],
    ]
)  # fmt: skip
def test_readings_are_those_of_a_device_that_is_walked_each_time(story):
    agent = Agent(
        port("lo", 1, 24), port("eth0", 2), port("eth1", 3, up=False), port("wlan0", 5, WIFI),
        port("br0", 6, BRIDGE),
    )  # fmt: skip
    polls = Polls(agent)
    polls.read()
    silent = set()
    for step in story:
        for one in step:
            change(agent, *one)
        ours, fresh = polls.read(), Polls(agent).read()
        # A network that was silent is found when it is walked again.
        silent |= {one.name for one in agent.ports if not (one.rx or one.tx)}
        kept = [
            {n: v for n, v in interfaces(r).items() if n[0] not in silent} for r in (ours, fresh)
        ]
        assert kept[0] == kept[1]
        assert (ours.mem_pct, ours.cpu_pct) == (fresh.mem_pct, fresh.cpu_pct)
        assert ours.error == ""


def told_of(habit):
    """All that a habit says, but for which object it is."""
    if habit is None:
        return None
    checks = [(place, usual, [known for _, known in its]) for place, usual, its in habit.checks]
    return (
        habit.question.scalars, habit.question.tables, habit.fixed, habit.live_at, habit.counted,
        habit.listings, repr(habit.tables), checks,
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(changes, max_size=3), min_size=1, max_size=6))
@example([[("state", 0, False)], [("reset", 0, None)], [("narrow", 2, None)], [("swap", 0, 2)]])
def test_what_was_worked_out_for_one_device_serves_those_alike_alone(stories):
    shared, fleet = Habits(), []
    for story in [[], *stories]:
        agent = Agent(
            port("eth0", 1), port("eth1", 2, up=False), port("wlan0", 5, WIFI), port("br0", 6, 209),
            object_id=ROUTEROS,
        )  # fmt: skip
        agent.more[(*ACCESS_CLIENTS, 5)] = 3
        for one in story:
            change(agent, *one)
        polls, alone = Polls(agent), Polls(agent)
        polls.reader._habits = shared
        fleet.append(polls)
        polls.read()
        alone.read()
        assert told_of(polls.reader._known["ap"].habit) == told_of(alone.reader._known["ap"].habit)
