"""One poll of the city: read every device, ask the doubtful once more, settle, write once."""

from __future__ import annotations

import asyncio
import heapq
import socket
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from operator import attrgetter

from collectors.pollers import add_figures
from collectors.snmp.access_points import Told, told_of
from collectors.snmp.book import IDENTITY, ProfileBook
from collectors.snmp.garbage import no_garbage_collected
from collectors.snmp.memory import NO_PAST, Past, newest_poll_ms, recall
from collectors.snmp.model import (
    AccessPointReading,
    DeviceReading,
    Question,
    Reply,
    SweepFigures,
    Target,
)
from collectors.snmp.outcome import Outcome, settle
from collectors.snmp.poller import Poller
from collectors.snmp.read import Reader
from collectors.snmp.series import PollFigures, batches
from collectors.snmp.state import MISSES, is_refusal, needs_probe
from timeseries.base import Store
from timeseries.spooled import rows_waiting

SLOWEST = 5
_by_device = attrgetter("device_id")
Identify = Callable[[str, Sequence[AccessPointReading]], Mapping[str, str]]
"""The inventory's device by AccessPointReading.key, of those that a controller tells of."""


@dataclass(frozen=True)
class Slow:
    """A device that took `took_s` seconds for its answers."""

    device: str
    took_s: float


@dataclass(frozen=True)
class Refused:
    """A device that lives and refuses us, in its words: not down, but nothing was read."""

    device: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """What one poll did; `points` are rows written.

    `not_answered`, `partial` (answered, but not to all that was asked), `down`, `other_address`
    (answered from an address that is not theirs) and `unknown_access_points` (told of by a
    controller, not in the inventory) are device ids. From `sent` on: packets.
    """

    devices: int
    answered: int
    timed_out: int
    skipped: int
    points: int
    duration_s: float
    cpu_s: float
    late: int
    lag_s: float
    not_answered: tuple[str, ...]
    partial: tuple[str, ...]
    down: tuple[str, ...]
    slowest: tuple[Slow, ...] = ()
    other_address: tuple[str, ...] = ()
    unknown_access_points: tuple[str, ...] = ()
    sent: int = 0
    received: int = 0
    retried: int = 0
    kernel_drops: int = 0
    malformed: int = 0
    unmatched: int = 0
    maintenance: tuple[str, ...] = ()
    """Ids of devices that are down in maintenance: not among `down`."""
    refused: tuple[Refused, ...] = ()
    spooled: int = 0
    """Rows that wait for the store's server: they are on disk, and not in the store yet."""

    def as_json(self) -> dict[str, object]:
        """As `farola collect once --json` prints it."""
        return asdict(self)


@dataclass(frozen=True)
class Turn:
    """What the service tells a poll about its turn.

    `lag_s` is how long after its due time it started. `before_write` is called right before the
    store is, in the same thread; what it raises leaves the poll unwritten.
    """

    lag_s: float = 0.0
    before_write: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class _Poll:
    """What one poll brought, on its way into the store."""

    now: datetime
    readings: list[DeviceReading]
    told: Told
    probes: Mapping[str, bool]
    packets: SweepFigures
    late: int
    skipped: int
    turn: Turn
    started: float
    cpu: float


class Collector:
    """Polls again and again and remembers the poll before; the store is its only memory that
    lasts, so another collector can go on where this one stopped. While a store's server is away,
    what waits for it is that memory.

    Whoever wrote a poll meanwhile is noticed, and what it wrote is where the next differences
    start: traffic is never counted twice.
    """

    def __init__(
        self,
        poller: Poller,
        store: Store,
        name: str = "",
        identify: Identify = lambda _controller, _told: {},
        alone: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        *,
        book: ProfileBook | None = None,
    ) -> None:
        """`name` is the collector's in the series `poll`, the host's unless given. `alone` is held
        from the start of a poll to the end of writing it (`collectors.one_poll`). `book` holds the
        families that devices may be of, those of Farola unless given.
        """
        self._name = name or socket.gethostname()
        self._poller = poller
        self._reader = Reader(poller, book)
        self._store = store
        self._identify = identify
        self._alone = alone
        self._past: dict[str, Past] | None = None
        self._newest_ms: int | None = None
        self._told_by: dict[str, str] = {}

    async def poll(
        self,
        targets: Sequence[Target],
        skipped: int = 0,
        late: int = 0,
        advance: Callable[[int], None] = lambda _n: None,
        turn: Turn = Turn(),
        *,
        looked_after: Mapping[str, Collection[str]] | None = None,
    ) -> Summary:
        """Poll `targets` once and write all series in one go, stamped with the poll's start.

        `late` is how many polls before were left out because this one's turn had passed.
        `looked_after` holds for each controller the devices of the inventory that it reports and
        that are not polled themselves.

        Raises
        ------
        StoreError
            The store cannot be read or refused the poll; nothing is kept then, and the next
            poll's differences span the gap.
        InventoryError
            The controllers' access points could not be looked up.
        """
        async with self._alone():
            with no_garbage_collected():
                started, cpu = time.monotonic(), time.process_time()
                await asyncio.to_thread(self._remembered, datetime.now(UTC))
                now = datetime.now(UTC)  # after a store that may be slow: when counters are read
                readings: list[DeviceReading] = []
                async for reading in self._reader.read(targets):
                    readings.append(reading)
                    advance(1)
                packets = self._poller.figures
                told = await asyncio.to_thread(
                    self._access_points, readings, targets, looked_after or {}
                )
                probes = await self._probe(readings, targets)
                if probes:
                    packets = add_figures([packets, self._poller.figures])
                # An access point cannot be asked: its controller's next poll is the re-probe.
                probes |= {
                    one.device_id: False
                    for one in told.readings
                    if self._before(one.device_id).misses >= MISSES
                }
                # In a thread: traps are received in this loop.
                return await asyncio.to_thread(
                    self._keep,
                    _Poll(now, readings, told, probes, packets, late, skipped, turn, started, cpu),
                )

    def _remembered(self, now: datetime) -> dict[str, Past]:
        """The polls before, read from the store at first, and when somebody else polled since."""
        newest_ms = newest_poll_ms(self._store, now)
        if self._past is None or (newest_ms or 0) > (self._newest_ms or 0):
            self._past = None
            self._past = recall(self._store, now)
            self._newest_ms = newest_ms
        return self._past

    def _before(self, device_id: str) -> Past:
        return (self._past or {}).get(device_id, NO_PAST)

    def _access_points(
        self,
        readings: Sequence[DeviceReading],
        targets: Sequence[Target],
        looked_after: Mapping[str, Collection[str]],
    ) -> Told:
        controllers = [one for one in readings if one.access_points]
        if not controllers and not looked_after:
            return Told()
        ids = {
            one.device_id: self._identify(one.device_id, one.access_points) for one in controllers
        }
        polled = {target.device_id for target in targets}
        told = told_of(readings, ids, polled, looked_after, self._told_by)
        self._told_by |= told.told_by
        return told

    async def _probe(
        self, readings: Sequence[DeviceReading], targets: Sequence[Target]
    ) -> dict[str, bool]:
        """Ask those once more that would be called down now: whether each answered."""
        doubtful = {
            one.device_id
            for one in readings
            if not one.answered
            and needs_probe(False, (before := self._before(one.device_id)).misses, before.state)
        }
        again = [target for target in targets if target.device_id in doubtful]
        if not again:
            return {}
        return {
            answer.target.device_id: answer.answered
            async for answer in self._poller.ask(again, _identify)
            if not is_refusal(answer)
        }

    def _keep(self, poll: _Poll) -> Summary:
        """Settle the poll and write it."""
        at_ms = int(poll.now.timestamp() * 1000)
        past = self._remembered(poll.now)
        controllers = poll.told.controllers
        readings = list(poll.readings)
        if controllers:
            readings = [controllers.get(one.device_id, one) for one in readings]
        readings += poll.told.readings
        # In the same order each time, so that what was remembered together is read together.
        readings.sort(key=_by_device)
        probed, before = poll.probes.get, past.get
        outcomes = [
            settle(one, before(one.device_id, NO_PAST), at_ms, probed(one.device_id))
            for one in readings
        ]
        figures = _figures(poll, readings, rows_waiting(self._store))
        rows = batches(outcomes, figures, at_ms, self._name)
        poll.turn.before_write()
        try:
            points = self._store.write(rows)
        except BaseException:
            self._past = None  # a part of it may be kept: the store knows
            raise
        past |= {outcome.reading.device_id: outcome.past for outcome in outcomes}
        self._newest_ms = max(at_ms, self._newest_ms or 0)
        return _summary(poll, outcomes, figures, points)


def _identify(_target: Target) -> Generator[Question, Reply, None]:
    yield Question(IDENTITY)


def _figures(poll: _Poll, readings: Sequence[DeviceReading], spooled: int) -> PollFigures:
    answered = sum(one.answered for one in readings)
    return PollFigures(
        devices=len(readings),
        answered=answered,
        timed_out=len(readings) - answered,
        late=poll.late,
        duration_s=round(time.monotonic() - poll.started, 3),
        cpu_s=round(time.process_time() - poll.cpu, 3),
        lag_s=round(poll.turn.lag_s, 3),
        sent=poll.packets.sent,
        received=poll.packets.received,
        retried=poll.packets.retried,
        dropped=poll.packets.kernel_drops,
        spooled=spooled,
    )


def _summary(
    poll: _Poll, outcomes: Sequence[Outcome], figures: PollFigures, points: int
) -> Summary:
    slowest = heapq.nlargest(SLOWEST, poll.readings, key=attrgetter("took_s"))
    readings = [outcome.reading for outcome in outcomes]  # by id
    silent = [one for one in poll.readings if not one.answered]
    packets = poll.packets
    return Summary(
        devices=figures.devices,
        answered=figures.answered,
        timed_out=figures.timed_out,
        skipped=poll.skipped,
        points=points,
        duration_s=figures.duration_s,
        cpu_s=figures.cpu_s,
        late=figures.late,
        not_answered=tuple(one.device_id for one in readings if not one.answered),
        partial=tuple(one.device_id for one in readings if one.error and one.answered),
        down=tuple(outcome.reading.device_id for outcome in outcomes if outcome.state == "down"),
        lag_s=figures.lag_s,
        slowest=tuple(Slow(one.device_id, round(one.took_s, 3)) for one in slowest if one.took_s),
        other_address=packets.other_address,
        unknown_access_points=poll.told.unknown,
        sent=packets.sent,
        received=packets.received,
        retried=packets.retried,
        kernel_drops=packets.kernel_drops,
        malformed=packets.malformed,
        unmatched=packets.unmatched,
        spooled=figures.spooled,
        refused=tuple(
            Refused(one.device_id, one.error)
            for one in sorted(filter(is_refusal, silent), key=_by_device)
        ),
    )
