"""Tables whose rows last as long as the agent runs: once a device's rows are known, only the cells
in use are asked, by GET beside the scalars, and the table is not walked.

What names a row is asked with it. Where that or anything else is not what it was (a name, the
state of a port that decides which is the uplink, a cell that is gone, the number of interfaces, a
row that other tables speak of for the first time), nothing of it is believed and the device is
walked again in the same poll.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from collectors.snmp.lasting import Asking, Device, Joined, KeptRows, Lasting, Rows
from collectors.snmp.layout import Context, Join
from collectors.snmp.model import Oid, Question, RawValue, Reply
from collectors.snmp.rows import rows_of

IF_NUMBER: Oid = (1, 3, 6, 1, 2, 1, 2, 1, 0)
MOST_CELLS = 64
"""Of one table; where more are in use, walking it costs no more."""
MOST_QUESTIONS, MOST_HABITS = 384, 4096
"""So many different ones for all devices together; a device beyond them is walked each time."""
_MOST_ARCS, _MOST_ARC = 128, 2**32 - 1
_LONGEST = 255
"""Octets of a name that is worth remembering: a DisplayString has no more."""


_Check = tuple[int, frozenset[Any], tuple[tuple[Join, frozenset[Any]], ...]]
"""The place of a table whose rows join lasting ones, those of its rows that need no look, and for
each join the values that may do so."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Habit:
    """What is asked of devices with the same rows, and how their replies are read."""

    question: Question
    fixed_at: int
    """Where the profile's own scalars end and the values begin that must be `fixed`."""
    fixed: tuple[RawValue, ...]
    live_at: int
    counted: bool
    """Whether the number of interfaces is asked, right before `live_at`."""
    listings: tuple[tuple[int, RawValue | None], ...]
    """Places of scalars that list rows of tables, and what they must be."""
    tables: tuple[Rows | KeptRows | None, ...]
    """How to make each table of the profile; None for one that is walked."""
    checks: tuple[_Check, ...]

    def opened(self, reply: Reply, number: RawValue | None) -> Reply | None:
        """`reply` to `question` as one to the profile's question; None if something moved.
        `number` is how many interfaces there were.
        """
        scalars, at = reply.scalars, self.live_at
        live = scalars[at:]
        if None in live or tuple(scalars[self.fixed_at : self.fixed_at + len(self.fixed)]) != (
            self.fixed
        ):
            return None
        if self.counted and number is not None and scalars[at - 1] not in (None, number):
            return None
        for place, listed in self.listings:
            if scalars[place] != listed:
                return None
        walked = iter(reply.tables)
        tables = [next(walked, None) if one is None else one.columns(live) for one in self.tables]
        for place, usual, joins in self.checks:
            table = tables[place] or ()
            if all(map(usual.issuperset, table)):
                continue
            for row in rows_of(table):
                for join, known in joins:
                    if tuple([one(table, row) for one in join.ours]) not in known:
                        return None
        return Reply(scalars[: self.fixed_at], tables, reply.error)

    def broken(self, reply: Reply) -> Reply:
        """The same of a reply that came only in part: what lasts is unknown."""
        walked = iter(reply.tables)
        tables = [next(walked, None) if one is None else None for one in self.tables]
        return Reply(reply.scalars[: self.fixed_at], tables, reply.error)


class Habits:
    """The habits of all devices; those with the same rows share one, and its question."""

    def __init__(self) -> None:
        self._questions: WeakValueDictionary[Any, Question] = WeakValueDictionary()
        self._habits: WeakValueDictionary[Any, Habit] = WeakValueDictionary()
        self._made: WeakValueDictionary[Any, Habit] = WeakValueDictionary()

    def of(
        self, lasting: Lasting, question: Question, reply: Reply, context: Context, *,
        device: Device,
    ) -> Habit | None:  # fmt: skip
        """What to ask of a device that gave `reply`, opened as `context`, to `question` of its
        profile; None where walking is as good.
        """
        # To work it out takes as long as twenty polls; most devices have again what they had.
        key = question, device, lasting.traits(context, reply)
        habit = self._made.get(key)
        if habit is None:
            habit = self._worked_out(lasting, question, reply, context, device)
            if habit is not None and len(self._made) < MOST_HABITS:
                self._made[key] = habit
        return habit

    def _worked_out(
        self, lasting: Lasting, question: Question, reply: Reply, context: Context, device: Device
    ) -> Habit | None:
        asking, tables = Asking(), dict[int, Rows | KeptRows]()
        joins: list[Joined] = []
        listings: dict[int, RawValue | None] = {}
        for table in lasting.tables:
            columns = context.tables[table.place]
            if columns is None:
                continue
            mine = Asking()
            its: Rows | KeptRows
            if table.named is None:
                its, its_joins = lasting.made(table, columns, context, device, mine)
            else:
                its, its_joins = lasting.made_of_scripts(table, table.named, reply, mine), []
            if len(mine.fixed) + len(mine.live) > MOST_CELLS:
                continue
            if table.named is not None and table.named.listing is not None:
                listings[table.named.listing] = reply.scalars[table.named.listing]
            tables[table.place] = its.moved(len(asking.live))
            asking.fixed |= mine.fixed
            asking.live += mine.live
            joins += its_joins
        asked = (*asking.fixed, *asking.live)
        if (
            not tables
            or not all(len(oid) <= _MOST_ARCS and max(oid) <= _MOST_ARC for oid in asked)
            or any(len(v) > _LONGEST for v in asking.fixed.values() if isinstance(v, bytes))
        ):
            return None
        counted = device.counts and any(isinstance(one, KeptRows) for one in tables.values())
        scalars = (*asking.fixed, *((IF_NUMBER,) if counted else ()), *asking.live)
        key = (question, scalars, frozenset(tables))
        shared = self._questions.get(key)
        if shared is None:
            if len(self._questions) >= MOST_QUESTIONS:
                return None
            walked = [
                columns for place, columns in enumerate(question.tables) if place not in tables
            ]
            shared = Question((*question.scalars, *scalars), tuple(walked))
            self._questions[key] = shared
        fixed_at = len(question.scalars)
        made_tables = tuple(tables.get(place) for place in range(len(question.tables)))
        fixed = tuple(asking.fixed.values())
        lists = tuple(listings.items())
        rows = tuple((place, known) for place, _, known, _ in joins)
        same = (shared, fixed, lists, rows, repr(made_tables))
        habit = self._habits.get(same)
        if habit is None and len(self._habits) < MOST_HABITS:
            habit = Habit(
                shared, fixed_at, fixed, fixed_at + len(fixed) + counted, counted, lists,
                made_tables, _checks(joins, tables),
            )  # fmt: skip
            self._habits[same] = habit
        return habit


def _checks(joins: Sequence[Joined], tables: Mapping[int, Rows | KeptRows]) -> tuple[_Check, ...]:
    """What `joins` ask of tables, each table once; a table of which only known rows are asked has
    no others.
    """
    found: dict[tuple[int, frozenset[Any]], list[tuple[Join, frozenset[Any]]]] = {}
    for place, join, known, usual in joins:
        if not (join.by_row and place in tables):
            found.setdefault((place, usual), []).append((join, known))
    return tuple((place, usual, tuple(its)) for (place, usual), its in found.items())
