"""Reads devices: identity first, then what the profile of the family asks; one reading each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable

from collectors.snmp.book import (
    IDENTITY,
    SYS_DESCR,
    SYS_OBJECT_ID,
    Profile,
    ProfileBook,
    packaged,
)
from collectors.snmp.decode import decode
from collectors.snmp.interfaces import address_oid
from collectors.snmp.model import DeviceReading, Question, Target, VarBinds
from collectors.snmp.poller import Poller


class Reader:
    """Reads devices through a poller and remembers each one's family, so that the next poll of a
    device asks all at once. Its identity comes with every answer: a swapped device is noticed.
    """

    def __init__(self, poller: Poller, book: ProfileBook | None = None) -> None:
        self._poller = poller
        self._book = book or packaged()
        self._families: dict[str, tuple[object, Profile]] = {}

    async def read(self, targets: Iterable[Target]) -> AsyncIterator[DeviceReading]:
        """One reading for every target, the quick ones first; a dead device is not `answered`."""
        async for answer in self._poller.ask(targets, self._conversation):
            device_id = answer.target.device_id
            if not answer.answered:
                yield DeviceReading(device_id, False, error=answer.error)
                continue
            identity, profile = self._families.get(device_id, (None, None))
            if profile is None or identity != _identity(answer.values):
                profile = self._book.choose(answer.values)
            yield decode(answer, profile)

    def _conversation(self, target: Target) -> Generator[Question, VarBinds, None]:
        identity, known = self._families.get(target.device_id, (None, None))
        values = yield _all_of(known, target) if known else Question(IDENTITY)
        if known and identity == _identity(values):
            return
        doubts = self._book.doubts(values)
        if doubts:
            values = yield Question(doubts)
        profile = self._book.choose(values)
        self._families[target.device_id] = (_identity(values), profile)
        yield _all_of(profile, target)


def _identity(values: VarBinds) -> tuple[object, object]:
    return values.get(SYS_OBJECT_ID), values.get(SYS_DESCR)


def _all_of(profile: Profile, target: Target) -> Question:
    question = profile.question
    of_address = address_oid(target.address)
    scalars = (*question.scalars, of_address) if of_address else question.scalars
    return Question(scalars, question.tables)
