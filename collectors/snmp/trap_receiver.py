"""Listens for traps and informs and stores those that count as events of the inventory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass

from collectors.snmp.notification_v3 import V3Ear
from collectors.snmp.peers import Peers, save_peers, start_engine
from collectors.snmp.senders import Senders, plain_address
from collectors.snmp.sweep.sockets import BUFFER, SocketAddress
from collectors.snmp.trap_kinds import TrapEvent
from collectors.snmp.trap_refusals import REFUSED, Refusals
from collectors.snmp.trap_socket import TrapSocket
from collectors.snmp.traps import TrapCounts, TrapFilter
from collectors.targets import Targets
from farola.errors import InventoryError, SettingsError
from farola.keys import Keyring
from farola.output import note
from inventory.db import Inventory
from inventory.events import record

FLUSH_EVERY_S = 0.2
MOST_WAITING = 10_000
SAVE_EVERY_S = 300.0
"""How often the clocks of v3 engines are written down, besides at the end."""
ANSWERED_AT_ONCE = frozenset({*REFUSED, "discovery"})
"""What a report answers: nothing is stored first."""


@dataclass(frozen=True)
class _Waiting:
    """An event to store and what to acknowledge after that; a duplicate has no event."""

    event: TrapEvent | None
    reply: bytes | None
    sender: SocketAddress


class TrapReceiver:
    """Judges every packet at once and writes what counts a few times a second, in one
    transaction; an inform is acknowledged only after that.
    """

    def __init__(
        self,
        inventory: Inventory,
        most_waiting: int = MOST_WAITING,
        buffer_bytes: int = BUFFER,
    ) -> None:
        self.counts = TrapCounts()
        self._inventory = inventory
        self._filter = TrapFilter()
        self._most_waiting = most_waiting
        self._waiting: list[_Waiting] = []
        self._under_way = 0
        self._socket: TrapSocket | None = None
        self._buffer_bytes = buffer_bytes
        self._refusals = Refusals()
        self._flusher: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._writing = asyncio.Lock()
        self._failed = False
        self._drops = 0
        self._home = inventory.settings.home
        self._peers = Peers()
        self._saved = time.monotonic()

    async def listen(self, host: str, port: int) -> None:
        """Open the socket; SettingsError if the address cannot be listened on, or our own SNMPv3
        engine cannot be kept.
        """
        engine = await asyncio.to_thread(start_engine, self._home, time.monotonic())
        self._peers = Peers(Keyring(self._home).fingerprint)
        await asyncio.to_thread(self._peers.load, self._home)
        self._filter.ear = V3Ear(engine, self._peers)
        try:
            self._socket = await TrapSocket.listen(host, port, self._hear, self._buffer_bytes)
        except OSError as error:
            raise SettingsError(
                f"cannot listen for traps on {host}:{port}: {error.strerror}; "
                "choose a free port (below 1024 only root may)"
            ) from None
        self._flusher = asyncio.create_task(self._flush_regularly())

    def know(self, targets: Targets) -> None:
        """Accept traps of these devices, with their communities and users."""
        self._filter.senders = Senders.of(targets.polled, targets.names, targets.macs)

    def _hear(self, data: bytes, addr: SocketAddress) -> None:
        """Judge a packet. An event that finds no room is dropped, unacknowledged."""
        room = len(self._waiting) + self._under_way < self._most_waiting
        source, now_s = plain_address(str(addr[0])), time.monotonic()
        verdict = self._filter.judge(data, source, now_s, room=room, wall_s=time.time())
        self.counts.add("received")
        if verdict.event is None:
            self.counts.add(verdict.outcome)
        if verdict.outcome in REFUSED:
            known = source in self._filter.senders.by_address
            self._refusals.tell(verdict.outcome, source, now_s, known=known)
        if verdict.outcome in ANSWERED_AT_ONCE:
            if verdict.reply is not None and self._socket is not None:
                self._socket.send(verdict.reply, addr)
        elif room and (verdict.event or verdict.reply):
            self._waiting.append(_Waiting(verdict.event, verdict.reply, addr))

    def _count_drops(self) -> None:
        if self._socket is not None:
            drops = self._socket.drops()
            self.counts.add("kernel_drops", drops - self._drops)
            if drops and not self._drops:
                note(
                    f"farola: the kernel dropped {drops:,} traps: `farola doctor` tells how to "
                    "enlarge its buffers"
                )
            self._drops = drops

    async def flush(self) -> None:
        """Store what is waiting, then acknowledge the informs."""
        async with self._writing:
            batch, self._waiting = self._waiting, []
            self._under_way = len(batch)
            try:
                stored, kept = await self._stored_of(batch)
            finally:
                self._under_way = 0
            # Informs that are kept go unacknowledged, so that their senders repeat them.
            self._waiting = [one for one in kept if one.event] + self._waiting
            self.counts.add("stored", sum(one.event is not None for one in stored))
            for one in stored:
                if one.reply is not None and self._socket is not None:
                    self._socket.send(one.reply, one.sender)

    async def close(self) -> None:
        """Stop listening; what was received is stored first."""
        self._closing.set()
        if self._flusher is not None:
            await self._flusher
        await self.flush()
        if self._waiting:
            note(f"farola: {len(self._waiting)} traps are lost: the inventory did not take them")
        await self._save_peers()
        if self._socket is not None:
            self._count_drops()
            self._socket.close()

    async def _save_peers(self) -> None:
        self._saved = time.monotonic()
        try:
            await asyncio.to_thread(save_peers, self._home, self._peers.rows())
        except OSError as error:
            note(f"farola: the clocks of SNMPv3 senders are not kept: {error.strerror}")

    async def _flush_regularly(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), FLUSH_EVERY_S)
            self._count_drops()
            if time.monotonic() - self._saved >= SAVE_EVERY_S:
                await self._save_peers()
            try:
                await self.flush()
            except Exception as error:  # whatever it is, the next traps are still wanted
                note(f"farola: traps lost: {_named(error)}")

    async def _stored_of(self, batch: list[_Waiting]) -> tuple[list[_Waiting], list[_Waiting]]:
        """Store `batch`; return what is stored and what is kept for the next try.

        One transaction for all; one each where an event among them cannot be stored at all: that
        one is told and dropped, and costs the others nothing.
        """
        stored: list[_Waiting] = []
        kept: list[_Waiting] = []
        parts = [batch]
        while parts:
            part = parts.pop(0)
            try:
                if any(one.event for one in part):
                    await asyncio.to_thread(self._store, part)
                stored += part
            except InventoryError as error:
                kept += part
                if not self._failed:
                    note(f"farola: traps not stored yet: {error}")
                self._failed = True
            except Exception as error:
                if len(part) > 1:
                    parts = [[one] for one in part]
                    continue
                self.counts.add("dropped")
                note(f"farola: a trap cannot be stored: {_named(error)}")
        self._failed = bool(kept)
        return stored, kept

    def _store(self, waiting: list[_Waiting]) -> None:
        with self._inventory.session() as session:
            for event in (one.event for one in waiting if one.event):
                record(
                    session, event.kind, event.text, device_id=event.device_id, actor="snmp",
                    detail=event.detail,
                )  # fmt: skip


def _named(error: Exception) -> str:
    """What it is, in one line."""
    return f"{type(error).__name__}: {error}".split("\n", 1)[0]
