"""What one device is asked, step by step: the engine gives each request's reading back, or throws
in when the device fell silent or its time is up.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from collectors.snmp.model import Column, Question, RawValue, Reply, Target
from collectors.snmp.poller import Conversation
from collectors.snmp.sweep.ber import Message
from collectors.snmp.sweep.requests import Get, Plans, Request
from collectors.snmp.sweep.tables import Walk

T = TypeVar("T")
TOO_BIG, NO_SUCH_NAME, GENERAL_ERROR = 1, 2, 5  # error-status of RFC 3416
_STATUS = {
    1: "tooBig", 2: "noSuchName", 3: "badValue", 4: "readOnly", 5: "genErr", 6: "noAccess",
    13: "resourceUnavailable", 16: "authorizationError",
}  # fmt: skip
IDENTITY = "its identity"
_AFTER_THE_END = 3
"""How often a conversation that goes on asking after its device's end is told so."""

Steps = Generator[Request, Any, T]
"""Yields requests; is sent the fast reading of each response, or a `Message`."""


class SilentError(Exception):
    """The device did not answer in time; the message says what to tell."""


class TimeUpError(Exception):
    """The device's time for all its answers is up."""


class Session:
    """What the steps of one device share: protocol, what its last walks found, what went wrong."""

    __slots__ = ("deadline_s", "errors", "is_v1", "learned", "over", "plans")

    def __init__(
        self, plans: Plans, learned: dict[str, int], is_v1: bool, deadline_s: float
    ) -> None:
        self.plans = plans
        self.learned = learned
        self.is_v1 = is_v1
        self.deadline_s = deadline_s
        self.errors: list[str] = []
        self.over = 0


def hold(target: Target, converse: Conversation[T], session: Session) -> Steps[T | None]:
    """Hold the conversation; returns its result, None if it would not end."""
    talk = converse(target)
    try:
        question, what = next(talk), IDENTITY
        while True:
            if session.over > _AFTER_THE_END:
                return None
            reply = yield from _put(question, session, what)
            what = "its figures"
            if reply.error:
                session.errors.append(reply.error)
            question = talk.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        talk.close()


def _put(question: Question, session: Session, what: str) -> Steps[Reply]:
    """Put one question; `what` it is about is told where the device falls silent."""
    plan = session.plans.of(question)
    scalars: list[RawValue | None] = [None] * len(question.scalars)
    tables: list[Sequence[Column] | None] = [None] * len(question.tables)
    reply = Reply(scalars, tables)
    errors: list[str] = []
    if session.over:
        session.over += 1
        reply.error = _given_up(session, "its next question")
        return reply
    try:
        for get in plan.gets:
            found = yield get
            if type(found) is list:
                scalars[get.begin : get.begin + len(found)] = found
            else:
                yield from _again(get, found, scalars)
        for number, table in enumerate(plan.tables):
            what = table.name
            walk = Walk(table, session.learned.get(table.key) or table.usual_rows, session.is_v1)
            yield from _walk(walk)
            if walk.broken:
                errors.append(f"{what} {walk.broken}: broke off")
            else:
                tables[number] = walk.columns
            session.learned[table.key] = rows = walk.learned
            table.usual_rows = max(table.usual_rows, rows)
    except SilentError as silence:
        errors.append(str(silence) if what == IDENTITY else f"{silence} at {what}")
    except TimeUpError:
        session.over = 1
        errors.append(_given_up(session, what))
    reply.error = "; ".join(errors)
    return reply


def _given_up(session: Session, what: str) -> str:
    return f"given up after {session.deadline_s:g} s, at {what}"


def _again(get: Get, message: Message, scalars: list[RawValue | None]) -> Steps[None]:
    """Ask for what an answer with an error left open."""
    waiting = _rest(get, message, scalars)
    while waiting:
        get = waiting.pop()
        found = yield get
        if isinstance(found, Message):
            waiting += _rest(get, found, scalars)
        else:
            for position, value in zip(get.positions, found, strict=True):
                scalars[position] = value


def _rest(get: Get, message: Message, scalars: list[RawValue | None]) -> list[Get]:
    """Take what a response brought that was no plain one; returns what is to be asked again."""
    if message.status == 0:
        values = {pair.oid: pair.value for pair in reversed(message.pairs)}
        for oid, position in zip(get.oids, get.positions, strict=True):
            scalars[position] = values.get(oid)
        return []
    if len(get.oids) == 1:
        return []
    if message.status != TOO_BIG and 1 <= message.place <= len(get.oids):
        return [get.without(message.place - 1)]
    return list(get.halves())


def _walk(walk: Walk) -> Steps[None]:
    while walk.open:
        try:
            found = yield walk
        except SilentError:
            # A large reply can be lost as IP fragments every time: ask for less. Silent even for
            # one row, the device has gone: its other tables are not waited for.
            if not walk.shrink(lost=True):
                raise
            continue
        if not isinstance(found, Message):
            walk.accept(found)
        elif found.status == 0:
            walk.accept(walk.read_pairs(found.pairs))
        elif found.status == NO_SUCH_NAME and 1 <= found.place <= len(walk.open):
            walk.drop(found.place - 1)
        elif found.status not in (TOO_BIG, GENERAL_ERROR) or not walk.shrink():
            walk.stop(f"was refused with {_STATUS.get(found.status, found.status)}")
