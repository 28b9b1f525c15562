"""Beacons decoded per CPU second, against scapy's own PcapReader on the same capture.

Each side runs in a process of its own (scapy's licence keeps it apart from the rest) on a capture
made here: 300 access points, 1.2 % probe responses, with the parts that change from beacon to
beacon (clock, sequence, traffic map, load) changing, so that caches meet what they meet in a city.
"""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from zlib import crc32

ROOT = Path(__file__).resolve().parent.parent
TARGET_PER_S = 50_000
OURS, PEER = 200_000, 4_000
"""Frames given to each side: scapy takes some hundred times as long a frame."""


def write_capture(path: Path, frames: int, seed: int = 7) -> None:
    """Write `frames` beacons as radiotap with checksums."""
    dice = random.Random(seed)
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 127))
        points = [_point(dice, n) for n in range(300)]
        for n in range(frames):
            data = _frame(dice, n, dice.choice(points))
            at = 1_700_000_000_000_000 + n * 340
            out.write(struct.pack("<IIII", *divmod(at, 1_000_000), len(data), len(data)) + data)


def _element(kind: int, content: bytes) -> bytes:
    return bytes([kind, len(content)]) + content


def _point(dice: random.Random, n: int) -> tuple[bytes, bytes, int, bytes, int]:
    """An access point: BSSID, elements before and after those that change, channel, privacy."""
    channel = dice.choice((1, 6, 11, 36, 44, 149))
    ssid = b"Free WiFi" if n % 5 == 0 else b"net-%08x" % dice.getrandbits(32)
    before = _element(0, ssid) + _element(1, bytes((0x82, 0x84, 0x8B, 0x96, 12, 18, 24, 36)))
    before += _element(3, bytes([channel]))
    rsn = bytes.fromhex("0100000fac040100000fac040100000fac020c00")
    after = _element(7, b"MX \x01\x0b\x1e") + (_element(48, rsn) if n % 5 else b"")
    after += _element(45, dice.randbytes(26)) + _element(61, bytes([channel]) + bytes(21))
    after += _element(127, bytes((0, 0, 8, 0, 0, 0, 0, 64))) + _element(191, dice.randbytes(12))
    after += _element(221, b"\x00\x50\xf2\x02\x01\x01" + dice.randbytes(18))
    return b"\x02" + dice.randbytes(5), before, channel, after, 0x10 if n % 5 else 0


def _frame(dice: random.Random, n: int, point: tuple[bytes, bytes, int, bytes, int]) -> bytes:
    bssid, before, channel, after, privacy = point
    megahertz = 2407 + 5 * channel if channel < 14 else 5000 + 5 * channel
    tap = struct.pack("<BBHIQBBHHbb", 0, 0, 24, 0x6F, n, 0x10, 2, megahertz, 0xA0, 0, 0)[:22]
    tap += struct.pack("<bb", -dice.randrange(40, 95), -95)
    answer = n % 80 == 0
    frame = (b"\x50\0\0\0" if answer else b"\x80\0\0\0") + b"\xff" * 6 + bssid * 2
    frame += struct.pack("<HQHH", n % 4096 << 4, n * 102400, 100, 1 | privacy) + before
    if not answer:
        frame += _element(5, bytes((n % 3, 3, 0, dice.randrange(4) << 1)))
    frame += after + _element(11, struct.pack("<HBH", dice.randrange(30), dice.randrange(255), 0))
    return tap + frame + crc32(frame).to_bytes(4, "little")


_TIMED = """
import json, sys, time
from collections import Counter
from pathlib import Path
path = sys.argv[1]
def ours():
    from collectors.airwaves.reader import beacons
    counts = Counter()
    return sum(1 for _ in beacons(Path(path), counts)), "ours"
def lines():
    from collectors.airwaves.beacon import to_line
    from collectors.airwaves.reader import beacons
    return sum(1 for b in beacons(Path(path), Counter()) if to_line(b)), "lines"
def peer():
    from scapy.layers.dot11 import Dot11Beacon, Dot11ProbeResp
    from scapy.utils import PcapReader
    found = 0
    for packet in PcapReader(path):
        layer = packet.getlayer(Dot11Beacon) or packet.getlayer(Dot11ProbeResp)
        if layer is not None:
            layer.network_stats()
            found += 1
    return found, "peer"
import logging; logging.getLogger("scapy").setLevel(logging.CRITICAL)
import scapy.utils
if sys.argv[2] == "peer":
    import scapy.layers.dot11
started = time.process_time()
found, _ = {"ours": ours, "lines": lines, "peer": peer}[sys.argv[2]]()
print(json.dumps([found, time.process_time() - started]))
"""


def _rate(path: Path, side: str) -> float:
    """Beacons a CPU second, imports not counted, reading the file counted."""
    done = subprocess.run(
        [sys.executable, "-c", _TIMED, str(path), side],
        capture_output=True, check=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    found, seconds = json.loads(done.stdout)
    return float(found / seconds)


def measure() -> list[dict[str, Any]]:
    """Rows of benchmarks/results.json."""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder, "large.pcap"), Path(folder, "small.pcap")
        write_capture(large, OURS)
        write_capture(small, PEER)
        ours, lines, peer = _rate(large, "ours"), _rate(large, "lines"), _rate(small, "peer")
    return [
        _row("beacons a CPU second, decoded", ours, peer, TARGET_PER_S),
        _row("beacons a CPU second, decoded and printed as lines", lines, peer, None),
    ]


def _row(metric: str, ours: float, peer: float, target: int | None) -> dict[str, Any]:
    return {
        "job": "beacons", "metric": metric, "ours": round(ours), "peer": "scapy PcapReader",
        "peer_value": round(peer), "ratio": round(ours / peer, 1), "target": target,
        "met": None if target is None else ours >= target, "stretch": None,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
