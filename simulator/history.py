"""The day before the demo, as the collector would have written it: a chart of an empty day tells
nothing. Made up like all of the pretend city, and from the same demand as its access points.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.city import AccessPoint, City
from simulator.demand import BYTES_PER_CLIENT_S, clients
from timeseries import Batch

STEP = timedelta(minutes=5)
OUTAGE_SHARE = 0.12
"""Share of the access points that were away once in the day, for 20 minutes to 3 hours."""


@dataclass(frozen=True)
class Sample:
    """What one poll would have found at one access point."""

    at: datetime
    device: str
    up: bool
    clients_2g: int
    clients_5g: int


def past_day(city: City, now: datetime, zone_hours: float = -2.0) -> list[Batch]:
    """Batches of `device`, `radio` and `interface` for the 24 hours before `now` (aware)."""
    samples = list(_samples(city, now, timedelta(hours=zone_hours)))
    times = [round(sample.at.timestamp() * 1000) for sample in samples]
    devices = [sample.device for sample in samples]
    up = [index for index, sample in enumerate(samples) if sample.up]
    found = [samples[index] for index in up]
    up_times, up_devices = [times[index] for index in up], [devices[index] for index in up]
    both = [sample.clients_2g + sample.clients_5g for sample in found]
    down = [round(count * BYTES_PER_CLIENT_S * STEP.total_seconds()) for count in both]
    batches = [
        Batch(
            "device", times, {"device": devices},
            {
                "answered": [sample.up for sample in samples],
                "state": ["up" if sample.up else "down" for sample in samples],
                "clients": [
                    sample.clients_2g + sample.clients_5g if sample.up else None
                    for sample in samples
                ],
            },
        ),
        Batch(
            "interface", up_times, {"device": up_devices, "interface": ["eth0"] * len(up)},
            {
                "rx_bytes": down,
                "tx_bytes": [round(count * 0.18) for count in down],
                "interval_s": [STEP.total_seconds()] * len(up),
            },
        ),
    ]  # fmt: skip
    for radio, band, counts in (
        ("wlan0", "2.4", [sample.clients_2g for sample in found]),
        ("wlan1", "5", [sample.clients_5g for sample in found]),
    ):
        tags = {"device": up_devices, "radio": [radio] * len(up), "band": [band] * len(up)}
        batches.append(Batch("radio", up_times, tags, {"clients": counts}))
    return batches


def _samples(city: City, now: datetime, zone: timedelta) -> Iterator[Sample]:
    steps = [now - STEP * step for step in range(int(timedelta(days=1) / STEP), 0, -1)]
    for point in city.access_points:
        source = random.Random(f"{city.seed}|past|{point.id}")  # noqa: S311 - pretend, no secret
        outage = _outage(source, steps)
        for at in steps:
            yield _sample(point, at, zone, up=not outage[0] <= at < outage[1])


def _outage(source: random.Random, steps: Sequence[datetime]) -> tuple[datetime, datetime]:
    start = source.choice(steps[: len(steps) * 3 // 4])
    minutes = source.uniform(20, 180) if source.random() < OUTAGE_SHARE else 0
    return start, start + timedelta(minutes=minutes)


def _sample(point: AccessPoint, at: datetime, zone: timedelta, *, up: bool) -> Sample:
    local = at + zone
    return Sample(
        at, point.id, up,
        clients(point.mean_clients * 0.4, local, f"{point.id}|radio0"),
        clients(point.mean_clients * 0.6, local, f"{point.id}|radio1"),
    )  # fmt: skip
