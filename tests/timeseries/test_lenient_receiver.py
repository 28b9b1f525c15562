"""Writes to a second receiver of `/api/v2/write`, VictoriaMetrics: what arrives there is read by
its own export. It is no store of Farola's: texts become 0 there, and refusals are not told.
"""

from __future__ import annotations

import json
import math
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from farola.settings import Settings, StoreSettings
from tests.timeseries.conftest import _running, free_port
from tests.timeseries.faults.polls import points, poll
from timeseries import SCHEMA, Batch, open_store
from timeseries.influx import InfluxStore
from timeseries.spooled import SpooledStore

pytestmark = pytest.mark.service

T = 1_700_000_000_000
Labels = tuple[tuple[str, str], ...]
Samples = dict[Labels, list[tuple[int, float]]]


@pytest.fixture(scope="module")
def victoria(
    needs_program: Callable[[str, str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of Debian's victoria-metrics."""
    program = needs_program("victoria-metrics", "victoria-metrics")
    folder = tmp_path_factory.mktemp("victoria")
    address = f"127.0.0.1:{free_port()}"
    command = [
        program, f"-storageDataPath={folder}/data", f"-httpListenAddr={address}",
        "-retentionPeriod=100y",
    ]  # fmt: skip
    with _running(command, f"http://{address}/health", folder / "log"):
        yield f"http://{address}"


@pytest.fixture
def empty(victoria: str) -> str:
    """Its address, with nothing in it."""
    _ask(victoria, "/api/v1/admin/tsdb/delete_series")
    return victoria


def _ask(url: str, path: str, **more: object) -> bytes:
    place = urllib.parse.urlencode({"match[]": '{__name__!=""}', **more})
    with urllib.request.urlopen(f"{url}{path}?{place}", timeout=30) as answer:
        return bytes(answer.read())


def arrived(url: str) -> Samples:
    """All that it has, in the order of time."""
    urllib.request.urlopen(f"{url}/internal/force_flush", timeout=30).close()
    found: Samples = {}
    for line in _ask(url, "/api/v1/export", start=1_600_000_000).splitlines():
        one = json.loads(line)
        if one["metric"]["__name__"].startswith("group_day_made_"):
            continue  # marks of days, which our writer leaves beside the rows
        labels = tuple(sorted(one["metric"].items()))
        assert labels not in found
        found[labels] = sorted(zip(one["timestamps"], one["values"], strict=True))
    return found


def wanted(batches: Sequence[Batch]) -> Samples:
    """What it makes of them: a number a sample, true is 1, and a text is 0."""
    made: Samples = defaultdict(list)
    for (name, at, tags), values in points(batches):
        labels = {k: v for k, v in zip(SCHEMA[name].tags, tags, strict=True) if v}
        for field, value in values.items():
            key = tuple(sorted({"__name__": f"{name}_{field}", **labels}.items()))
            made[key].append((at, 0.0 if isinstance(value, str) else float(value)))
    return {key: sorted(samples) for key, samples in made.items()}


def assert_same(found: Samples, right: Samples) -> None:
    assert found.keys() == right.keys()
    for key, samples in found.items():
        assert [at for at, _ in samples] == [at for at, _ in right[key]], key
        # It keeps some 15 digits of a number.
        pairs = zip(samples, right[key], strict=True)
        assert all(math.isclose(a, b, rel_tol=1e-12) for (_, a), (_, b) in pairs), key


def direct(url: str) -> InfluxStore:
    return InfluxStore(StoreSettings("influx", url, "v2", "city/autogen"), "token")


def test_polls_through_the_spool_arrive_whole(empty: str, tmp_path: Path) -> None:
    """Late rows and rows written again too; of these it keeps both samples."""
    settings = StoreSettings("influx", empty, "v2", "city/autogen")
    store = open_store(Settings(tmp_path, store=settings), "token")
    assert isinstance(store, SpooledStore)
    polls = [poll(3, number) for number in range(30)]
    for batches in polls:
        assert store.write(batches) == sum(len(batch.times) for batch in batches)
    assert store.flush(30)
    assert (store.backlog().quarantined, store.backlog().dropped_rows) == (0, 0)
    store.close()
    assert_same(arrived(empty), wanted([batch for batches in polls for batch in batches]))


def test_odd_tags_and_values_arrive_as_they_are(empty: str) -> None:
    odd = ["a b", "a,b=c", 'q"', "\\x", "ñ, = \\ñ", "'", "#", "電"]
    batches = [
        Batch("ssid", [T] * len(odd), {"device": odd, "ssid": odd[::-1]}, {"clients": [-1] * 8}),
        Batch(
            "device",
            [T, T + 1, T + 2],
            {"device": ["x", "x", "x"]},
            {
                "rtt_ms": [1e-7, None, float("nan")], "state": ['"', "\\", None],
                "answered": [True, None, False], "reboots": [2**63 - 1, None, -(2**63)],
            },
        ),
        Batch("radio", [T], {"device": ["x"], "radio": [""], "band": [""]}, {"channel": [36]}),
    ]  # fmt: skip
    store = direct(empty)
    assert store.write(batches) == 12
    store.close()
    batches[1].fields["rtt_ms"][2] = None  # type: ignore[index]  # NaN is no value
    assert_same(arrived(empty), wanted(batches))


def test_a_write_of_more_than_one_request_arrives_whole(empty: str) -> None:
    names = [f"ap-{n}" for n in range(7000)]
    batch = Batch("device", [T] * 7000, {"device": names}, {"clients": list(range(7000))})
    store = direct(empty)
    assert store.write([batch]) == 7000
    store.close()
    assert_same(arrived(empty), wanted([batch]))


@pytest.mark.parametrize("measurement", [m for m in SCHEMA if SCHEMA[m].is_rollup])
def test_rollups_arrive(empty: str, measurement: str) -> None:
    shape = SCHEMA[measurement]
    fields: dict[str, Any] = {name: [2, 3] for name in shape.fields}
    batch = Batch(measurement, [T, T + 3_600_000], {tag: ["a", "b"] for tag in shape.tags}, fields)
    store = direct(empty)
    assert store.write([batch]) == 2
    store.close()
    assert_same(arrived(empty), wanted([batch]))


def test_it_acknowledges_lines_that_it_does_not_keep(empty: str) -> None:
    """So its word is not enough: what InfluxDB would refuse is lost there without a sign."""
    store = direct(empty)
    for body in (b"garbage", b"device,device=x", b"device,device=x clients=7x 1"):
        store.send(body)
    # A backslash before a blank ends the tag there; InfluxDB 1.x keeps it.
    store.write([Batch("ssid", [T], {"device": ["a"], "ssid": ["a\\ b"]}, {"clients": [1]})])
    assert arrived(empty) == {}
    assert "of unknown version" in store.health().detail
    store.close()
