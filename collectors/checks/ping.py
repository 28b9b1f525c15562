"""ICMP behind the `Poller` seam, for devices without SNMP: they answer an echo request or do not,
and there is nothing to converse about.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, TypeVar

from collectors.snmp.model import Answer, SweepFigures, Target
from collectors.snmp.poller import Conversation
from collectors.snmp.sweep.places import resolve
from collectors.snmp.workers import ask_each

T = TypeVar("T")
IN_FLIGHT = 256


class PingPoller:
    """Sends one echo request at a time to each device, `in_flight` devices at once."""

    def __init__(self, in_flight: int = IN_FLIGHT) -> None:
        self.in_flight = in_flight
        self.figures = SweepFigures()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pings: dict[float, Any] = {}

    async def ask(
        self, targets: Iterable[Target], converse: Conversation[T]
    ) -> AsyncIterator[Answer[T]]:
        """See `Poller.ask`; `converse` is not held, so that no Answer has a result."""
        del converse
        counts = {"sent": 0, "received": 0, "retried": 0}

        async def one(target: Target) -> Answer[T]:
            return await self._ping(target, counts)

        try:
            async with aclosing(ask_each(targets, one, self.in_flight)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            self.figures = SweepFigures(
                sent=counts["sent"], received=counts["received"], retried=counts["retried"]
            )

    async def _ping(self, target: Target, counts: dict[str, int]) -> Answer[Any]:
        started = time.perf_counter()
        place = await resolve(target.address, 0)
        if place is None:
            return Answer(target, False, error=f"{target.address!r} is not an address")
        address, _, *scope = place[1]
        if any(scope):
            return Answer(target, False, error=f"{target.address}: no link-local address is pinged")
        rtt_s, error = None, "no answer to ICMP"
        try:
            ping = self._of_timeout(target.timeout_s)
            for number in range(target.retries + 1):
                counts["sent"] += 1
                counts["retried"] += bool(number)
                # The library breaks when a waiting request is cancelled: it ends by its time-out.
                rtt_s = await asyncio.shield(asyncio.ensure_future(ping.ping(address)))
                if rtt_s is not None:
                    counts["received"] += 1
                    error = ""
                    break
        except OSError as fault:
            error = f"ICMP is not possible here: {fault.strerror or fault}; it needs CAP_NET_RAW"
        rtt_ms = None if rtt_s is None else rtt_s * 1000
        took_s = time.perf_counter() - started
        return Answer(target, rtt_ms is not None, rtt_ms, None, error, took_s)

    def _of_timeout(self, timeout_s: float) -> Any:
        """The library's socket for this event loop: made once, for it leaves its reader behind."""
        from gufo.ping import Ping, SelectionPolicy

        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._pings = loop, {}
        if timeout_s not in self._pings:
            self._pings[timeout_s] = Ping(policy=SelectionPolicy.RAW_DGRAM, timeout=timeout_s)
        return self._pings[timeout_s]
