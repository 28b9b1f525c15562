"""Hands one device's turn from Ansible's worker to the process that rolls the change out, which has
all that a turn needs open already. Imports nothing heavy: every worker of Ansible has this inside.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

DESK = "FAROLA_DESK"
"""Names the socket of `provisioning.desk`; where it is not set, a worker does the work itself."""
LONGEST = 32 * 1024 * 1024
"""Bytes of an answer after which the other end is taken for broken."""


class NobodyThere(Exception):  # noqa: N818 - it says who is missing
    """The process that rolls the change out is gone: nothing more will be done for this device."""


def desk() -> str:
    """Path of the socket that work is handed to, or ""."""
    return os.environ.get(DESK, "")


def hand_out(change_id: int, device_id: str, *, check: bool = False) -> dict[str, Any]:
    """Have a device's turn taken, and wait for its end: `status`, `message` and `diff`, or `error`.

    Raises
    ------
    NobodyThere
        There is no answer. What was begun is asked of the device when the push goes on.
    """
    line = json.dumps({"change": change_id, "device": device_id, "check": check})
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(desk())
            connection.sendall(f"{line}\n".encode())
            answer = json.loads(read_line(connection))
    except (OSError, ValueError) as error:
        raise NobodyThere(
            "the process that rolls the change out is gone, which `farola provision push "
            f"{change_id}` goes on with ({error or type(error).__name__})"
        ) from None
    return answer if isinstance(answer, dict) else {}


def read_line(connection: socket.socket) -> bytes:
    """All up to the newline; ValueError where that never comes."""
    parts: list[bytes] = []
    length = 0
    while not parts or not parts[-1].endswith(b"\n"):
        part = connection.recv(65536)
        length += len(part)
        if not part or length > LONGEST:
            raise ValueError("it closed the connection")
        parts.append(part)
    return b"".join(parts)
