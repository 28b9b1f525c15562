"""A network heard at a time and place, whether a capture or a phone's log told so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from farola.output import plain
from inventory.importers.report import BadCellError

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Before this no walk was made: a clock that was never set says 1970 or 1980."""
RSSI_DBM = (-120, 0)
"""Below thermal noise of a single carrier no beacon is heard; above 0 dBm no receiver survives."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One reading; `row` is its line or frame in the file it comes from."""

    row: int
    at: datetime
    """Aware, UTC."""
    bssid: str
    """Lower case, with colons."""
    ssid: bytes
    """As sent; empty where it is hidden."""
    channel: int | None
    rssi_dbm: float | None
    security: str
    lat: float | None = None
    lon: float | None = None
    accuracy_m: float | None = None


def check_rssi(rssi: float) -> float:
    """`rssi` in dBm; BadCellError where no receiver measures it."""
    if not RSSI_DBM[0] <= rssi < RSSI_DBM[1]:
        raise BadCellError(
            "rssi", f"{rssi:g}",
            f"no receiver measures this: {RSSI_DBM[0]} to below {RSSI_DBM[1]} dBm is possible",
            "no receiver measures this",
        )  # fmt: skip
    return rssi


def check_time(at: datetime, now: datetime) -> datetime:
    """`at`; BadCellError where it lies before Wi-Fi walks or more than a day after `now`."""
    if at < EARLIEST:
        raise BadCellError("time", at.isoformat(), "the clock was not set")
    if at > now + timedelta(days=1):
        raise BadCellError("time", at.isoformat(), "lies in the future")
    return at


def check_position(lat: float, lon: float) -> tuple[float, float]:
    """Latitude and longitude; BadCellError where they are no place on Earth, or no fix (0, 0)."""
    if not -90 <= lat <= 90:
        raise BadCellError("lat", f"{lat:g}", "a latitude lies between -90 and 90")
    if not -180 <= lon <= 180:
        raise BadCellError("lon", f"{lon:g}", "a longitude lies between -180 and 180")
    if lat == 0 and lon == 0:
        raise BadCellError("lat", "0", "0, 0 is what a receiver without a fix says")
    return lat, lon


def masked(bssid: str) -> str:
    """`bssid` without what tells one device from another, fit for a report."""
    return bssid[:8] + "".join("x" if c.isalnum() else c for c in bssid[8:40])


def safe(ssid: bytes) -> str:
    """`ssid` for a terminal or a page: what does not print or is not UTF-8 is an escape."""
    return plain(ssid.decode("utf-8", "backslashreplace"))
