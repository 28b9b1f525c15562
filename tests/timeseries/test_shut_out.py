"""A server that shuts us out, or hangs: a new password reaches who runs, and nobody waits long."""

from __future__ import annotations

import asyncio
import base64
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest

from collectors.service import Plan, collect_run
from farola.errors import StoreError
from farola.keys import Keyring, create_key
from farola.settings import Settings, StoreSettings, write_settings
from inventory.db import open_inventory, upgrade
from inventory.queries import store_secrets
from operations import examinations
from operations.status import read_status
from timeseries import Batch, influx_http, open_store
from timeseries.influx import InfluxStore, prepare
from timeseries.spooled import SpooledStore

USER, PASSWORD = "farola", "not so secret"
ROTATED = "rotated"


def keep_password(settings: Settings, password: str) -> None:
    inventory = open_inventory(settings)
    with inventory.session() as session:
        store_secrets(session, "influx", ROTATED, {"password": password}, Keyring(settings.home))
    inventory.close()


def set_password(url: str, password: str) -> None:
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for statement in (
        f"CREATE USER {ROTATED} WITH PASSWORD '{password}' WITH ALL PRIVILEGES",
        f"SET PASSWORD FOR {ROTATED} = '{password}'",
    ):
        body = urllib.parse.urlencode({"q": statement}).encode()
        urllib.request.urlopen(
            urllib.request.Request(f"{url}/query", body, {"Authorization": f"Basic {pair}"}),
            timeout=10,
        ).close()


@pytest.fixture
def city(home: Path, influxd_with_users: str) -> Settings:
    """A city on a server that knows its user by the password `first`."""
    home.mkdir(parents=True)
    create_key(home)
    settings = Settings(home)
    inventory = open_inventory(settings)
    upgrade(inventory.engine)
    inventory.close()
    keep_password(settings, "first")
    set_password(influxd_with_users, "first")
    store = StoreSettings("influx", influxd_with_users, "v1", "shut/autogen", credential="influx")
    settings = replace(settings, store=replace(store, auth="basic"))
    write_settings(settings)
    prepare(settings, f"{USER}:{PASSWORD}")
    return settings


def poll(at_ms: int) -> Batch:
    return Batch("poll", [at_ms], {"collector": ["main"]}, {"devices": [3]})


@pytest.mark.service
def test_a_new_password_reaches_a_store_that_is_open_and_the_401_is_told(
    city: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    store = open_store(city)
    assert isinstance(store, SpooledStore)
    store.write([poll(1_700_000_000_000)])
    assert store.flush(30)
    store.sender.say("store.away", "an outage a moment ago", key="store.away no answer")
    set_password(city.store.url, "second")
    store.write([poll(1_700_000_060_000)])
    assert not store.flush(3)
    assert "401" in store.backlog().fault
    told = capfd.readouterr().err
    assert told.count("401") == 1
    assert "nothing is lost" in told

    keep_password(city, "second")
    monkeypatch.setattr(influx_http, "RENEW_S", 0.0)
    assert store.flush(30), store.backlog()
    assert store.latest("poll", ["devices"]).times == [1_700_000_060_000]
    store.close()


@pytest.mark.service
def test_the_credential_is_not_read_at_every_refusal(city: Settings) -> None:
    asked = []
    server = influx_http.Server(city.store, "rotated:wrong", lambda: asked.append(1) or "x:wrong")
    for _ in range(3):
        with pytest.raises(StoreError, match="401"):
            server.try_write()
    assert len(asked) == 1


@pytest.mark.service
def test_sighup_takes_a_new_password_over(
    city: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    set_password(city.store.url, "second")

    async def runs() -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def polled(_: Any) -> None:
            keep_password(city, "second")
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)
            loop.call_later(0.5, done.set)

        task = asyncio.create_task(collect_run(city, Plan(interval_s=60), polled))
        await asyncio.wait_for(done.wait(), 60)
        signal.raise_signal(signal.SIGTERM)
        await task

    asyncio.run(runs())
    assert "credential is another one" in capfd.readouterr().err
    store = open_store(city)
    assert isinstance(store, SpooledStore)
    assert store.flush(30)
    assert store.latest("poll", ["devices"]).fields["devices"][-1] == 0
    store.close()


@pytest.fixture
def hung(
    tmp_path: Path, needs_program: Callable[[str, str], str], unused_port: int
) -> Iterator[str]:
    """The address of a real influxd that takes connections and never answers (SIGSTOP)."""
    program = needs_program("influxd", "influxdb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        rpc = probe.getsockname()[1]
    config = tmp_path / "influxd.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n'
        f'[meta]\n  dir = "{tmp_path}/meta"\n'
        f'[data]\n  dir = "{tmp_path}/data"\n  wal-dir = "{tmp_path}/wal"\n'
        f'[http]\n  bind-address = "127.0.0.1:{unused_port}"\n[monitor]\n  store-enabled = false\n'
    )
    url = f"http://127.0.0.1:{unused_port}"
    with subprocess.Popen(
        [program, "run", "-config", str(config)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            until = time.monotonic() + 60
            while True:
                try:
                    urllib.request.urlopen(f"{url}/ping", timeout=1).close()
                    break
                except OSError:
                    assert time.monotonic() < until
                    time.sleep(0.05)
            process.send_signal(signal.SIGSTOP)
            yield url
        finally:
            process.kill()


@pytest.mark.service
def test_status_and_doctor_give_a_server_that_hangs_up_at_once_and_say_so_plainly(
    home: Path, hung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_http, "HASTY_MS", 300)
    settings = Settings(home, store=StoreSettings("influx", hung, "v1"))
    home.mkdir(parents=True)
    inventory = open_inventory(settings)
    upgrade(inventory.engine)
    inventory.close()
    found = read_status(settings).store
    for ok, told in ((found["ok"], found["detail"]), astuple(examinations.store(settings))[1:3]):
        assert not ok
        assert "did not answer within 0.3 s" in told
        assert "ConnectionPool" not in told


@pytest.mark.service
def test_the_sender_asks_once_a_turn_so_that_a_hung_server_does_not_hold_it_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        accepted: list[int] = []
        ended = threading.Event()
        closing.settimeout(0.1)

        def work() -> None:
            while not ended.is_set():
                try:
                    talk, _ = closing.accept()
                except TimeoutError:
                    continue
                accepted.append(1)
                talk.close()

        thread = threading.Thread(target=work)
        thread.start()
        url = f"http://127.0.0.1:{closing.getsockname()[1]}"
        try:
            with pytest.raises(StoreError, match="closed the connection without an answer"):
                InfluxStore(StoreSettings("influx", url, "v1")).send(b"poll devices=1i 1")
        finally:
            ended.set()
            thread.join()
    assert len(accepted) == 1
