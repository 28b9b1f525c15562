"""Whether an address can be listened on, told before anything is started that would need it."""

from __future__ import annotations

import socket

from farola.errors import FarolaError


def check_port(host: str, port: int, option: str, kind: int = socket.SOCK_STREAM) -> None:
    """Raise FarolaError, one line, unless `host`:`port` can be listened on now.

    `option` is what chooses another on the command line, such as `--port`; `kind` is SOCK_STREAM
    (TCP) or SOCK_DGRAM (UDP).
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=kind)[0]
        with socket.socket(family, kind, proto) as probe:
            if kind == socket.SOCK_STREAM:  # of UDP it would let two listen where both ask for it
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FarolaError(
            f"cannot listen on {host}:{port}: {reason}; "
            f"stop what uses it, or choose another with {option}"
        ) from None
