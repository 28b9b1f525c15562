"""Addresses as people type them: `192.0.2.7`, `192.0.2.7:1161`, `[2001:db8::7]:1161`."""

from __future__ import annotations

import re

from farola.errors import InputError

_BRACKETS = re.compile(r"^\[(?P<host>[^\]]+)\](:(?P<port>\d+))?$")


def split_host_port(text: str, default_port: int) -> tuple[str, int]:
    """Host and port of `text`; InputError tells what is wrong with it."""
    match = _BRACKETS.match(text)
    if match:
        host, port = match["host"], match["port"]
    elif text.count(":") == 1:
        host, port = text.split(":")
    else:
        host, port = text, None
    number = default_port if port is None else int(port) if port.isascii() and port.isdigit() else 0
    if not host or not 1 <= number <= 65535:
        raise InputError(f"{text!r} is not HOST or HOST:PORT with a port from 1 to 65535")
    return host, number


def join_host_port(host: str, port: int) -> str:
    """What `split_host_port` reads: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
