"""A city whose rows are copied between stores, and what a store holds afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from timeseries import SCHEMA, Batch, Table
from timeseries.copy_places import Place
from timeseries.copying import Copy, Report

ZONE = ZoneInfo("America/Mexico_City")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = int(datetime(2024, 5, 15, 22, 50, tzinfo=UTC).timestamp() * 1000)
NOW = START + 2 * DAY
ODD = ["up", 'a "quoted" \\ one', "two\nlines, = and spaces", "", "ñ 東京 🛜", None]


def city(seed: int, polls: int = 40, names: int = 12) -> list[Batch]:
    """Polls over two days with odd texts, gaps, extreme numbers and empty tags."""
    r = random.Random(seed)
    ids = [f"ap {i}, =é" for i in range(names)]
    batches = []
    for number in range(polls):
        at, n = START + number * 70 * MINUTE + r.choice([0, 7]), len(ids)
        fields: dict[str, list[Any]] = {
            "answered": [r.choice([True, False, None]) for _ in ids],
            "state": [r.choice(ODD) for _ in ids],
            "rtt_ms": [r.choice([-0.0, 0.1 + 0.2, 1e300, None]) for _ in ids],
            "reboots": [r.choice([-(2**63), 2**63 - 1, 0]) for _ in ids],
        }
        radio = {"device": ids * 2, "radio": ["0"] * n + ["1"] * n, "band": ["2.4"] * n + [""] * n}
        batches += [
            Batch("device", [at] * n, {"device": ids}, fields),
            Batch("radio", [at] * 2 * n, radio, {"clients": [r.randrange(99) for _ in ids * 2]}),
            Batch("poll", [at], {"collector": ["c"]}, {"devices": [n]}),
            Batch("device_hour", [at // HOUR * HOUR] * n, {"device": ids}, {"polls": [60] * n}),
        ]
    return batches


def quiet(_days: int) -> Callable[[int], None]:
    return lambda _n: None


def run_copy(source: Place, to: Place, now: int = NOW) -> Report:
    return Copy(source, to, ZONE, now).run(SCHEMA, quiet)


def everything(store: Any) -> dict[str, Table]:
    first, last = (datetime.fromtimestamp(t / 1000, UTC) for t in (START - DAY, NOW + DAY))
    return {name: store.series(name, {}, first, last) for name in SCHEMA}
