"""How fast the embedded store grows, how much it will hold, and from how many devices on InfluxDB
is the better store. Sizes are measured where there are whole days, estimated before. Pure but for
`growth`, which looks at the files' sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from farola.settings import StoreSettings
from timeseries.checking import to_ms
from timeseries.sqlite_files import DAY_MS
from timeseries.sqlite_retention import raw_days

POLL_BYTES = 680
"""Of one device and poll: its row (93 bytes), 3 radios (58), 4 interfaces (77), 2 networks (52)."""
POLLS_A_DAY = 1440
HOUR_BYTES = 900
"""Hourly rollups of one device: its row, 3 radios, 4 interfaces, some 110 bytes each."""
DAYS_LOOKED_AT = 7
LEAST_DAYS = 3
"""Raw rows of fewer days do not reach over a weekend."""
MOST_DEVICES = 10_000
"""Beyond, an hour's rollups keep a core busy for more than some 20 seconds."""


@dataclass(frozen=True)
class Growth:
    """What a city's raw rows and rollups take, in bytes."""

    devices: int
    raw_a_day: float
    measured: bool
    """Of the largest whole day of the last week; else estimated for a poll a minute."""
    days_kept: float
    """Days of raw rows that the settings leave room for."""
    hours_in_all: float
    """The hourly rollups, once `hour_days` have passed."""
    limit: int
    """From so many devices on InfluxDB is the better store."""

    @property
    def fits(self) -> bool:
        """Whether SQLite is right for this city."""
        return self.devices < self.limit

    def __str__(self) -> str:
        """One line for a person."""
        how = "as measured" if self.measured else "estimated, at a poll a minute"
        return (
            f"{self.devices:,} devices in SQLite: raw rows grow by {self.raw_a_day / 1e9:,.2f} GB "
            f"a day ({how}), {self.days_kept:.3g} days of them are kept; hourly rollups will take "
            f"{self.hours_in_all / 1e9:,.2f} GB"
        )


def growth(folder: Path, devices: int, settings: StoreSettings, now: datetime) -> Growth:
    """How the series in `folder` grow. Raises StoreError where it cannot be read."""
    today = to_ms(now) // DAY_MS
    # The first day there is began late; today's is not over.
    days = [one for one in raw_days(folder)[1:] if today - DAYS_LOOKED_AT <= one.day < today]
    return grown(devices, settings, max((one.size for one in days), default=0))


def grown(devices: int, settings: StoreSettings, day_bytes: float) -> Growth:
    """The growth of a city whose whole day took `day_bytes`; 0 if there was none yet. Pure."""
    measured = day_bytes > 0 and devices > 0
    of_device = day_bytes / devices if measured else POLL_BYTES * POLLS_A_DAY
    least = min(LEAST_DAYS, settings.raw_days) or 1
    fitting = int(settings.raw_gb * 1e9 / (least * of_device))
    a_day = of_device * devices
    room = settings.raw_gb * 1e9 / a_day if a_day else settings.raw_days
    return Growth(
        devices,
        a_day,
        measured,
        min(float(settings.raw_days), room),
        float(HOUR_BYTES * 24 * settings.hour_days * devices),
        min(MOST_DEVICES, fitting),
    )
