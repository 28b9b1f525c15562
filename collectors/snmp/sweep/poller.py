"""`SweepPoller`: the sweep behind Farola's `Poller` protocol. The loop runs in a thread of its own
and hands answers over in batches, so that the event loop has time for traps.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, zip_longest
from math import gcd
from typing import Any, TypeVar

from collectors.snmp.model import V1, V2C, Answer, SweepFigures, Target
from collectors.snmp.poller import Conversation
from collectors.snmp.sweep.conversation import Session, hold
from collectors.snmp.sweep.device import Device
from collectors.snmp.sweep.engine import Engine
from collectors.snmp.sweep.figures import Counters
from collectors.snmp.sweep.packing import Learned
from collectors.snmp.sweep.places import resolve
from collectors.snmp.sweep.requests import Plans, head_of
from collectors.snmp.sweep.sockets import BUFFER, SocketAddress, numeric, open_socket

T = TypeVar("T")
_VERSIONS = {V1: 0, V2C: 1}
_REMEMBERED = 500_000
_GOLDEN = (5**0.5 - 1) / 2
_chance = random.Random()  # noqa: S311 - decides nothing but where to begin
_Place = tuple[Target, int, SocketAddress]


class SweepPoller:
    """Asks any number of devices at once over SNMP v1 and v2c."""

    def __init__(self, receive_buffer: int = BUFFER) -> None:
        """`receive_buffer` in bytes is asked of the kernel for each socket."""
        self._receive_buffer = receive_buffer
        self._counters = Counters()
        self._plans = Plans()
        self._learned: dict[str, Learned] = {}
        self._silent: set[str] = set()

    @property
    def figures(self) -> SweepFigures:
        """See `Poller.figures`."""
        return self._counters.figures()

    async def ask(
        self, targets: Iterable[Target], converse: Conversation[T]
    ) -> AsyncIterator[Answer[T]]:
        """See `Poller.ask`."""
        self._counters = counters = Counters()
        places, refused = await _places(targets)
        for answer in refused:
            yield answer
        sockets, unspoken = self._open(places)
        for target, family, _ in places:
            if family in unspoken:
                yield Answer(target, False, error=f"cannot be asked: {unspoken[family]}")
        loop, silent = asyncio.get_running_loop(), self._silent
        batches: asyncio.Queue[list[Answer[Any]] | None] = asyncio.Queue()

        def hand_over(batch: list[Answer[Any]] | None) -> None:
            loop.call_soon_threadsafe(batches.put_nowait, batch)

        def run() -> None:
            try:
                engine.run()
            finally:
                hand_over(None)

        try:
            devices = self._devices(places, sockets, converse)
            engine = Engine(devices, list(sockets.values()), counters, hand_over)
            thread = ThreadPoolExecutor(1, "snmp-sweep")
            running = loop.run_in_executor(thread, run)
            try:
                while (batch := await batches.get()) is not None:
                    for answer in batch:
                        if not answer.answered:
                            silent.add(answer.target.device_id)
                        elif silent:
                            silent.discard(answer.target.device_id)
                        yield answer
            finally:
                engine.stopped = True
                await asyncio.shield(running)
                thread.shutdown()
        finally:
            for sock in sockets.values():
                sock.close()

    def _open(self, places: Iterable[_Place]) -> tuple[dict[int, socket.socket], dict[int, str]]:
        """Sockets by family, and why there is none."""
        sockets, unspoken = {}, {}
        for family in dict.fromkeys(family for _, family, _ in places):
            try:
                sockets[family] = open_socket(family, self._receive_buffer)
            except OSError as error:
                unspoken[family] = error.strerror or type(error).__name__
        return sockets, unspoken

    def _devices(
        self,
        places: Sequence[_Place],
        sockets: Mapping[int, socket.socket],
        converse: Conversation[T],
    ) -> Iterator[Device]:
        heads: dict[tuple[str, str], bytes] = {}
        if len(self._learned) > _REMEMBERED:
            self._learned.clear()
        for target, family, address in self._in_order(places):
            if family not in sockets:
                continue
            secret = target.version, target.community
            head = heads.get(secret)
            if head is None:
                head = heads[secret] = head_of(_VERSIONS[target.version], target.community)
            learned = self._learned.get(target.device_id)
            if learned is None:
                learned = self._learned[target.device_id] = {}
            session = Session(self._plans, learned, target.version == V1, target.deadline_s)
            also = None
            if target.answers_from:
                also = frozenset(
                    place[1]
                    for other in target.answers_from
                    if (place := numeric(other, target.port)) is not None
                )
            yield Device(
                target, sockets[family], address, head=head,
                steps=hold(target, converse, session), session=session, also=also,
                hopeful=target.device_id not in self._silent,
            )  # fmt: skip

    def _in_order(self, places: Sequence[_Place]) -> Iterator[_Place]:
        """Mixed, so that no site is asked all at once. Those that were silent the last time come
        early, so that their time-outs run while others answer; one each in turn with the others,
        which shall not wait for them.
        """
        mixed = list(_mixed(places))
        silent = [place for place in mixed if place[0].device_id in self._silent]
        if not silent:
            return iter(mixed)
        others = [place for place in mixed if place[0].device_id not in self._silent]
        pairs = chain.from_iterable(zip_longest(silent, others))
        return (place for place in pairs if place is not None)


def _mixed(places: Sequence[_Place]) -> Iterator[_Place]:
    """All of them from a random one on, each far from those before it: steps of the golden ratio
    spread any few of them evenly, better than chance would and for less.
    """
    count = len(places)
    step = round(count * _GOLDEN) or 1
    while gcd(step, count) != 1:
        step += 1
    at = _chance.randrange(count) if count else 0
    for _ in range(count):
        yield places[at]
        at = (at + step) % count


async def _places(targets: Iterable[Target]) -> tuple[list[_Place], list[Answer[Any]]]:
    """Where the targets are, and answers for those that are nowhere."""
    places: list[_Place] = []
    refused: list[Answer[Any]] = []
    named: list[Target] = []
    for target in targets:
        if target.version not in _VERSIONS:
            refused.append(
                Answer(target, False, error=f"SNMP version {target.version!r} is neither 1 nor 2c")
            )
        elif not 0 < target.port < 65536:
            refused.append(Answer(target, False, error=f"{target.port} is not a port"))
        elif (place := numeric(target.address, target.port)) is not None:
            places.append((target, *place))
        else:
            named.append(target)
    found = await asyncio.gather(*(resolve(one.address, one.port) for one in named))
    for target, place in zip(named, found, strict=True):
        if place is None:
            refused.append(Answer(target, False, error=f"{target.address!r} is not an address"))
        else:
            places.append((target, *place))
    return places, refused
