"""Availability: which share of the polls that could have been answered were. Pure; the definition
with its formula and an example is in docs/availability.md.

Times are milliseconds since 1970, those of polls.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from math import ceil
from statistics import median

SHARE_AT_ONCE = 0.5
"""More than this share of the devices that answered going silent from one poll to the next is
called the collector's own network."""
FEWEST_AT_ONCE = 5
"""Devices; fewer that go silent at once prove nothing."""
LONG_GAP = 1.5
"""Intervals between two polls beyond which some were not made."""
NEIGHBOURS = 5
"""So many gaps on each side tell what the interval was at a time: it may have been changed."""


@dataclass
class Tally:
    """Polls of one device, or of several together, by what they say of it."""

    up: int = 0
    """Answered, or not answered but not down either: those are counted as `lost` too."""
    lost: int = 0
    down: int = 0
    """Its own fault, as far as is known."""
    upstream: int = 0
    """Down while something that it hangs on was down, too."""
    network: int = 0
    """Silent together with most of the city: the collector's own network."""
    maintenance: int = 0
    unknown: int = 0
    """It had never answered before."""
    not_asked: int = 0
    """Polls that were made without it since it was first asked."""

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)))

    @property
    def availability(self) -> float | None:
        """up / (up + down); None where nothing was expected."""
        return _share(self.up, self.up + self.down)

    @property
    def reachable(self) -> float | None:
        """up / (up + down + upstream): as those who use it felt it."""
        return _share(self.up, self.up + self.down + self.upstream)


@dataclass(frozen=True)
class PollTold:
    """A poll as the collector told of it."""

    at_ms: int
    devices: int
    answered: int


@dataclass(frozen=True)
class CollectorTime:
    """What the collector itself did in a period: `missed` polls and `down_s` seconds without."""

    polls: int
    missed: int
    down_s: float
    interval_s: float | None
    """The usual time between two polls; None where there were not two."""


@dataclass
class Ledger:
    """The polls of one device, fed in order of time.

    `where` tells at which place it was, `excused` whether maintenance went on there; `gone` are
    polls in which something that it hangs on was down, `faults` those in which the collector's own
    network was. `answered_before` is asked where the first row is one of a device that is down:
    whether it ever answered.
    """

    where: Callable[[int], str]
    excused: Callable[[int, str], bool]
    gone: Collection[int] = frozenset()
    faults: Collection[int] = frozenset()
    answered_before: Callable[[], bool] = lambda: True
    tallies: dict[str, Tally] = field(default_factory=dict)
    first_ms: int | None = None
    seen: list[int] | None = None
    """The polls it has a row of, if they are wanted (`closed`)."""
    _asked: int = 0
    _ever: bool = True
    """Whether it has answered, as far as is known."""
    _silent: list[int] = field(default_factory=list)
    _down: bool = False

    def add(self, at_ms: int, answered: bool, state: str | None) -> None:
        """The device's row of one poll."""
        if self.first_ms is None:
            self.first_ms = at_ms
            self._ever = answered or state == "up" or (state == "down" and self.answered_before())
        # Nobody knows of an answer of one that is unknown, though it is called down later.
        self._ever = answered or (self._ever and state in ("up", "down"))
        self._asked += 1
        if self.seen is not None:
            self.seen.append(at_ms)
        if not answered and self._ever:
            self._silent.append(at_ms)
            self._down = self._down or state == "down"
            return
        self._settle()
        self._count(at_ms, "up" if answered else "unknown")

    def closed(self, polls: Sequence[int]) -> dict[str, Tally]:
        """The tallies by place, once all rows were added; `polls` are all that were made.

        A poll without a row of it was made without it; where `seen` is kept, it may also be that
        what it hangs on was down, or the collector's network, and could not tell of it.
        """
        self._settle()
        if self.first_ms is None:
            return self.tallies
        expected = polls[bisect_left(polls, self.first_ms) :]
        without = len(expected) - self._asked
        if self.seen is not None and without > 0:
            missing = set(expected).difference(self.seen)
            for at in missing.intersection(self.gone).union(missing.intersection(self.faults)):
                self._count(at, "network" if at in self.faults else "upstream")
                without -= 1
        self._tally(self.where(self.first_ms)).not_asked += max(0, without)
        return self.tallies

    def _settle(self) -> None:
        """A run of polls without an answer has ended: down from its first one if it came to that,
        else lost answers.
        """
        for at in self._silent:
            if at in self.faults:
                self._count(at, "network")
            elif not self._down:
                self._count(at, "up")
                if not self._is_excused(at):
                    self._tally(self.where(at)).lost += 1
            else:
                self._count(at, "upstream" if at in self.gone else "down")
        self._silent, self._down = [], False

    def _count(self, at_ms: int, kind: str) -> None:
        tally = self._tally(self.where(at_ms))
        kind = "maintenance" if self._is_excused(at_ms) else kind
        setattr(tally, kind, getattr(tally, kind) + 1)

    def _is_excused(self, at_ms: int) -> bool:
        return self.excused(at_ms, self.where(at_ms))

    def _tally(self, place: str) -> Tally:
        return self.tallies.setdefault(place, Tally())


def gone_times(rows: Iterable[tuple[int, bool, str | None]]) -> frozenset[int]:
    """The polls in which a device was down, from the first unanswered one on; `rows` are (time,
    answered, state) in order of time.
    """
    gone: set[int] = set()
    silent: list[int] = []
    down = False
    for at, answered, state in rows:
        if answered:
            gone.update(silent if down else ())
            silent, down = [], False
        else:
            silent.append(at)
            down = down or state == "down"
    return frozenset(gone.union(silent if down else ()))


def network_faults(polls: Iterable[PollTold], explained: Mapping[int, int]) -> frozenset[int]:
    """The polls in which the collector's own network was at fault: most of the devices that
    answered before went silent at once, and stay silent.

    `explained` counts by poll the devices that hang on something that was down then. `polls` are
    in order of time; the first one tells what is usual.
    """
    faults: set[int] = set()
    usual: float | None = None
    for poll in polls:
        if not poll.devices:
            continue
        behind = explained.get(poll.at_ms, 0)
        if usual is not None:
            expected = usual * poll.devices - behind
            silent = expected - poll.answered
            if silent >= FEWEST_AT_ONCE and silent > SHARE_AT_ONCE * expected:
                faults.add(poll.at_ms)
                continue
        usual = min(1.0, (poll.answered + behind) / poll.devices)
    return frozenset(faults)


def collector_time(polls: Sequence[int], start_ms: int, end_ms: int) -> CollectorTime:
    """How the collector did between `start_ms` and `end_ms`, from the times of its polls in that
    period, in order.
    """
    if not polls:
        return CollectorTime(0, 0, (end_ms - start_ms) / 1000, None)
    gaps = [later - earlier for earlier, later in pairwise(polls)]
    if not gaps:
        return CollectorTime(1, 0, 0.0, None)
    missed, down_ms = 0, 0.0
    usual = median(gaps)
    for index, gap in enumerate(gaps):
        if gap > LONG_GAP * (here := _interval_at(gaps, index)):
            missed += round(gap / here) - 1
            down_ms += gap - here
    if (before := polls[0] - start_ms) > LONG_GAP * usual:
        missed += int(before // usual)
        down_ms += before
    if (after := end_ms - polls[-1]) > LONG_GAP * usual:
        missed += ceil(after / usual) - 1
        down_ms += after - usual
    return CollectorTime(len(polls), missed, down_ms / 1000, usual / 1000)


def _interval_at(gaps: Sequence[int], index: int) -> float:
    """What the interval was around the gap `index`: what was usual before or after it, the longer,
    as it may have been changed just then.
    """
    before, after = (
        gaps[max(0, index - NEIGHBOURS) : index],
        gaps[index + 1 : index + 1 + NEIGHBOURS],
    )
    usual = [median(side) for side in (before, after) if side]
    return float(max(usual, default=gaps[index]))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
