"""Walking the columns of a table with GETBULK, without the sockets: which request comes next, and
which rows an answer holds (RFC 3416, 4.2.3).
"""

from __future__ import annotations

from collections.abc import Sequence

from collectors.snmp.model import Column, Oid, RawValue
from collectors.snmp.v3.message import MAX_SIZE

MAX_VALUES = 200_000
"""More than any real table; an agent that never ends is cut off here."""
MOST_REPETITIONS = 50
_GUESSED_VALUE = 16


class Walk:
    """The state of one walk over the columns of a table.

    Ask `request()` until it returns None, giving each answer to `accept`. An agent that truncates
    is asked on from where it ended; one whose OIDs do not increase is not asked again. `columns`
    then holds what was read, by row index, and `broken` why that is not the whole table.
    """

    def __init__(self, columns: Sequence[Oid]) -> None:
        row = sum(len(column) + 8 + _GUESSED_VALUE for column in columns)
        self.repetitions = max(1, min(25, MAX_SIZE // row))
        self.broken = ""
        self._oids = tuple(columns)
        self._found: list[dict[Oid, RawValue]] = [{} for _ in columns]
        self._reached: dict[int, Oid] = dict.fromkeys(range(len(columns)), ())
        self._values = 0
        self._most = MOST_REPETITIONS

    @property
    def columns(self) -> list[Column]:
        """What was read."""
        return list(self._found)

    def request(self) -> list[Oid] | None:
        """The OIDs to repeat in the next GETBULK; None when the walk is over."""
        return [self._oids[n] + index for n, index in self._reached.items()] or None

    def accept(self, varbinds: Sequence[tuple[Oid, RawValue | None]]) -> None:
        """Take the answer to the last request; a value of None is an end of the MIB view."""
        active = list(self._reached)
        if not varbinds:
            self.stop("came back empty")
            return
        for position, (oid, value) in enumerate(varbinds):
            number = active[position % len(active)]
            if number not in self._reached:
                continue
            column = self._oids[number]
            index = oid[len(column) :]
            if value is None or oid[: len(column)] != column:
                del self._reached[number]
            elif index <= self._reached[number]:
                self.stop("goes in circles")
                return
            else:
                self._reached[number] = index
                self._found[number][index] = value
                self._values += 1
        if self._values > MAX_VALUES:
            self.stop(f"has more than {MAX_VALUES:,} values")
        self.repetitions = min(self.repetitions * 2, self._most)

    def shrink(self, why: str = "does not fit a packet") -> bool:
        """Ask for fewer rows after an error or a lost answer; False, and given up for `why`, when
        one row is too much.
        """
        if self.repetitions == 1:
            self.stop(why)
            return False
        self.repetitions = self._most = max(1, self.repetitions // 4)
        return True

    def stop(self, why: str) -> None:
        """Give the walk up."""
        self.broken = why
        self._reached.clear()
