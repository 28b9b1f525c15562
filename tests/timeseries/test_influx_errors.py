"""Every way a server fails ends in one line that says what to do and holds no secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from farola.errors import StoreError
from farola.settings import Settings, StoreSettings
from timeseries import Batch
from timeseries.influx import InfluxStore, prepare

# Tests' own conftest, for its constants: pytest's importlib mode has no package to import from.
USER, PASSWORD, TOKEN, JWT_SECRET = "farola", "not so secret", "test-token-of-farola", "jwt secret"
POLL = [Batch("device", [1_700_000_000_000], {"device": ["ap-1"]}, {"clients": [3]})]


def store_at(url: str, token: str = "", **settings: str) -> InfluxStore:
    return InfluxStore(StoreSettings("influx", url, **{"api": "v1", **settings}), token)


def refused(store: InfluxStore, *words: str) -> str:
    """What `write` says when it fails: one line, with those words, without any secret."""
    with pytest.raises(StoreError) as caught:
        store.write(POLL)
    told = str(caught.value)
    for word in words:
        assert word in told
    assert "\n" not in told
    for secret in (PASSWORD, TOKEN, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()):
        assert secret not in told
    assert caught.value.__suppress_context__ or caught.value.__cause__ is None
    return told


def create(url: str, name: str, token: str = "", **settings: str) -> InfluxStore:
    values = {"api": "v1", "bucket": name, **settings}
    prepare(Settings(Path(), store=StoreSettings("influx", url, **values)), token)
    return store_at(url, token, **values)


def test_nobody_listens(unused_port: int) -> None:
    store = store_at(f"http://127.0.0.1:{unused_port}")
    refused(store, f"http://127.0.0.1:{unused_port} cannot be reached", "refused", "start InfluxDB")
    health = store.health()
    assert not health.ok
    assert "cannot be reached" in health.detail


def test_a_host_without_a_name() -> None:
    refused(store_at("http://store.invalid:8086"), "store.invalid", "cannot be reached")


@pytest.mark.service
def test_plain_http_where_tls_is_expected(influxd: str) -> None:
    refused(store_at(influxd.replace("http:", "https:")), "https://127.0.0.1")


@pytest.mark.service
@pytest.mark.parametrize(
    ("auth", "token"),
    [("basic", f"{USER}:wrong"), ("token", "wrong"), ("bearer", "wrong"), ("token", "")],
)
def test_a_wrong_credential(influxd_with_users: str, auth: str, token: str) -> None:
    refused(store_at(influxd_with_users, token, auth=auth), "401", "basic", "[store] credential")
    assert "401" in store_at(influxd_with_users, token, auth=auth).health().detail


@pytest.mark.service
def test_basic_and_bearer_sign_in(influxd_with_users: str) -> None:
    basic = create(influxd_with_users, "basic", f"{USER}:{PASSWORD}", auth="basic")
    assert basic.write(POLL) == 1

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = part(json.dumps({"username": USER, "exp": int(time.time()) + 600}).encode())
    header = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    signed = f"{header}.{claims}"
    digest = hmac.new(JWT_SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{part(digest)}"
    bearer = store_at(influxd_with_users, token, auth="bearer", bucket="basic")
    assert bearer.write(POLL) == 1
    assert bearer.latest("device", ["clients"]).fields == {"clients": [3]}


@pytest.mark.service
def test_the_v2_path_and_token_reach_the_database_and_policy(nginx: Any) -> None:
    store = create(nginx.url, "over/nginx", TOKEN, api="v2", auth="token")
    assert store.write(POLL) == 1
    assert len(store.latest("device")) == 1
    sent = [line for line in nginx.log.read_text().splitlines() if "over%2Fnginx" in line]
    assert sent
    assert all(line.startswith("POST /api/v2/write?bucket=over%2Fnginx") for line in sent)
    other = create(nginx.url, "over/autogen", TOKEN, api="v2", auth="token")
    assert len(other.latest("device")) == 0


@pytest.mark.service
@pytest.mark.parametrize("bucket", ["missing", "missing/autogen"])
def test_a_database_that_is_missing(influxd: str, bucket: str) -> None:
    store = store_at(influxd, bucket=bucket)
    refused(store, "404", "database not found", "farola store prepare", 'CREATE DATABASE "missing"')
    with pytest.raises(StoreError, match="farola store prepare"):
        store.latest("device")
    assert not store.health().ok


@pytest.mark.service
def test_a_policy_that_is_missing(influxd: str) -> None:
    create(influxd, "half/autogen")
    refused(store_at(influxd, bucket="half/nope"), "retention policy not found")


@pytest.mark.service
def test_an_old_server_asked_over_the_new_path(influxd: str) -> None:
    create(influxd, "old").close()
    store = store_at(influxd, api="v2", bucket="old")
    refused(store, "404", '[store] api = "v1"')
    health = store.health()
    assert not health.ok
    assert '[store] api = "v1"' in health.detail


@pytest.mark.service
def test_a_partial_write_names_the_field_and_keeps_the_rest(influxd: str) -> None:
    store = create(influxd, "conflict")
    line = b'device,device=ap-0 clients="many" 1700000000000000000'
    urllib.request.urlopen(f"{influxd}/write?db=conflict", data=line, timeout=5).close()
    refused(store, "400", "partial write", "clients", "the other rows were kept")


@pytest.mark.service
def test_a_request_that_the_proxy_finds_too_large(nginx: Any) -> None:
    store = create(nginx.url, "large", f"{USER}:{PASSWORD}", auth="basic")
    store.close()
    narrow = store_at(nginx.narrow, f"{USER}:{PASSWORD}", auth="basic", bucket="large")
    names = [f"ap-{i}" for i in range(200)]
    poll = [Batch("device", [1] * 200, {"device": names}, {"clients": [1] * 200})]
    with pytest.raises(StoreError, match=r"413.*client_max_body_size"):
        narrow.write(poll)
    assert narrow.write(POLL) == 1


@pytest.mark.service
def test_a_proxy_with_nothing_behind_it(nginx: Any) -> None:
    told = refused(store_at(nginx.dead), "502", "Bad Gateway", "4 times in vain")
    assert "<" not in told


@pytest.mark.parametrize("answer", [b"hello", b"[]", b'{"status": "ok"}', b'{"results": [1]}'])
def test_something_that_is_not_influxdb(faulty: Any, answer: bytes) -> None:
    faulty.answers = [(200, {}, answer)]
    with pytest.raises(StoreError, match="did not answer as InfluxDB does"):
        store_at(faulty.url).latest("device")


def test_an_answer_that_breaks_off_is_no_answer(faulty: Any) -> None:
    series = b'[{"name":"device","columns":["time","clients"],"values":[[1,2]],"partial":true}]'
    faulty.answers = [(200, {}, b'{"results":[{"series":' + series + b',"partial":true}]}')]
    with pytest.raises(StoreError, match="cut its answer short"):
        store_at(faulty.url).latest("device")


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_passing_fault_is_ridden_out_with_the_same_rows(faulty: Any, code: int) -> None:
    faulty.answers = [(code, {"Retry-After": "0"}, b'{"error":"timeout"}')] * 2 + [(204, {}, b"")]
    assert store_at(faulty.url).write(POLL) == 1
    assert faulty.bodies == [b"device,device=ap-1 clients=3i 1700000000000"] * 3


def test_a_lasting_fault_is_given_up_on(faulty: Any) -> None:
    faulty.answers = [(500, {}, b'{"error":"timeout"}')] * 50
    refused(store_at(faulty.url), "500", "timeout", "4 times in vain")
    assert len(faulty.bodies) == 4


def test_a_server_that_asks_for_an_hour_gets_seconds(
    faulty: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    faulty.answers = [(503, {"Retry-After": "3600"}, b""), (204, {}, b"")]
    assert store_at(faulty.url).write(POLL) == 1
    assert pauses == [5.0]


def test_a_server_that_repeats_the_credential(faulty: Any) -> None:
    faulty.answers = [(400, {}, b"ECHO")] * 9
    pair = f"{USER}:{PASSWORD}"
    assert "•••" in refused(store_at(faulty.url, pair, auth="basic"), "400")
    assert "•••" in refused(store_at(faulty.url, TOKEN, auth="token"), "400")
    # Where a long answer is cut, no piece of it is left either.
    faulty.answers = [(400, {}, b"x" * 285 + f" {TOKEN}".encode())]
    assert TOKEN[:5] not in refused(store_at(faulty.url, TOKEN, auth="token"), "400")


def test_a_redirect_is_not_followed_with_the_credential(faulty: Any) -> None:
    faulty.answers = [(302, {"Location": "http://127.0.0.1:9/"}, b"")] * 9
    refused(store_at(faulty.url, TOKEN), "302")
    assert len(faulty.bodies) == 1


@pytest.mark.parametrize(
    ("url", "settings", "token", "word"),
    [
        ("", {}, "", "url"),
        ("127.0.0.1:8086", {}, "", "url"),
        ("ftp://127.0.0.1", {}, "", "url"),
        (f"http://{USER}:hunter2@127.0.0.1", {}, "", "must not carry a user"),
        ("http://127.0.0.1", {"api": "v9"}, "", "'v9'"),
        ("http://127.0.0.1", {"auth": "magic"}, "", "'magic'"),
        ("http://127.0.0.1", {"bucket": ""}, "", "bucket"),
        ("http://127.0.0.1", {}, "hunter2\r\nX: y", "token"),
        ("http://127.0.0.1:port", {}, "", "url"),
    ],
)
def test_settings_that_name_no_server(
    url: str, settings: dict[str, str], token: str, word: str
) -> None:
    with pytest.raises(StoreError, match=word) as caught:
        store_at(url, token, **settings)
    assert "hunter2" not in str(caught.value)


@pytest.mark.service
def test_asking_for_health_writes_nothing(influxd: str) -> None:
    store = create(influxd, "healthy")
    assert store.health().ok
    with urllib.request.urlopen(f"{influxd}/query?db=healthy&q=SHOW+SERIES", timeout=5) as answer:
        assert "series" not in json.load(answer)["results"][0]


@pytest.mark.service
def test_the_database_is_made_by_a_command(run: Any, influxd: str) -> None:
    run("init", "--influx", influxd, "--influx-api", "v1", "--influx-bucket", "by-command/autogen")
    done = run("store", "prepare", "--json")
    told = json.loads(done.stdout)
    assert told["ok"]
    assert "1.6.7" in told["detail"]
    assert InfluxStore(StoreSettings("influx", influxd, "v1", "by-command")).write(POLL) == 1


def test_sqlite_needs_no_preparing(run: Any) -> None:
    run("init")
    assert "SQLite" in run("store", "prepare").stdout


@pytest.mark.service
def test_preparing_twice_is_harmless_and_makes_the_policy(influxd: str) -> None:
    settings = StoreSettings("influx", influxd, "v1", 'we"ird db/for ever')
    for _ in range(2):
        assert "1.6.7" in prepare(Settings(Path(), store=settings))
    store = InfluxStore(settings)
    assert store.write(POLL) == 1
    assert len(store.latest("device")) == 1


class Faulty(ThreadingHTTPServer):
    """Answers as told: faults that a healthy server cannot be made to show."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FaultyHandler)
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.bodies: list[bytes] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class FaultyHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Faulty

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.bodies.append(body)
        code, headers, answer = self.server.answers.pop(0)
        if answer == b"ECHO":
            sign_in = self.headers["Authorization"]
            answer = f"cannot sign in with {sign_in}".encode()
            if sign_in.startswith("Basic"):
                answer += b" which is " + base64.b64decode(sign_in.split()[1])
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        if code != 204:
            self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815 - the server's own names

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    server = Faulty()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
