"""The spool alone: what order batches leave in, what goes when there is no room, and what a
collector that restarts can read from it.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farola.errors import StoreError
from tests.timeseries.spools import Remembering, Rows, grow_old, poll, sent_times, spooled
from timeseries import Batch
from timeseries.spool import Spool
from timeseries.spooled import SpooledStore


def test_the_newest_poll_goes_first_and_the_others_in_order(tmp_path: Path) -> None:
    store, server = spooled(tmp_path)
    for at_ms in (1000, 2000, 3000):
        store.write([poll(at_ms, 1)])
    grow_old(store)
    store.write([poll(4000, 1)])
    for _ in range(4):
        store.sender.turn()
    assert sent_times(server) == [4000, 1000, 2000, 3000]
    assert store.backlog().rows == 0


def test_late_rows_do_not_overtake_what_they_correct(tmp_path: Path) -> None:
    store, server = spooled(tmp_path)
    for at_ms in (1000, 2000):
        store.write([poll(at_ms, 1)])
    grow_old(store)
    store.write([poll(2000, 7)])
    for _ in range(3):
        store.sender.turn()
    assert sent_times(server) == [1000, 2000, 2000]
    assert server.rows["ap-1", 2000] == {"clients": 7}


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_whatever_overtakes_the_server_ends_with_what_was_written_last(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, server = spooled(folder)
        wanted: Rows = {}
        steps = data.draw(
            st.lists(
                st.one_of(
                    st.tuples(st.integers(1, 6), st.sampled_from(["a", "b", "c"])),
                    st.sampled_from(["send", "old", "away", "back", "reopen"]),
                ),
                max_size=25,
            )
        )
        for i, step in enumerate(steps):
            if isinstance(step, tuple):
                store.write([poll(step[0], i, step[1])])
                wanted[step[1], step[0]] = {"clients": i}
            elif step == "send":
                store.sender.turn()
            elif step == "old":
                if store.spool.exists():
                    grow_old(store)
            elif step == "reopen":
                store.spool.close()
                store, server2 = spooled(folder)
                server2.rows, server2.bodies, server2.away = server.rows, server.bodies, server.away
                server = server2
            else:
                server.away = step == "away"
        server.away = False
        while store.backlog().rows:
            store.sender.turn()
        store.spool.close()
    assert server.rows == wanted


def test_threads_that_write_at_once_start_one_sender(tmp_path: Path) -> None:
    for number in range(30):
        server = Remembering()
        store = SpooledStore(server, tmp_path / f"{number}", 10**9)  # type: ignore[arg-type]  # what is used of one
        at_once = threading.Barrier(4)

        def start(at_once: threading.Barrier = at_once, store: SpooledStore = store) -> None:
            at_once.wait()
            store.sender.start()

        writers = [threading.Thread(target=start) for _ in range(4)]
        for one in writers:
            one.start()
        for one in writers:
            one.join()
        senders = [one for one in threading.enumerate() if one.name == "store sender"]
        store.close()
        assert len(senders) == 1


def test_what_was_not_acknowledged_is_sent_again(tmp_path: Path) -> None:
    store, server = spooled(tmp_path)
    store.write([poll(1000, 3)])
    server.away = True
    assert store.sender.turn() > 0
    assert store.backlog().fault == "the server is away"
    assert store.backlog().rows == 1
    server.away = False
    store.sender.turn()
    assert (store.backlog().fault, store.backlog().rows) == ("", 0)
    assert server.rows == {("ap-1", 1000): {"clients": 3}}


def test_a_full_spool_loses_the_oldest_and_counts_them(tmp_path: Path) -> None:
    told: list[str] = []
    store, server = spooled(tmp_path, 1_000)
    store.sender._tell = lambda kind, text: told.append(f"{kind}: {text}")
    for at_ms in range(1000, 31_000, 1000):
        store.write([poll(at_ms, 1, "ap-1", "ap-2")])
    backlog = store.backlog()
    assert backlog.bytes <= 1_000
    assert backlog.dropped_rows > 0
    assert backlog.rows + backlog.dropped_rows == 60
    assert len(told) == 1
    assert told[0].startswith("store.dropped: the spool is full: the 2 oldest rows")
    while store.backlog().rows:
        store.sender.turn()
    assert sorted({time for _, time in server.rows}) == list(
        range(31_000 - 500 * backlog.rows, 31_000, 1000)
    )


def test_a_poll_larger_than_the_spool_is_kept_whole(tmp_path: Path) -> None:
    store, _ = spooled(tmp_path, 10)
    store.write([poll(1000, 1)])
    store.write([poll(2000, 1)])
    assert (store.backlog().rows, store.backlog().dropped_rows) == (1, 1)


def test_a_restart_reads_the_newest_rows_from_what_waits_and_was_sent_last(tmp_path: Path) -> None:
    store, server = spooled(tmp_path)
    store.write([poll(1000, 1, "ap-1", "ap-2", "gone")])
    store.write([poll(2000, 2, "ap-1", 'ap "2",\\ x')])
    store.sender.turn()
    store.sender.turn()
    server.away = True
    assert store.backlog().rows == 0
    found = store.newest("device", ("clients", "state"))
    assert found.tags == {"device": ['ap "2",\\ x', "ap-1"]}
    assert found.times == [2000, 2000]
    assert found.fields == {"clients": [2, 2], "state": [None, None]}
    store.write([poll(3000, 3, "ap-1")])
    assert store.newest("device", ("clients",)).fields == {"clients": [2, 3]}
    since = datetime.fromtimestamp(2.5, UTC)
    assert store.newest("device", ("clients",), since).fields == {"clients": [3]}
    assert len(store.newest("poll")) == 0


def test_checks_do_not_replace_the_poll_that_a_restart_reads(tmp_path: Path) -> None:
    store, server = spooled(tmp_path)
    store.write([poll(2000, 1)])
    store.sender.turn()
    for at in (1500, 3000):
        tags = {"device": ["ap-1"], "check": ["dns"]}
        store.write([Batch("check", [at], tags, {"ok": [True]})])
        store.sender.turn()
    server.away = True
    assert store.backlog().rows == 0
    assert store.newest("device", ("clients",)).times == [2000]
    assert store.newest("check").times == [3000]
    store.spool.tidy()
    with store.spool._writing() as db:
        assert db.execute("SELECT COUNT(*) FROM batch").fetchall() == [(2,)]


@pytest.mark.parametrize("fault", [errno.EOPNOTSUPP, errno.EINTR, errno.ENOSPC])
def test_a_disk_that_reserves_no_room_keeps_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr("timeseries.spool.os.posix_fallocate", refuse)
    store, _ = spooled(tmp_path)
    assert store.write([poll(1000, 1)]) == 1
    assert store.backlog().rows == 1
    store.spool.tidy()
    assert not (tmp_path / "ballast").exists()


def test_losses_that_are_known_are_told_no_more(tmp_path: Path) -> None:
    store, _ = spooled(tmp_path, 10)
    for at_ms in range(1000, 4000, 1000):
        store.write([poll(at_ms, 1)])
    with store.spool._writing() as db:
        db.execute("UPDATE dropped SET at_ms = at_ms + 5000")
    backlog = store.backlog()
    assert backlog.dropped_rows == 2
    assert backlog.dropped_since_ms is not None
    assert abs(backlog.dropped_since_ms - time.time() * 1000) < 60_000
    assert store.spool.acknowledge_losses() == 2
    assert (store.backlog().dropped_rows, store.backlog().dropped_since_ms) == (0, None)
    assert store.spool.acknowledge_losses() == 0
    store.write([poll(4000, 1)])
    assert store.backlog().dropped_rows == 1


def test_reading_makes_no_file(tmp_path: Path) -> None:
    store, _ = spooled(tmp_path / "spool")
    assert store.backlog().rows == 0
    assert len(store.newest("device")) == 0
    assert store.flush(1)
    store.close()
    assert not (tmp_path / "spool").exists()


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match=r"spool\.db: .*move it away"):
        Spool(tmp_path).backlog()


FULL_DISK = """
import random
import sys
from pathlib import Path
from zoneinfo import ZoneInfo
from farola.errors import StoreError
from timeseries import Batch
from timeseries.marks import Marks
from timeseries.spooled import SpooledStore

class Server:
    away, lines = True, 0
    def send(self, body, gzipped):
        from timeseries.delivery import unpacked
        if self.away:
            raise StoreError("away")
        self.lines += unpacked(body).count(b"\\n") + 1
    def close(self):
        pass

server = Server()
home = Path(sys.argv[1])
marks = Marks(home / "series", ZoneInfo("UTC"))
store = SpooledStore(server, home / "spool", 10**9, marking=marks.writing)
def write(at):
    names = [f"ap-{i}-{at}" for i in range(3000)]
    fields = {name: [random.random() for _ in names] for name in ("uptime_s", "rtt_ms", "cpu_pct")}
    store.write([Batch("device", [at] * 3000, {"device": names}, fields)])
kept, told = 0, ""
while not told:
    try:
        write(kept)
    except StoreError as error:
        told = str(error)
    else:
        kept += 1
assert "full" in told and "free space" in told, told
assert kept > 20, kept
with (home / "other").open("wb", buffering=0) as other:
    try:
        while True:
            other.write(bytes(512))
    except OSError:
        pass  # not a byte is left, for marks neither
server.away = False
assert store.flush(60), store.backlog()
assert server.lines == 3000 * kept, (server.lines, kept)
write(10**6)
assert store.flush(60)
store.close()
print("kept", kept)
"""


def test_a_full_disk_is_told_and_does_not_keep_what_waits(tmp_path: Path) -> None:
    if not shutil.which("unshare"):
        pytest.skip("unshare is missing: apt-get install util-linux")
    mount = ["unshare", "-rm", "sh", "-c"]
    probe = subprocess.run(
        [*mount, f"mount -t tmpfs -o size=1m tmpfs {tmp_path}"], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip("this kernel lets nobody mount a tmpfs of their own")
    script = tmp_path.parent / "full_disk.py"
    script.write_text(FULL_DISK)
    mounted = f"mount -t tmpfs -o size=10m tmpfs {tmp_path}"
    command = f"{mounted} && exec {sys.executable} {script} {tmp_path}"
    done = subprocess.run(
        [*mount, command], capture_output=True, text=True, check=False, timeout=120,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("kept")
