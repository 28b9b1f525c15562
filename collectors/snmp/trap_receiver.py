"""Listens for traps and informs and stores those that count as events of the inventory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from collectors.snmp.traps import Senders, TrapCounts, TrapEvent, TrapFilter
from collectors.targets import Targets
from farola.errors import InventoryError, SettingsError
from farola.output import note
from inventory.db import Inventory
from inventory.events import record

FLUSH_EVERY_S = 0.2
MOST_WAITING = 10_000


class TrapReceiver(asyncio.DatagramProtocol):
    """Judges every packet at once and writes what counts a few times a second, in one
    transaction; an inform is acknowledged only after that.
    """

    def __init__(self, inventory: Inventory) -> None:
        self.counts = TrapCounts()
        self._inventory = inventory
        self._filter = TrapFilter()
        self._events: list[TrapEvent] = []
        self._replies: list[tuple[bytes, Any]] = []
        self._transport: asyncio.DatagramTransport | None = None
        self._flusher: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._failed = False

    async def listen(self, host: str, port: int) -> None:
        """Open the socket; SettingsError if the address cannot be listened on."""
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=(host, port)
            )
        except OSError as error:
            raise SettingsError(
                f"cannot listen for traps on {host}:{port}: {error.strerror}; "
                "choose a free port (below 1024 only root may)"
            ) from None
        self._flusher = asyncio.create_task(self._flush_regularly())

    def know(self, targets: Targets) -> None:
        """Accept traps of these devices, with their communities."""
        self._filter.senders = Senders.of(targets.polled, targets.names)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Judge a packet."""
        verdict = self._filter.judge(data, str(addr[0]), time.monotonic())
        self.counts.add(verdict)
        if verdict.event is not None and len(self._events) < MOST_WAITING:
            self._events.append(verdict.event)
        if verdict.reply is not None:
            self._replies.append((verdict.reply, addr))

    async def flush(self) -> None:
        """Store what is waiting, then acknowledge the informs."""
        async with self._writing:
            events, replies = self._events, self._replies
            self._events, self._replies = [], []
            try:
                if events:
                    await asyncio.to_thread(self._store, events)
            except InventoryError as error:
                # Kept for the next try; informs go unacknowledged, so their senders repeat them.
                self._events = (events + self._events)[:MOST_WAITING]
                if not self._failed:
                    note(f"farola: traps not stored yet: {error}")
                self._failed = True
                return
            self._failed = False
            for reply, address in replies:
                if self._transport is not None:
                    self._transport.sendto(reply, address)

    async def close(self) -> None:
        """Stop listening; what was received is stored first."""
        if self._flusher is not None:
            self._flusher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flusher
        await self.flush()
        if self._transport is not None:
            self._transport.close()

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush()

    def _store(self, events: list[TrapEvent]) -> None:
        with self._inventory.session() as session:
            for event in events:
                record(
                    session, event.kind, event.text, device_id=event.device_id, actor="snmp",
                    detail=event.detail,
                )  # fmt: skip
