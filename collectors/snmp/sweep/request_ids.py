"""Request-ids that nobody can guess: without them an answer could be forged from afar."""

from __future__ import annotations

import os
import struct
from collections.abc import Container

_AT_ONCE = 1024
_MASK = int.from_bytes(b"\x3f\xff\xff\xff" * _AT_ONCE, "big")
_SET = int.from_bytes(b"\x40\x00\x00\x00" * _AT_ONCE, "big")
_each = struct.Struct("4s" * _AT_ONCE).unpack


class RequestIds:
    """Draws them from the kernel, many at once."""

    def __init__(self) -> None:
        self._drawn: list[bytes] = []

    def draw(self, taken: Container[bytes]) -> bytes:
        """Four octets with 30 random bits, a positive INTEGER in its shortest form, not `taken`."""
        drawn = self._drawn
        while True:
            if not drawn:
                some = int.from_bytes(os.urandom(4 * _AT_ONCE), "big") & _MASK | _SET
                drawn += _each(some.to_bytes(4 * _AT_ONCE, "big"))
            found = drawn.pop()
            if found not in taken:
                return found
