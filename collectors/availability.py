"""Availability: which share of the polls that could have been answered were. Pure; the definition
with its formula and an example is in docs/availability.md.

Times are milliseconds since 1970, those of polls. What is said of a poll depends on that poll, the
hours before it and the few polls after it, never on where the period begins or ends: the tallies of
two days add up to those of both.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from math import ceil
from statistics import median

from collectors.snmp.state import MISSES

SHARE_AT_ONCE = 0.5
"""More than this share of the devices that answered going silent from one poll to the next is
called the collector's own network."""
FEWEST_AT_ONCE = 5
"""Devices; fewer that go silent at once prove nothing."""
MOST_FAULT_MS = 3_600_000
"""A silence that lasts longer is no fault of the collector's network any more: who is silent still
is down."""
DAY_MS = 86_400_000
"""Polls farther apart than that have nothing to say about each other."""
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

    `polls` are the times of all that were made in the period and after it, until `end` those that
    count; the rows of the few after `end` tell what came of a silence. `where` tells at which place
    the device was, `excused` whether maintenance went on there; `gone` are polls in which something
    that it hangs on was down, `faults` those in which the collector's own network was.
    `answered_before` is asked at the first row of a device that is down and has not answered so
    far, with that row's time: whether it ever did. `asked_before` tells whether it was asked at all
    before the period.
    """

    polls: Sequence[int]
    end: int
    where: Callable[[int], str]
    excused: Callable[[int, str], bool]
    gone: Collection[int] = frozenset()
    faults: Collection[int] = frozenset()
    answered_before: Callable[[int], bool] = lambda _at: False
    asked_before: Callable[[], bool] = lambda: False
    tallies: dict[str, Tally] = field(default_factory=dict)
    first_ms: int | None = None
    seen: list[int] | None = None
    """The polls it has a row of, if they are wanted (`closed`)."""
    _asked: int = 0
    _ever: bool | None = None
    """Whether it has answered, as far as is known; None while nobody had to know."""
    _silent: list[tuple[int, bool]] = field(default_factory=list)
    """A run of polls without an answer, and whether it was down in each."""

    def add(self, at_ms: int, answered: bool, state: str | None) -> None:
        """The device's row of one poll."""
        if at_ms < self.end:
            if self.first_ms is None:
                self.first_ms = at_ms
            self._asked += 1
            if self.seen is not None:
                self.seen.append(at_ms)
        if answered or state == "up":
            self._ever = True
        elif state == "down" and self._ever is None:
            self._ever = self.answered_before(at_ms)
        if not answered and (state == "up" or (state == "down" and self._ever)):
            self._silent.append((at_ms, state == "down"))
            return
        self._settle()
        self._count(at_ms, "up" if answered else "unknown")

    def closed(self) -> dict[str, Tally]:
        """The tallies by place, once all rows were added.

        A poll without a row of it was made without it; where `seen` is kept, it may also be that
        what it hangs on was down, or the collector's network, and could not tell of it.
        """
        self._settle()
        polls = self.polls[: bisect_left(self.polls, self.end)]
        if not polls:
            return self.tallies
        if self.first_ms is None or polls[0] < self.first_ms:
            if self.asked_before():
                self.first_ms = polls[0]
            elif self.first_ms is None:
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
        for at, down in came_to_down(self._silent, self.polls):
            if at >= self.end:
                break
            if at in self.faults:
                self._count(at, "network")
            elif not down:
                self._count(at, "up")
                if not self._is_excused(at):
                    self._tally(self.where(at)).lost += 1
            else:
                self._count(at, "upstream" if at in self.gone else "down")
        self._silent = []

    def _count(self, at_ms: int, kind: str) -> None:
        if at_ms >= self.end:
            return
        tally = self._tally(self.where(at_ms))
        kind = "maintenance" if self._is_excused(at_ms) else kind
        setattr(tally, kind, getattr(tally, kind) + 1)

    def _is_excused(self, at_ms: int) -> bool:
        return self.excused(at_ms, self.where(at_ms))

    def _tally(self, place: str) -> Tally:
        return self.tallies.setdefault(place, Tally())


def came_to_down(
    run: Sequence[tuple[int, bool]], polls: Sequence[int]
) -> Iterator[tuple[int, bool]]:
    """The polls of a run without an answer, (time, called down then), and whether the device was
    down in each: called so then or within the next few of all `polls`, which it takes to find out.
    """
    called = next((at for at, down in run if down), None)
    for at, down in run:
        if not down and called is not None and at < called:
            following = bisect_right(polls, at)
            last = polls[min(following + MISSES, len(polls)) - 1]
            yield at, called <= last and called - at <= DAY_MS
        else:
            yield at, down or called is not None


def gone_times(
    rows: Iterable[tuple[int, bool, str | None]], polls: Sequence[int]
) -> frozenset[int]:
    """The polls in which a device was down, from the first unanswered one on; `rows` are (time,
    answered, state) in order of time, `polls` the times of all polls.
    """
    gone: set[int] = set()
    silent: list[tuple[int, bool]] = []

    def settle() -> None:
        gone.update(at for at, down in came_to_down(silent, polls) if down)
        silent.clear()

    for at, answered, state in rows:
        if answered or state not in ("up", "down"):  # or it refuses us, and lives
            settle()
        else:
            silent.append((at, state == "down"))
    settle()
    return frozenset(gone)


def network_faults(polls: Iterable[PollTold], explained: Mapping[int, int]) -> frozenset[int]:
    """The polls in which the collector's own network was at fault: most of the devices that
    answered the poll before went silent at once, and stay silent, for MOST_FAULT_MS at most.

    `explained` counts by poll the devices that hang on something that was down then. `polls` are
    in order of time; of the first one nothing can be said.
    """
    faults: set[int] = set()
    open_faults: list[tuple[int, float]] = []  # since when, and what was usual before
    before: tuple[int, float] | None = None
    for poll in polls:
        if not poll.devices:
            continue
        behind = explained.get(poll.at_ms, 0)
        open_faults = [
            (since, usual) for since, usual in open_faults
            if poll.at_ms - since < MOST_FAULT_MS and _is_sudden(poll, usual, behind)
        ]  # fmt: skip
        if before and poll.at_ms - before[0] <= DAY_MS and _is_sudden(poll, before[1], behind):
            open_faults.append((poll.at_ms, before[1]))
        if open_faults:
            faults.add(poll.at_ms)
        before = poll.at_ms, min(1.0, (poll.answered + behind) / poll.devices)
    return frozenset(faults)


def _is_sudden(poll: PollTold, usual: float, behind: int) -> bool:
    """Whether most of those are silent who usually answer."""
    expected = usual * poll.devices - behind
    silent = expected - poll.answered
    return silent >= FEWEST_AT_ONCE and silent > SHARE_AT_ONCE * expected


def collector_time(
    polls: Sequence[int], start_ms: int, end_ms: int, now_ms: int | None = None
) -> CollectorTime:
    """How the collector did between `start_ms` and `end_ms`, from the times of its polls in that
    period, in order. Where the period ends `now_ms`, the last poll may not be over yet.
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
    until = end_ms if now_ms is None else min(end_ms, now_ms - usual)  # one may be under way
    if (after := until - polls[-1]) > LONG_GAP * usual:
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
