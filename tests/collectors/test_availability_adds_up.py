"""Wherever a period is cut in two, both parts together say what the whole says."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.availability_reading import City, _whereabouts, measure
from collectors.snmp.state import needs_probe, next_state
from inventory.maintenance import Windows
from inventory.membership import Membership
from inventory.records import DeviceRecord
from timeseries.base import Batch, Store
from timeseries.keeper import Keeper
from timeseries.marks import Marks
from timeseries.sqlite import SqliteStore

START = datetime(2026, 7, 1, tzinfo=UTC)
KOLKATA = ZoneInfo("Asia/Kolkata")  # half an hour off
PLACES = ("sw", "wlc", "cap", "ap-0", "ap-1", "ap-2", "ap-3", "ap-4", "ap-5", "icmp")
BEHIND = {"ap-0": ("sw",), "cap": ("wlc", "sw"), "wlc": ("sw",)}
KINDS = ("up", "lost", "down", "upstream", "network", "maintenance", "unknown")
# Runs of polls: how many, and the share of the devices that are silent, or one device.
RUNS = st.lists(
    st.tuples(st.integers(1, 8), st.sampled_from((0, 0, 60, 90, *PLACES))), min_size=3, max_size=12
)


def record(name: str, controller: str | None = None) -> DeviceRecord:
    return DeviceRecord(
        id=name, name=name, role="access-point", platform=None, management_address=None,
        ssh_port=22, snmp_port=161, mac=None, serial=None, credential_name=None, host_key=None,
        status="live", source="", site_id=None, controller_id=controller,
    )  # fmt: skip


def city(chosen: tuple[str, ...]) -> City:
    moved = START + timedelta(hours=1)
    return City(
        chosen=[record(one, "wlc" if one == "cap" else None) for one in chosen],
        number=len(PLACES),
        upstream={one: path for one, path in BEHIND.items() if one in chosen},
        behind={"sw": frozenset({"ap-0", "cap", "wlc"}), "wlc": frozenset({"cap"})},
        windows=Windows([]),
        placements={"ap-1": [(START, moved, "plaza")]},
        names={},
        boroughs={},
    )


def story(runs: list[tuple[int, int | str]], never: str, late: str) -> Iterator[dict[str, bool]]:
    """Who answers each poll; who is asked is there. `never` never does, `late` joins in."""
    for number, (polls, trouble) in enumerate(runs):
        for _ in range(polls):
            silent = {never}
            if isinstance(trouble, int):
                silent |= set(PLACES[: trouble * len(PLACES) // 100])
            else:
                silent |= {one for one in PLACES if trouble in (one, *BEHIND.get(one, ()))}
            yield {
                one: one not in silent for one in PLACES
                if not (one == "cap" and "wlc" in silent) and not (one == late and number < 2)
            }  # fmt: skip


def write(store: Store, polls: list[dict[str, bool]], interval: timedelta) -> None:
    """As a collector writes them: states, and when an uptime was told last."""
    states: dict[str, tuple[str, int, int | None]] = {}
    batches = []
    for number, answers in enumerate(polls):
        at = int((START + number * interval).timestamp() * 1000)
        columns: dict[str, list] = {"answered": [], "state": [], "rtt_ms": [], "last_told_s": []}
        for name, answered in answers.items():
            before, misses, told = states.get(name, ("unknown", 0, None))
            probe = False if needs_probe(answered, misses, before) else None
            state = next_state(answered, misses, before, probe)
            told = at if answered and name not in ("icmp", "cap") else told
            states[name] = state, 0 if answered else misses + 1, told
            columns["answered"].append(answered)
            columns["state"].append(state)
            columns["rtt_ms"].append(1.0 if answered else None)
            ago = None if answered or told is None else (at - told) / 1000
            columns["last_told_s"].append(ago)
        batches += [
            Batch("device", [at] * len(answers), {"device": list(answers)}, columns),
            Batch("poll", [at], {"collector": ["x"]},
                  {"devices": [len(answers)], "answered": [sum(answers.values())]}),
        ]  # fmt: skip
    store.write(batches)


def tallies(
    store: Store, where: City, start: datetime, end: datetime, zone: ZoneInfo | None = None
) -> dict[str, dict]:
    """Counts by device and site; of what was not asked by device alone."""
    found: dict[str, dict] = {}
    for (device, site), tally in measure(store, where, start, end, zone=zone).tallies.items():
        for kind in KINDS:
            found[device, site, kind] = getattr(tally, kind)
        key = device, "", "not_asked"
        found[key] = found.get(key, 0) + tally.not_asked
    return {key: count for key, count in found.items() if count}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    RUNS, st.sampled_from((60, 1200, 7200)), st.sampled_from(PLACES), st.sampled_from(PLACES),
    st.data(),
)  # fmt: skip
def test_both_parts_of_a_period_add_up_to_the_whole(
    tmp_path: Path, runs, seconds, never, late, data
):
    store = SqliteStore(Path(tempfile.mkdtemp(dir=tmp_path)))
    interval = timedelta(seconds=seconds)
    polls = list(story(runs, never, late))
    write(store, polls, interval)
    end = START + len(polls) * interval
    for chosen in (PLACES, ("ap-0",), ("cap",)):
        where = city(chosen)
        whole = tallies(store, where, START, end)
        assert sum(whole.values()) > 0 or len(chosen) == 1
        for _ in range(4):
            cut = START + data.draw(st.integers(1, 2 * len(polls) - 1)) * interval / 2
            first, second = tallies(store, where, START, cut), tallies(store, where, cut, end)
            both = {key: first.get(key, 0) + second.get(key, 0) for key in {*first, *second}}
            assert both == whole
    store.close()


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    RUNS, st.sampled_from((60, 1200, 7200)), st.sampled_from(PLACES), st.sampled_from(PLACES),
    st.integers(0, 40),
)  # fmt: skip
def test_rollups_tell_the_same_as_all_rows(tmp_path: Path, runs, seconds, never, late, since):
    store = SqliteStore(Path(tempfile.mkdtemp(dir=tmp_path)))
    interval = timedelta(seconds=seconds)
    polls = list(story(runs, never, late))
    write(store, polls, interval)
    start, end = START + since * interval / 2, START + len(polls) * interval
    if start < end:
        raw = [tallies(store, city(some), start, end) for some in (PLACES, ("ap-0",), ("cap",))]
        roll_up(store, end - interval)  # the last hour or so is not rolled up yet
        for some, told in zip((PLACES, ("ap-0",), ("cap",)), raw, strict=True):
            assert tallies(store, city(some), start, end, KOLKATA) == told
    store.close()


def test_of_devices_that_always_answered_no_row_is_read(tmp_path: Path, monkeypatch):
    store = SqliteStore(tmp_path)
    write(store, list(story([(60, 0), (3, "ap-1"), (57, 0)], "", "")), timedelta(minutes=1))
    end = START + timedelta(hours=2)
    roll_up(store, end + timedelta(hours=1), ZoneInfo("UTC"))
    read = []
    series = store.series

    def watched(measurement, where, start, end, fields=()):
        if (measurement, "state" in fields) == ("device", True):
            read.append((where.get("device"), start, end))
        return series(measurement, where, start, end, fields)

    monkeypatch.setattr(store, "series", watched)
    found = tallies(
        store, replace(city(PLACES), upstream={}, behind={}), START, end, ZoneInfo("UTC")
    )
    assert read == [("ap-1", START + timedelta(hours=1), end)]
    assert found["ap-2", "", "up"] == 120
    assert found["ap-1", "", "up"] + found["ap-1", "", "down"] + found["ap-1", "plaza", "up"] == 120
    store.close()


def roll_up(store: SqliteStore, now: datetime, zone: ZoneInfo = KOLKATA) -> None:
    marks = Marks(store.folder, zone)
    Keeper(store, store.folder, zone, Membership, marks=marks).run_due(now)
    marks.close()


def test_a_week_of_silence_is_the_same_asked_for_whole_or_day_by_day(tmp_path: Path):
    store = SqliteStore(tmp_path)
    interval = timedelta(minutes=15)
    runs = [(8, 0), (4 * 24 * 7, 60), (8, 0)]
    write(store, list(story(runs, "", "")), interval)
    where, days = city(("ap-2", "ap-3")), timedelta(days=1)
    whole = tallies(store, where, START, START + 8 * days)
    by_day = [tallies(store, where, START + n * days, START + (n + 1) * days) for n in range(8)]
    assert {key: sum(day.get(key, 0) for day in by_day) for key in whole} == whole
    assert whole["ap-2", "", "network"] == 4  # an hour of it
    assert whole["ap-2", "", "down"] == 4 * 24 * 7 - 4
    assert whole["ap-3", "", "up"] == 4 * 24 * 7 + 16
    store.close()


@pytest.mark.parametrize(
    ("day", "site"), [(-3, ""), (0, "A"), (0.99, "A"), (1, ""), (3, ""), (5, "B"), (99, "B")]
)
def test_a_device_is_somewhere_only_while_its_placement_lasts(day, site):
    placed = [
        (START, START + timedelta(days=1), "A"), (START + timedelta(days=5), None, "B"),
    ]  # fmt: skip
    at = int((START + timedelta(days=day)).timestamp() * 1000)
    assert _whereabouts(placed)(at) == site
    assert _whereabouts(placed[:1])(at) == (site if site == "A" else "")
    assert _whereabouts(placed[1:])(at) == (site if site == "B" else "")
    assert _whereabouts([])(at) == ""
