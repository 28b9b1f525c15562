"""The seam between what Farola asks and how packets travel: `Poller`. Here it is pysnmp's asyncio
API with one socket for all devices; a faster sweep can take its place without anyone noticing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from collectors.snmp.model import Answer, Oid, Question, RawValue, Target, VarBinds
from collectors.snmp.walk import Walk

if TYPE_CHECKING:
    from collectors.snmp.dispatcher import CheckedDispatcher

Conversation = Callable[[Target], Generator[Question, VarBinds, None]]
"""What to ask a device, question by question: each `yield` gives back all that it said so far."""

TOO_BIG, GENERAL_ERROR = 1, 5  # error-status of RFC 3416
IN_FLIGHT = 64


class Poller(Protocol):
    """Asks many devices at once."""

    def ask(self, targets: Iterable[Target], converse: Conversation) -> AsyncIterator[Answer]:
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

    async def ask(self, targets: Iterable[Target], converse: Conversation) -> AsyncIterator[Answer]:
        """See `Poller.ask`."""
        from collectors.snmp.dispatcher import CheckedDispatcher

        waiting = iter(targets)
        answers: asyncio.Queue[Answer | None] = asyncio.Queue()

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
    dispatcher: CheckedDispatcher, target: Target, converse: Conversation
) -> Answer:
    """Ask one device until there is nothing left to ask, it falls silent, or its time is up."""
    values: dict[Oid, RawValue] = {}
    errors: list[str] = []
    channel = _Channel(dispatcher, target)
    talk = converse(target)
    what = "its identity"
    try:
        async with asyncio.timeout(target.deadline_s):
            await channel.open()
            question = next(talk, None)
            while question is not None:
                if question.scalars:
                    values.update(await channel.get(question.scalars))
                for columns in question.tables:
                    what = f"table {'.'.join(map(str, columns[0][:-1]))}"
                    walk = await channel.walk(columns)
                    if walk.complete:
                        values.update(walk.rows)
                    else:
                        errors.append(f"{what} broke off")
                question, what = _next(talk, values), "its figures"
    except NoAnswerError as error:
        errors.append(str(error))
    except TimeoutError:
        errors.append(f"given up after {target.deadline_s:g} s, at {what}")
    rtt_ms = channel.first_rtt_ms
    return Answer(target, rtt_ms is not None, rtt_ms, values, "; ".join(errors))


def _next(talk: Generator[Question, VarBinds, None], values: VarBinds) -> Question | None:
    try:
        return talk.send(values)
    except StopIteration:
        return None


class _Channel:
    """One device behind the shared dispatcher."""

    def __init__(self, dispatcher: CheckedDispatcher, target: Target) -> None:
        self._dispatcher = dispatcher
        self._target = target
        self._community: Any = None
        self._transport: Any = None
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

        from collectors.snmp.dispatcher import plain_pairs

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
