"""What one device is asked, step by step: the engine gives each request's reading back, or throws
in when the device fell silent or its time is up.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeVar, cast

from collectors.snmp.model import Column, RawValue, Reply, Target
from collectors.snmp.poller import Conversation
from collectors.snmp.sweep.ber import Message
from collectors.snmp.sweep.packing import Learned, Packing, pack
from collectors.snmp.sweep.requests import Get, Plan, Plans, Request, TablePlan
from collectors.snmp.sweep.tables import Walk
from collectors.snmp.sweep.together import Begun, Together, Whole

T = TypeVar("T")
TOO_BIG, NO_SUCH_NAME, GENERAL_ERROR = 1, 2, 5  # error-status of RFC 3416
_STATUS = {
    1: "tooBig", 2: "noSuchName", 3: "badValue", 4: "readOnly", 5: "genErr", 6: "noAccess",
    13: "resourceUnavailable", 16: "authorizationError",
}  # fmt: skip
IDENTITY = "its identity"
_LOST, _REFUSED = "lost", "refused"
_MOST_FAILURES = 10
_LOOK_AGAIN = 60
"""Polls until it is looked at again whether packing saves packets."""
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

    __slots__ = ("deadline_s", "errors", "is_v1", "learned", "over", "plans", "what")

    def __init__(self, plans: Plans, learned: Learned, is_v1: bool, deadline_s: float) -> None:
        self.plans = plans
        self.learned = learned
        self.is_v1 = is_v1
        self.deadline_s = deadline_s
        self.errors: list[str] = []
        self.over = 0
        self.what = IDENTITY


def hold(target: Target, converse: Conversation[T], session: Session) -> Steps[T | None]:
    """Hold the conversation; returns its result, None if it would not end."""
    talk = converse(target)
    try:
        question, what = next(talk), IDENTITY
        while True:
            if session.over > _AFTER_THE_END:
                return None
            plan = session.plans.of(question)
            whole = _whole(plan, session) if plan.is_long else None
            request = plan.only or whole
            if request is None or session.over:
                reply = yield from _put(plan, session, what)
            else:  # one packet, as most questions are: in place, which costs half
                session.what = what
                try:
                    found = yield request
                except (SilentError, TimeUpError) as fault:
                    found = fault.with_traceback(None)  # which would hold this frame
                except GeneratorExit:
                    _doubt(plan, session)
                    raise
                if type(found) is Reply:
                    reply = found
                    session.learned.pop(plan.failures, None)
                elif type(found) is list:
                    reply = Reply(found)
                else:
                    reply = yield from _unusual(plan, session, what, found, whole)
            what = "its figures"
            if reply.error:
                session.errors.append(reply.error)
            question = talk.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        talk.close()


def _whole(plan: Plan, session: Session) -> Whole | None:
    packing = session.learned.get(plan.key)
    return packing.whole if type(packing) is Packing and not session.is_v1 else None


def _unusual(
    plan: Plan, session: Session, what: str, met: Any, whole: Whole | None
) -> Steps[Reply]:
    """Put a question whose one request `met` with something else than its usual answer."""
    if isinstance(met, TimeUpError) or (isinstance(met, SilentError) and whole is None):
        question = plan.question
        tables = (None,) * len(question.tables)
        return Reply([None] * len(question.scalars), tables, _untold(met, session))
    if whole is not None and type(met) is not Begun:
        met = whole.begun(met)
    return (yield from _put(plan, session, what, met))


def _doubt(plan: Plan, session: Session) -> None:
    """Its first request was lost each time it was sent: was it that one?"""
    packing = session.learned.get(plan.key)
    if type(packing) is Packing:
        session.learned[plan.key] = packing.trial


def _put(
    plan: Plan, session: Session, what: str, met: Message | Begun | None = None
) -> Steps[Reply]:
    """Put one question; `what` it is about is told where the device falls silent. `met` is what
    became of its first request, if that was sent.
    """
    question = plan.question
    scalars: list[RawValue | None] = [None] * len(question.scalars)
    tables: list[Sequence[Column] | None] = [None] * len(question.tables)
    reply = Reply(scalars, tables)
    if session.over:
        session.over += 1
        reply.error = _given_up(session, "its next question")
        return reply
    errors: list[str] = []
    session.what = what
    packs = plan.is_long and not session.is_v1
    packing = session.learned.get(plan.key) if packs else None
    try:
        if type(packing) is Packing:
            begun = met if type(met) is Begun else None
            yield from _put_packed(packing, plan, session, reply, errors, begun=begun)
        else:
            for get in plan.gets:
                found = met if isinstance(met, Message) else (yield get)
                if type(found) is list:
                    scalars[get.begin : get.begin + len(found)] = found
                else:
                    yield from _again(get, found, scalars)
            for number, table in enumerate(plan.tables):
                tables[number] = yield from _alone(table, session, errors)
            if packs:
                if type(packing) is int and packing > 0:
                    session.learned[plan.key] = packing - 1
                else:
                    _learn(pack(plan, reply), plan, session)
    except (SilentError, TimeUpError) as fault:
        errors.append(_untold(fault, session))
    reply.error = "; ".join(errors)
    return reply


def _alone(table: TablePlan, session: Session, errors: list[str]) -> Steps[Sequence[Column] | None]:
    """A table by itself; None if it broke off."""
    session.what = table.name
    rows = session.learned.get(table.key)
    walk = Walk(table, rows if type(rows) is int and rows else table.usual_rows, session.is_v1)
    yield from _walk(walk)
    session.learned[table.key] = learned = walk.learned
    table.usual_rows = max(table.usual_rows, learned)
    if walk.broken:
        errors.append(f"{table.name} {walk.broken}: broke off")
        return None
    return walk.columns


class _Outcome:
    """How a packed poll went: the `columns` of its parts, the `walk` under way, the `fault` that
    ended it, whether the repetitions `fit` the rows, and whether the scalars `agree` with what the
    agent is known to have.
    """

    __slots__ = ("agree", "columns", "fault", "fit", "walk")

    def __init__(self) -> None:
        self.fault = ""
        self.fit = self.agree = True
        self.columns: list[Column | None] = []
        self.walk: Together | None = None

    def fill(self, packing: Packing, tables: list[Sequence[Column] | None]) -> None:
        """Tables all of whose columns were read are the reply's."""
        columns = self.columns
        if self.walk is not None:
            columns += self.walk.finished()
        missing = packing.width - len(columns)
        if missing:
            columns += [None] * missing
        for number, places in packing.places:
            found = [columns[place] for place in places]
            if None not in found:
                tables[number] = cast("list[Column]", found)


def _put_packed(
    packing: Packing, plan: Plan, session: Session, reply: Reply, errors: list[str],
    *, begun: Begun | None,
) -> Steps[None]:  # fmt: skip
    """Put a question in the packets of a Packing; what that leaves open is asked as if there were
    none.
    """
    scalars = cast("list[RawValue | None]", reply.scalars)
    tables = cast("list[Sequence[Column] | None]", reply.tables)
    for get in packing.gets:
        found = yield get
        if type(found) is list:
            scalars[get.begin : get.begin + len(found)] = found
        else:
            yield from _again(get, found, scalars)
    outcome = _Outcome()
    try:
        yield from _put_parts(packing, session, outcome, scalars, begun)
    except GeneratorExit:
        _doubt(plan, session)
        raise
    finally:
        outcome.fill(packing, tables)
    if packing.carries and packing is packing.sure and (outcome.fault or not outcome.agree):
        for get in plan.gets:
            yield from _again(get, (yield get), scalars)
    for number, table in enumerate(plan.tables):
        if tables[number] is None:
            tables[number] = yield from _alone(table, session, errors)
    if errors:
        outcome.fit = True  # nothing can be learned from half an answer
    _judge(packing, plan, session, reply, outcome)


def _put_parts(
    packing: Packing, session: Session, outcome: _Outcome, scalars: list[RawValue | None],
    begun: Begun | None,
) -> Steps[None]:  # fmt: skip
    first = not packing.gets
    for part in packing.parts:
        if not first:
            session.what = part.name
        outcome.walk = walk = begun.walk if begun else Together(part, first)
        first, waiting = False, bool(part.scalars)
        while walk.open:
            found, begun = (yield from _met(walk, begun)), None
            if type(found) is SilentError:
                outcome.fault = _LOST
                return
            if type(found) is tuple:
                walk.accept(found)
            elif found.status == 0:
                walk.accept(walk.read_pairs(found.pairs))
            else:
                outcome.fault = _REFUSED
                return
            if waiting:
                waiting, values = False, walk.values
                if values is None or not part.agrees(values):
                    outcome.agree = False
                elif packing is packing.sure:
                    scalars[part.begin : part.begin + len(values)] = values
        if walk.broken:
            outcome.fault = walk.broken
            return
        outcome.columns += walk.columns
        outcome.walk = None
        if not walk.fits:
            outcome.fit = False


def _met(walk: Together, begun: Begun | None) -> Steps[Any]:
    """What a request of a walk meets with; the first one may have been sent already."""
    if begun is not None:
        return begun.found
    try:
        return (yield walk)
    except SilentError as fault:
        return fault


def _judge(packing: Packing, plan: Plan, session: Session, reply: Reply, outcome: _Outcome) -> None:
    """Learn from how a packed poll went. Each failure in a row doubles how long there is no other;
    a single loss is chance.
    """
    learned = session.learned
    if outcome.fault:
        before = learned.get(plan.failures)
        failures = min(before + 1 if type(before) is int else 1, _MOST_FAILURES)
        learned[plan.failures] = failures
        if failures > 1 or outcome.fault != _LOST:
            learned[plan.key] = 2**failures
    elif not outcome.agree:
        # What it answers to a GETBULK is not what it answers to a GET, or it has others now.
        _learn(pack(plan, reply, packing is packing.sure), plan, session)
    else:
        if not outcome.fit:
            _learn(pack(plan, reply, packing.may_carry), plan, session, packing is packing.sure)
        elif packing is not packing.sure:
            learned[plan.key] = packing.sure
            _forget_rows(packing, plan, learned)
        if plan.failures in learned and packing is packing.sure:
            del learned[plan.failures]


def _forget_rows(packing: Packing, plan: Plan, learned: Learned) -> None:
    """Of tables that are no longer walked by themselves: for a city that is some memory."""
    gone = {table.key for number, table in enumerate(plan.tables) if number not in packing.apart}
    left = {key: value for key, value in learned.items() if key not in gone}
    learned.clear()
    learned.update(left)


def _learn(packing: Packing | None, plan: Plan, session: Session, is_sure: bool = False) -> None:
    """Remember how the device is asked next time; where nothing is saved, that is looked at again
    some polls later.
    """
    if packing is None:
        session.learned[plan.key] = _LOOK_AGAIN
    else:
        session.learned[plan.key] = packing if is_sure else packing.trial


def _untold(fault: Exception, session: Session) -> str:
    """What to tell of a device that did not answer."""
    what = session.what
    if isinstance(fault, TimeUpError):
        session.over = 1
        return _given_up(session, what)
    return str(fault) if what == IDENTITY else f"{fault} at {what}"


def _given_up(session: Session, what: str) -> str:
    return f"given up after {session.deadline_s:g} s, at {what}"


def _again(
    get: Get, found: Message | Sequence[RawValue | None], scalars: list[RawValue | None]
) -> Steps[None]:
    """Take an answer; ask for what one with an error left open."""
    if not isinstance(found, Message):
        scalars[get.begin : get.begin + len(found)] = found
        return
    waiting = _rest(get, found, scalars)
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
