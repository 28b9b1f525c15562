"""What the reactor decides and remembers: which traps are one fetch, which jobs wait."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.event import listen as listen_for
from sqlalchemy.event import remove

from farola.settings import Settings
from inventory.db import Inventory, upgrade
from inventory.models import Event, utcnow
from operations.reactions import (
    CAUSES,
    LONGEST_WAIT,
    MOST_GAPS,
    RETRY,
    SETTLED,
    Job,
    Seen,
    Trigger,
    done,
    failed,
    with_trigger,
)
from operations.reactor_jobs import BATCH, Jobs, held, put
from provisioning.history.fetch import DIFF_LINES, bounded

NOON = datetime(2026, 6, 1, 12)
QUIET = timedelta(seconds=5)


def trigger(number: int, after_s: float = 0, device: str = "ap1", kind: str = "config-changed"):
    return Trigger(number, NOON + timedelta(seconds=after_s), f"trap.{kind}", device)


def after(triggers: Iterable[Trigger], job: Job | None = None, newest: str = "m") -> Job:
    """The job that these make."""
    for one in triggers:
        job = with_trigger(job, one, newest, QUIET)
    assert job is not None
    return job


def test_several_traps_are_one_fetch_after_a_quiet_time() -> None:
    job = after(trigger(n + 1, 2 * n) for n in range(4))
    assert (job.causes, job.base, job.since) == ((1, 2, 3, 4), "m", NOON)
    assert job.due == NOON + timedelta(seconds=11)
    # one that never ends is looked at all the same
    assert after((trigger(n + 10, 2 * n) for n in range(50)), job).due == NOON + LONGEST_WAIT


def test_one_that_cannot_be_reached_is_tried_again_ever_later_then_given_up() -> None:
    job, now, pauses = after([trigger(1)]), NOON, []
    while True:
        now = max(now, job.due)
        left, given_up = failed(job, job, now)
        if left is None:
            break
        assert not given_up
        pauses.append(left.due - now)
        job = left
    assert given_up
    assert tuple(pauses) == RETRY


numbers = st.lists(st.integers(1, 10**6), unique=True, min_size=1, max_size=3 * CAUSES)


@given(numbers, st.integers(0, 3 * CAUSES))
def test_traps_during_a_fetch_are_another_fetch_against_what_that_one_found(
    ids: list[int], before: int
) -> None:
    """However many there are, and in whatever order their ids come."""
    before = min(before, len(ids) - 1)
    earlier, during = ids[: before + 1], ids[before + 1 :]
    job = after(map(trigger, earlier), newest="old")
    held = after(map(trigger, during), job)
    left = done(held, job, "new")
    if not during:
        assert left is None
        assert failed(held, job, NOON)[0].causes == job.causes
        return
    assert (left.causes, left.base) == (tuple(during[-CAUSES:]), "new")
    assert failed(held, job, NOON) == (held, False)
    assert done(held, after(map(trigger, ids)), "new") is None


@given(st.data())
def test_no_event_is_read_twice_or_left_out(data: st.DataObject) -> None:
    """Processes commit theirs in any order, none later than SETTLED; a restart after each look."""
    order = data.draw(st.permutations(range(1, 30)))
    holes = data.draw(st.sets(st.sampled_from(order), max_size=9))
    seen, there, read, now = Seen(0), set(), [], NOON
    while order or len(read) < len(there):
        for _ in range(data.draw(st.integers(0, 6))):
            if order:
                there |= {order.pop()} - holes
        looks = data.draw(st.integers(1, 9))  # so many at once at most
        gaps = seen.gaps()
        found = [i for i in sorted(there) if any(a < i < (b or 99) for a, b in gaps)][:looks]
        now += timedelta(seconds=1)
        seen = Seen.read(json.loads(json.dumps(seen.with_ids(found, now).settled(now).as_json())))
        read += found
        if now - NOON > SETTLED / 2:  # the rest is committed before anything settles
            there |= set(order) - holes
            order.clear()
    assert sorted(read) == sorted(there)
    late = seen.settled(now + SETTLED)
    assert (late.cursor, late.islands) == (max(there, default=0), ())


def test_few_gaps_are_watched() -> None:
    seen = Seen(0).with_ids(range(2, 10_000, 2), NOON).settled(NOON)
    assert len(seen.gaps()) <= MOST_GAPS + 1
    assert seen.gaps()[-1] == (9998, None)


# --- in the inventory ----------------------------------------------------------------------------


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    inventory = Inventory(Settings(tmp_path))
    upgrade(inventory.engine)
    yield Jobs(inventory)
    inventory.close()


def tell(jobs: Jobs, *traps: tuple[str, str]) -> None:
    with jobs.inventory.session() as session:
        for device, kind in traps:
            session.add(Event(kind=f"trap.{kind}", device_id=device, actor="snmp"))


def test_a_changed_config_goes_before_a_device_that_started(jobs: Jobs) -> None:
    tell(jobs, ("cold", "cold-start"), ("restart", "agent-restart"), ("changed", "config-changed"),
         ("later", "config-changed"))  # fmt: skip
    assert not jobs.take(QUIET, lambda _device: "m")
    assert jobs.due(utcnow(), 9) == []
    assert jobs.left(utcnow())
    now = utcnow() + QUIET
    assert [one.device_id for one in jobs.due(now, 3)] == ["changed", "later", "restart"]
    assert {one.base for one in jobs.due(now, 9)} == {"m"}


def test_what_many_devices_wait_for_is_read_in_batches_and_not_written_again(jobs: Jobs) -> None:
    """A power cut: thousands of cold starts, in the database that holds the collector's lease."""
    written = {}
    for count in (1, BATCH + 1):
        tell(jobs, *((f"ap{n}", "cold-start") for n in range(count)))
        while jobs.take(QUIET, lambda _device: ""):
            pass
        sizes: list[int] = []

        def listen(_c: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
            sizes.append(len(statement) + len(repr(values)))  # noqa: B023 - removed below

        listen_for(jobs.inventory.engine, "before_cursor_execute", listen)
        with jobs.writing() as session:
            put(session, "ap0", with_trigger(held(session, "ap0"), trigger(0), "", QUIET))
        tell(jobs, ("ap0", "cold-start"))
        jobs.take(QUIET, lambda _device: "")
        remove(jobs.inventory.engine, "before_cursor_execute", listen)
        written[count] = sum(sizes)
        assert len(jobs.due(utcnow() + QUIET, 10**6)) == count
    few, many = written.values()
    assert many < few + 100, "digits of ids alone may differ"


def test_a_long_diff_is_cut_and_says_so() -> None:
    text = "\n".join(f"+line {n}" for n in range(DIFF_LINES + 7))
    assert bounded(text).endswith("… 7 lines more")
    assert bounded("short") == "short"


# --- the history ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kept",
    [
        None, {}, [], "7", {"cursor": 7, "jobs": []}, {"cursor": "7", "islands": []},
        {"cursor": 7, "islands": [[9, 8, "2026-06-01T12:00:00"]]},
        {"cursor": 7, "islands": [[9, 9, "noon"]]}, {"cursor": 7, "islands": [[9]]},
        {"cursor": 7, "islands": [[9, 9, "2026-06-01T12:00:00+00:00"]]},
    ],
    ids=str,
)  # fmt: skip
def test_what_was_not_kept_by_this_reactor_is_not_read(kept):
    assert Seen.read(kept) is None
