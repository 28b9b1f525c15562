"""Real servers for the store's tests: Debian's influxd, bare and behind Debian's nginx."""

from __future__ import annotations

import base64
import itertools
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from farola.settings import Settings, StoreSettings
from tests.timeseries.nginx_config import AS_INFLUXDB_2, IN_ITS_FOLDER
from timeseries import Batch, Store
from timeseries.influx import InfluxStore, prepare
from timeseries.spooled import SpooledStore
from timeseries.sqlite import SqliteStore

USER, PASSWORD, TOKEN, JWT_SECRET = "farola", "not so secret", "test-token-of-farola", "jwt secret"

INFLUXD = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
  logging-enabled = false
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = {auth}
  shared-secret = "{secret}"
  log-enabled = false
  max-row-limit = 700
[monitor]
  store-enabled = false
"""

NGINX = (
    IN_ITS_FOLDER
    + AS_INFLUXDB_2
    + """\
  log_format requests '$request_method $request_uri $status';
  access_log {folder}/access.log requests;
  map $arg_precision $short {{ ns n; us u; default $arg_precision; }}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 25m;
    location = /api/v2/write {{
      proxy_pass http://127.0.0.1:{influxd}/write?db=$database&rp=$policy&precision=$short;
    }}
    location / {{ proxy_pass http://127.0.0.1:{influxd}; }}
  }}
  server {{
    listen 127.0.0.1:{narrow};
    client_max_body_size 1k;
    location / {{ proxy_pass http://127.0.0.1:{influxd}; }}
  }}
  server {{
    listen 127.0.0.1:{dead};
    location / {{ proxy_pass http://127.0.0.1:{closed}; }}
  }}
}}
"""
)


@dataclass(frozen=True)
class Proxy:
    """Addresses of nginx: mapped to influxd, with a limit of 1 kB, with nothing behind it."""

    url: str
    narrow: str
    dead: str
    log: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], url: str, log: Path) -> Iterator[None]:
    """A server as a child process, from its first answer until the end."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(url, timeout=1).close()
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                gone = process.poll() is not None
                if gone or time.monotonic() > until:
                    pytest.fail(f"{command[0]} did not come up:\n{log.read_text()[-2000:]}")
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _influxd(program: str, folder: Path, auth: bool) -> Iterator[str]:
    port = free_port()
    config = folder / "influxd.conf"
    config.write_text(
        INFLUXD.format(
            rpc=free_port(), folder=folder, port=port, auth=str(auth).lower(), secret=JWT_SECRET
        )
    )
    url = f"http://127.0.0.1:{port}"
    with _running([program, "run", "-config", str(config)], f"{url}/ping", folder / "log"):
        yield url


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty embedded store, in the folder `series`."""
    with closing(SqliteStore(tmp_path / "series")) as store:
        yield store


@pytest.fixture
def unused_port() -> int:
    """A loopback port on which nobody listens."""
    return free_port()


@pytest.fixture(scope="session")
def influxd(
    needs_program: Callable[[str, str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of Debian's influxd, open to all."""
    program = needs_program("influxd", "influxdb")
    with _influxd(program, tmp_path_factory.mktemp("influxd"), auth=False) as url:
        yield url


@pytest.fixture(scope="session")
def influxd_with_users(
    needs_program: Callable[[str, str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of an influxd that knows one user."""
    program = needs_program("influxd", "influxdb")
    with _influxd(program, tmp_path_factory.mktemp("influxd-users"), auth=True) as url:
        statement = f"q=CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES"
        urllib.request.urlopen(f"{url}/query", data=statement.encode(), timeout=10).close()
        yield url


@pytest.fixture(scope="session")
def nginx(
    needs_program: Callable[[str, str], str],
    influxd_with_users: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """Debian's nginx in front of influxd: `/api/v2/write` and a token, as InfluxDB 2 has them."""
    program = needs_program("nginx", "nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    port, narrow, dead = free_port(), free_port(), free_port()
    (folder / "nginx.conf").write_text(
        NGINX.format(
            folder=folder,
            token=TOKEN,
            basic=base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
            port=port,
            narrow=narrow,
            dead=dead,
            closed=free_port(),
            influxd=influxd_with_users.rpartition(":")[2],
        )
    )
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with _running(command, f"http://127.0.0.1:{port}/ping", folder / "log"):
        yield Proxy(
            f"http://127.0.0.1:{port}",
            f"http://127.0.0.1:{narrow}",
            f"http://127.0.0.1:{dead}",
            folder / "access.log",
        )


_numbers = itertools.count(1)


def _fresh(url: str, api: str, auth: str, token: str) -> InfluxStore:
    """A store on a database of its own."""
    settings = StoreSettings("influx", url, api, f"city{next(_numbers)}/autogen", auth=auth)
    prepare(Settings(Path(), store=settings), token)
    return InfluxStore(settings, token)


STORES = [
    "sqlite",
    pytest.param("influx-direct", marks=pytest.mark.service),
    pytest.param("influx-nginx", marks=pytest.mark.service),
]
SPOOLED = pytest.param("influx-spooled", marks=pytest.mark.service)
NewStore = Callable[[], Store]


class Sent(SpooledStore):
    """Of which a write returns when the server has the rows."""

    def write(self, batches: Sequence[Batch]) -> int:
        kept = super().write(batches)
        assert self.flush(60), self.backlog()
        return kept


@pytest.fixture(params=STORES)
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewStore]:
    """Makes empty stores of each kind; all are closed at the end."""
    made: list[Store] = []

    def make() -> Store:
        if request.param == "sqlite":
            store: Store = SqliteStore(tmp_path / f"series{len(made)}")
        elif request.param == "influx-spooled":
            server = _fresh(request.getfixturevalue("influxd"), "v1", "token", "")
            store = Sent(server, tmp_path / f"spool{len(made)}", 10**9, identity=server.database)
        elif request.param == "influx-direct":
            store = _fresh(request.getfixturevalue("influxd"), "v1", "token", "")
        else:
            store = _fresh(request.getfixturevalue("nginx").url, "v2", "token", TOKEN)
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(new_store: NewStore) -> Store:
    """An empty store of each kind."""
    return new_store()


@pytest.fixture
def new_influx(influxd: str) -> Callable[[], AbstractContextManager[InfluxStore]]:
    """Makes a store on influxd whose database is dropped afterwards."""

    @contextmanager
    def make() -> Iterator[InfluxStore]:
        store = _fresh(influxd, "v1", "token", "")
        try:
            yield store
        finally:
            database = store.database
            store.close()
            statement = f'q=DROP DATABASE "{database}"'.encode()
            urllib.request.urlopen(f"{influxd}/query", data=statement, timeout=10).close()

    return make
