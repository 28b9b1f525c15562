"""What is sent: the requests of a Question, built once and shared by all devices that are asked it.
Only the community before and the request-id inside differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Protocol

from collectors.snmp.model import Oid, Question, RawValue
from collectors.snmp.sweep import ber
from collectors.snmp.sweep.fast import Column
from collectors.snmp.sweep.shapes import Scalars

ROOM = 1420
"""Bytes that the varbinds of a reply may take so that it is not split on its way: Ethernet leaves
1,472 for the whole message."""
_GUESSED_VALUE = 16
_OK = ber.integer(0) + ber.integer(0)
_COMMUNITIES = 4096
_QUESTIONS = 512
_NULL = b"\x05\x00"
_SIZES = 128
_MOST_GUESSED = 25


class Request(Protocol):
    """A request that a device's conversation waits on."""

    @property
    def patient(self) -> bool:
        """Whether a time-out is answered by sending it again, until the retries are used up; if
        not, the conversation is told at once and decides.
        """
        ...

    @property
    def most_pairs(self) -> int:
        """How many varbinds a response may hold."""
        ...

    def packet(self, head: bytes, request_id: bytes) -> bytes:
        """The bytes to send; `head` is version and community as they are encoded."""
        ...

    def read(self, data: bytes, at: int) -> Any:
        """The fast reading of a response whose varbinds begin at `at`; None if it has none."""
        ...


class Template:
    """A request without community and request-id."""

    __slots__ = ("_after", "_before", "_size", "_tag")

    def __init__(self, tag: int, contents: Sequence[bytes], numbers: bytes = _OK) -> None:
        """`contents` are those of the OIDs; `numbers` stand between request-id and varbinds."""
        binds = b"".join(
            ber.tlv(ber.SEQUENCE, ber.tlv(ber.OBJECT_ID, content) + _NULL) for content in contents
        )
        self._tag = tag
        self._after = numbers + ber.tlv(ber.SEQUENCE, binds)
        self._size = 6 + len(self._after)
        self._before: dict[bytes, bytes] = {}

    def packet(self, head: bytes, request_id: bytes) -> bytes:
        """See `Request.packet`."""
        before = self._before.get(head)
        if before is None:
            before = head + ber.header(self._tag, self._size) + b"\x02\x04"
            before = ber.header(ber.SEQUENCE, len(before) + self._size - 2) + before
            if len(self._before) >= _COMMUNITIES:
                self._before.clear()
            self._before[head] = before
        return before + request_id + self._after


class Get(Template):
    """A GET of the scalars at `positions` of a Question."""

    __slots__ = ("begin", "expected", "most_pairs", "oids", "positions")
    patient = True

    def __init__(self, oids: Sequence[Oid], positions: Sequence[int]) -> None:
        contents = [ber.oid_content(oid) for oid in oids]
        super().__init__(ber.GET, contents)
        self.oids = tuple(oids)
        self.positions = tuple(positions)
        self.begin = positions[0] if positions else 0
        self.expected = Scalars(contents)
        self.most_pairs = len(contents)

    def read(self, data: bytes, at: int) -> list[RawValue | None] | None:
        """See `Request.read`."""
        return self.expected.read(data, at)

    def without(self, place: int) -> Get:
        """This one without its OID at `place`, which counts from 0."""
        return Get(
            self.oids[:place] + self.oids[place + 1 :],
            self.positions[:place] + self.positions[place + 1 :],
        )

    def halves(self) -> tuple[Get, Get]:
        """Two that ask the same together."""
        half = len(self.oids) // 2
        return (
            Get(self.oids[:half], self.positions[:half]),
            Get(self.oids[half:], self.positions[half:]),
        )


class TablePlan:
    """How the columns of a table are asked for and read."""

    __slots__ = ("_first", "columns", "guessed_rows", "key", "name", "oids", "usual_rows")

    def __init__(self, oids: Sequence[Oid]) -> None:
        self.oids = tuple(oids)
        self.name = f"table {'.'.join(map(str, oids[0][:-1]))}"
        self.key = str(self.oids)
        self.columns = tuple(Column(ber.oid_content(oid)) for oid in oids)
        row = sum(len(column.content) + 8 + _GUESSED_VALUE for column in self.columns)
        self.guessed_rows = max(1, min(_MOST_GUESSED, ROOM // row))
        self.usual_rows = self.guessed_rows
        self._first: dict[int, Template] = {}

    def first(self, repetitions: int) -> Template:
        """The request that begins a walk; GETNEXT if `repetitions` is 0."""
        found = self._first.get(repetitions)
        if found is None:
            found = rows_request([column.content for column in self.columns], repetitions)
            if len(self._first) >= _SIZES:
                self._first.clear()
            self._first[repetitions] = found
        return found


def rows_request(contents: Sequence[bytes], repetitions: int) -> Template:
    """GETBULK of what follows the OIDs of these content octets; GETNEXT if `repetitions` is 0."""
    if repetitions == 0:
        return Template(ber.GET_NEXT, contents)
    return Template(ber.GET_BULK, contents, ber.integer(0) + ber.integer(repetitions))


class Plan:
    """The requests of one Question. `only` is its GET where that is all; `is_long` if they are
    several, which a `Packing` may make fewer: those that devices have are kept in `packings`.
    """

    __slots__ = ("failures", "gets", "is_long", "key", "only", "packings", "question", "tables")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.gets = tuple(_gets(question.scalars))
        self.tables = tuple(TablePlan(columns) for columns in question.tables if columns)
        self.only = self.gets[0] if len(self.gets) == 1 and not question.tables else None
        self.is_long = len(self.gets) + len(self.tables) > 1
        digest = blake2b(repr((question.scalars, question.tables)).encode(), digest_size=8)
        self.key = digest.hexdigest()
        self.failures = f"failures {self.key}"
        self.packings: dict[Any, Any] = {}


def _gets(oids: Sequence[Oid]) -> list[Get]:
    """GETs whose replies are likely to fit a packet."""
    gets, begin, room = [], 0, ROOM
    for position, oid in enumerate(oids):
        room -= len(oid) + 8 + _GUESSED_VALUE
        if room < 0:
            gets.append(Get(oids[begin:position], range(begin, position)))
            begin, room = position, ROOM - len(oid) - 8 - _GUESSED_VALUE
    if begin < len(oids):
        gets.append(Get(oids[begin:], range(begin, len(oids))))
    return gets


class Plans:
    """The plans of all questions that were asked lately."""

    def __init__(self) -> None:
        self._plans: dict[int, Plan] = {}

    def of(self, question: Question) -> Plan:
        """The plan of this Question object. Raises ValueError for an OID that is none."""
        plan = self._plans.get(id(question))  # its plan keeps it alive, so the id stays its own
        if plan is None:
            plan = Plan(question)
            if len(self._plans) >= _QUESTIONS:
                self._plans.clear()
            self._plans[id(question)] = plan
        return plan


def head_of(version: int, community: str) -> bytes:
    """Version and community as a message begins with them."""
    return ber.integer(version) + ber.tlv(ber.OCTETS, community.encode())
