"""Walking the columns of a table with GETBULK, or GETNEXT in v1: which request comes next, and
which rows an answer holds (RFC 3416, 4.2.3). No sockets here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from collectors.snmp.model import Oid, RawValue
from collectors.snmp.sweep import ber
from collectors.snmp.sweep.fast import Column, Rows, read_rows
from collectors.snmp.sweep.requests import ROOM, Template, rows_request

MAX_CELLS = 200_000
"""More than any real table; an agent that never ends is cut off here."""
_MAX_REPETITIONS = 100


class Walked(Protocol):
    """What is walked: a table, or columns of several."""

    @property
    def oids(self) -> Sequence[Oid]:
        """Those of the columns."""
        ...

    @property
    def columns(self) -> Sequence[Column]:
        """How they are read."""
        ...

    @property
    def guessed_rows(self) -> int:
        """How many are asked for where nothing better is known."""
        ...

    def first(self, repetitions: int) -> Template:
        """The request that begins a walk; GETNEXT if `repetitions` is 0."""
        ...


class Walk:
    """One walk, and the request that comes next in it.

    An agent that truncates is asked on from where it ended; one whose OIDs do not increase is not
    asked again. `columns` then holds what was read, `broken` why that is not the whole table.
    """

    __slots__ = (
        "_active", "_asked", "_at_most", "_bytes", "_cells", "_fetched", "_last", "_losses",
        "_plan", "_template", "_width", "broken", "columns", "open", "repetitions",
    )  # fmt: skip

    def __init__(self, plan: Walked, wanted: int = 0, is_v1: bool = False) -> None:
        """`wanted` is what `learned` said after the last walk; 0 if there was none."""
        self._plan = plan
        self.open = list(plan.columns)
        self._width = width = len(self.open)
        self.columns: list[dict[Oid, RawValue]] = [{} for _ in self.open]
        self.broken = ""
        self._active = list(range(width))
        self._last: list[Oid] = [()] * width
        self._bytes = self._cells = self._fetched = self._losses = 0
        self._at_most = self.repetitions = 0 if is_v1 else wanted or plan.guessed_rows
        self._asked = max(1, self.repetitions)
        self._template: Template | None = plan.first(self.repetitions)

    @property
    def patient(self) -> bool:
        """See `Request.patient`: a reply of many rows may be lost each time it is split."""
        return self.repetitions < 2

    @property
    def most_pairs(self) -> int:
        """See `Request.most_pairs`."""
        return self._asked * len(self.open)

    def packet(self, head: bytes, request_id: bytes) -> bytes:
        """See `Request.packet`."""
        if self._template is None:
            contents = [
                column.content + ber.arcs_content(last)
                for column, last in zip(self.open, self._last, strict=True)
            ]
            self._template = rows_request(contents, self.repetitions)
            self._asked = max(self._asked, self.repetitions, 1)
        return self._template.packet(head, request_id)

    def read(self, data: bytes, at: int) -> Rows | None:
        """See `Request.read`."""
        rows = read_rows(data, at, self.open, self._last)
        if rows is None or max(map(len, rows[0])) > self._asked:
            return None
        self._bytes += len(data) - at
        self._fetched += self._asked
        return rows

    def read_pairs(self, pairs: Sequence[ber.Pair], once: int = 0) -> Rows:
        """The same from varbinds that the fast reading did not take. The first `once` of the
        columns come before all rows of the others.
        """
        found: list[dict[Oid, RawValue]] = [{} for _ in self.open]
        reached, ended, stuck = list(self._last), [False] * len(self.open), False
        oids = [self._plan.oids[number] for number in self._active]
        for place, (oid, tag, value) in enumerate(pairs):
            number = place if place < once else once + (place - once) % (len(oids) - once)
            size = len(oids[number])
            if tag == ber.END_OF_VIEW or oid[:size] != oids[number]:
                ended[number] = True
            elif not ended[number]:
                index = oid[size:]
                if index <= reached[number]:
                    stuck = ended[number] = True
                    continue
                reached[number] = index
                if value is not None:
                    found[number][index] = value
        return found, reached, ended, stuck

    def accept(self, rows: Rows) -> None:
        """Take an answer to the last request."""
        found, reached, ended, stuck = rows
        if not stuck and not self._cells and False not in ended and len(ended) == self._width:
            self.columns = found  # the usual case: the whole table in one packet
            self._active, self.open = [], []
            return
        count = sum(map(len, found))
        self._cells += count
        if stuck:
            self._stop("goes in circles")
            return
        if self._last == reached and not any(ended):
            self._stop("came back empty")
            return
        if self._cells > MAX_CELLS:
            self._stop(f"has more than {MAX_CELLS:,} values")
            return
        for place, number in enumerate(self._active):
            if self.columns[number]:
                self.columns[number].update(found[place])
            else:
                self.columns[number] = found[place]
        left = [place for place, over in enumerate(ended) if not over]
        self._keep(left, reached)
        self.repetitions = min(self.repetitions * 2, self._at_most)

    def drop(self, place: int) -> None:
        """The column at `place` of the last request has ended (an error-index says so in v1)."""
        self._keep([other for other in range(len(self.open)) if other != place], self._last)

    def shrink(self, lost: bool = False) -> bool:
        """Ask for fewer rows after tooBig or a lost answer; False when one row is too much. What
        was lost once may have been chance: more is tried again later in this walk.
        """
        if self.repetitions < 2:
            return False
        self.repetitions = max(1, self.repetitions // (4 if self._losses or not lost else 2))
        if self._losses or not lost:
            self._at_most = self.repetitions
        self._losses += lost
        self._template = None
        return True

    @property
    def learned(self) -> int:
        """How many rows to ask for at the beginning of the next walk: all and one more, so that
        its end is seen, as far as a packet takes them.
        """
        rows = max(map(len, self.columns))
        fits = ROOM * self._fetched // self._bytes if self._bytes else self._plan.guessed_rows
        most = self._at_most if self._losses or self._at_most < self._plan.guessed_rows else fits
        return max(1, min(rows + 1, most, _MAX_REPETITIONS))

    def stop(self, why: str) -> None:
        """Give the walk up."""
        self._stop(why)

    def _keep(self, places: Sequence[int], reached: Sequence[Oid]) -> None:
        self._active = [self._active[place] for place in places]
        self.open = [self.open[place] for place in places]
        self._last = [reached[place] for place in places]
        self._template = None
        self._asked = max(1, self.repetitions)

    def _stop(self, why: str) -> None:
        self.broken = why
        self._keep([], [])
