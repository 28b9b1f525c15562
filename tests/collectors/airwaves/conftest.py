"""Makes frames and captures byte by byte, apart from scapy."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from zlib import crc32

import pytest

Frame = bytes
RSN = {
    "open": b"",
    "WPA2": bytes.fromhex("30140100000fac040100000fac040100000fac020000"),
    "WPA3-SAE": bytes.fromhex("30140100000fac040100000fac040100000fac08c000"),
}


def element(kind: int, content: bytes) -> bytes:
    return bytes([kind, len(content)]) + content


def beacon(
    ssid: bytes = b"Free WiFi",
    bssid: str = "02:00:00:00:00:01",
    *,
    receiver: str = "ff:ff:ff:ff:ff:ff",
    security: str = "open",
    channel: int | None = 6,
    signal: int | None = -60,
    frequency: int | None = 2437,
    more: bytes = b"",
    subtype: int = 0x80,
    tsf: int = 123456,
    checksum: bool = False,
) -> Frame:
    """A beacon (or another frame of type management) under a radiotap header."""
    present, fields = 1 << 1, bytes([0x10 if checksum else 0])
    if frequency is not None:
        present |= 1 << 3
        fields += b"\0" + struct.pack("<HH", frequency, 0xA0)  # aligned to two bytes
    if signal is not None:
        present |= 1 << 5
        fields += struct.pack("<b", signal)
    tap = struct.pack("<BBHI", 0, 0, 8 + len(fields), present) + fields
    own, to = (bytes.fromhex(mac.replace(":", "")) for mac in (bssid, receiver))
    body = struct.pack("<QHH", tsf, 100, 0x11 if security not in ("open",) else 0x01)
    body += element(0, ssid) + element(1, b"\x82\x84\x8b\x96")
    body += element(3, bytes([channel])) if channel is not None else b""
    body += RSN.get(security, b"") + more
    frame = bytes([subtype, 0, 0, 0]) + to + own + own + b"\x10\x00" + body
    return tap + frame + (crc32(frame).to_bytes(4, "little") if checksum else b"")


def write_pcap(
    path: Path, frames: Iterable[Frame], link: int = 127, start_s: int = 1_700_000_000
) -> Path:
    """A pcap with a frame every 0.1 s."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link))
        for n, frame in enumerate(frames):
            sec, tenth = divmod(n, 10)
            head = (start_s + sec, tenth * 100_000, len(frame), len(frame))
            out.write(struct.pack("<IIII", *head) + frame)
    return path


def block(kind: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def write_pcapng(path: Path, frames: Iterable[Frame], link: int = 127) -> Path:
    """A pcapng with nanosecond stamps, a frame every 0.1 s from 1,700,000,000 s."""
    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, struct.pack("<HHI", link, 0, 65535) + struct.pack("<HHB3xI", 9, 1, 9, 0))
    for n, frame in enumerate(frames):
        at = 1_700_000_000_000_000_000 + n * 100_000_000
        head = struct.pack("<5I", 0, at >> 32, at & 0xFFFFFFFF, len(frame), len(frame))
        data += block(6, head + frame)
    path.write_bytes(data)
    return path


@pytest.fixture(scope="session")
def make_beacon() -> Callable[..., Frame]:
    return beacon


@pytest.fixture(scope="session")
def pcap() -> Callable[..., Path]:
    return write_pcap


@pytest.fixture(scope="session")
def pcapng() -> Callable[..., Path]:
    return write_pcapng
