"""Reads the CSV that WiGLE's app and its kin write (formats 1.4 and 1.6): one line about the phone,
then a table of networks. Text in, sightings and faults out.

Every line is read by itself: a network whose name holds an open quote can spoil its own row only.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from collectors.airwaves.elements import ORDER
from collectors.airwaves.frames import band_and_channel
from collectors.airwaves.sighting import (
    Sighting,
    check_position,
    check_rssi,
    check_time,
    masked,
)
from farola.errors import InputError
from inventory.importers.names import did_you_mean
from inventory.importers.report import BadCellError
from inventory.importers.values import read_mac

PREAMBLE = "WigleWifi-"
REQUIRED = ("MAC", "SSID", "AuthMode", "FirstSeen", "RSSI", "CurrentLatitude", "CurrentLongitude")
SSID_BYTES = 32


@dataclass
class Log:
    """What a file held besides sightings; filled while it is read."""

    version: str = ""
    read: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Rows that are no Wi-Fi, by type."""


def is_wigle(head: str) -> bool:
    """Whether text that starts with `head` is a WiGLE log."""
    return head.startswith((PREAMBLE, "MAC,SSID,"))


def read(
    text: str, name: str, log: Log, now: datetime, zone: tzinfo = UTC
) -> Iterator[Sighting | tuple[int, BadCellError]]:
    """Each Wi-Fi row as a Sighting, or its row number with what is wrong with it.

    Times without a zone are in `zone` (UTC is what the format asks for). Rows are lines of the
    file, from 1.

    Raises
    ------
    InputError
        The table lacks a column, or is of a version that is not known.
    """
    lines = [line.rstrip("\r") for line in text.split("\n")]
    first = 0
    if lines and lines[0].startswith(PREAMBLE):
        log.version = lines[0].removeprefix(PREAMBLE).split(",")[0]
        first = 1
    header = [cell.strip() for cell in next(csv.reader(lines[first : first + 1]), [])]
    for column in REQUIRED:
        if column not in header:
            raise InputError(
                f"{name}: line {first + 1}: no column {column!r}; a WiGLE log has "
                f"{', '.join(REQUIRED)}{did_you_mean(column, header)}"
            )
    for number, line in enumerate(lines[first + 1 :], start=first + 2):
        if not line.strip():
            continue
        log.read += 1
        try:
            cells = dict(zip(header, _cells(line, len(header)), strict=True))
            kind = cells.get("Type", "WIFI").strip().upper() or "WIFI"
            if kind != "WIFI":
                log.skipped[kind[:20]] += 1
                continue
            yield _sighting(number, cells, now, zone)
        except BadCellError as error:
            yield number, error


def _cells(line: str, width: int) -> list[str]:
    try:
        cells = next(csv.reader([line], strict=True))
    except (csv.Error, StopIteration):
        cells = line.split(",")
    if len(cells) != width:
        raise BadCellError("", f"{len(cells)} cells", f"the header has {width}", "number of cells")
    return cells


def _sighting(number: int, cells: dict[str, str], now: datetime, zone: tzinfo) -> Sighting:
    mac = cells["MAC"].strip()
    try:
        bssid, _ = read_mac(mac)
    except ValueError as error:
        raise BadCellError("MAC", masked(mac), str(error)) from None
    ssid = cells["SSID"].encode("utf-8", "surrogatepass")
    if len(ssid) > SSID_BYTES:
        raise BadCellError("SSID", f"{len(ssid)} bytes", f"a network name has at most {SSID_BYTES}")
    lat, lon = check_position(_number(cells, "CurrentLatitude"), _number(cells, "CurrentLongitude"))
    frequency = _optional(cells, "Frequency")
    channel = _optional(cells, "Channel")
    _, channel_number = band_and_channel(
        int(channel) if channel else None, False, int(frequency) if frequency else None
    )
    accuracy = _optional(cells, "AccuracyMeters")
    return Sighting(
        number,
        check_time(_time(cells["FirstSeen"], zone), now),
        bssid,
        ssid,
        channel_number,
        check_rssi(_number(cells, "RSSI")),
        security(cells["AuthMode"]),
        lat,
        lon,
        accuracy if accuracy is not None and accuracy >= 0 else None,
    )


def _number(cells: dict[str, str], column: str) -> float:
    text = cells[column].strip()
    try:
        value = float(text)
    except ValueError:
        raise BadCellError(column, text, "is not a number") from None
    if not math.isfinite(value):
        raise BadCellError(column, text, "is not a finite number")
    return value


def _optional(cells: dict[str, str], column: str) -> float | None:
    return _number(cells, column) if cells.get(column, "").strip() else None


def _time(text: str, zone: tzinfo) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
        return (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadCellError("FirstSeen", text, "is no time: YYYY-MM-DD hh:mm:ss is meant") from None


_GROUP = re.compile(r"\[([^\]]*)\]")


def security(auth_mode: str) -> str:
    """How one may join, in the words of `Beacon.security`, from Android's list of capabilities
    such as `[WPA2-PSK-CCMP][RSN-SAE-CCMP][ESS]`.
    """
    kinds: set[str] = set()
    for group in _GROUP.findall(auth_mode.upper()):
        words = set(re.split(r"[-+_]", group))
        if "WEP" in words:
            kinds.add("WEP")
        elif "WAPI" in words:
            kinds.add("unknown")
        elif words & {"WPA", "WPA2", "WPA3", "RSN", "OWE"}:
            kinds |= _joins(words)
    if not kinds:
        return "open" if "[" in auth_mode else "unknown"
    return "/".join(kind for kind in ORDER if kind in kinds)


def _joins(words: set[str]) -> set[str]:
    """How one may join by one group of words; "unknown" where it names a version alone."""
    kinds = set()
    if any(word.startswith(("EAP", "SUITE", "ENTERPRISE")) or word == "802.1X" for word in words):
        kinds.add("Enterprise")
    if words & {"SAE", "FT/SAE"} or words >= {"WPA3", "PSK"}:
        kinds.add("WPA3-SAE")
    if words & {"PSK", "FT/PSK"}:
        kinds |= {"WPA"} & words | ({"WPA2"} if words & {"WPA2", "RSN"} else set())
    if "OWE" in words:
        kinds.add("open" if "TRANSITION" in words else "OWE")
    return kinds or {"unknown"}
