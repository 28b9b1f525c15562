"""What a server refuses: sent again, set aside line by line, or left to wait; told either way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.timeseries.spools import grow_old, poll, spooled
from timeseries import Batch
from timeseries.checking import checked
from timeseries.delivery import Delivery, Outcome, packed, unpacked
from timeseries.influx_http import RefusedError
from timeseries.lines import lines
from timeseries.quarantine_command import send_again


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
