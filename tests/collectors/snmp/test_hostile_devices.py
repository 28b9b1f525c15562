"""What one device says costs no other its poll: whatever it is, the rest of the city is stored."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.snmp.book import packaged
from collectors.snmp.decode import MOST, MOST_OF_CONTROLLER, decode
from collectors.snmp.memory import NO_PAST, Past
from collectors.snmp.model import (
    DeviceReading,
    InterfaceReading,
    RadioReading,
    Reply,
    SsidReading,
    Target,
)
from collectors.snmp.outcome import Outcome, settle
from collectors.snmp.read import TELLS_NOTHING, Reader
from collectors.snmp.series import PollFigures, batches
from farola.settings import Settings
from timeseries import open_store
from timeseries.base import SCHEMA, Batch
from timeseries.checking import checked, clean_batch, clean_values

FIGURES = PollFigures(2, 2, 0, 0, 1.0, 0.1)
WELL = DeviceReading(
    "well", True, 3.0, uptime_s=90.0, clients=7,
    radios=(RadioReading("wlan0", "5", 7, 36),), ssids=(SsidReading("City Free", 7),),
    interfaces=(InterfaceReading("eth0", "uplink", 1000, 500),),
)  # fmt: skip
PROFILES = {profile.name: profile for profile in packaged().profiles}
TOP = 2**64 - 1

HUGE = st.sampled_from([2**31 - 1, 2**32 - 1, 2**63 - 1, 2**63, TOP, 2**64, 10**400, -(2**63) - 1])
NUMBERS = st.none() | HUGE | st.integers()
REALS = NUMBERS | st.floats() | st.sampled_from([math.inf, -math.inf, math.nan])
NAMES = st.text() | st.sampled_from(["", " ", "\x1b]0;pwn\x07", "a\\", "\ud800", "N" * 60_000])
RADIOS = st.builds(
    RadioReading, NAMES, NAMES, NUMBERS, NUMBERS, REALS, REALS, REALS
)  # fmt: skip
INTERFACES = st.builds(InterfaceReading, NAMES, st.just("radio"), HUGE, HUGE)
READINGS = st.builds(
    DeviceReading, st.just("ill"), st.booleans(), REALS, uptime_s=REALS, agent_uptime_s=REALS,
    clients=NUMBERS, cpu_pct=REALS, mem_pct=REALS,
    radios=st.lists(RADIOS, max_size=3).map(tuple),
    ssids=st.lists(st.builds(SsidReading, NAMES, NUMBERS), max_size=3).map(tuple),
    interfaces=st.lists(INTERFACES, max_size=3).map(tuple),
)  # fmt: skip


@pytest.fixture
def store(home):
    home.mkdir()
    opened = open_store(Settings(home))
    yield opened
    opened.close()


def of(table, device="well"):
    """A device's rows: its fields that have a value."""
    return [
        {name: column[row] for name, column in table.fields.items() if column[row] is not None}
        for row, one in enumerate(table.tags["device"])
        if one == device
    ]


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)
@given(reading=READINGS, at_ms=st.integers(1, 2**40))
def test_whatever_one_device_says_the_others_are_stored(store, reading, at_ms):
    outcomes = [
        Outcome(reading, "up", 0, {}, Past()),
        Outcome(WELL, "up", 0, {}, Past()),
    ]
    assert store.write(batches(outcomes, FIGURES, at_ms, "noc")) >= 6
    assert of(store.latest("device"))[0]["clients"] == 7
    assert of(store.latest("interface"))[0]["rx_bytes_total"] == 1000


def test_a_counter_beyond_what_a_store_keeps_is_left_out_and_its_difference_is_not(store):
    def read(more):
        port = InterfaceReading("eth0", "uplink", 2**63 - 100 + more, TOP - 500 + more)
        return DeviceReading("ill", True, uptime_s=900.0 + more, interfaces=(port,))

    first = settle(read(0), NO_PAST, 1_000)
    second = settle(read(200), first.past, 61_000)
    for outcome, at_ms in ((first, 1_000), (second, 61_000)):
        store.write(batches([outcome, Outcome(WELL, "up", 0, {}, Past())], FIGURES, at_ms, "noc"))
    (stored,) = of(store.latest("interface"), "ill")
    assert stored == {"rx_bytes": 200, "tx_bytes": 200, "interval_s": 60.0, "uplink": True}
    assert len(of(store.latest("interface"))) == 1


@settings(deadline=None)
@given(st.lists(REALS | NAMES | st.booleans()))
def test_values_are_cleaned_by_the_type_of_their_field(column):
    for name, kind in SCHEMA["device"].fields.items():
        cleaned = clean_values("device", name, list(column))
        assert len(cleaned) == len(column)
        for told, kept in zip(column, cleaned, strict=True):
            assert kept is None or (type(kept) is kind and kept == kind(told))


@settings(deadline=None)
@given(
    st.lists(st.tuples(NAMES, NAMES, NAMES, NUMBERS | st.booleans(), NUMBERS, REALS | NAMES, REALS))
)
def test_a_clean_batch_is_as_the_full_check_of_a_store_wants_it(rows):
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(7)]
    tags = dict(zip(("device", "radio", "band"), columns[:3], strict=True))
    fields = ("clients", "channel", "utilization_pct", "noise_dbm")
    clean = clean_batch("radio", [7] * len(rows), tags, dict(zip(fields, columns[3:], strict=True)))
    unknown = Batch(clean.measurement, clean.times, clean.tags, clean.fields)
    assert checked(clean) == checked(unknown)


RAW = (
    st.none() | st.binary(max_size=40) | HUGE.filter(lambda n: -(2**31) <= n < 2**64)
    | st.sampled_from([b"\x1b[31m" + b"9" * 5000 + b":00:00", b"9" * 400 + b" days", b"1e400",
                       b"NaN", -(2**31), b"N" * 60_000, (1, 3), ()])
)  # fmt: skip


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)
@given(st.data(), st.sampled_from(sorted(PROFILES)))
def test_whatever_a_device_answers_it_and_the_others_are_stored(store, data, name):
    profile = PROFILES[name]
    outcomes, past = [], NO_PAST
    for at_ms in (60_000, 120_000):
        scalars = [data.draw(RAW) for _ in profile.question.scalars]
        tables = [
            [{(row,): value for row, value in enumerate(cells) if value is not None}
             for cells in data.draw(st.tuples(*[st.lists(RAW, max_size=3) for _ in columns]))]
            for columns in profile.question.tables
        ]  # fmt: skip
        reading = decode(Target("ill", "192.0.2.1"), profile, Reply(scalars, tables))
        outcome = settle(reading, past, at_ms)
        past = outcome.past
        outcomes = [outcome, Outcome(WELL, "up", 0, {}, Past())]
        store.write(batches(outcomes, FIGURES, at_ms, "noc"))
    assert {"well", "ill"} <= set(store.latest("device").tags["device"])
    for one in (reading, *reading.access_points):
        texts = [getattr(one, key, "") or "" for key in
                 ("sys_name", "key", "name", "serial", "model", "address", "mac")]  # fmt: skip
        assert all(text.isprintable() and len(text) <= 255 for text in texts)


def test_a_name_is_a_line_of_bounded_length(said):
    def named(text):
        reply = Reply([None, None, None, text])
        return decode(Target("a", "192.0.2.1"), PROFILES["generic"], reply).sys_name

    assert named(b"\x1b]0;pwn\x07post\r\n7") == "]0;pwnpost7"
    assert len(named(b"N" * 60_000)) == 255
    assert named(None) is None


def rows(oid, count, value):
    return {(*oid, row): value for row in range(1, count + 1)}


def test_a_device_of_ten_thousand_radios_keeps_few_and_is_told_of(said):
    access = (1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 3, 1)
    names = {(*access, 4, row): b"net-%d" % row for row in range(1, 10_001)}
    values = rows((*access, 6), 10_000, 1) | names
    values |= rows((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6), 10_000, 5)
    values |= rows((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 10), 10_000, 5)
    ports = {(1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, n): b"wlan%d" % n for n in range(1, 10_001)}
    profile = PROFILES["routeros"]
    reading = decode(Target("a", "192.0.2.1"), profile, said(profile.question, values | ports))
    kept = (len(reading.radios), len(reading.ssids), len(reading.interfaces))
    assert kept == (MOST["radios"], MOST["networks"], MOST["interfaces"])
    assert reading.left_out == "9,936 radios, 9,744 networks, 9,744 interfaces"
    assert reading.clients == 10_000  # all of its rows were read


def test_a_controller_of_more_access_points_than_a_city_needs_is_cut(said):
    cap = (1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 11, 1)
    names = {(*cap, 2, row): b"cap-%d" % row for row in range(1, 10_004)}
    profile = PROFILES["routeros"]
    reading = decode(Target("a", "192.0.2.1"), profile, said(profile.question, names))
    assert len(reading.access_points) == MOST_OF_CONTROLLER
    assert reading.left_out == "3 access points"


@pytest.mark.parametrize(
    ("total", "used"),
    [(-(2**31), -(2**31)), (2**31 - 1, 2**31 - 1), (2**32 - 1, 0), (1000, -1), (-1000, -10),
     (0, 0), (2**31 - 1, 0)],
)  # fmt: skip
def test_memory_of_impossible_figures_is_unknown(said, total, used):
    names, sizes, useds = ((1, 3, 6, 1, 2, 1, 25, 2, 3, 1, column, 1) for column in (3, 5, 6))
    profile = PROFILES["generic"]
    values = {names: b"Physical memory", sizes: total, useds: used}
    reading = decode(Target("a", "192.0.2.1"), profile, said(profile.question, values))
    assert reading.mem_pct is None
    profile = PROFILES["unifi"]
    memory = (1, 3, 6, 1, 4, 1, 10002, 1, 1, 1, 1)
    values = {(*memory, 1, 0): total, (*memory, 2, 0): used}
    reading = decode(Target("a", "192.0.2.1"), profile, said(profile.question, values))
    assert reading.mem_pct is None


class _Says:
    """A poller whose agents all say `replies`, None for nothing, in turn."""

    def __init__(self, said, *replies):
        self.said, self.replies = said, list(replies)

    async def ask(self, targets, converse):
        from collectors.snmp.model import Answer

        for target in targets:
            talk, values = converse(target), self.replies.pop(0)
            try:
                question = next(talk)
                while True:
                    question = talk.send(self.said(question, values))
            except StopIteration as end:
                yield Answer(target, True, 1.0, end.value)


def test_an_agent_that_tells_nothing_answers_in_part_also_when_it_told_before(said):
    import asyncio

    identity = {(1, 3, 6, 1, 2, 1, 1, 1, 0): b"Linux", (1, 3, 6, 1, 2, 1, 1, 3, 0): 100}
    reader = Reader(_Says(said, {}, identity, {}))

    async def read():
        return await anext(reader.read([Target("a", "192.0.2.1")]))

    for told in (False, True, False):
        reading = asyncio.run(read())
        assert reading.answered
        assert (reading.family, reading.error) == (("generic", "") if told else ("", TELLS_NOTHING))
