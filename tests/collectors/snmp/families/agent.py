"""A small SNMP v2c agent on a real socket that serves made-up tables, one device a community.
It has an encoder of its own, so that ours is not its own judge.
"""

from __future__ import annotations

import socket
import threading
from bisect import bisect_right
from collections.abc import Mapping

Oid = tuple[int, ...]
TAGS = {"2": 0x02, "4": 0x04, "4x": 0x04, "6": 0x06, "64": 0x40, "65": 0x41, "66": 0x42,
        "67": 0x43, "70": 0x46}  # fmt: skip
"""The tag of each type in a recording's middle column."""
GET, GETNEXT, RESPONSE, GETBULK = 0xA0, 0xA1, 0xA2, 0xA5
NO_SUCH_INSTANCE, END_OF_MIB = bytes([0x81, 0]), bytes([0x82, 0])
MAX_BYTES = 1400
"""An agent that keeps its replies within a frame, and truncates what does not fit."""


def oid_of(text: str) -> Oid:
    return tuple(map(int, text.split(".")))


def tlv(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def integer(number: int, tag: int = 0x02) -> bytes:
    size = number.bit_length() // 8 + 1
    return tlv(tag, number.to_bytes(size, "big", signed=True))


def oid_bytes(oid: Oid) -> bytes:
    body = bytearray([oid[0] * 40 + oid[1]])
    for part in oid[2:]:
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(0x80 | (part & 0x7F))
        body += bytes(reversed(groups))
    return tlv(0x06, bytes(body))


def value_bytes(kind: str, text: str) -> bytes:
    """A value as a recording writes it: `kind` is the type, `text` what follows."""
    if kind == "6":
        return oid_bytes(oid_of(text))
    if kind == "64":
        return tlv(0x40, bytes(map(int, text.split("."))))
    if kind == "4x":
        return tlv(0x04, bytes.fromhex(text))
    if kind == "4":
        return tlv(0x04, text.encode())
    return integer(int(text), TAGS[kind])


def read_tlv(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, body and where the next one starts."""
    tag, size, at = data[at], data[at + 1], at + 2
    if size & 0x80:
        end = at + (size & 0x7F)
        size, at = int.from_bytes(data[at:end], "big"), end
    return tag, data[at : at + size], at + size


def oid_in(body: bytes) -> Oid:
    parts = [body[0] // 40, body[0] % 40]
    number = 0
    for byte in body[1:]:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(number)
            number = 0
    return tuple(parts)


class Device:
    """What an agent knows, in order."""

    def __init__(self, values: Mapping[Oid, bytes]) -> None:
        self.oids = sorted(values)
        self.binds = [tlv(0x30, oid_bytes(oid) + values[oid]) for oid in self.oids]
        self.place = {oid: place for place, oid in enumerate(self.oids)}

    def get(self, oid: Oid) -> bytes:
        place = self.place.get(oid)
        if place is None:
            return tlv(0x30, oid_bytes(oid) + NO_SUCH_INSTANCE)
        return self.binds[place]

    def next(self, oid: Oid) -> tuple[Oid, bytes]:
        place = bisect_right(self.oids, oid)
        if place == len(self.oids):
            return oid, tlv(0x30, oid_bytes(oid) + END_OF_MIB)
        return self.oids[place], self.binds[place]


class Agent:
    """Serves `devices` by community on a port of 127.0.0.1 from `start` to `stop`."""

    def __init__(self) -> None:
        self.devices: dict[bytes, Device] = {}
        self.requests = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        # An empty datagram ends the loop: closing a socket does not wake who waits on it.
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            packet, sender = self._socket.recvfrom(65_535)
            if not packet:
                return
            answer = self.answer(packet)
            if answer:
                self._socket.sendto(answer, sender)

    def answer(self, packet: bytes) -> bytes | None:
        """The reply to a v2c request; None for a community that no device here has."""
        _, message, _ = read_tlv(packet, 0)
        _, version, at = read_tlv(message, 0)
        _, community, at = read_tlv(message, at)
        device = self.devices.get(community)
        if device is None:
            return None
        self.requests += 1
        tag, pdu, _ = read_tlv(message, at)
        _, request_id, at = read_tlv(pdu, 0)
        _, first, at = read_tlv(pdu, at)
        _, second, at = read_tlv(pdu, at)
        _, asked, _ = read_tlv(pdu, at)
        oids, at = [], 0
        while at < len(asked):
            _, bind, at = read_tlv(asked, at)
            oids.append(oid_in(read_tlv(bind, 0)[1]))
        if tag == GETBULK:
            binds = self._bulk(device, oids, int.from_bytes(first), int.from_bytes(second))
        elif tag == GETNEXT:
            binds = [device.next(oid)[1] for oid in oids]
        else:
            binds = [device.get(oid) for oid in oids]
        body = tlv(0x02, request_id) + integer(0) + integer(0) + tlv(0x30, b"".join(binds))
        return tlv(0x30, tlv(0x02, version) + tlv(0x04, community) + tlv(RESPONSE, body))

    @staticmethod
    def _bulk(device: Device, oids: list[Oid], once: int, repetitions: int) -> list[bytes]:
        binds = [device.next(oid)[1] for oid in oids[:once]]
        size, columns = sum(map(len, binds)), oids[once:]
        for _ in range(repetitions):
            for place, oid in enumerate(columns):
                columns[place], bind = device.next(oid)
                size += len(bind)
                if size > MAX_BYTES and binds:
                    return binds
                binds.append(bind)
        return binds
