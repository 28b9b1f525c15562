"""The sweep's sockets: one for IPv4 and one for IPv6, unconnected, for the whole fleet."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from typing import Any

BUFFER = 8 * 1024 * 1024
"""Receive buffer asked for, in bytes; what the kernel grants an unprivileged process is less."""
_SO_RCVBUFFORCE = 33  # socket(7); the socket module has no name for it
_SO_MEMINFO = 55  # since Linux 4.12
_MEMINFO = struct.Struct("=9I")
_DROPS = 8

SocketAddress = tuple[Any, ...]
"""(host, port), or (host, port, 0, scope) for IPv6, as recvfrom says it."""


def open_socket(family: int, buffer_bytes: int = BUFFER) -> socket.socket:
    """A non-blocking UDP socket; OSError if the machine does not speak this family."""
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))  # noqa: S104 - replies only
        ask_for(sock, buffer_bytes)
    except OSError:
        sock.close()
        raise
    return sock


def ask_for(sock: socket.socket, buffer_bytes: int = BUFFER) -> None:
    """Ask the kernel for a receive buffer of this size; see `granted`."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
    except OSError:  # needs CAP_NET_ADMIN
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)


def granted(sock: socket.socket) -> int:
    """The receive buffer in bytes, as the kernel counts them."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def kernel_drops(sock: socket.socket) -> int:
    """Packets for this socket that the kernel threw away since it was opened."""
    with contextlib.suppress(OSError, struct.error):
        info = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        return int(_MEMINFO.unpack(info)[_DROPS])
    return 0


def numeric(address: str, port: int) -> tuple[int, SocketAddress] | None:
    """Family and socket address of a numeric IP address (`fe80::1%eth0` too); None for others."""
    try:
        if ":" not in address:
            socket.inet_pton(socket.AF_INET, address)  # takes the one usual spelling alone
            return socket.AF_INET, (address, port)
        ip = ipaddress.IPv6Address(address)
    except (OSError, ValueError, UnicodeError):
        return None
    if ip.ipv4_mapped:
        return socket.AF_INET, (str(ip.ipv4_mapped), port)
    scope = 0
    if ip.scope_id:
        try:
            name = ip.scope_id
            scope = int(name) if name.isdecimal() else socket.if_nametoindex(name)
        except OSError:
            return None
    host = socket.inet_ntop(socket.AF_INET6, ip.packed)
    return socket.AF_INET6, (host, port, 0, scope)
