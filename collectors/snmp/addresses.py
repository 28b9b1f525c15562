"""Addresses as people type them: `192.0.2.7`, `192.0.2.7:1161`, `[2001:db8::7]:1161`."""

from __future__ import annotations

import ipaddress
import re

from farola.errors import InputError

_BRACKETS = re.compile(r"^\[(?P<host>[^\[\]]+)\](:(?P<port>\d+))?$")


def split_host_port(text: str, default_port: int) -> tuple[str, int]:
    """Host and port of `text`; InputError tells what is wrong with it."""
    if "/" in text:
        what = "a URL" if "://" in text else "a network or a path"
        raise InputError(f"{text!r} is {what}: give one host, as HOST or HOST:PORT")
    match = _BRACKETS.match(text)
    port: str | None
    if match:
        host, port = match["host"], match["port"]
    elif text.count(":") == 1:
        host, port = text.split(":")
    else:
        host, port = text, None
        _check_bare(text)
    number = default_port if port is None else int(port) if _is_port(port) else 0
    if not host or not 1 <= number <= 65535:
        raise InputError(f"{text!r} is not HOST or HOST:PORT with a port from 1 to 65535")
    return host, number


def join_host_port(host: str, port: int) -> str:
    """What `split_host_port` reads: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def port_meant(text: str) -> str:
    """`text` with brackets, where it is an IPv6 address without any and a port at its end; else
    empty. `::1:1161` can be read both ways.
    """
    head, _, tail = text.rpartition(":")
    return f"[{head}]:{tail}" if _is_ipv6(head) and _is_port(tail) else ""


def _check_bare(text: str) -> None:
    """Refuse brackets that do not close, and colons in what is no IPv6 address."""
    if not any(mark in text for mark in ":[]") or _is_ipv6(text):
        return
    instead = port_meant(text) or "[2001:db8::7] or [2001:db8::7]:1161"
    raise InputError(f"{text!r} is no IPv6 address: with a port write {instead}")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5
