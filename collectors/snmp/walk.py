"""Walking table columns with GETBULK, without the sockets: which request comes next, and which
rows an answer holds (RFC 3416, 4.2.3).
"""

from __future__ import annotations

from collections.abc import Sequence

from collectors.snmp.model import Oid, RawValue

MAX_VALUES = 200_000
"""More than any real table; an agent that never ends is cut off here."""


class Walk:
    """The state of one walk over the columns of a table.

    Ask `request()` until it returns None, giving each answer to `accept`. An agent that truncates
    is asked on from where it ended; one whose OIDs do not increase is not asked again. `rows` then
    holds what was read, and `complete` whether that is the whole table.
    """

    def __init__(self, columns: Sequence[Oid], repetitions: int = 16) -> None:
        self.repetitions = repetitions
        self.rows: dict[Oid, RawValue] = {}
        self.complete = True
        self._last: dict[Oid, Oid] = {column: column for column in columns}

    def request(self) -> list[Oid] | None:
        """The OIDs to repeat in the next GETBULK; None when the walk is over."""
        return list(self._last.values()) or None

    def accept(self, varbinds: Sequence[tuple[Oid, RawValue | None]]) -> None:
        """Take the answer to the last request; a value of None is an end of the MIB view."""
        active = list(self._last)
        if not varbinds:
            self._stop()
            return
        for position, (oid, value) in enumerate(varbinds):
            column = active[position % len(active)]
            if column not in self._last:
                continue
            if value is None or oid[: len(column)] != column:
                del self._last[column]
            elif oid <= self._last[column]:
                self.complete = False
                del self._last[column]
            else:
                self._last[column] = oid
                self.rows[oid] = value
        if len(self.rows) > MAX_VALUES:
            self._stop()

    def shrink(self) -> bool:
        """Ask for fewer rows after tooBig or a lost answer; False when one row is too much."""
        if self.repetitions == 1:
            self._stop()
            return False
        self.repetitions = max(1, self.repetitions // 4)
        return True

    def _stop(self) -> None:
        self.complete = False
        self._last.clear()
