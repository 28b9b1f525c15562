"""Reads devices: identity first, then what the profile of the family asks; one reading each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable
from dataclasses import dataclass

from collectors.snmp.book import ProfileBook, packaged
from collectors.snmp.decode import decode, varbinds
from collectors.snmp.interfaces import address_oid
from collectors.snmp.model import V1, DeviceReading, Oid, Question, RawValue, Reply, Target
from collectors.snmp.poller import Poller
from collectors.snmp.profile import (
    IDENTITY,
    SYS_DESCR,
    SYS_OBJECT_ID,
    SYS_UP_TIME,
    V1_WITHOUT,
    Profile,
)

_IDENTIFY = Question(IDENTITY)
_DESCR, _OBJECT_ID, _UP_TIME = (
    IDENTITY.index(oid) for oid in (SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME)
)


@dataclass(slots=True)
class _Known:
    """What is remembered of a device."""

    address: str
    version: str
    object_id: RawValue | None
    descr: RawValue | None
    profile: Profile
    """The variant of its family that asks only for what it has."""
    address_index: int | None
    ticks: int = 0
    """Its agent's sysUpTime when last read: a fall may mean other interfaces or firmware."""
    learned: bool = False


class Reader:
    """Reads devices through a poller and remembers what each one is, so that the next poll of a
    device asks all at once, and only for what it has. Its identity comes with every answer: a
    swapped device is noticed at once.
    """

    def __init__(self, poller: Poller, book: ProfileBook | None = None) -> None:
        self._poller = poller
        self._book = book or packaged()
        self._known: dict[str, _Known] = {}

    async def read(self, targets: Iterable[Target]) -> AsyncIterator[DeviceReading]:
        """One reading for every target, the quick ones first; a dead device is not `answered`."""
        async for answer in self._poller.ask(targets, self._conversation):
            reading = answer.result
            if reading is None:
                reading = DeviceReading(answer.target.device_id, answer.answered)
            reading.rtt_ms, reading.took_s = answer.rtt_ms, answer.took_s
            reading.error = answer.error
            yield reading

    def _conversation(self, target: Target) -> Generator[Question, Reply, DeviceReading | None]:
        known = self._known.get(target.device_id)
        if known is not None and (known.address, known.version) == (target.address, target.version):
            reply = yield known.profile.question
            if self._is_still(known, reply):
                profile = known.profile
                if not known.learned:
                    profile, reply = yield from _learn(known, reply)
                return decode(target, profile, reply, known.address_index)
            # The reply itself says who answers now; nothing else of it fits the other profile.
            seen = {
                oid: value
                for oid, value in zip(IDENTITY, reply.scalars, strict=False)
                if value is not None
            }
            del self._known[target.device_id]
            known = yield from self._recognise(target, seen)
        else:
            identity = yield _IDENTIFY
            seen = varbinds(_IDENTIFY, identity)
            if not seen:
                return None
            known = yield from self._recognise(target, seen, not identity.error)
        reply = yield known.profile.question
        profile, reply = yield from _learn(known, reply)
        return decode(target, profile, reply, known.address_index)

    def _is_still(self, known: _Known, reply: Reply) -> bool:
        """Whether the device is what it was. A reply without identity speaks against nothing."""
        object_id, descr = reply.scalars[_OBJECT_ID], reply.scalars[_DESCR]
        if object_id is None and descr is None:
            return True
        if object_id is not None and object_id != known.object_id:
            return False
        if descr is not None and descr != known.descr:
            return False
        ticks = reply.scalars[_UP_TIME]
        if isinstance(ticks, int):
            if ticks < known.ticks:
                return False
            known.ticks = ticks
        return True

    def _recognise(
        self, target: Target, seen: dict[Oid, RawValue], remember: bool = True
    ) -> Generator[Question, Reply, _Known]:
        """What the device is that answered `seen`. What it did not say well enough to be sure is
        not remembered, so that the next poll asks again.
        """
        index: RawValue | None = None
        values = dict(seen)
        of_address = address_oid(target.address)
        more: tuple[Oid, ...] = (*self._book.doubts(seen), *([of_address] if of_address else ()))
        if more:
            question = Question(more)
            reply = yield question
            values |= varbinds(question, reply)
            index = values.get(of_address) if of_address else None
            remember = remember and not reply.error
        profile = self._book.choose(values)
        if target.version == V1:
            profile = profile.variant(V1_WITHOUT)
        ticks = seen.get(SYS_UP_TIME)
        known = _Known(
            target.address, target.version, seen.get(SYS_OBJECT_ID), seen.get(SYS_DESCR), profile,
            index if isinstance(index, int) else None, ticks if isinstance(ticks, int) else 0,
        )  # fmt: skip
        if remember:
            self._known[target.device_id] = known
        return known


def _learn(known: _Known, reply: Reply) -> Generator[Question, Reply, tuple[Profile, Reply]]:
    """Find out which tables and columns the device has. Where it needs some that were not asked
    (32-bit counters, ifDescr), ask again; a profile and the reply to its question.
    """
    usual = known.profile
    known.profile = usual.learned(reply)
    known.learned = not reply.error
    if usual.without <= known.profile.without:
        return usual, reply
    again = yield known.profile.question
    return (usual, reply) if again.error else (known.profile, again)
