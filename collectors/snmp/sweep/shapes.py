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
_SHAPES = 512
_TRUST, _TRIAL, _PAUSE = 64, 16, 512
"""A reading by shape that fails costs a third of what one that succeeds saves: as long as one of
three does, it is tried; then not for so many replies."""
_EVERY = 8
"""Of the replies of a known length and another shape, one so often is remembered instead."""

Values = list[RawValue | None]
_Odd = tuple[int, int]
"""Position and tag of a value that is made of octets."""
_Shape = tuple[Callable[[bytes, int], tuple[Any, ...]], tuple[bytes, ...], tuple[_Odd, ...]]


class Scalars:
    """The values of OIDs that a reply is expected to hold, in their order."""

    __slots__ = ("_expected", "_shapes", "_trust")

    def __init__(self, contents: Sequence[bytes]) -> None:
        """`contents` are those of the OIDs."""
        self._expected = tuple(map(Expected, contents))
        self._shapes: dict[int, _Shape] = {}
        self._trust = _TRUST

    def read(self, data: bytes, at: int) -> Values | None:
        """The values in the varbinds, which begin at `at` and end with the data; None if they are
        others, or encoded in an unusual way.
        """
        trust = self._trust
        if trust <= 0:
            self._trust = trust + 1 if trust else _TRIAL
            return read_values(data, at, self._expected)
        shape = self._shapes.get(len(data) - at)
        if shape is not None:
            unpack, heads, odd = shape
            parts = unpack(data, at)
            if parts[::2] == heads:
                if trust < _TRUST:
                    self._trust = trust + 2
                values = list(parts[1::2])
                for place, tag in odd:
                    content = values[place]
                    values[place] = (
                        _from_bytes(content, "big")
                        if tag in UNSIGNED_SIZES and b"" < content < b"\x80"
                        else value_of(tag, content)
                    )
                return values
            self._trust = trust - 1 if trust > 1 else -_PAUSE
        found = read_values(data, at, self._expected)
        if found is not None and (shape is None or trust % _EVERY == 0):
            self._learn(data, at)
        return found

    def _learn(self, data: bytes, at: int) -> None:
        """The shape of a reply that `read_values` has read."""
        code, heads, odd = ">", [], []
        size = len(data) - at
        for place in range(len(self._expected)):
            pair = pair_at(data, at)
            if pair is None:
                return
            _, tag, start, end = pair
            heads.append(data[at:start])
            length = end - start
            codes = _SIGNED_CODES if tag == INTEGER else _UNSIGNED_CODES
            whole = 4 if tag == INTEGER else UNSIGNED_SIZES.get(tag)
            if whole is not None and length in codes and (tag == INTEGER or length == whole):
                code += f"{start - at}s{codes[length]}"
            else:
                code += f"{start - at}s{length}s"
                if tag != OCTETS:
                    odd.append((place, tag))
            at = end
        if len(self._shapes) >= _SHAPES:
            self._shapes.clear()
        self._shapes[size] = Struct(code).unpack_from, tuple(heads), tuple(odd)
