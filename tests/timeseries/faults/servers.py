"""Real servers that a fault run kills, starves, shuts and slows: influxd, nginx before it, a gate
of TCP before either, and small disks.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.timeseries.faults.polls import MEASUREMENTS, Point
from tests.timeseries.nginx_config import AS_INFLUXDB_2, IN_ITS_FOLDER
from timeseries import SCHEMA

ADMIN, ADMIN_PASSWORD = "admin", "only the test knows"
USER, PASSWORD, TOKEN = "farola", "not so secret", "test-token-of-farola"
DATABASE = "faults"

INFLUXD = """\
reporting-disabled = true
bind-address = "{address}:8088"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
  index-version = "inmem"
[coordinator]
  write-timeout = "{write_timeout}"
[http]
  bind-address = "{address}:8086"
  auth-enabled = {auth}
  log-enabled = false
  max-body-size = {most}
[monitor]
  store-enabled = false
"""
NGINX = (
    IN_ITS_FOLDER
    + AS_INFLUXDB_2
    + """\
  access_log off;
  proxy_read_timeout 400ms;
  server {{
    listen {address}:8080;
    client_max_body_size {most};
    location = /api/v2/write {{
      proxy_pass http://{address}:8086/write?db=$database&rp=$policy&precision=$arg_precision;
    }}
    location / {{ proxy_pass http://{address}:8086; }}
  }}
}}
"""
)


def own_address() -> str:
    """A loopback address that no other process of these tests takes: ports stay the same when a
    server is started again, and nobody else may get them meanwhile.
    """
    pid = os.getpid()
    return f"127.{64 + (pid >> 14) % 64}.{(pid >> 7) % 128}.{1 + pid % 128}"


class Process:
    """A server that can be started, killed, and started again."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self, command: list[str]) -> None:
        self.kill()
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/ping", timeout=5).close()
            except urllib.error.HTTPError:
                return
            except OSError:
                told = self._log.read_text()[-2000:]
                assert self._process.poll() is None, f"{command[0]} ended:\n{told}"
                assert time.monotonic() < until, f"{command[0]} did not come up:\n{told}"
                time.sleep(0.01)
            else:
                return

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Influxd(Process):
    """Debian's influxd, on data of its own."""

    def __init__(self, program: str, data: Path, folder: Path, address: str) -> None:
        """Its log and configuration go to `folder`, off a disk that becomes full."""
        super().__init__(f"http://{address}:8086", folder / "influxd.log")
        self._program, self._data, self._address = program, data, address
        self._config = folder / "influxd.conf"
        self._auth = False

    def start(self, *, most: int = 25_000_000, write_timeout: str = "10s") -> None:
        self._config.write_text(
            INFLUXD.format(
                address=self._address,
                folder=self._data,
                most=most,
                write_timeout=write_timeout,
                auth=str(self._auth).lower(),
            )
        )
        self.launch([self._program, "run", "-config", str(self._config)])

    def prepare(self, *, auth: bool) -> None:
        """Make the database, and with `auth` users; then it lets nobody else in."""
        self.ask(f"CREATE DATABASE {DATABASE}")
        if auth:
            for name, word in ((ADMIN, ADMIN_PASSWORD), (USER, PASSWORD)):
                self.ask(f"CREATE USER {name} WITH PASSWORD '{word}' WITH ALL PRIVILEGES")
            self._auth = True
            self.start()

    def set_password(self, password: str) -> None:
        self.ask(f"SET PASSWORD FOR {USER} = '{password}'")

    def ask(self, statement: str) -> Any:
        body = urllib.parse.urlencode({"q": statement, "db": DATABASE, "epoch": "ms"}).encode()
        pair = base64.b64encode(f"{ADMIN}:{ADMIN_PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"} if self._auth else {}
        request = urllib.request.Request(f"{self.url}/query", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            [result] = json.load(answer)["results"]
        assert "error" not in result, result
        return result.get("series", [])

    def points(self) -> Iterator[Point]:
        """All that it has, read without the store's own code."""
        for name in MEASUREMENTS:
            shape = SCHEMA[name]
            for series in self.ask(f"SELECT * FROM {name}"):
                for row in series["values"]:
                    named = dict(zip(series["columns"], row, strict=True))
                    tags = tuple(named.pop(tag, None) or "" for tag in shape.tags)
                    at = named.pop("time")
                    yield (name, at, tags), {k: v for k, v in named.items() if v is not None}


class Nginx(Process):
    """Debian's nginx before influxd: `/api/v2/write` and a token, as InfluxDB 2 has them."""

    def __init__(self, program: str, folder: Path, address: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(f"http://{address}:8080", folder / "log")
        self._program, self._folder, self._address = program, folder, address

    def start(self, *, most: int = 25_000_000) -> None:
        config = self._folder / "nginx.conf"
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        config.write_text(
            NGINX.format(
                address=self._address, folder=self._folder, most=most, token=TOKEN, basic=basic
            )
        )
        self.launch([self._program, "-p", str(self._folder), "-c", str(config)])


class Gate:
    """Hands TCP connections on, or does not: `shut`, slow (`pause_s` for each 64 bytes), or `deaf`
    (the server is given all that is sent and its answers are lost).
    """

    def __init__(self, address: str, behind: int) -> None:
        self.url = f"http://{address}:9000"
        self._address, self._behind = address, behind
        self.pause_s = 0.0
        self.deaf = False
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.open()

    def open(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._address, 9000))
        listener.listen(50)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """Nobody listens any more, and what is under way is cut."""
        if self._listener is not None:
            with contextlib.suppress(OSError):  # wakes the thread that accepts
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((self._address, self._behind), timeout=30)
            except OSError:
                near.close()
                continue
            self._open |= {near, far}
            for one, other, answers in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._pump, args=(one, other, answers), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(64 if self.pause_s else 65536):
                if answers and self.deaf:
                    break
                if self.pause_s:
                    time.sleep(self.pause_s)
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        if answers:
            self._open -= {one, other}
            one.close()
            other.close()


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs of its own. PermissionError where this kernel or user may not mount one."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(f"no tmpfs may be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, leave: int) -> None:
    """Leave `leave` bytes of it free."""
    with (disk / "filler").open("wb", buffering=0) as out:
        with contextlib.suppress(OSError):
            while out.write(bytes(1 << 16)) == 1 << 16:
                pass
        with contextlib.suppress(OSError):
            while out.write(bytes(1 << 12)) == 1 << 12:
                pass
        out.truncate(max(out.tell() - leave, 0))


def unfill(disk: Path) -> None:
    """Give the room back."""
    (disk / "filler").unlink(missing_ok=True)
