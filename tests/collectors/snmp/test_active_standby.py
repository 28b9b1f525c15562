"""Two collectors of one city, as real processes: one polls, the other one takes over, and neither
an interval of traffic nor the city is polled twice.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.models import Device
from inventory.queries import events
from timeseries.opening import open_store

pytestmark = pytest.mark.service
ROOT = Path(__file__).resolve().parents[3]
OCTETS = """
base=$1; at=${3#"$base"}; at=${at#.}
if [ "$2" = -g ]; then oid=$3
else for index in $(cat /sys/class/net/*/ifindex | sort -n); do
  if [ -z "$at" ] || [ "$index" -gt "$at" ]; then oid=$base.$index; break; fi; done; fi
[ -n "$oid" ] || exit 0
echo "$oid"; echo counter64; date +%s%3N
"""


class Collecting:
    """`farola collect run --interval 1` under a name; what it says is read as it comes."""

    def __init__(self, name: str, home: Path, *more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from farola.cli import main; main()", "collect", "run",
             "--interval", "1", "--name", name, *more],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=home.parent, text=True,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.said.append(line.strip())

    def until_said(self, words: str) -> None:
        until(lambda: any(words in line for line in self.said), lambda: self.said)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.send(number)
        code = self.process.wait(30)
        self._reader.join(10)
        self.process.stderr.close()
        assert not any("Traceback" in line for line in self.said), self.said
        return code


def until(true, what=lambda: "", seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, f"waited {seconds} s: {what()}"
        time.sleep(0.05)


def series(measurement: str, *fields: str) -> list[dict]:
    """All rows of the last hour, by time."""
    store, now = open_store(load_settings()), datetime.now(UTC)
    hour = timedelta(hours=1)
    table = store.series(measurement, {}, now - hour, now + hour, fields)
    store.close()
    columns = {"time": table.times, **table.tags, **table.fields}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def polled_by() -> list[str]:
    return [row["collector"] for row in series("poll", "devices")]


def assert_never_two_at_once() -> None:
    rows = series("poll", "devices")
    hands = [
        (earlier, later)
        for earlier, later in pairwise(rows)
        if earlier["collector"] != later["collector"]
    ]
    assert hands
    for earlier, later in hands:  # a poll starts 1 s after another's, less what clocks round
        assert later["time"] - earlier["time"] >= 950, (earlier, later)


def assert_no_traffic_lost_or_counted_twice() -> None:
    own = series("interface", "rx_bytes_total", "rx_bytes", "interval_s")
    assert len({row["interface"] for row in own}) == 1
    moved = own[-1]["rx_bytes_total"] - own[0]["rx_bytes_total"]
    assert sum(row["rx_bytes"] or 0 for row in own[1:]) == moved > 0
    spanned = sum(row["interval_s"] or 0 for row in own[1:])
    assert spanned == pytest.approx((own[-1]["time"] - own[0]["time"]) / 1000, abs=0.01)


@pytest.fixture
def city(run, home, snmpd, tmp_path):
    """A city of one device that answers, with counters that go up a byte each millisecond."""
    script = tmp_path / "octets.sh"
    script.write_text(OCTETS)
    columns = [f"1.3.6.1.2.1.31.1.1.1.{number}" for number in (6, 10)]  # ifHCInOctets, ifHCOut…
    passed = [f"pass .{column} /bin/sh {script} .{column}" for column in columns]
    run("init", "--name", "Test")
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        session.add(
            Device(
                id="ap-1", name="ap-1", management_address="127.8.0.1",
                snmp_port=snmpd("\n".join(["sysName ap-1", *passed])),
            )
        )  # fmt: skip
    inventory.close()


@pytest.fixture
def start(home, city):
    """`start("one")` starts a collector, killed at the end if need be."""
    started: list[Collecting] = []

    def collecting(name: str, *more: str) -> Collecting:
        started.append(Collecting(name, home, *more))
        return started[-1]

    yield collecting
    for one in started:
        if one.process.poll() is None:
            one.send(signal.SIGCONT)
            one.end(signal.SIGKILL)


def test_a_standby_takes_over_from_one_that_was_killed(run, start):
    one = start("one")
    until(lambda: polled_by().count("one") >= 2, lambda: one.said)
    two = start("two")
    two.until_said("standing by: one (pid")
    lease = json.loads(run("status", "--json").stdout)["collector"]
    assert lease["holder"].startswith(f"one (pid {one.process.pid},")
    assert lease["active"] is True
    before = len(polled_by())
    once = run("collect", "once")  # allowed, and told
    assert f"one (pid {one.process.pid}) polls this city too" in once.stderr
    until(lambda: len(polled_by()) >= before + 2)
    assert "two" not in polled_by()

    one.end(signal.SIGKILL)
    until(lambda: polled_by().count("two") >= 2, lambda: two.said)
    assert two.end() == 0
    assert_no_traffic_lost_or_counted_twice()
    names = [name for name in polled_by() if name in ("one", "two")]
    assert names == sorted(names)
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        told = [one for one in events(session) if one.kind == "collector.active"]
    inventory.close()
    assert [event.detail["term"] for event in told] == [2]
    assert json.loads(run("status", "--json").stdout)["collector"]["active"] is False


def test_one_that_was_paused_too_long_writes_nothing_and_stands_by(start):
    one = start("one")
    until(lambda: polled_by().count("one") >= 2, lambda: one.said)
    two = start("two")
    two.until_said("standing by: one (pid")
    one.send(signal.SIGSTOP)
    until(lambda: polled_by().count("two") >= 2, lambda: two.said)
    one.send(signal.SIGCONT)
    one.until_said("another collector took the lease")
    one.until_said("standing by: two (pid")
    assert one.process.poll() is None

    assert two.end() == 0  # gives the lease back: the other one goes on at once
    one.until_said("collector one is active, term 3")
    until(lambda: polled_by()[-1] == "one", polled_by)
    assert one.end() == 0
    names = polled_by()
    hands = [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
    assert hands == ["one", "two", "one"]
    assert_never_two_at_once()
    assert_no_traffic_lost_or_counted_twice()


def test_settings_are_read_again_on_sighup(start, home):
    one = start("one")
    until(lambda: polled_by().count("one") >= 1, lambda: one.said)
    one.send(signal.SIGHUP)
    one.until_said("nothing in them changed")
    path = home / "farola.toml"
    good = path.read_text()
    path.write_text("[city\n")
    one.send(signal.SIGHUP)
    one.until_said("settings not reloaded")
    path.write_text(good.replace('name = "Test"', 'name = "Other"'))
    one.send(signal.SIGHUP)
    one.until_said("starting over with them")
    before = len(polled_by())
    until(lambda: len(polled_by()) > before, lambda: one.said)
    assert one.end() == 0
    assert_no_traffic_lost_or_counted_twice()
