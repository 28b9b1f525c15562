"""The store behind its spool on real servers: whatever is killed, away, shut or wrong, every row
that was acknowledged is in the store once at the end.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from farola.settings import Settings, StoreSettings
from timeseries import Batch, open_store
from timeseries.influx import prepare
from timeseries.marks import Marks
from timeseries.spooled import SpooledStore

pytestmark = pytest.mark.service

USER, PASSWORD = "farola", "not so secret"
START = 1_700_000_000_000
EVER = (datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
ROOT = Path(__file__).resolve().parents[2]
CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""
WRITER = """
import sys
from pathlib import Path
from farola.settings import Settings, StoreSettings
from timeseries import Batch, open_store

home, url, first = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = open_store(Settings(home, store=StoreSettings("influx", url, "v1", "killed/autogen")))
for i in range(first, first + 100_000):
    names = [f"ap-{n}" for n in range(50)]
    store.write([Batch("device", [1_700_000_000_000 + i * 1000] * 50, {"device": names},
                       {"clients": [i] * 50})])
    print(i, flush=True)
"""


def spooled(home: Path, url: str, bucket: str, token: str = "", **more: str) -> SpooledStore:
    settings = StoreSettings("influx", url, **{"api": "v1", "bucket": bucket, **more})
    store = open_store(Settings(home, store=settings), token)
    assert isinstance(store, SpooledStore)
    return store


def poll(*devices: str, at_ms: int = START, **fields: Any) -> Batch:
    columns = {name: [value] * len(devices) for name, value in fields.items()}
    return Batch("device", [at_ms] * len(devices), {"device": list(devices)}, columns)


def ask(url: str, statement: str, database: str = "") -> None:
    urllib.request.urlopen(
        f"{url}/query?db={database}", data=f"q={statement}".encode(), timeout=10
    ).close()


@contextmanager
def server(program: str, folder: Path, port: int, rpc: int) -> Iterator[subprocess.Popen[bytes]]:
    """An influxd on data of its own, killed without a word at the end."""
    config = folder / "influxd.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, rpc=rpc))
    process = subprocess.Popen(
        [program, "run", "-config", str(config)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("seed", [1, 2])
def test_collector_and_server_killed_at_random_moments_lose_nothing(
    seed: int, tmp_path: Path, needs_program: Callable[[str, str], str], two_ports: tuple[int, int]
) -> None:
    chance = random.Random(seed)
    program = needs_program("influxd", "influxdb")
    home, data = tmp_path / "home", tmp_path / "influxd"
    data.mkdir()
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    port, rpc = two_ports
    url = f"http://127.0.0.1:{port}"
    acknowledged: list[int] = []

    def write_until_killed() -> None:
        first = acknowledged[-1] + 1 if acknowledged else 0
        command = [sys.executable, str(script), str(home), url, str(first)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
        ) as writer:
            assert writer.stdout is not None
            for _ in range(chance.randrange(1, 40)):
                acknowledged.append(int(writer.stdout.readline()))
            time.sleep(chance.uniform(0, 0.05))
            writer.kill()
            acknowledged.extend(int(line) for line in writer.stdout if line.endswith("\n"))

    with server(program, data, port, rpc):
        ask(url, "CREATE DATABASE killed")
        write_until_killed()
        write_until_killed()
    write_until_killed()
    with server(program, data, port, rpc):
        write_until_killed()
        store = spooled(home, url, "killed/autogen")
        assert store.flush(60), store.backlog()
        found = store.series("device", {}, *EVER, ("clients",))
        store.close()
    kept = list(zip(found.times, found.tags["device"], found.fields["clients"], strict=True))
    assert len(kept) == len(set(kept))
    wanted = {(START + i * 1000, f"ap-{n}", i) for i in acknowledged for n in range(50)}
    assert wanted <= set(kept)
    # A poll that was on disk when its writer was killed may be there too, whole.
    assert len(kept) % 50 == 0
    assert (store.backlog().dropped_rows, store.backlog().quarantined) == (0, 0)


@pytest.fixture
def two_ports(unused_port: int) -> tuple[int, int]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return unused_port, int(probe.getsockname()[1])


def test_a_server_that_shuts_us_out_gets_the_rows_when_it_lets_us_in(
    tmp_path: Path, influxd_with_users: str
) -> None:
    right = f"{USER}:{PASSWORD}"
    settings = StoreSettings("influx", influxd_with_users, "v1", "shut/autogen", auth="basic")
    prepare(Settings(tmp_path, store=settings), right)
    store = spooled(tmp_path, influxd_with_users, "shut/autogen", f"{USER}:wrong", auth="basic")
    assert store.write([poll("ap-1", clients=3)]) == 1
    assert not store.flush(1)
    backlog = store.backlog()
    assert "401" in backlog.fault
    assert "wrong" not in backlog.fault
    assert (backlog.rows, backlog.quarantined) == (1, 0)
    store.close()
    store = spooled(tmp_path, influxd_with_users, "shut/autogen", right, auth="basic")
    assert store.flush(30)
    assert store.latest("device", ("clients",)).fields == {"clients": [3]}
    assert store.backlog().fault == ""
    store.close()


def test_a_proxy_that_takes_little_gets_little_at_a_time(tmp_path: Path, nginx: Any) -> None:
    token = f"{USER}:{PASSWORD}"
    more = StoreSettings("influx", nginx.narrow, "v1", "narrow/autogen", auth="basic")
    prepare(Settings(tmp_path, store=more), token)
    store = spooled(tmp_path, nginx.narrow, "narrow/autogen", token, auth="basic")
    names = [f"{random.Random(i).getrandbits(64):x}" for i in range(400)]
    assert store.write([poll(*names, clients=1)]) == 400
    assert store.flush(30)
    assert len(store.latest("device", ("clients",))) == 400
    assert store.backlog().quarantined == 0
    store.close()


def test_only_the_row_that_the_server_refuses_is_set_aside_and_can_be_sent_again(
    run: Any, home: Path, influxd: str
) -> None:
    run("init", "--influx", influxd, "--influx-api", "v1", "--influx-bucket", "bad/autogen")
    run("store", "prepare")
    line = f'device,device=other rtt_ms="many" {START}000000'.encode()
    urllib.request.urlopen(f"{influxd}/write?db=bad", data=line, timeout=5).close()
    store = spooled(home, influxd, "bad/autogen")
    names = [f"ap-{i}" for i in range(100)]
    rtts = [1.5 if i == 37 else None for i in range(100)]
    rows = Batch("device", [START] * 100, {"device": names}, {"clients": [1] * 100, "rtt_ms": rtts})
    assert store.write([rows, poll('ap "x"', clients=2)]) == 101
    assert store.flush(30)
    assert store.backlog().quarantined == 1
    store.close()
    told = json.loads(run("store", "quarantine", "--json").stdout)
    assert told["quarantined"] == 1
    assert told["lines"][0]["line"].startswith("device,device=ap-37 ")
    assert "field type conflict" in told["lines"][0]["reason"]
    assert "ap-37" in run("store", "quarantine").stdout
    assert "1 refused" in run("status", code=1).stdout

    ask(influxd, "DROP MEASUREMENT device", "bad")
    assert json.loads(run("store", "quarantine", "--retry", "--json").stdout)["retried"] == 1
    store = spooled(home, influxd, "bad/autogen")
    assert store.flush(30)
    assert store.latest("device", ("rtt_ms",)).tags == {"device": ["ap-37"]}
    store.close()
    run("store", "quarantine", "--retry", "--forget", code=1)
    assert json.loads(run("store", "quarantine", "--forget", "--json").stdout)["forgotten"] == 0


def test_a_measurement_whose_field_has_another_type_on_the_server_waits_until_that_is_mended(
    run: Any, home: Path, influxd: str
) -> None:
    run("init", "--influx", influxd, "--influx-api", "v1", "--influx-bucket", "other/autogen")
    run("store", "prepare")
    line = f'device,device=other clients="many" {START}000000'.encode()
    urllib.request.urlopen(f"{influxd}/write?db=other", data=line, timeout=5).close()
    store = spooled(home, influxd, "other/autogen")
    names = [f"ap-{i}" for i in range(100)]
    checks = Batch("check", [START] * 200, {"device": names * 2, "check": ["dns"] * 100 +
                   ["dhcp"] * 100}, {"ok": [True] * 200})  # fmt: skip
    store.write([poll(*names, clients=1), checks])
    assert not store.flush(2)
    store.close()
    told = json.loads(run("status", "--json", code=1).stdout)["spool"]
    assert (told["rows"], told["quarantined"], told["dropped_rows"]) == (300, 0, 0)
    assert "field type conflict" in told["fault"]
    assert "DROP MEASUREMENT device" in run("doctor", code=None).stdout.replace("\n", " ")
    ask(influxd, "DROP MEASUREMENT device", "other")
    store = spooled(home, influxd, "other/autogen")
    assert store.flush(60), store.backlog()
    assert len(store.latest("device", ("clients",))) == 100
    assert store.backlog().quarantined == 0
    store.close()


def test_rows_older_than_the_server_keeps_are_counted_and_do_not_stop_the_others(
    tmp_path: Path, influxd: str
) -> None:
    ask(influxd, "CREATE DATABASE short WITH DURATION 1d")
    store = spooled(tmp_path, influxd, "short/autogen")
    now = int(time.time() * 1000)
    assert store.write([poll("old", clients=1), poll("new", at_ms=now, clients=2)]) == 2
    assert store.flush(30)
    assert store.latest("device", ("clients",)).tags == {"device": ["new"]}
    backlog = store.backlog()
    assert (backlog.dropped_rows, backlog.quarantined) == (1, 0)
    store.close()


def test_hours_are_marked_when_their_rows_are_sent(tmp_path: Path, influxd: str) -> None:
    ask(influxd, "CREATE DATABASE marked")
    store = spooled(tmp_path, influxd, "marked/autogen")
    store.write([poll("ap-1", clients=1), Batch("ssid", [1000], {"device": ["a"], "ssid": ["b"]},
                                                {"clients": [1]})])  # fmt: skip
    assert store.flush(30)
    store.close()
    [hour] = Marks(tmp_path / "series", Settings(tmp_path).city.zone).open()
    assert hour.start <= START < hour.end


def test_polls_go_on_while_the_server_is_away_and_remember(
    run: Any, home: Path, influxd: str, unused_port: int
) -> None:
    run("init", "--influx", influxd, "--influx-api", "v1", "--influx-bucket", "away/autogen")
    run("store", "prepare")
    settings = home / "farola.toml"
    here = settings.read_text()
    settings.write_text(here.replace(influxd, f"http://127.0.0.1:{unused_port}"))
    first = run("collect", "once", "--json")
    assert json.loads(first.stdout)["spooled"] == 1
    assert "nothing is lost" in first.stderr
    assert "2 rows wait" in run("collect", "once").stdout
    status = run("status", "--json", code=1)
    assert json.loads(status.stdout)["spool"]["rows"] == 2
    settings.write_text(here)
    assert json.loads(run("collect", "once", "--json").stdout)["spooled"] == 0
    store = spooled(home, influxd, "away/autogen")
    polls = store.series("poll", {}, datetime(2023, 1, 1, tzinfo=UTC), datetime.now(UTC))
    assert polls.fields["spooled"] == [0, 1, 2]
    store.close()
