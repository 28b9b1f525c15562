"""The values of a GET, read at once where the reply has the shape of one before: devices of a fleet
say much the same, in numbers of the same length. All others are read one by one (`fast`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

from collectors.snmp.model import RawValue
from collectors.snmp.sweep.ber import INTEGER, OCTETS, pair_at, value_of
from collectors.snmp.sweep.fast import UNSIGNED_SIZES, Expected, read_values

_from_bytes = int.from_bytes
_SIGNED_CODES = {1: "b", 2: "h", 4: "i"}
_UNSIGNED_CODES = {4: "I", 8: "Q"}
SHAPES = 512
TRUST, TRIAL, PAUSE = 64, 16, 512
"""A reading by shape that fails costs a third of what one that succeeds saves: as long as one of
three does, it is tried; then not for so many replies."""
EVERY = 8
"""Of the replies of a known length and another shape, one so often is remembered instead."""

Values = list[RawValue | None]
Odd = tuple[int, int]
"""Position and tag of a value that is made of octets."""
_Shape = tuple[
    Callable[[bytes, int], tuple[Any, ...]], tuple[bytes, ...], tuple[int, ...], tuple[Odd, ...]
]


def code_of(tag: int, length: int) -> str:
    """How `struct` reads a value: as it is where that ends in s, else as the number that it is."""
    if tag == INTEGER and length in _SIGNED_CODES:
        return _SIGNED_CODES[length]
    if length in _UNSIGNED_CODES and UNSIGNED_SIZES.get(tag) == length:
        return _UNSIGNED_CODES[length]
    return f"{length}s"


def is_short_number(tag: int, length: int) -> bool:
    """Whether a value that `struct` leaves as it is is a number that needs fewer octets than its
    type has; it has none if the first octet is above 127.
    """
    return 0 < length < UNSIGNED_SIZES.get(tag, 0)


class Scalars:
    """The values of OIDs that a reply is expected to hold, in their order."""

    __slots__ = ("_expected", "_shapes", "_trust")

    def __init__(self, contents: Sequence[bytes]) -> None:
        """`contents` are those of the OIDs."""
        self._expected = tuple(map(Expected, contents))
        self._shapes: dict[int, _Shape] = {}
        self._trust = TRUST

    def read(self, data: bytes, at: int) -> Values | None:
        """The values in the varbinds, which begin at `at` and end with the data; None if they are
        others, or encoded in an unusual way.
        """
        trust = self._trust
        if trust <= 0:
            self._trust = trust + 1 if trust else TRIAL
            return read_values(data, at, self._expected)
        shape = self._shapes.get(len(data) - at)
        if shape is not None:
            unpack, heads, numbers, odd = shape
            parts = unpack(data, at)
            if parts[::2] == heads:
                if trust < TRUST:
                    self._trust = trust + 2
                values = list(parts[1::2])
                for place in numbers:
                    content = values[place]
                    values[place] = _from_bytes(content, "big") if content < b"\x80" else None
                for place, tag in odd:
                    values[place] = value_of(tag, values[place])
                return values
            self._trust = trust - 1 if trust > 1 else -PAUSE
        found = read_values(data, at, self._expected)
        if found is not None and (shape is None or trust % EVERY == 0):
            self._learn(data, at)
        return found

    def _learn(self, data: bytes, at: int) -> None:
        """The shape of a reply that `read_values` has read."""
        code, heads = ">", []
        numbers, odd = [], []
        size = len(data) - at
        for place in range(len(self._expected)):
            pair = pair_at(data, at)
            if pair is None:
                return
            _, tag, start, end = pair
            heads.append(data[at:start])
            its = code_of(tag, end - start)
            code += f"{start - at}s{its}"
            if is_short_number(tag, end - start) and its[-1] == "s":
                numbers.append(place)
            elif its[-1] == "s" and tag != OCTETS:
                odd.append((place, tag))
            at = end
        if len(self._shapes) >= SHAPES:
            self._shapes.clear()
        unpack = Struct(code).unpack_from
        self._shapes[size] = unpack, tuple(heads), tuple(numbers), tuple(odd)
