"""Where a host is: its address as sockets know it."""

from __future__ import annotations

import asyncio
import socket

from collectors.snmp.sweep.sockets import SocketAddress, numeric

_RESOLVE_S = 5.0


async def resolve(host: str, port: int) -> tuple[int, SocketAddress] | None:
    """Family and socket address of a host, an IP address (`fe80::1%eth0` too) or a name; None if
    it has none, or none was told in time.
    """
    place = numeric(host, port)
    if place is not None:
        return place
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError, ValueError, TimeoutError):
        return None
    return next(((family, address) for family, _, _, _, address in found), None)
