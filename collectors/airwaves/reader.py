"""Reads captures in a process of its own: `python -m collectors.airwaves.reader FILE`.

scapy is under GPL-2.0-only and shares a process with nothing of another licence that it does not
mix with, so this module imports scapy and Farola's own decoder, and nothing imports this module.
It prints one line of JSON a beacon, then one with the counts.
"""

from __future__ import annotations

import json
import logging
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collectors.airwaves.beacon import Beacon, Skipped, to_line
from collectors.airwaves.frames import LINKS, decode

FAULTS = (OSError, EOFError, struct.error, zlib.error, MemoryError, ValueError, IndexError)
"""What scapy's readers let through on a damaged file."""


def frames(path: Path) -> Iterator[tuple[int, bytes, int | None, int]]:
    """Link type, bytes, time (microseconds, UTC; None is unknown) and length on the air, each."""
    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    from scapy.error import Scapy_Exception
    from scapy.utils import RawPcapNgReader, RawPcapReader

    try:
        capture: Any = RawPcapReader(str(path))
    except (Scapy_Exception, *FAULTS) as error:
        raise ValueError(f"not a pcap or pcapng capture ({error})") from None
    with capture:
        blocks = isinstance(capture, RawPcapNgReader)
        while True:
            try:
                data, about = next(capture)
            except StopIteration:
                return
            except (Scapy_Exception, *FAULTS):
                return
            if blocks:
                yield about.linktype, data, _block_time(about), about.wirelen
            else:
                at = about.sec * 1_000_000 + about.usec // (1000 if capture.nano else 1)
                # The upper bits of the link type tell of checksums, not of the link.
                yield capture.linktype & 0xFFFF, data, at, max(about.wirelen, about.caplen)


def _block_time(about: Any) -> int | None:
    if about.tshigh is None:
        return None
    return int((about.tshigh << 32 | about.tslow) * 1_000_000 // about.tsresol)


def beacons(path: Path, counts: Counter[str]) -> Iterator[Beacon]:
    """Beacons and probe responses of a capture, in its order; `counts` grows as they are read.

    Raises
    ------
    ValueError
        Not a capture, or nothing in it was captured from the air.
    """
    links: Counter[int] = Counter()
    for number, (link, data, at_us, length) in enumerate(frames(path), start=1):
        counts["frames"] += 1
        found = decode(link, data, number, at_us or 0, length)
        if isinstance(found, Beacon) and at_us is None:
            found = Skipped.NO_TIME
        if isinstance(found, Skipped):
            counts[found.value] += 1
            if found is Skipped.LINK:
                links[link] += 1
            continue
        counts["probe_responses" if found.probe_response else "beacons"] += 1
        yield found
    if links and links.total() == counts["frames"]:
        known = ", ".join(f"{name} ({number})" for number, name in LINKS.items())
        raise ValueError(
            f"its link type is {min(links)}, not Wi-Fi in monitor mode: capture with one of {known}"
        )


def main(argv: list[str]) -> int:
    """Print the beacons of the file named; 2 and one line on stderr when it cannot be read."""
    counts: Counter[str] = Counter()
    try:
        for beacon in beacons(Path(argv[1]), counts):
            sys.stdout.write(to_line(beacon) + "\n")
        sys.stdout.write(json.dumps({"counts": counts}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
