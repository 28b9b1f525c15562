"""Hands the devices of a batch from Ansible's worker to the process that rolls the change out,
which has all that their turns need open already. Imports nothing heavy: Ansible has this inside.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

DESK = "FAROLA_DESK"
"""Names the socket of the desk (`desk.py`); where it is not set, a worker does the work itself."""
LONGEST = 32 * 1024 * 1024
"""Bytes of a line after which the other end is taken for broken."""


class NobodyThere(Exception):  # noqa: N818 - it says who is missing
    """The process that rolls the change out is gone: nothing more is done for these devices."""


def desk() -> str:
    """Path of the socket that work is handed to, or ""."""
    return os.environ.get(DESK, "")


def hand_out(change_id: int, devices: Sequence[str]) -> dict[str, str]:
    """Have the turns of a wave's devices taken, and wait until the rollout goes on: what became of
    each, by its id.

    Raises
    ------
    NobodyThere
        The rollout ends with this wave, or is gone. What was begun is accounted for over there.
    """
    line = json.dumps({"change": change_id, "devices": list(devices)})
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            with address(desk()) as path:
                connection.connect(path)
            connection.sendall(f"{line}\n".encode())
            answer = json.loads(read_line(connection))
            return {str(name): str(status) for name, status in answer["statuses"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise NobodyThere(
            "the process that rolls the change out has ended; `farola provision status "
            f"{change_id}` tells what became of each device ({error or type(error).__name__})"
        ) from None


@contextmanager
def address(path: str) -> Iterator[str]:
    """By what the socket at `path` is bound and reached, however long the name of its folder is:
    a socket's own may have 107 bytes.
    """
    folder, name = os.path.split(path)
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{name}"
    finally:
        os.close(opened)


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
