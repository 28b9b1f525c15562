"""The sockets of an SNMPv3 sweep: one unconnected for each IP version. A reply counts if it comes
from the address that was asked, names a message that is open, and is believed.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from collectors.snmp.model import SweepFigures
from collectors.snmp.sweep.sockets import SocketAddress, granted, kernel_drops, open_socket
from collectors.snmp.v3.message import MAX_PACKET, MalformedError, Message, Pdu, decode_message
from collectors.snmp.v3.session import DistrustError

BUFFER = 4 << 20
FRESH_S = 0.25
"""A request open for longer is likely to stay without a reply: it no longer holds up others."""
REPLY_COST = 4096
"""Bytes of the kernel's buffer that a waiting reply may take."""
MOST_FRESH = 256
DRAIN = 4096
"""Packets read before timers get their turn, so that a flood starves nothing."""
RETRY_JITTER = 0.25


@dataclass(slots=True)
class Letter:
    """A request to be put on the wire: `seal` makes its packet for a message id, `accept` opens a
    reply, or raises what it holds against it.
    """

    device_id: str
    address: SocketAddress
    answers_from: frozenset[str]
    seal: Callable[[int], bytes]
    accept: Callable[[Message], Pdu]
    reply: asyncio.Future[tuple[Pdu, float] | None]
    sent_at: dict[int, float] = field(default_factory=dict)
    fresh: bool = False


class Wire:
    """Sends requests, paced so that no more replies come at once than the kernel keeps."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sockets: dict[int, socket.socket] = {}
        self._open: dict[int, Letter] = {}
        self._counts = dict.fromkeys(("sent", "received", "retried", "malformed", "unmatched"), 0)
        self._other_address: set[str] = set()
        self._view = memoryview(bytearray(MAX_PACKET + 1))
        kept = granted(self._socket(socket.AF_INET))
        self._free = max(16, min(MOST_FRESH, kept // REPLY_COST))
        self._queue: deque[asyncio.Future[None]] = deque()

    async def ask(self, letter: Letter, timeout_s: float, tries: int) -> tuple[Pdu, float] | None:
        """The reply and its round trip in s; None after `tries` silences of `timeout_s` each.

        Raises OSError if the packet cannot be sent.
        """
        try:
            for number in range(tries):
                await self._turn(letter)
                self._send(letter)
                if number:
                    self._counts["retried"] += 1
                    timeout_s *= 1 + random.random() * RETRY_JITTER  # noqa: S311 - no secret
                timer = self._loop.call_later(
                    min(FRESH_S, timeout_s), self._aged, letter, timeout_s - FRESH_S
                )
                found = await letter.reply
                timer.cancel()
                if found is not None:
                    return found
                letter.reply = self._loop.create_future()
        finally:
            self._release(letter)
            for msg_id in letter.sent_at:
                self._open.pop(msg_id, None)
        return None

    def figures(self) -> SweepFigures:
        """What went over the wire so far."""
        drops = sum(map(kernel_drops, self._sockets.values()))
        return SweepFigures(
            **self._counts, kernel_drops=drops, other_address=tuple(sorted(self._other_address))
        )

    def close(self) -> None:
        """Close the sockets."""
        for one in self._sockets.values():
            self._loop.remove_reader(one)
            one.close()
        self._sockets.clear()

    async def _turn(self, letter: Letter) -> None:
        """Wait until one more request may be on its way."""
        if self._free:
            self._free -= 1
        else:
            turn: asyncio.Future[None] = self._loop.create_future()
            self._queue.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._pass_on()
                raise
        letter.fresh = True

    def _release(self, letter: Letter) -> None:
        if letter.fresh:
            letter.fresh = False
            self._pass_on()

    def _pass_on(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _send(self, letter: Letter) -> None:
        msg_id = 0
        while not msg_id or msg_id in self._open:
            msg_id = int.from_bytes(os.urandom(4)) >> 1
        packet = letter.seal(msg_id)
        self._open[msg_id] = letter
        letter.sent_at[msg_id] = self._loop.time()
        family = socket.AF_INET6 if ":" in letter.address[0] else socket.AF_INET
        one = self._sockets.get(family) or self._socket(family)
        self._counts["sent"] += 1
        try:
            one.sendto(packet, letter.address)
        except BlockingIOError:
            return  # the kernel's queue is full: as good as lost, and sent once more

    def _socket(self, family: int) -> socket.socket:
        one = open_socket(family, BUFFER)
        self._loop.add_reader(one, self._drain, one)
        self._sockets[family] = one
        return one

    def _aged(self, letter: Letter, left_s: float) -> None:
        """The letter got no reply at once: others may go on, and its time-out still runs."""
        self._release(letter)
        if letter.reply.done():
            return
        if left_s > 0:
            self._loop.call_later(left_s, self._aged, letter, 0.0)
            return
        for one in self._sockets.values():  # a reply that lies there already is in time
            self._drain(one)
        if not letter.reply.done():
            letter.reply.set_result(None)

    def _drain(self, one: socket.socket) -> None:
        for _ in range(DRAIN):
            try:
                size, address, *_ = one.recvfrom_into(self._view)
            except OSError:  # nothing more, or an error that some other host reported
                return
            self._counts["received"] += 1
            self._take(bytes(self._view[:size]), address)

    def _take(self, packet: bytes, address: SocketAddress) -> None:
        try:
            message = decode_message(packet)
            letter = self._open.get(message.msg_id)
            if letter is None or letter.reply.done():
                self._counts["unmatched"] += 1
            elif address != letter.address and address[0] not in letter.answers_from:
                self._counts["unmatched"] += 1
                self._other_address.add(letter.device_id)
            else:
                pdu = letter.accept(message)
                self._release(letter)
                passed = self._loop.time() - letter.sent_at[message.msg_id]
                letter.reply.set_result((pdu, passed))
        except MalformedError:
            self._counts["malformed"] += 1
        except DistrustError:
            self._counts["unmatched"] += 1
