"""Opens a file of readings, whatever it is (capture or WiGLE log), as sightings and a report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Protocol

from collectors.airwaves import wigle
from collectors.airwaves.beacon import Beacon
from collectors.airwaves.capture import is_capture, read_beacons
from collectors.airwaves.sighting import Sighting, check_rssi, check_time
from farola.errors import InputError
from inventory.importers.csv_file import decode
from inventory.importers.report import BadCellError, Report

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Whereabouts(Protocol):
    """Tells where a capture was made at a time."""

    def at(self, when: datetime) -> tuple[float, float] | None:
        """Latitude and longitude, or None where it is not known."""
        ...


def sightings(
    path: Path,
    report: Report,
    where: Whereabouts | None = None,
    *,
    encoding: str = "",
    zone: tzinfo = UTC,
    now: datetime | None = None,
) -> Iterator[Sighting]:
    """Readings of `path`, one by one; `report` is told what is rejected and skipped.

    `where` gives captures their place, `zone` (WiGLE) times that name none.

    Raises
    ------
    InputError
        The file is neither a capture nor a WiGLE log, or cannot be read.
    """
    now = now or datetime.now(UTC)
    try:
        with path.open("rb") as file:
            head = file.read(64)
            file.seek(0)
            report.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: name a file in it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if not head:
        raise InputError(f"{path} is empty (0 bytes): get the file again")
    if is_capture(head):
        yield from _from_capture(path, report, where, now)
    else:
        yield from _from_wigle(path, report, encoding, zone, now)


def is_capture_file(path: Path) -> bool:
    """Whether `path` is a capture, by its first bytes."""
    try:
        with path.open("rb") as file:
            return is_capture(file.read(4))
    except OSError:
        return False  # said when it is read


def _from_capture(
    path: Path, report: Report, where: Whereabouts | None, now: datetime
) -> Iterator[Sighting]:
    counts: dict[str, int] = {}
    for beacon in read_beacons(path, counts):
        report.read += 1
        try:
            yield place(beacon, where, now)
        except BadCellError as error:
            report.reject(beacon.frame, error)
    report.extra["frames"] = counts.pop("frames", 0)
    heard = {key: counts.pop(key, 0) for key in ("beacons", "probe_responses")}
    report.extra |= heard | {"skipped": counts}


def place(beacon: Beacon, where: Whereabouts | None, now: datetime) -> Sighting:
    """The beacon as a sighting; BadCellError where its time or level cannot be."""
    at = check_time(EPOCH + timedelta(microseconds=beacon.at_us), now)
    rssi = None if beacon.rssi_dbm is None else check_rssi(beacon.rssi_dbm)
    lat, lon = (where.at(at) if where else None) or (None, None)
    return Sighting(
        beacon.frame, at, beacon.bssid, beacon.ssid, beacon.channel, rssi, beacon.security, lat, lon
    )


def _from_wigle(
    path: Path, report: Report, encoding: str, zone: tzinfo, now: datetime
) -> Iterator[Sighting]:
    data = path.read_bytes()
    if data[:6] == b"SQLite" or b"\0" in data[:4096]:
        raise InputError(f"{path}: neither a pcap or pcapng capture nor a WiGLE log (CSV)")
    text, notes = decode(path, data, encoding)
    if not wigle.is_wigle(text):
        raise InputError(
            f"{path}: neither a pcap or pcapng capture nor a WiGLE log: the first line of one "
            "starts with WigleWifi-1.4 or WigleWifi-1.6"
        )
    report.notes.extend(notes)
    log = wigle.Log()
    for found in wigle.read(text, str(path), log, now, zone):
        if isinstance(found, Sighting):
            yield found
        else:
            report.reject(*found)
    report.read = log.read
    report.extra["skipped"] = dict(log.skipped)
