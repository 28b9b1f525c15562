"""SNMPv3 behind the `Poller` seam: conversations with many devices at once, their sessions kept
from poll to poll.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import TypeVar

from collectors.snmp.model import (
    Answer,
    Column,
    Oid,
    Question,
    RawValue,
    Reply,
    SweepFigures,
    Target,
    Usm,
)
from collectors.snmp.poller import Conversation
from collectors.snmp.recent import remember
from collectors.snmp.v3.channel import Channel, NoAnswerError
from collectors.snmp.v3.session import Session
from collectors.snmp.v3.usm import KeyRing
from collectors.snmp.v3.wire import Wire
from collectors.snmp.workers import ask_each

T = TypeVar("T")
IN_FLIGHT = 1000
"""Devices at once: dead ones hold a place for their time-outs, and delay the others little."""
SESSIONS = 100_000
_Key = tuple[str, str, int, Usm]


class V3Poller:
    """Asks SNMPv3 devices through one unconnected socket for each IP version.

    A device's engine id, clock and keys are kept (some 1 kB each, the longest unused given up
    beyond `sessions`), and each password is hashed once, so that a poll costs no more than its
    packets.
    """

    def __init__(self, in_flight: int = IN_FLIGHT, sessions: int = SESSIONS) -> None:
        self.in_flight = in_flight
        self.figures = SweepFigures()
        self._most = sessions
        self._sessions: OrderedDict[_Key, Session] = OrderedDict()
        self._keys = KeyRing()

    async def ask(
        self, targets: Iterable[Target], converse: Conversation[T]
    ) -> AsyncIterator[Answer[T]]:
        """See `Poller.ask`."""
        wire = Wire(asyncio.get_running_loop())

        async def one(target: Target) -> Answer[T]:
            return await self._converse(wire, target, converse)

        try:
            async with aclosing(ask_each(targets, one, self.in_flight)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            self.figures = wire.figures()
            wire.close()

    def _session(self, target: Target, usm: Usm) -> Session:
        key = (target.device_id, target.address, target.port, usm)
        session = self._sessions.get(key) or Session(usm)
        remember(self._sessions, key, session, self._most)
        return session

    async def _converse(self, wire: Wire, target: Target, converse: Conversation[T]) -> Answer[T]:
        """Ask one device until there is nothing left to ask, or its time is up."""
        started = time.perf_counter()
        if target.usm is None:
            return Answer(target, False, error="SNMPv3 without a user")
        channel = Channel(wire, target, target.usm, self._session(target, target.usm), self._keys)
        errors: list[str] = []
        result: T | None = None
        try:
            talk = converse(target)
            question = next(talk)
            while True:
                left = target.deadline_s - (time.perf_counter() - started)
                reply = await _put(channel, question, left, target.deadline_s)
                if reply.error:
                    errors.append(reply.error)
                question = talk.send(reply)
        except StopIteration as end:
            result = end.value
        except Exception as fault:  # a conversation that fails costs only its own device
            errors.append(f"what it said cannot be used: {type(fault).__name__}: {fault}")
        return Answer(
            target, channel.answered, channel.first_rtt_ms, result if channel.answered else None,
            "; ".join(dict.fromkeys(errors)), time.perf_counter() - started,
        )  # fmt: skip


async def _put(channel: Channel, question: Question, left_s: float, deadline_s: float) -> Reply:
    """The reply to one question; what is missing is None in it."""
    found: dict[Oid, RawValue] = {}
    tables: list[Sequence[Column] | None] = [None] * len(question.tables)
    errors: list[str] = []
    what = "its figures" if channel.answered else "its identity"
    try:
        async with asyncio.timeout(left_s):
            if question.scalars:
                found = await channel.get(question.scalars)
            for number, columns in enumerate(question.tables):
                what = f"table {'.'.join(map(str, columns[0][:-1]))}"
                walk = await channel.walk(columns)
                if walk.broken:
                    errors.append(f"{what} {walk.broken}: broke off")
                else:
                    tables[number] = walk.columns
    except NoAnswerError as error:
        errors.append(f"{error} at {what}" if channel.answered else str(error))
    except TimeoutError:
        errors.append(f"given up after {deadline_s:g} s, at {what}")
    return Reply([found.get(oid) for oid in question.scalars], tables, "; ".join(errors))
