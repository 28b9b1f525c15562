"""One poll of the city: read every device, ask the doubtful once more, settle, write once."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from collectors.snmp.book import IDENTITY
from collectors.snmp.memory import Past, recall
from collectors.snmp.model import DeviceReading, Question, Reply, Target
from collectors.snmp.outcome import Outcome, settle
from collectors.snmp.poller import Poller
from collectors.snmp.read import Reader
from collectors.snmp.series import PollFigures, batches
from collectors.snmp.state import needs_probe
from timeseries.base import Store


@dataclass(frozen=True)
class Summary:
    """What one poll did; `points` are rows written.

    `not_answered`, `partial` (answered, but not to all that was asked) and `down` are device ids.
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

    def as_json(self) -> dict[str, object]:
        """As `farola collect once --json` prints it."""
        return asdict(self)


@dataclass(frozen=True)
class Turn:
    """What the service tells a poll about its turn.

    `lag_s` is how long after its due time it started. `before_write` is called right before the
    store is, in the same thread; what it raises leaves the poll unwritten. Without `counters` no
    interface is written: another collector adds up their differences.
    """

    lag_s: float = 0.0
    before_write: Callable[[], None] = lambda: None
    counters: bool = True


class Collector:
    """Polls again and again and remembers the poll before; the store is its only memory that
    lasts, so another collector can go on where this one stopped.
    """

    def __init__(self, poller: Poller, store: Store, name: str = "") -> None:
        """`name` is the collector's in the series `poll`, the host's unless given."""
        self._name = name or socket.gethostname()
        self._poller = poller
        self._reader = Reader(poller)
        self._store = store
        self._past: dict[str, Past] | None = None

    async def poll(
        self,
        targets: Sequence[Target],
        skipped: int = 0,
        late: int = 0,
        advance: Callable[[int], None] = lambda _n: None,
        turn: Turn = Turn(),
    ) -> Summary:
        """Poll `targets` once and write all series in one go, stamped with the poll's start.

        `late` is how many polls before were left out because this one's turn had passed.

        Raises
        ------
        StoreError
            The store cannot be read or refused the poll; nothing is kept then, and the next
            poll's differences span the gap.
        """
        started, cpu = time.monotonic(), time.process_time()
        now = datetime.now(UTC)
        at_ms = int(now.timestamp() * 1000)
        if self._past is None:
            ids = [target.device_id for target in targets]
            self._past = await asyncio.to_thread(recall, self._store, now, ids)
        readings: list[DeviceReading] = []
        async for reading in self._reader.read(targets):
            readings.append(reading)
            advance(1)
        probes = await self._probe(readings, targets, self._past)
        outcomes = [
            settle(
                reading, self._past.get(reading.device_id, Past()), at_ms,
                probes.get(reading.device_id),
            )
            for reading in readings
        ]  # fmt: skip
        answered = sum(reading.answered for reading in readings)
        figures = PollFigures(
            devices=len(readings),
            answered=answered,
            timed_out=len(readings) - answered,
            late=late,
            duration_s=round(time.monotonic() - started, 3),
            cpu_s=round(time.process_time() - cpu, 3),
            lag_s=round(turn.lag_s, 3),
        )
        rows = batches(outcomes, figures, at_ms, self._name)
        if not turn.counters:
            rows = [batch for batch in rows if batch.measurement != "interface"]

        def write() -> int:
            turn.before_write()
            return self._store.write(rows)

        points = await asyncio.to_thread(write)
        self._past |= {outcome.reading.device_id: outcome.past for outcome in outcomes}
        return _summary(outcomes, figures, skipped, points)

    async def _probe(
        self,
        readings: Iterable[DeviceReading],
        targets: Sequence[Target],
        past: Mapping[str, Past],
    ) -> dict[str, bool]:
        """Ask those once more that would be called down now: whether each answered."""
        doubtful = {
            reading.device_id
            for reading in readings
            if needs_probe(
                reading.answered,
                (before := past.get(reading.device_id, Past())).misses,
                before.state,
            )
        }
        again = [target for target in targets if target.device_id in doubtful]
        if not again:
            return {}
        return {
            answer.target.device_id: answer.answered
            async for answer in self._poller.ask(again, _identify)
        }


def _identify(_target: Target) -> Generator[Question, Reply, None]:
    yield Question(IDENTITY)


def _summary(
    outcomes: Sequence[Outcome], figures: PollFigures, skipped: int, points: int
) -> Summary:
    return Summary(
        devices=figures.devices,
        answered=figures.answered,
        timed_out=figures.timed_out,
        skipped=skipped,
        points=points,
        duration_s=figures.duration_s,
        cpu_s=figures.cpu_s,
        late=figures.late,
        lag_s=figures.lag_s,
        not_answered=tuple(sorted(o.reading.device_id for o in outcomes if not o.reading.answered)),
        partial=tuple(
            sorted(o.reading.device_id for o in outcomes if o.reading.answered and o.reading.error)
        ),
        down=tuple(sorted(o.reading.device_id for o in outcomes if o.state == "down")),
    )
