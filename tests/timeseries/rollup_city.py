"""A city whose rollups are made: its clock, its groups of sites, rows of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from timeseries import SCHEMA, Batch

ZONE = ZoneInfo("Europe/Paris")
START = datetime(2026, 10, 24, 20, 7, tzinfo=UTC)  # a day of 25 hours follows
GROUPS = {
    "s1": [("site", "s1"), ("neighbourhood", "n1"), ("borough", "North")],
    "s2": [("site", "s2"), ("neighbourhood", "n1"), ("programme", "schools")],
    "s3": [("site", "s3"), ("borough", "North")],
}
END = START + timedelta(days=9)


def at_minute(minute: int) -> int:
    return int((START + timedelta(minutes=minute)).timestamp() * 1000)


def batch(measurement: str, rows: list[tuple[int, tuple[str, ...], dict[str, Any]]]) -> Batch:
    shape = SCHEMA[measurement]
    names = {name for *_, fields in rows for name in fields}
    return Batch(
        measurement,
        [at for at, *_ in rows],
        {tag: [tags[i] for _, tags, _ in rows] for i, tag in enumerate(shape.tags)},
        {name: [fields.get(name) for *_, fields in rows] for name in names},
    )
