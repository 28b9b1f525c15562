"""A DHCP DISCOVER and the OFFER to it (RFC 2131): whether a client would get an address. Nothing is
requested, so no lease is taken and none of the machine's own is touched.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SERVER_PORT, CLIENT_PORT = 67, 68
RESEND_S = 1.5
_MAGIC = b"\x63\x82\x53\x63"
_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64x128x")
_DISCOVER, _OFFER = 1, 2
_BROADCAST = 0x8000
_SUBNET, _ROUTER, _DNS, _TYPE, _SERVER, _WANTED, _PAD, _END = 1, 3, 6, 53, 54, 55, 0, 255


@dataclass(frozen=True)
class Offer:
    """Who offers an address, and which name servers go with it."""

    server: str
    name_servers: tuple[str, ...] = ()


def discover(xid: int, mac: bytes) -> bytes:
    """A DISCOVER that is answered by broadcast: we have no address that could be answered to."""
    none = bytes(4)
    header = _HEADER.pack(
        1, 1, len(mac), 0, xid, 0, _BROADCAST, none, none, none, none, mac.ljust(16, b"\0")
    )
    options = bytes((_TYPE, 1, _DISCOVER, _WANTED, 3, _SUBNET, _ROUTER, _DNS, _END))
    return (header + _MAGIC + options).ljust(300, b"\0")


def read_offer(packet: bytes, xid: int, mac: bytes) -> Offer | None:
    """The offer in `packet`, if it answers our discover; None for anything else."""
    if len(packet) < _HEADER.size + 4 or packet[_HEADER.size : _HEADER.size + 4] != _MAGIC:
        return None
    op, _, _, _, got, _, _, _, _, _, _, chaddr = _HEADER.unpack_from(packet)
    if (op, got, chaddr[: len(mac)]) != (2, xid, mac):
        return None
    options = dict(_options(packet[_HEADER.size + 4 :]))
    server = options.get(_SERVER, b"")
    if options.get(_TYPE) != bytes((_OFFER,)) or len(server) != 4:
        return None
    servers = options.get(_DNS, b"")
    return Offer(
        socket.inet_ntoa(server),
        tuple(socket.inet_ntoa(servers[n : n + 4]) for n in range(0, len(servers) - 3, 4)),
    )


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        if at + 1 >= len(data) or at + 2 + data[at + 1] > len(data):
            return
        yield data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]


def first_offer(interface: str, timeout_s: float) -> Offer | None:
    """Ask on `interface` and wait for the first offer; None if none comes in time.

    Raises OSError: no such interface, or no right to use port 68.
    """
    told = Path(f"/sys/class/net/{interface}/address")
    if not told.exists():
        raise OSError(errno.ENODEV, f"no interface {interface!r}")
    mac = bytes.fromhex(told.read_text().replace(":", ""))
    xid = int.from_bytes(os.urandom(4))
    packet, until = discover(xid, mac), time.monotonic() + timeout_s
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        one.bind(("", CLIENT_PORT))
        resend = 0.0
        while (now := time.monotonic()) < until:
            if now >= resend:
                one.sendto(packet, ("255.255.255.255", SERVER_PORT))
                resend = now + RESEND_S
            one.settimeout(max(0.01, min(resend, until) - now))
            try:
                answer, _ = one.recvfrom(4096)
            except TimeoutError:
                continue
            offer = read_offer(answer, xid, mac)
            if offer is not None:
                return offer
    return None
