"""Decodes a captured frame: link header (radiotap, Prism or none), 802.11 header, beacon body.
Only beacons and probe responses are looked into, and of those never the receiver's address:
no client's address is read out. Bytes in, a Beacon or the reason why not out; never an exception.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from collectors.airwaves.beacon import Beacon, Skipped
from collectors.airwaves.elements import remembered

IEEE802_11, PRISM, RADIOTAP = 105, 119, 127
LINKS = {IEEE802_11: "802.11", PRISM: "Prism", RADIOTAP: "radiotap"}
"""Link types of tcpdump.org/linktypes.html that carry 802.11 frames as they were on the air."""

BEACON, PROBE_RESPONSE = 0x80, 0x50
ELEMENTS_AT = 36
"""Management header of 24 bytes, clock of 8, interval of 2, capabilities of 2."""
_FIXED = struct.Struct("<QHH")
_MORE_WORDS = 1 << 31


class Layout(NamedTuple):
    """Offsets of radiotap fields from the header's start, -1 where absent; `end` is after them."""

    flags: int
    frequency: int
    signal: int
    end: int


@lru_cache(maxsize=256)
def _layout(present: int, start: int) -> Layout:
    """Where fields lie (radiotap.org): in the order of their bits, each aligned to its own size."""
    at = start
    offsets = [-1] * 6
    #        TSFT    flags   rate    channel FHSS    signal
    sizes = ((8, 8), (1, 1), (1, 1), (2, 4), (2, 2), (1, 1))
    for bit, (align, size) in enumerate(sizes):
        if present & 1 << bit:
            at += -at % align
            offsets[bit] = at
            at += size
    return Layout(offsets[1], offsets[3], offsets[5], at)


def decode(
    link: int, data: bytes, number: int, at_us: int, wire_length: int | None = None
) -> Beacon | Skipped:
    """Decode frame `number`, captured on link type `link` at `at_us` (microseconds, UTC).

    `wire_length` is its length on the air, where it may be more than was captured.
    """
    if link == RADIOTAP:
        heard = _radiotap(data)
    elif link == PRISM:
        heard = _prism(data)
    elif link == IEEE802_11:
        heard = _BARE
    else:
        return Skipped.LINK
    if not isinstance(heard, Heard):
        return heard
    if heard.start >= len(data):
        return Skipped.TRUNCATED
    if data[heard.start] not in (BEACON, PROBE_RESPONSE):
        return Skipped.OTHER
    if wire_length is not None and wire_length > len(data):
        return Skipped.TRUNCATED
    return _management(data[heard.start :], number, at_us, heard)


class Heard(NamedTuple):
    """What a link header tells: where the 802.11 frame starts, and how it was received."""

    start: int
    signal_dbm: int | None = None
    frequency_mhz: int | None = None
    checksum: bool | None = None
    """Whether the frame's last 4 bytes are its checksum; None is not told."""
    corrupt: bool = False


_BARE = Heard(0)


def _radiotap(data: bytes) -> Heard | Skipped:
    """Read a radiotap header (radiotap.org); of several antennas, the figure for all of them."""
    if len(data) < 8:
        return Skipped.TRUNCATED
    start = data[2] | data[3] << 8
    present = word = int.from_bytes(data[4:8], "little")
    at = 8
    while word & _MORE_WORDS:
        word = int.from_bytes(data[at : at + 4], "little")
        at += 4
    flags, frequency, signal, end = _layout(present & 0x3F, at)
    if data[0] != 0 or end > start:
        return Skipped.MALFORMED
    if start > len(data):
        return Skipped.TRUNCATED
    level = data[signal] if signal >= 0 else None
    return Heard(
        start,
        level - 256 if level is not None and level > 127 else level,
        data[frequency] | data[frequency + 1] << 8 if frequency >= 0 else None,
        bool(data[flags] & 0x10) if flags >= 0 else None,
        flags >= 0 and bool(data[flags] & 0x40),
    )


def _prism(data: bytes) -> Heard | Skipped:
    """Length of a Prism or AVS header; their signal figures have no common unit, so none."""
    if len(data) < 8:
        return Skipped.TRUNCATED
    for order, codes in (("little", (0x44, 0x41)), ("big", (0x44, 0x41, 0x80211001))):
        code, length = (int.from_bytes(data[n : n + 4], order) for n in (0, 4))  # type: ignore[arg-type]  # a literal
        if code in codes and 24 <= length <= 256:
            return Heard(length)
    return Skipped.MALFORMED


def _management(frame: bytes, number: int, at_us: int, heard: Heard) -> Beacon | Skipped:
    """Decode the 802.11 frame of a beacon or probe response."""
    if heard.corrupt:
        return Skipped.CORRUPT
    if heard.checksum is not False and len(frame) >= ELEMENTS_AT + 4:
        good = crc32(frame[:-4]) == int.from_bytes(frame[-4:], "little")
        if heard.checksum and not good:
            return Skipped.CORRUPT
        if good:
            frame = frame[:-4]
    if len(frame) < ELEMENTS_AT:
        return Skipped.TRUNCATED
    bssid = frame[16:22]
    # Encrypted, with an HT control field, in fragments or between access points: no beacon is.
    # Nor is a group's address, or none, that of an access point.
    if frame[1] & 0xC7 or frame[22] & 0x0F or bssid[0] & 1 or not any(bssid):
        return Skipped.MALFORMED
    tsf, interval, capabilities = _FIXED.unpack_from(frame, 24)
    found = remembered(frame[ELEMENTS_AT:], bool(capabilities & 0x10), bssid)
    if found is None:
        return Skipped.MALFORMED
    band, channel = band_and_channel(found.channel, found.six_ghz, heard.frequency_mhz)
    return Beacon(
        number, at_us, bssid.hex(":"), found.ssid, band, channel, heard.signal_dbm,
        found.security, tsf, interval, found.country, found.fingerprint,
        frame[0] == PROBE_RESPONSE,
    )  # fmt: skip


def band_and_channel(
    channel: int | None, six_ghz: bool, frequency: int | None
) -> tuple[str, int | None]:
    """Band and channel from what is announced and the receiver's frequency (MHz).

    The announced channel wins: a receiver hears neighbours of the channel it is tuned to. It
    is dropped where it does not exist in the band.
    """
    band, tuned = _band(frequency)
    if not band:
        if six_ghz:
            band = "6"
        elif channel:
            band = "2.4" if channel <= 14 else "5"
    if channel is None:
        return band, tuned
    lowest, highest = {"2.4": (1, 14), "5": (32, 196), "6": (1, 233)}.get(band, (1, 233))
    return band, channel if lowest <= channel <= highest else None


@lru_cache(maxsize=256)
def _band(frequency: int | None) -> tuple[str, int | None]:
    """Band and channel of a centre frequency in MHz (802.11-2020 annex E)."""
    if frequency is None:
        return "", None
    if frequency == 2484:
        return "2.4", 14
    for band, lowest, highest, zero in (
        ("2.4", 2412, 2472, 2407), ("5", 5160, 5885, 5000), ("6", 5935, 7115, 5950),
    ):  # fmt: skip
        if lowest <= frequency <= highest:
            if frequency == 5935:
                return "6", 2
            channel, rest = divmod(frequency - zero, 5)
            return band, channel if rest == 0 and channel > 0 else None
    return "", None
