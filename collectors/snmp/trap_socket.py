"""The socket that traps come in by: with room for a district that loses power at once, read many
packets at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

from collectors.snmp.notification import MAX_PACKET
from collectors.snmp.sweep.sockets import BUFFER, SocketAddress, ask_for, kernel_drops

AT_ONCE_S = 0.01
"""For so long packets are read in one go; then whatever else waits has its turn."""


class TrapSocket:
    """Calls `heard` with each packet and its sender."""

    def __init__(self, sock: socket.socket, heard: Callable[[bytes, SocketAddress], None]) -> None:
        self._sock = sock
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._read)

    @classmethod
    async def listen(
        cls,
        host: str,
        port: int,
        heard: Callable[[bytes, SocketAddress], None],
        buffer_bytes: int = BUFFER,
    ) -> TrapSocket:
        """Listen on the first address of `host` that can be; OSError if none can."""
        loop = asyncio.get_running_loop()
        problem = OSError(f"{host} has no address")
        for family, kind, _, _, where in await loop.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        ):
            try:
                return cls(_opened(family, kind, where, buffer_bytes), heard)
            except OSError as error:
                problem = error
        raise problem

    def send(self, packet: bytes, to: SocketAddress) -> None:
        """Send once; what the machine cannot send now its receiver asks for again."""
        with contextlib.suppress(OSError):
            self._sock.sendto(packet, to)

    def drops(self) -> int:
        """Packets that the kernel threw away because the buffer was full, since the start."""
        return kernel_drops(self._sock)

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _read(self) -> None:
        until = time.monotonic() + AT_ONCE_S
        while time.monotonic() < until:
            try:
                packet, sender = self._sock.recvfrom(MAX_PACKET + 1)
            except OSError:  # nothing more, or a fault that is gone by having been told
                return
            self._heard(packet, sender)


def _opened(family: int, kind: int, where: SocketAddress, buffer_bytes: int) -> socket.socket:
    sock = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)
        ask_for(sock, buffer_bytes)
        sock.bind(where)
    except OSError:
        sock.close()
        raise
    return sock
