"""Polls of forty devices for the embedded store's tests, and when they are made."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from timeseries import Batch

DAY_MS, HOUR_MS, MINUTE = 86_400_000, 3_600_000, 60_000
NOW = datetime(2024, 5, 17, 12, 30, tzinfo=UTC)
T = int(NOW.timestamp() * 1000)
START, END = datetime(2023, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
NAMES = [f"ap-{i:02}" for i in range(40)]
MEXICO = ZoneInfo("America/Mexico_City")


def poll(at: int, clients: int = 1) -> list[Batch]:
    n = len(NAMES)
    return [
        Batch(
            "device", [at] * n, {"device": NAMES},
            {"answered": [True] * n, "state": ["up"] * n, "clients": [clients] * n},
        )
    ]  # fmt: skip


def hour_rows(at: int) -> Batch:
    return Batch("device_hour", [at] * len(NAMES), {"device": NAMES}, {"polls": [60] * len(NAMES)})
