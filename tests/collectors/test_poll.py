"""Polls of several collectors into one store: every byte is counted once, whoever writes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from collectors.one_poll import one_poll_at_a_time
from collectors.poll import Collector, Turn
from collectors.snmp.model import Target
from collectors.snmp.sweep import SweepPoller
from farola.errors import StoreError
from tests.collectors.snmp.families.agent import Agent, Device, Oid, oid_of, value_bytes
from tests.collectors.snmp.families.conftest import HERE, recording
from timeseries.base import Batch
from timeseries.sqlite import SqliteStore

ROWS = """
1.3.6.1.2.1.1.1.0|4|Lamp post, made up
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1
1.3.6.1.2.1.1.3.0|67|{ticks}
1.3.6.1.2.1.25.1.1.0|67|{host}
1.3.6.1.2.1.2.2.1.3.1|2|6
1.3.6.1.2.1.2.2.1.8.1|2|1
1.3.6.1.2.1.31.1.1.1.1.1|4|eth0
1.3.6.1.2.1.31.1.1.1.6.1|70|{rx}
1.3.6.1.2.1.31.1.1.1.10.1|70|{tx}
"""


def values(rx: int, ticks: int = 500_000_000, host: int = 500_001_000) -> dict[Oid, bytes]:
    text = ROWS.format(rx=rx, tx=rx // 10, ticks=ticks, host=host)
    lines = [line.split("|", 2) for line in text.strip().splitlines()]
    return {oid_of(oid): value_bytes(kind, value) for oid, kind, value in lines}


class City:
    """A device with a counter, and a store that several collectors share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.agent = Agent()
        self.agent.start()
        self.store = SqliteStore(folder / "series")
        self.targets = [Target("ap", "127.0.0.1", self.agent.port, "ap", timeout_s=5)]
        self.passed = 10**9

    def collector(self, identify=lambda _controller, _told: {}) -> Collector:
        alone = partial(one_poll_at_a_time, self.folder)
        return Collector(SweepPoller(), self.store, "noc", identify, alone)

    def traffic(self, more: int, **clocks: int) -> None:
        self.passed += more
        self.agent.devices[b"ap"] = Device(values(self.passed, **clocks))

    def counted(self) -> int:
        now = datetime.now(UTC)
        table = self.store.series(
            "interface", {}, now - timedelta(hours=1), now + timedelta(hours=1), ["rx_bytes"]
        )
        return sum(int(value or 0) for value in table.fields["rx_bytes"])

    def close(self) -> None:
        self.agent.stop()
        self.store.close()


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = City(tmp_path)
    made.traffic(0)
    yield made
    made.close()


def run(collector: Collector, city: City, **more):
    return asyncio.run(collector.poll(city.targets, **more))


def test_two_collectors_in_turn_count_every_byte_once(city):
    one, other = city.collector(), city.collector()
    run(one, city)
    for collector in (other, one, one, other, other, one, city.collector(), one):
        city.traffic(1000)
        run(collector, city)
    assert city.counted() == 8000


def test_polls_at_the_same_time_wait_for_each_other(city):
    run(city.collector(), city)
    city.traffic(5000)

    async def together() -> None:
        await asyncio.gather(*(city.collector().poll(city.targets) for _ in range(4)))

    asyncio.run(together())
    city.traffic(300)
    run(city.collector(), city)
    assert city.counted() == 5300


def test_a_store_that_is_slow_to_tell_does_not_date_a_poll_back(city, monkeypatch):
    told, latest = [], city.store.latest

    def slowly(*asked):
        found = latest(*asked)
        told.append(datetime.now(UTC))
        return found

    monkeypatch.setattr(city.store, "latest", slowly)
    collector = city.collector()
    read = collector._reader.read
    before: list[datetime] = []
    monkeypatch.setattr(
        collector._reader, "read", lambda *asked: before.append(told[-1]) or read(*asked)
    )
    run(collector, city)
    monkeypatch.undo()
    assert city.store.latest("poll").times[0] >= int(before[0].timestamp() * 1000)


def test_a_reboot_seen_by_another_collector_counts_once(city):
    one, other = city.collector(), city.collector()
    run(one, city)
    city.passed = 0
    city.traffic(70, ticks=3000, host=3500)
    run(other, city)
    city.traffic(30, ticks=3100, host=3600)
    run(one, city)
    assert city.store.latest("device").fields["reboots"] == [1]
    assert city.counted() == 30


def test_a_poll_that_the_store_refuses_costs_no_byte_and_counts_none_twice(city, monkeypatch):
    collector = city.collector()
    run(collector, city)
    city.traffic(1000)
    write = city.store.write

    def half(batches: list[Batch]) -> int:
        """As InfluxDB may: part of a poll was acknowledged before the server went away."""
        write([one for one in batches if one.measurement in ("device", "interface")])
        raise StoreError("gone")

    monkeypatch.setattr(city.store, "write", half)
    with pytest.raises(StoreError):
        run(collector, city)
    monkeypatch.undo()
    city.traffic(200)
    run(collector, city)
    assert city.counted() == 1200


def test_what_raises_before_the_poll_is_written_leaves_nothing(city):
    collector = city.collector()
    run(collector, city)
    city.traffic(1000)

    def lost() -> None:
        raise StoreError("another has the lease")

    with pytest.raises(StoreError):
        run(collector, city, turn=Turn(before_write=lost))
    city.traffic(200)
    run(collector, city)
    assert city.counted() == 1200


def test_misses_and_the_last_uptime_outlive_the_collector(city):
    run(city.collector(), city)
    del city.agent.devices[b"ap"]
    city.targets = [Target("ap", "127.0.0.1", city.agent.port, "ap", timeout_s=0.05, retries=0)]
    states = []
    for _ in range(3):
        run(city.collector(), city)
        states += city.store.latest("device").fields["state"]
    assert states == ["up", "up", "down"]
    row = city.store.latest("device")
    assert row.fields["misses"] == [3]
    assert row.fields["last_uptime_s"] == [5_000_010.0]
    city.traffic(400, ticks=2000, host=2500)
    run(city.collector(), city)
    assert city.store.latest("device").fields["reboots"] == [1]


def test_packets_and_the_slowest_are_told(city):
    summary = run(city.collector(), city)
    assert summary.sent >= summary.received > 0
    assert [one.device for one in summary.slowest] == ["ap"]
    told = summary.as_json()
    assert told["slowest"] == ({"device": "ap", "took_s": summary.slowest[0].took_s},)
    (row,) = zip(*city.store.latest("poll").fields.values(), strict=True)
    fields = dict(zip(city.store.latest("poll").fields, row, strict=True))
    assert (fields["sent"], fields["received"]) == (summary.sent, summary.received)
    assert (fields["dropped"], fields["retried"], fields["lag_s"]) == (0, 0, 0.0)


def test_a_controller_s_access_points_are_polled_with_it(city):
    city.agent.devices[b"zd"] = Device(recording(HERE / "ruckus-zonedirector.snmprec"))
    city.targets = [Target("zd", "127.0.0.1", city.agent.port, "zd", timeout_s=5)]
    asked: list[str] = []

    def identify(controller, told):
        asked.append(controller)
        return {one.key: "lamp" for one in told if one.name == "lamp-2"}

    collector = city.collector(identify)
    for _ in range(4):
        summary = run(collector, city, looked_after={"zd": ["lamp", "gone"]})
    unknown = "zd/02:fa:01:00:00:01"
    assert set(asked) == {"zd"}
    assert (summary.devices, summary.answered) == (4, 2)
    assert summary.unknown_access_points == (unknown,)
    # The fourth poll is the re-probe of the three that missed them.
    assert summary.down == ("gone", "lamp")
    table = city.store.latest("device", ("state", "clients"))
    assert dict(zip(table.tags["device"], table.fields["clients"], strict=True)) == {
        "gone": None, "lamp": None, "zd": None, unknown: 9,
    }  # fmt: skip
    assert city.store.latest("radio").tags["device"] == [unknown, unknown]


def test_what_polls_loads_no_library_of_arrays_or_maps() -> None:
    code = "import sys, collectors.poll, collectors.snmp.sweep; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    assert not {b"numpy", b"scipy", b"shapely", b"sqlalchemy"} & set(told.stdout.split())
