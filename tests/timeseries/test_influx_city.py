"""InfluxDB at the size of a city: the newest rows of many series, rollups in a bucket of their own,
bytes on the way, and what is made on a server beforehand.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from farola.errors import StoreError
from farola.settings import Settings, StoreSettings
from timeseries import Batch, Table, influx_latest
from timeseries.influx import InfluxStore, prepare
from timeseries.influx_http import Server
from timeseries.influx_latest import FEW
from timeseries.influx_versions import works_there

NOW = int(time.time() * 1000)
MINUTE, DAY = 60_000, 86_400_000
ORG = "0123456789abcdef"
ODD = ["a,b", "c=d", "e f", 'say "hi"', "back\\slash", "sl/ash", "(x|y)*", "قهوة", "$^.+?", "-_~"]


def radio_rows(at: int, names: list[str], clients: int, radio: str = "radio0") -> Batch:
    tags = {"device": names, "radio": [radio] * len(names), "band": ["5"] * len(names)}
    return Batch("radio", [at] * len(names), tags, {"clients": [clients] * len(names)})


def newest(polls: list[Batch], since: int = 0) -> dict[tuple[str, str], tuple[int, int]]:
    """What `latest` must answer, by plain Python."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for batch in sorted(polls, key=lambda batch: batch.times[0]):
        for name, radio in zip(batch.tags["device"], batch.tags["radio"], strict=True):
            if batch.times[0] >= since:
                found[name, radio] = (batch.times[0], batch.fields["clients"][0])  # type: ignore[assignment]  # an int
    return found


def answered(table: Table) -> dict[tuple[str, str], Any]:
    keys = zip(table.tags["device"], table.tags["radio"], strict=True)
    assert list(zip(table.tags["device"], strict=True)) == sorted(
        zip(table.tags["device"], strict=True)
    )
    return dict(zip(keys, zip(table.times, table.fields["clients"], strict=True), strict=True))


@pytest.mark.service
@pytest.mark.parametrize(
    ("now", "gone"),
    [(NOW, 0), (NOW, 25), (NOW, FEW), (NOW - 90 * DAY, 25)],
    ids=["all new", "some retired", "many retired", "history"],
)
def test_the_newest_rows_of_many_series(new_influx: Any, now: int, gone: int) -> None:
    names = [f"ap-{i:05}" for i in range(FEW + 100)]
    retired = [*ODD, *(f"old-{i}" for i in range(gone))] if gone else []
    polls = [
        radio_rows(now - 40 * DAY, retired, 1),
        radio_rows(now - 3 * DAY, retired[::2], 2),
        radio_rows(now - 3 * MINUTE, names, 3),
        radio_rows(now - 2 * MINUTE, names[:200], 4),
        radio_rows(now - 2 * MINUTE, names[200:], 4, radio=""),
        radio_rows(now - MINUTE, names[100:150], 5),
    ]
    polls = [batch for batch in polls if batch.times]
    with new_influx() as store:
        store.write(polls)
        assert answered(store.latest("radio", ["clients"])) == newest(polls)
        for ago in (DAY, 10 * DAY, 2 * MINUTE):
            since = datetime.fromtimestamp((now - ago) / 1000, UTC)
            expected = newest(polls, now - ago)
            assert answered(store.latest("radio", ["clients"], since=since)) == expected
        for where in ({"device": names[120]}, {"radio": ""}, {"band": "5"}):
            found = answered(store.latest("radio", ["clients"], where=where))
            assert found == {
                key: row
                for key, row in newest(polls).items()
                if where.get("device", key[0]) == key[0] and where.get("radio", key[1]) == key[1]
            }


@pytest.mark.service
@pytest.mark.parametrize("ago", [0, 90 * DAY], ids=["now", "history"])
def test_the_newest_rows_of_collectors_out_of_step(
    new_influx: Any, monkeypatch: pytest.MonkeyPatch, ago: int
) -> None:
    now = NOW - ago
    quick, slow, silent = ([f"{kind}-{i:03}" for i in range(FEW // 2)] for kind in "qsz")
    polls = [
        *(radio_rows(now - n * 10_000, quick, n) for n in range(30)),
        *(radio_rows(now - n * 5 * MINUTE - 7, slow[n:], n) for n in range(1, 5)),
        *(radio_rows(now - n * DAY, silent[: n * 50], n) for n in range(1, 6)),
    ]
    asked: list[str] = []
    with new_influx() as store:
        store.write(polls)
        query = store._server.query
        monkeypatch.setattr(
            store._server, "query", lambda q, **at: asked.append(q) or query(q, **at)
        )
        ways: set[tuple[bool, bool, bool]] = set()
        for most in (0, 3, 40):
            monkeypatch.setattr(influx_latest, "MOST_REQUESTS", most)
            for since in (0, MINUTE, 7 * MINUTE, 3 * DAY, 20 * DAY):
                asked.clear()
                start = datetime.fromtimestamp((now - since) / 1000, UTC) if since else None
                found = answered(store.latest("radio", ["clients"], since=start))
                assert found == newest(polls, now - since if since else 0), (most, since)
                named = any(" OR " in one and "LIMIT 1" in one for one in asked[2:])
                newest_first = any("DESC LIMIT 7" in one for one in asked)
                ways.add((named, newest_first, "GROUP BY" in asked[-1] and not named))
        assert ways >= {(True, True, False), (False, True, True)}


@pytest.mark.service
def test_rollups_go_to_their_own_bucket_and_are_read_from_there(influxd: str) -> None:
    settings = StoreSettings(
        "influx", influxd, "v1", "apart/raw", rollup_bucket="apart/rollups", raw_days=7
    )
    told = prepare(Settings(Path(), store=settings))
    assert "apart/raw is made, rows kept for 7 days" in told
    assert "apart/rollups is made, rows kept for ever" in told
    again = prepare(Settings(Path(), store=settings))
    assert "apart/raw is there, rows kept for 7 days;" in again
    assert "ALTER" not in again

    store = InfluxStore(settings)
    health = store.health()
    assert health.ok
    assert "1.6.7" in health.detail
    assert "works with api v1" in health.detail
    lost = InfluxStore(replace(settings, rollup_bucket="apart/lost")).health()
    assert not lost.ok
    assert "lost" in lost.detail
    assert "farola store prepare" in lost.detail

    old = NOW - 400 * DAY
    hour = Batch("device_hour", [old], {"device": ["a"]}, {"polls": [60]})
    raw = Batch("device", [NOW], {"device": ["a"]}, {"clients": [3]})
    assert store.write([raw, hour, raw]) == 3
    begin, end = datetime.fromtimestamp(old / 1000, UTC), datetime.now(UTC) + timedelta(hours=1)
    assert store.series("device_hour", {}, begin, end, ["polls"]).fields == {"polls": [60]}
    assert store.latest("device_hour", ["polls"]).times == [old]
    assert len(store.latest("device")) == 1
    in_raw = Server(settings, "").query('SELECT * FROM "device_hour"', "apart/raw")
    in_rollups = Server(settings, "").query('SELECT * FROM "device"', "apart/rollups")
    assert in_raw == in_rollups == []


@pytest.mark.service
def test_a_policy_that_is_there_keeps_its_duration_and_that_is_said(influxd: str) -> None:
    make = b'q=CREATE DATABASE "kept" WITH DURATION 90d NAME "raw"'
    urllib.request.urlopen(f"{influxd}/query", data=make, timeout=9).close()
    settings = StoreSettings("influx", influxd, "v1", "kept/raw", rollup_bucket="kept/rollups")
    told = prepare(Settings(Path(), store=settings))
    assert (
        "kept/raw is there, rows kept for 90 days (to change that: ALTER RETENTION POLICY" in told
    )
    assert "kept/rollups is made" in told


@pytest.mark.service
def test_a_server_far_away_gets_and_gives_gzip(influxd: str) -> None:
    settings = StoreSettings("influx", influxd, "v1", "far/autogen")
    prepare(Settings(Path(), store=settings))
    store = InfluxStore(settings)
    store._server.is_far = True  # as the test's own server is not
    names = [f"ap-{i}" for i in range(300)]
    batch = Batch("device", [NOW] * 300, {"device": names}, {"clients": [7] * 300})
    assert store.write([batch]) == 300
    store.send(gzip.compress(f"device,device=z clients=1i {NOW}".encode()), gzipped=True)
    assert len(store.latest("device")) == 301


@pytest.mark.parametrize(
    ("url", "is_far"),
    [
        ("http://127.0.0.1:8086", False), ("http://LOCALHOST", False), ("http://[::1]:1", False),
        ("http://127.9.9.9", False), ("http://10.0.0.1", True), ("https://influx.example", True),
        ("http://[fe80::1]", True),
    ],
)  # fmt: skip
def test_only_this_machine_is_near(url: str, is_far: bool) -> None:
    assert Server(StoreSettings("influx", url), "").is_far is is_far


@pytest.mark.parametrize(
    ("version", "api", "is_run"),
    [
        ("1.6.7", ("v1",), True), ("1.6.7~rc0", ("v1",), True), ("1.7.11", ("v1",), False),
        ("v1.8.10", ("v2", "v1"), False), ("1.11.8", ("v2", "v1"), False),
        ("2.7.5", ("v2", "v1"), False), ("3.0.1-core", ("v2", "v1"), False),
        ("0.13", (), False), ("4.0", (), False), ("of unknown version", ("v2", "v1"), False),
    ],
)  # fmt: skip
def test_what_works_where(version: str, api: tuple[str, ...], is_run: bool) -> None:
    there = works_there(version)
    assert (there.api, there.is_run) == (api, is_run)
    assert ("not run" in str(there)) == (bool(api) and not is_run)


def test_a_question_that_takes_long_is_not_asked_again() -> None:
    asked = 0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0.1)
        server = Server(StoreSettings("influx", f"http://127.0.0.1:{silent.getsockname()[1]}"), "")
        with pytest.raises(StoreError, match="did not answer within"):
            server.query("SELECT 1", wait_ms=200)
        with contextlib.suppress(TimeoutError):
            while True:
                silent.accept()[0].close()
                asked += 1
    assert asked == 1


class Bucketed(ThreadingHTTPServer):
    """Answers as InfluxDB 2's documentation says that buckets and DBRP mappings are answered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BucketedHandler)
        self.buckets: dict[str, dict[str, Any]] = {}
        self.mappings: list[dict[str, Any]] = []
        self.may_make = True
        self.url = f"http://127.0.0.1:{self.server_port}"


class BucketedHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucketed

    def do_GET(self) -> None:
        where = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(where.query))
        if where.path == "/ping":
            self.tell(204, None)
        elif where.path == "/api/v2/orgs":
            self.tell(200, {"orgs": [{"id": ORG, "name": "city"}] * (asked["org"] == "city")})
        elif where.path == "/api/v2/buckets":
            found = self.server.buckets.get(asked["name"])
            self.tell(200, {"buckets": [found] if found else []})
        elif where.path == "/api/v2/dbrps":
            assert asked["org"] == "city"
            wanted = {"database": asked["db"], "retention_policy": asked["rp"]}
            content = [m for m in self.server.mappings if wanted.items() <= m.items()]
            self.tell(200, {"content": content})
        else:
            self.tell(404, {"code": "not found", "message": "path not found"})

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.server.may_make:
            self.tell(403, {"code": "forbidden", "message": "insufficient permissions"})
        elif self.path.startswith("/api/v2/buckets"):
            assert told["orgID"] == ORG
            made = {"id": f"id{len(self.server.buckets)}", **told}
            self.server.buckets[told["name"]] = made
            self.tell(201, made)
        else:
            self.server.mappings.append({"id": "m", "orgID": ORG, "virtual": False, **told})
            self.tell(201, self.server.mappings[-1])

    def tell(self, code: int, what: Any) -> None:
        body = b"" if what is None else json.dumps(what).encode()
        self.send_response(code)
        self.send_header("X-Influxdb-Version", "v2.7.5")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def bucketed() -> Iterator[Bucketed]:
    server = Bucketed()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_buckets_and_mappings_are_made_on_influxdb_2_as_documented(bucketed: Bucketed) -> None:
    settings = Settings(
        Path(),
        store=StoreSettings(
            "influx", bucketed.url, "v2", "farola/raw", "city", rollup_bucket="farola/rollups"
        ),
    )
    told = prepare(settings, "operator")
    assert "farola/raw is made, rows kept for 30 days; farola/rollups is made" in told
    rules = {name: made["retentionRules"] for name, made in bucketed.buckets.items()}
    assert [rule["everySeconds"] for rule in rules["farola/raw"]] == [30 * 86_400]
    assert [rule["everySeconds"] for rule in rules["farola/rollups"]] == [0]
    assert [
        (m["bucketID"], m["database"], m["retention_policy"], m["default"])
        for m in bucketed.mappings
    ] == [("id0", "farola", "raw", True), ("id1", "farola", "rollups", False)]

    assert "farola/raw is there" in prepare(settings, "operator")
    assert (len(bucketed.buckets), len(bucketed.mappings)) == (2, 2)


def test_a_token_that_may_not_make_buckets_is_told_what_to_run(bucketed: Bucketed) -> None:
    bucketed.may_make = False
    settings = StoreSettings("influx", bucketed.url, "v2", "farola/autogen", "city")
    with pytest.raises(
        StoreError, match=r"403.*influx bucket create --name farola/autogen"
    ) as told:
        prepare(Settings(Path(), store=settings), "s3cret-token")
    assert "s3cret" not in str(told.value)


def test_an_organisation_that_is_not_there(bucketed: Bucketed) -> None:
    settings = StoreSettings("influx", bucketed.url, "v2", "farola/autogen", "village")
    with pytest.raises(StoreError, match=r"village.*check \[store\] org"):
        prepare(Settings(Path(), store=settings), "operator")
