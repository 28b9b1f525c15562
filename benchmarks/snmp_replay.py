"""A pretend fleet for the SNMP benchmarks, as a process of its own: every address of 127/8 is a
device that answers from one recording (`OID|tag|value` lines), but for SILENT ones.

Made for speed, as only the asker's CPU is measured: an answer is worked out once and kept;
afterwards only the request-id is put in.
"""

from __future__ import annotations

import bisect
import ipaddress
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto.rfc1902 import (
    Counter32,
    Counter64,
    Gauge32,
    Integer32,
    IpAddress,
    ObjectIdentifier,
    OctetString,
    TimeTicks,
)

Oid = tuple[int, ...]
IP_PKTINFO, IN_PKTINFO = 8, struct.Struct("I4s4s")  # ip(7)
SILENT = ipaddress.ip_network("127.200.0.0/16")
"""Addresses that never answer."""
GET, RESPONSE, GETBULK = 0xA0, 0xA2, 0xA5
NO_SUCH_INSTANCE, END_OF_MIB = bytes((0x81, 0)), bytes((0x82, 0))
MAX_KEPT = 20_000
MAX_MESSAGE = 1472
"""What fits an Ethernet frame; agents cut a GETBULK there."""
TYPES: dict[str, Any] = {
    "2": Integer32, "65": Counter32, "66": Gauge32, "67": TimeTicks, "70": Counter64,
}  # fmt: skip


def read_recording(lines: list[str]) -> list[tuple[Oid, Any]]:
    """Values of a recording by OID, in order."""
    found = {}
    for line in lines:
        oid, _, rest = line.partition("|")
        tag, _, value = rest.partition("|")
        if not value and tag not in ("4", "4x"):
            continue
        found[tuple(map(int, oid.strip(".").split(".")))] = _value(tag.split(":")[0], value)
    return sorted(found.items())


def _value(tag: str, value: str) -> Any:
    if tag in TYPES:
        return TYPES[tag](int(value))
    if tag == "6":
        return ObjectIdentifier(value.strip("."))
    if tag == "64":
        return IpAddress(value)
    return OctetString(bytes.fromhex(value) if tag.endswith("x") else value.encode())


class Agent:
    """Answers GET, GETNEXT and GETBULK of SNMPv2c from one recording."""

    def __init__(self, rows: list[tuple[Oid, Any]]) -> None:
        self._order = [oid for oid, _ in rows]
        names = [encoder.encode(ObjectIdentifier(oid)) for oid, _ in rows]
        self._lines = [
            _tlv(0x30, name + encoder.encode(value))
            for name, (_, value) in zip(names, rows, strict=True)
        ]
        self._by_name = dict(zip(names, self._lines, strict=True))
        self._kept: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}

    def answer(self, request: bytes) -> bytes:
        """The answer to `request`."""
        start, end = _request_id(request)
        key = request[:start], request[end:]
        kept = self._kept.get(key)
        if kept is None:
            made = self._work_out(request)
            first, last = _request_id(made)
            kept = made[:first], made[last:]
            if len(self._kept) < MAX_KEPT:
                self._kept[key] = kept
        return kept[0] + request[start:end] + kept[1]

    def _work_out(self, request: bytes) -> bytes:
        version, community, pdu = _parts(_inside(request))
        number, first, second, lines = _parts(_inside(pdu))
        asked = [_parts(_inside(line))[0] for line in _parts(_inside(lines))]
        if pdu[0] == GET:
            found = [self._by_name.get(n) or _tlv(0x30, n + NO_SUCH_INSTANCE) for n in asked]
        elif pdu[0] == GETBULK:
            found = self._bulk(asked, first[-1], second[-1])
        else:
            found = self._bulk(asked, len(asked), 0)
        room = MAX_MESSAGE - len(community) - 40
        while len(found) > len(asked) and sum(map(len, found)) > room:
            found.pop()
        body = number + bytes((2, 1, 0, 2, 1, 0)) + _tlv(0x30, b"".join(found))
        return _tlv(0x30, version + community + _tlv(RESPONSE, body))

    def _bulk(self, asked: list[bytes], once: int, repetitions: int) -> list[bytes]:
        found, at = [], []
        for number, name in enumerate(asked):
            place = bisect.bisect_right(self._order, tuple(decoder.decode(name)[0]))
            if number < once:
                found.append(self._line(place, name))
            else:
                at.append((place, name))
        for turn in range(repetitions):
            found += [self._line(place + turn, name) for place, name in at]
        return found

    def _line(self, place: int, name: bytes) -> bytes:
        if place < len(self._lines):
            return self._lines[place]
        return _tlv(0x30, name + END_OF_MIB)


def _tlv(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _parts(body: bytes) -> list[bytes]:
    """The elements of a sequence's inside."""
    found, place = [], 0
    while place < len(body):
        end = _content(body, place) + _length(body, place)
        found.append(body[place:end])
        place = end
    return found


def _inside(element: bytes) -> bytes:
    return element[_content(element, 0) :]


def _request_id(message: bytes) -> tuple[int, int]:
    """Where the request-id's octets are: after SEQUENCE, version, community and the PDU's head."""
    place = _content(message, 0)
    for _ in range(2):
        place = _content(message, place) + _length(message, place)
    place = _content(message, place)
    start = _content(message, place)
    return start, start + _length(message, place)


def _length(message: bytes, place: int) -> int:
    first = message[place + 1]
    if first < 0x80:
        return first
    return int.from_bytes(message[place + 2 : place + 2 + (first & 0x7F)], "big")


def _content(message: bytes, place: int) -> int:
    first = message[place + 1]
    return place + 2 + (first & 0x7F if first >= 0x80 else 0)


def serve(agent: Agent, sock: socket.socket) -> None:
    """Answer for ever, each from the address that was asked."""
    first, last = (int(SILENT[0]), int(SILENT[-1]))
    while True:
        request, notes, _, sender = sock.recvmsg(65535, 64)
        told = IN_PKTINFO.unpack(notes[0][2])
        if first <= int.from_bytes(told[2], "big") <= last:
            continue
        note = (socket.IPPROTO_IP, IP_PKTINFO, IN_PKTINFO.pack(0, told[2], b"\0\0\0\0"))
        sock.sendmsg([agent.answer(request)], [note], 0, sender)


@contextmanager
def fleet(lines: list[str]) -> Iterator[int]:
    """Such a fleet as a child process; yields its port."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve())],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdin
        assert child.stdout
        child.stdin.write("\n".join(lines))
        child.stdin.close()
        try:
            yield int(child.stdout.readline())
        finally:
            child.kill()


def main() -> None:
    """Read a recording from standard input, print the port, serve."""
    agent = Agent(read_recording(sys.stdin.read().splitlines()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        sock.bind(("0.0.0.0", 0))
        print(sock.getsockname()[1], flush=True)
        serve(agent, sock)


if __name__ == "__main__":
    main()
