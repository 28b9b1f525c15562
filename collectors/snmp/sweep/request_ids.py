"""Request-ids that nobody can guess: without them an answer could be forged from afar."""

from __future__ import annotations

import os
from collections.abc import Container

_AT_ONCE = 1024
_MASK = int.from_bytes(b"\x3f\xff\xff\xff" * _AT_ONCE, "big")
_SET = int.from_bytes(b"\x40\x00\x00\x00" * _AT_ONCE, "big")


class RequestIds:
    """Draws them from the kernel, many at once."""

    def __init__(self) -> None:
        self._drawn = b""
        self._at = 0

    def draw(self, taken: Container[bytes]) -> bytes:
        """Four octets with 30 random bits, a positive INTEGER in its shortest form, not `taken`."""
        while True:
            if self._at == len(self._drawn):
                some = int.from_bytes(os.urandom(4 * _AT_ONCE), "big") & _MASK | _SET
                self._drawn = some.to_bytes(4 * _AT_ONCE, "big")
                self._at = 0
            found = self._drawn[self._at : self._at + 4]
            self._at += 4
            if found not in taken:
                return found
