"""Reads devices: identity first, then what the profile of the family asks; one reading each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Mapping
from dataclasses import dataclass

from collectors.snmp.book import (
    IDENTITY,
    SYS_DESCR,
    SYS_OBJECT_ID,
    Profile,
    ProfileBook,
    packaged,
)
from collectors.snmp.decode import decode, varbinds
from collectors.snmp.interfaces import address_oid
from collectors.snmp.model import DeviceReading, Oid, Question, RawValue, Reply, Target
from collectors.snmp.poller import Poller

_IDENTIFY = Question(IDENTITY)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered of a device: its identity, family and the interface of its address."""

    identity: tuple[object, object]
    profile: Profile
    address_index: int | None


class Reader:
    """Reads devices through a poller and remembers each one's family, so that the next poll of a
    device asks all at once. Its identity comes with every answer: a swapped device is noticed.
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
        if known is not None:
            reply = yield known.profile.question
            values = varbinds(known.profile.question, reply)
            if known.identity == _identity(values) or SYS_OBJECT_ID not in values:
                return decode(target, known.profile, reply, known.address_index)
        known = yield from self._recognise(target)
        if known is None:
            return None
        reply = yield known.profile.question
        return decode(target, known.profile, reply, known.address_index)

    def _recognise(self, target: Target) -> Generator[Question, Reply, _Known | None]:
        reply = yield _IDENTIFY
        values = varbinds(_IDENTIFY, reply)
        if not values:
            return None
        index: RawValue | None = None
        of_address = address_oid(target.address)
        more: tuple[Oid, ...] = (*self._book.doubts(values), *([of_address] if of_address else ()))
        if more:
            question = Question(more)
            reply = yield question
            values |= varbinds(question, reply)
            index = values.get(of_address) if of_address else None
        known = _Known(
            _identity(values), self._book.choose(values), index if isinstance(index, int) else None
        )
        self._known[target.device_id] = known
        return known


def _identity(values: Mapping[Oid, RawValue]) -> tuple[object, object]:
    return values.get(SYS_OBJECT_ID), values.get(SYS_DESCR)
