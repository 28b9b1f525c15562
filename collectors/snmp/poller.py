"""The seam between what Farola asks and how packets travel: `Poller`. Here it is pysnmp's asyncio
API with one socket for all devices; a faster sweep can take its place without anyone noticing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from collectors.snmp.model import Answer, Oid, Question, RawValue, Reply, SweepFigures, Target
from collectors.snmp.walk import Walk

if TYPE_CHECKING:
    from collectors.snmp.dispatcher import CheckedDispatcher

T = TypeVar("T")
Conversation = Callable[[Target], Generator[Question, Reply, T]]
"""What to ask a device: each `yield` of a Question gives back its Reply, and what the generator
returns becomes the Answer's `result`. After a Reply with an error it may still ask, until the
device's time is up.
"""

TOO_BIG, GENERAL_ERROR = 1, 5  # error-status of RFC 3416
IN_FLIGHT = 64


class Poller(Protocol):
    """Asks many devices at once."""

    @property
    def figures(self) -> SweepFigures:
        """What the last `ask` sent and met."""
        ...

    def ask(self, targets: Iterable[Target], converse: Conversation[T]) -> AsyncIterator[Answer[T]]:
        """Hold a conversation with every target; yield one Answer each, the quick ones first.

        A device that does not answer delays no other, and none takes longer than its
        `deadline_s`: what it said until then counts. Nothing that a device sends raises.
        """
        ...


class NoAnswerError(Exception):
    """The device did not answer in time, or not with anything that can be used."""


class PysnmpPoller:
    """SNMP v2c through pysnmp's v1arch: one dispatcher and socket, `in_flight` devices at once."""

    def __init__(self, in_flight: int = IN_FLIGHT) -> None:
        self.in_flight = in_flight
        self.figures = SweepFigures()

    async def ask(
        self, targets: Iterable[Target], converse: Conversation[T]
    ) -> AsyncIterator[Answer[T]]:
        """See `Poller.ask`."""
        from collectors.snmp.dispatcher import CheckedDispatcher

        waiting = iter(targets)
        answers: asyncio.Queue[Answer[T] | None] = asyncio.Queue()

        async def work(dispatcher: CheckedDispatcher) -> None:
            try:
                for target in waiting:
                    answers.put_nowait(await _converse(dispatcher, target, converse))
            finally:
                answers.put_nowait(None)

        with CheckedDispatcher() as dispatcher:
            workers = [asyncio.create_task(work(dispatcher)) for _ in range(self.in_flight)]
            try:
                busy = len(workers)
                while busy:
                    answer = await answers.get()
                    if answer is None:
                        busy -= 1
                    else:
                        yield answer
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)


async def _converse(
    dispatcher: CheckedDispatcher, target: Target, converse: Conversation[T]
) -> Answer[T]:
    """Ask one device until there is nothing left to ask, it falls silent, or its time is up."""
    channel, talk = _Channel(dispatcher, target), converse(target)
    started = time.perf_counter()
    errors: list[str] = []
    result: T | None = None
    try:
        question = next(talk)
        while True:
            left = target.deadline_s - (time.perf_counter() - started)
            reply = await _put(channel, question, left, bool(errors))
            if reply.error:
                errors.append(reply.error)
            question = talk.send(reply)
    except StopIteration as end:
        result = end.value
    answered = channel.first_rtt_ms is not None
    return Answer(
        target, answered, channel.first_rtt_ms, result if answered else None,
        "; ".join(dict.fromkeys(errors)), time.perf_counter() - started,
    )  # fmt: skip


async def _put(channel: _Channel, question: Question, left_s: float, known: bool) -> Reply:
    """The reply to one question; what is missing is None in it."""
    found: dict[Oid, RawValue] = {}
    tables: list[Sequence[dict[Oid, RawValue]] | None] = [None] * len(question.tables)
    errors: list[str] = []
    what = "its figures" if known else "its identity"
    try:
        async with asyncio.timeout(left_s):
            await channel.open()
            if question.scalars:
                found = await channel.get(question.scalars)
            for number, columns in enumerate(question.tables):
                what = f"table {'.'.join(map(str, columns[0][:-1]))}"
                walk = await channel.walk(columns)
                if walk.complete:
                    tables[number] = [
                        {o[len(c) :]: v for o, v in walk.rows.items() if o[: len(c)] == c}
                        for c in columns
                    ]
                else:
                    errors.append(f"{what} broke off")
    except NoAnswerError as error:
        errors.append(str(error))
    except TimeoutError:
        errors.append(f"given up after {channel.deadline_s:g} s, at {what}")
    return Reply([found.get(oid) for oid in question.scalars], tables, "; ".join(errors))


class _Channel:
    """One device behind the shared dispatcher."""

    def __init__(self, dispatcher: CheckedDispatcher, target: Target) -> None:
        self._dispatcher = dispatcher
        self._target = target
        self._community: Any = None
        self._transport: Any = None
        self.deadline_s = target.deadline_s
        self.first_rtt_ms: float | None = None

    async def open(self) -> None:
        from pysnmp.error import PySnmpError
        from pysnmp.hlapi.v1arch.asyncio import (
            CommunityData,
            Udp6TransportTarget,
            UdpTransportTarget,
        )

        target = self._target
        kind = Udp6TransportTarget if ":" in target.address else UdpTransportTarget
        try:
            self._transport = await kind.create(
                (target.address, target.port), timeout=target.timeout_s, retries=target.retries
            )
        except (PySnmpError, OSError, UnicodeError):
            raise NoAnswerError(f"{target.address!r} is not an address") from None
        self._community = CommunityData(target.community.encode(), mpModel=1)  # noqa: S508 - v2c is what it speaks

    async def get(self, oids: Sequence[Oid]) -> dict[Oid, RawValue]:
        """GET; an OID that the agent lacks is left out, a reply too big is asked in halves."""
        from pysnmp.hlapi.v1arch.asyncio import get_cmd

        status, index, pairs = await self._send(get_cmd, *oids)
        if status == 0:
            asked = set(oids)
            return {oid: value for oid, value in pairs if value is not None and oid in asked}
        if len(oids) == 1:
            return {}
        if status != TOO_BIG and 1 <= index <= len(oids):
            return await self.get([*oids[: index - 1], *oids[index:]])
        half = len(oids) // 2
        return {**await self.get(oids[:half]), **await self.get(oids[half:])}

    async def walk(self, columns: Sequence[Oid]) -> Walk:
        """Walk the columns of a table with GETBULK."""
        from pysnmp.hlapi.v1arch.asyncio import bulk_cmd

        walk = Walk(columns)
        while (oids := walk.request()) is not None:
            try:
                status, _, pairs = await self._send(bulk_cmd, 0, walk.repetitions, *oids)
            except NoAnswerError:
                # A large reply can be lost as IP fragments every time: ask for less. Silent even
                # for one row, the device has gone: its other tables are not waited for.
                if not walk.shrink():
                    raise
                continue
            if status == 0:
                walk.accept(pairs)
            elif status in (TOO_BIG, GENERAL_ERROR):
                walk.shrink()
            else:
                walk.accept([])
        return walk

    async def _send(
        self, command: Any, *arguments: Any
    ) -> tuple[int, int, list[tuple[Oid, RawValue | None]]]:
        from pysnmp.error import PySnmpError
        from pysnmp.proto.rfc1905 import unSpecified

        from collectors.snmp.pysnmp_values import plain_pairs

        varbinds = [(oid, unSpecified) if isinstance(oid, tuple) else oid for oid in arguments]
        started = time.perf_counter()
        try:
            error, status, index, pairs = await command(
                self._dispatcher, self._community, self._transport, *varbinds, lookupMib=False
            )
        except (PySnmpError, OSError) as fault:
            raise NoAnswerError(f"cannot be asked: {fault}") from None
        if error is not None and not isinstance(error, int):
            raise NoAnswerError("no answer")
        if self.first_rtt_ms is None:
            self.first_rtt_ms = (time.perf_counter() - started) * 1000
        return int(status), int(index), plain_pairs(pairs)
