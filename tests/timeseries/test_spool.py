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
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farola.errors import StoreError
from timeseries import Batch, Table
from timeseries.checking import checked
from timeseries.delivery import Delivery, Outcome, packed, unpacked
from timeseries.influx_http import RefusedError
from timeseries.lines import lines
from timeseries.quarantine_command import send_again
from timeseries.read_lines import read_rows, split_lines
from timeseries.spool import Spool
from timeseries.spooled import SpooledStore

Rows = dict[tuple[str, int], dict[str, Any]]


class Remembering:
    """A server in memory: keeps rows as stores do, says what it is told to say."""

    def __init__(self) -> None:
        self.rows: Rows = {}
        self.bodies: list[list[str]] = []
        self.away = False

    def send(self, body: bytes, gzipped: bool) -> None:
        if self.away:
            raise StoreError("the server is away")
        text = (unpacked(body) if gzipped else body).decode()
        made = text.split("\n")
        self.bodies.append(made)
        for row in read_rows(made, "device"):
            self.rows.setdefault((row.tags[0], row.time), {}).update(row.fields)

    def latest(self, *_args: object) -> Table:
        raise StoreError("the server is away")

    def close(self) -> None:
        """Nothing is open."""


def poll(at_ms: int, clients: int, *devices: str) -> Batch:
    names = list(devices or ("ap-1",))
    return Batch(
        "device", [at_ms] * len(names), {"device": names}, {"clients": [clients] * len(names)}
    )


def spooled(folder: Path, most_bytes: int = 10**9) -> tuple[SpooledStore, Remembering]:
    """A store whose sender is run by hand (`store.sender.turn()`)."""
    server = Remembering()
    store = SpooledStore(server, folder, most_bytes)  # type: ignore[arg-type]  # what is used of one
    store.sender.start = lambda: None  # type: ignore[method-assign]
    return store, server


def sent_times(server: Remembering) -> list[int]:
    return [int(line.rpartition(" ")[2]) for body in server.bodies for line in body]


def grow_old(store: SpooledStore) -> None:
    """What waits was made long ago."""
    with store.spool._writing() as db:
        db.execute("UPDATE batch SET made_ms = 1")


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


def test_lines_that_are_refused_again_while_they_are_retried_are_retried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = spooled(tmp_path)
    store.write([poll(1000, 1, "ap-1", "ap-2")])
    monkeypatch.setattr(store.sender, "_tell", lambda *_: None)

    def refuse(_body: bytes, _rows: int, **_: bool) -> Outcome:
        return Outcome([(f"device,device=ap-{i} clients=1i 1000", "refused") for i in (1, 2)])

    monkeypatch.setattr(store.sender._delivery, "deliver", refuse)
    store.sender.turn()
    assert store.backlog().quarantined == 2
    add = store.spool.add
    turns: list[float] = []

    def add_and_send(batches: Any) -> Any:
        """A sender that is quicker than whoever retries."""
        assert len(turns) < 5, "retried again and again"
        dropped = add(batches)
        turns.append(store.sender.turn())
        return dropped

    monkeypatch.setattr(store.spool, "add", add_and_send)
    send_again(store.spool)
    assert len(turns) == 1
    assert [one.line[14:18] for one in store.spool.quarantined(9)] == ["ap-2", "ap-1"]


def test_a_refused_row_bears_the_name_of_its_measurement(tmp_path: Path) -> None:
    store, _ = spooled(tmp_path)
    store.write([poll(1000, 1)])
    batch = store.spool.next(0)
    assert batch is not None
    refused = ['poll lag_s=1,why="a,b" 5', "device,device=a\\,b clients=1i 6"]
    store.spool.acknowledged(batch, [(line, "refused") for line in refused])
    assert [one.measurement for one in store.spool.quarantined(9)] == ["device", "poll"]
    send_again(store.spool)
    assert [time for time, *_ in store.spool.newest_first("poll", 0)] == [6]


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


CONFLICT = (
    'partial write: field type conflict: input field "clients" on measurement "device" is type '
    "integer, already exists as type string dropped={}"
)


def conflicting(*bad: str) -> Callable[[bytes, bool], None]:
    """A server that refuses the rows of these devices, as InfluxDB does."""

    def send(body: bytes, gzipped: bool) -> None:
        text = (unpacked(body) if gzipped else body).decode()
        dropped = [one for one in text.split("\n") if one[14:].split(" ")[0] in bad]
        if dropped:
            raise RefusedError(CONFLICT.format(len(dropped)), 400)

    return send


NAMES = [f"ap-{n}" for n in range(100)]


def test_a_batch_that_is_refused_for_one_reason_waits_and_is_loud(tmp_path: Path) -> None:
    told: list[str] = []
    store, _ = spooled(tmp_path)
    store.sender._tell = lambda kind, text: told.append(f"{kind}: {text}")
    store.sender._delivery = Delivery(conflicting(*NAMES))
    tags = {"device": NAMES * 2, "radio": ["0"] * 100 + ["1"] * 100, "band": ["5"] * 200}
    radios = Batch("radio", [1000] * 200, tags, {"clients": [1] * 200})
    store.write([poll(1000, 1, *NAMES), radios])
    assert store.sender.turn() > 0
    backlog = store.spool.backlog()
    assert (backlog.rows, backlog.quarantined, backlog.dropped_rows) == (300, 0, 0)
    assert "most rows of device" in backlog.fault
    assert 'input field "clients"' in backlog.fault
    assert "DROP MEASUREMENT device" in backlog.fault
    assert [one[:11] for one in told] == ["store.away:"]
    store.sender._delivery = Delivery(conflicting())
    store.sender.turn()
    assert (store.backlog().rows, store.backlog().fault) == (0, "")


def test_few_refused_rows_or_those_that_people_set_aside_go_to_quarantine(tmp_path: Path) -> None:
    store, _ = spooled(tmp_path)
    store.sender._tell = lambda *_: None
    store.sender._delivery = Delivery(conflicting(*NAMES[:50]))
    store.write([poll(1000, 1, *NAMES)])
    store.sender.turn()
    assert (store.backlog().rows, store.backlog().quarantined) == (0, 50)
    store.sender._delivery = Delivery(conflicting(*NAMES[:51]))
    store.write([poll(2000, 1, *NAMES)])
    store.sender.turn()
    assert (store.backlog().rows, store.backlog().quarantined) == (100, 50)
    assert store.spool.set_aside() == 100
    store.write([poll(3000, 1, *NAMES)])
    grow_old(store)
    for _ in range(3):
        store.sender.turn()
    assert (store.backlog().rows, store.backlog().quarantined) == (100, 101)
    assert "most rows of device" in store.backlog().fault, "the next batch was not meant"


def test_a_full_quarantine_leaves_what_is_refused_in_the_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeseries.spool.MOST_QUARANTINED", 3)
    store, _ = spooled(tmp_path)
    store.sender._tell = lambda *_: None
    store.sender._delivery = Delivery(conflicting("bad-1", "bad-2"))
    for at_ms in (1000, 2000):
        store.write([poll(at_ms, 1, "bad-1", "bad-2", "good")])
    grow_old(store)
    store.sender.turn()
    store.sender.turn()
    backlog = store.backlog()
    assert (backlog.rows, backlog.quarantined, backlog.dropped_rows) == (3, 2, 0)
    assert "quarantine is full" in backlog.fault
    store.spool.forget_quarantined()
    store.sender.turn()
    assert (store.backlog().rows, store.backlog().quarantined, store.backlog().fault) == (0, 2, "")


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


def test_after_a_proxy_takes_more_again_larger_requests_are_tried_by_and_by() -> None:
    server = Choosy(set(), 4, 400)
    delivery = Delivery(server.send)
    body = packed("\n".join(map(str, range(100))).encode())
    delivery.deliver(body, 100)
    assert delivery._most_lines is not None
    assert delivery._most_lines <= 4
    server.most = 10**6
    sizes = []
    while delivery._most_lines is not None:
        sizes.append(delivery._most_lines)
        delivery.deliver(body, 100)
        assert len(sizes) < 3000
        if delivery._most_lines is not None and delivery._most_lines >= 100:
            break
    assert sizes == sorted(sizes)
    assert sizes.count(sizes[-1]) > 1, "slowly"


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


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@given(
    st.lists(
        st.tuples(
            text.filter(lambda tag: not tag.endswith("\\")),
            st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
        ),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_lines_are_read_back_as_they_were_written(made: list[tuple[Any, ...]]) -> None:
    rows = checked(
        Batch(
            "device", list(range(len(made))), {"device": [one[0] for one in made]},
            {
                "state": [one[1] for one in made], "clients": [one[2] for one in made],
                "rtt_ms": [one[3] for one in made], "answered": [True] * len(made),
            },
        )
    )  # fmt: skip
    body = "\n".join(lines(rows))
    found = list(read_rows(split_lines(body, len(made)), "device"))
    names = ("state", "clients", "rtt_ms")
    assert [(row.tags[0], *map(row.fields.get, names)) for row in found] == made


class Choosy:
    """Takes a request unless a line is in `bad`, or it has more lines than `most`."""

    def __init__(self, bad: set[int], most: int, status: int) -> None:
        self.bad, self.most, self.status = bad, most, status
        self.taken: set[int] = set()
        self.comments = 204

    def send(self, body: bytes, gzipped: bool) -> None:
        text = (unpacked(body) if gzipped else body).decode()
        if text.startswith("#"):
            if self.comments != 204:
                raise RefusedError("malformed", self.comments)
            return
        numbers = [int(line) for line in text.split("\n")]
        if len(numbers) > self.most:
            raise RefusedError("too large", 413)
        if self.bad & set(numbers):
            raise RefusedError("a line is wrong", self.status)
        self.taken |= set(numbers)


@given(
    st.integers(1, 60).flatmap(
        lambda n: st.tuples(
            st.just(n), st.sets(st.integers(0, n - 1)), st.integers(1, 70),
            st.sampled_from([400, 422]),
        )
    )
)  # fmt: skip
def test_a_refused_batch_loses_its_bad_lines_alone(case: tuple[int, set[int], int, int]) -> None:
    rows, bad, most, status = case
    server = Choosy(bad, most, status)
    body = packed("\n".join(map(str, range(rows))).encode())
    outcome = Delivery(server.send).deliver(body, rows)
    assert {int(line) for line, _ in outcome.rejected} == bad
    assert server.taken == set(range(rows)) - bad
    assert all("a line is wrong" in reason for _, reason in outcome.rejected)


def test_a_line_too_large_by_itself_is_set_aside() -> None:
    server = Choosy(set(), 0, 400)
    outcome = Delivery(server.send).deliver(packed(b"1\n2"), 2)
    assert [line for line, _ in outcome.rejected] == ["1", "2"]


def test_where_everything_is_called_malformed_no_line_is_to_blame() -> None:
    server = Choosy({0, 1, 2}, 10, 400)
    server.comments = 400
    with pytest.raises(RefusedError, match="a line is wrong"):
        Delivery(server.send).deliver(packed(b"0\n1\n2"), 3)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (413, "too large"),
        (400, "partial write: max-series-per-database limit exceeded: (1000000) dropped=9"),
    ],
)
def test_what_the_server_takes_of_nobody_waits_and_is_not_set_aside(
    status: int, reason: str
) -> None:
    mended: list[bytes] = []

    def send(body: bytes, _gzipped: bool) -> None:
        if not mended:
            raise RefusedError(reason, status)
        mended.append(body)

    delivery = Delivery(send)
    made = [line.encode() for line in lines(checked(poll(1000, 1, *map(str, range(9)))))]
    body = packed(b"\n".join(made))
    with pytest.raises(RefusedError, match=reason[:9]):
        delivery.deliver(body, 9)
    mended.append(b"")
    assert delivery.deliver(body, 9).rejected == []
    assert mended == [b"", body]


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
