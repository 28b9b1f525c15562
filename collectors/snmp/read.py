"""Reads devices: identity first, then what the profile of the family asks; one reading each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from collectors.snmp.book import ProfileBook, packaged
from collectors.snmp.decode import decode, varbinds
from collectors.snmp.habits import Habit, Habits
from collectors.snmp.interfaces import KeptColumns, address_oid
from collectors.snmp.lasting import Device
from collectors.snmp.model import V1, DeviceReading, Oid, Question, RawValue, Reply, Target
from collectors.snmp.poller import Poller
from collectors.snmp.profile import (
    IDENTITY,
    SYS_DESCR,
    SYS_OBJECT_ID,
    SYS_UP_TIME,
    V1_WITHOUT,
    Profile,
    part_of,
)

RELEARN = 60
"""Polls after which a device is asked for all that its family may have, once: a network or a
radio may have been added without a restart. Each device has its turn in another poll.
"""
TELLS_NOTHING = (
    "answers, but tells nothing: check the view that its agent gives this community or user"
)
_IDENTIFY = Question(IDENTITY)


@dataclass(slots=True)
class _Known:
    """What is remembered of a device."""

    address: str
    version: str
    object_id: RawValue | None
    descr: RawValue | None
    family: Profile
    profile: Profile
    """The variant of its family that asks only for what it has."""
    address_index: int | None
    ticks: int = 0
    """Its agent's sysUpTime when last read: a fall may mean other interfaces or firmware."""
    polls: int = 0
    """Since it last taught what it has; 0 if it has not."""
    early: int = 0
    """How many polls its first turn to be asked for everything comes before `RELEARN`."""
    habit: Habit | None = None
    """What it is asked as long as its tables keep their rows; None while they are walked."""
    number: RawValue | None = None
    """How many interfaces it had when it was walked, or told of when it was last asked so."""
    rows: int | None = None
    """How many were walked when it told that `number`."""
    moves: int = 0
    """How often its rows were found to be others since it was last asked for everything."""
    walks: int = 0
    """So many more polls its tables are walked: of some devices they change all the time."""


class Reader:
    """Reads devices through a poller and remembers what each one is, so that the next poll of a
    device asks all at once, and only for what it has. Its identity comes with every answer: a
    swapped device is noticed at once.
    """

    def __init__(self, poller: Poller, book: ProfileBook | None = None) -> None:
        self._poller = poller
        self._book = book or packaged()
        self._known: dict[str, _Known] = {}
        self._habits = Habits()

    async def read(self, targets: Iterable[Target]) -> AsyncIterator[DeviceReading]:
        """One reading for every target, the quick ones first; a dead device is not `answered`."""
        async for answer in self._poller.ask(targets, self._conversation):
            reading = answer.result
            error = answer.error
            if reading is None:
                reading = DeviceReading(answer.target.device_id, answer.answered)
                if answer.answered and not error:
                    error = TELLS_NOTHING
            reading.rtt_ms, reading.took_s = answer.rtt_ms, answer.took_s
            if reading.left_out:
                error = _and(error, f"too much: {reading.left_out} left out")
            reading.error = error
            yield reading

    def _conversation(self, target: Target) -> Generator[Question, Reply, DeviceReading | None]:
        known = self._known.get(target.device_id)
        if known is not None and (known.address, known.version) == (target.address, target.version):
            habit, again = known.habit, known.polls >= RELEARN
            if again:  # what it was asked is kept until then: most are what they were
                known.profile, known.polls = known.family, 0
                known.habit, known.moves, known.walks = None, 0, 0
            profile = known.profile
            reply = yield (profile.question if habit is None or again else habit.question)
            # The reply itself says who answers now; if it is another, nothing else of it fits.
            if self._is_still(known, reply.scalars):
                if habit is not None and not again:
                    reading = _usual(target, known, habit, reply)
                    if reading is not None:
                        known.polls += 1
                        return reading if _says(reply) else None
                    _moves(known, habit, reply)
                    reply = yield profile.question
                return (yield from self._learned(target, known, reply))
            del self._known[target.device_id]
            seen = _identity(reply.scalars)
            known = yield from self._recognise(target, seen, not reply.error)
        else:
            identity = yield _IDENTIFY
            seen = varbinds(_IDENTIFY, identity)
            if not seen:
                return None
            known = yield from self._recognise(target, seen, not identity.error)
        reply = yield known.profile.question
        return (yield from self._learned(target, known, reply, is_new=True))

    def _learned(
        self, target: Target, known: _Known, reply: Reply, is_new: bool = False
    ) -> Generator[Question, Reply, DeviceReading | None]:
        """The reading of a reply to all that the profile asks; what can be learned of it is."""
        profile = known.profile
        if known.polls:
            known.polls += 1
        else:
            profile, reply = yield from _learn(target, known, reply)
        if not is_new and not _says(reply):
            return None
        reading = decode(target, profile, reply, known.address_index)
        if not profile.lasting.tables:
            return reading
        if known.rows is None or not known.walks:
            _count(known, None if reply.error else profile.interfaces.rows(reply.tables))
        if known.walks:
            known.walks -= 1
        elif known.polls and not reply.error and profile.without <= known.profile.without:
            its = known.profile
            if its is not profile:  # it asks for less of the same
                reply = part_of(profile.question, reply, its.question)
            radios = frozenset([radio.name for radio in reading.radios])
            known.habit = self._habits.of(
                its.lasting,
                its.question,
                reply,
                its.opened(reply),
                device=Device(known.address_index, radios, known.version != V1),
            )
        return reading

    def _is_still(self, known: _Known, scalars: Sequence[RawValue | None]) -> bool:
        """Whether the device is what it was, by what of its identity it told. Where its
        sysObjectID is missing, nothing speaks against it.
        """
        descr, object_id, ticks, _ = scalars[: len(IDENTITY)]
        if (
            object_id == known.object_id
            and descr == known.descr
            and isinstance(ticks, int)
            and ticks >= known.ticks
        ):
            known.ticks = ticks
            return True
        if object_id is None:
            return True
        if object_id != known.object_id:
            return False
        if isinstance(ticks, int):
            if ticks < known.ticks:
                return False
            known.ticks = ticks
        if descr is not None and descr != known.descr:
            seen = _identity(scalars)
            if self._book.doubts(seen) or self._book.choose(seen).name != known.family.name:
                return False
            known.descr = descr
        return True

    def _recognise(
        self, target: Target, seen: dict[Oid, RawValue], remember: bool
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
            address=target.address,
            version=target.version,
            object_id=seen.get(SYS_OBJECT_ID),
            descr=seen.get(SYS_DESCR),
            family=profile,
            profile=profile,
            address_index=index if isinstance(index, int) else None,
            ticks=ticks if isinstance(ticks, int) else 0,
            early=crc32(target.device_id.encode()) % (RELEARN - 1),
        )
        if remember:
            self._known[target.device_id] = known
        return known


def _identity(scalars: Sequence[RawValue | None]) -> dict[Oid, RawValue]:
    """What the first scalars of a reply say of who answers."""
    pairs = zip(IDENTITY, scalars, strict=False)
    return {oid: value for oid, value in pairs if value is not None}


def _usual(target: Target, known: _Known, habit: Habit, reply: Reply) -> DeviceReading | None:
    """The reading of a reply to the cells in use; None if the device has other rows by now."""
    opened = habit.opened(reply, known.number)
    if opened is None:
        if not reply.error:
            return None
        opened = habit.broken(reply)
    reading = decode(target, known.profile, opened, known.address_index)
    place = known.profile.interfaces.place
    table = None if place is None else opened.tables[place]
    if isinstance(table, KeptColumns) and table.is_moved:
        return None
    return reading


def _moves(known: _Known, habit: Habit, reply: Reply) -> None:
    """Its rows are others: walk it now, and for a while if that happens again and again."""
    # Some agents count other interfaces than their table has: only that it changes matters.
    known.number = reply.scalars[habit.live_at - 1] if habit.counted else None
    known.habit = known.rows = None
    known.walks = min(2**known.moves, RELEARN) - 1
    known.moves += 1


def _count(known: _Known, rows: int | None) -> None:
    """Its interfaces were walked and are `rows`, None if that failed: what it tells of their number
    the next time follows from that.
    """
    number, before = known.number, known.rows
    if rows is None or number is None or not isinstance(number, int):
        known.number = rows
    elif before is not None:
        known.number = number + rows - before
    known.rows = rows


def _says(reply: Reply) -> bool:
    """Whether there is anything in a reply."""
    return any(value is not None for value in reply.scalars) or any(
        map(any, filter(None, reply.tables))
    )


def _and(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def _in_use(reading: DeviceReading) -> tuple[DeviceReading, list[object]]:
    """What is kept of a reading: of an access point that is down that it is there."""
    aps = [one if one.up is not False else (one.key, one.name) for one in reading.access_points]
    return replace(reading, access_points=()), list(aps)


def _learn(
    target: Target, known: _Known, reply: Reply
) -> Generator[Question, Reply, tuple[Profile, Reply]]:
    """Find out which tables and columns the device has. Where it needs some that were not asked
    (32-bit counters, ifDescr), ask again; a profile and the reply to its question.
    """
    usual = known.profile
    known.profile = usual.learned(
        reply, lambda profile, told: _in_use(decode(target, profile, told, known.address_index))
    )
    known.polls = 0 if reply.error else 1 + known.early
    known.early = 0 if known.polls else known.early
    if usual.without <= known.profile.without:
        return usual, reply
    again = yield known.profile.question
    return (usual, reply) if again.error else (known.profile, again)
