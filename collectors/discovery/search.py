"""Asks every address of a range once and again, at a bounded rate, who it is: first one request
each, then a closer look at those that answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from collectors.access import Access
from collectors.discovery.identity import closer_question, found_of
from collectors.discovery.matching import Found
from collectors.discovery.pace import Pace
from collectors.snmp.book import IDENTITY, ProfileBook, packaged
from collectors.snmp.model import V3, Answer, Oid, Question, RawValue, Reply, Target, VarBinds
from collectors.snmp.poller import Conversation, Poller
from collectors.targets import DEFAULT_COMMUNITY

T = TypeVar("T")
TICK_S = 0.1
"""Requests leave in bunches of so many seconds' worth."""
MOST_BUNCHES = 100
"""Bunches that may wait for answers together."""
REQUESTS_V3 = 4
"""Asking an SNMPv3 agent for the first time: its engine and time are asked too."""
REQUESTS_CLOSER = 12
"""About what a closer look costs, where the poller does not count."""
NO_ANSWER = "no answer"
_WHO = Question(IDENTITY)


@dataclass(frozen=True)
class Login:
    """How to ask: a community or an SNMPv3 user, and the credential that holds it (None for one
    that was given on the command line).
    """

    credential: str | None
    access: Access = field(default_factory=Access)

    def target(self, address: str, port: int, timeout_s: float, retries: int) -> Target:
        """`address`:`port` asked with this login."""
        return Target(
            address, address, port, self.access.community, timeout_s, retries,
            version=self.access.version, usm=self.access.usm,
        )  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """How to search: `rate` requests a second, `tries` for each login, `timeout_s` each."""

    port: int = 161
    rate: float = 200.0
    tries: int = 2
    timeout_s: float = 1.0


class Search:
    """A search of some addresses. `refused` then holds what agents said that answered but let
    nobody in, by address; `requests` how many requests were sent, or at least asked for.
    """

    def __init__(
        self,
        make_poller: Callable[[], Poller],
        manner: Manner,
        logins_of: Callable[[str], Sequence[Login]],
        book: ProfileBook | None = None,
    ) -> None:
        """`logins_of(address)` are the logins to try there, in that order."""
        self._make_poller, self._manner, self._logins_of = make_poller, manner, logins_of
        self._book = book or packaged()
        self._pace = Pace(manner.rate, max(1.0, manner.rate * TICK_S), time.monotonic())
        self.refused: dict[str, str] = {}
        self._turned_away: set[tuple[str, int]] = set()
        self.requests = 0

    async def run(
        self,
        addresses: Iterable[str],
        most_logins: int,
        advance: Callable[[int], None] = lambda _n: None,
    ) -> AsyncGenerator[Found, None]:
        """Yield every agent that answers at one of `addresses`, which is iterated anew for each
        round: each login is tried everywhere, then all of them again where nothing answered.

        `advance(n)` is told how many addresses are done with in each round.
        """
        done: set[str] = set()
        mute: dict[str, int] = {}
        for number in range(self._manner.tries * most_logins):
            hits: dict[str, VarBinds] = {}
            turn = number % most_logins
            targets = self._targets(addresses, turn, done, advance)
            async for answer in self._paced(targets, _identify, 1):
                advance(1)
                address = answer.target.address
                if answer.result:
                    hits[address] = answer.result
                elif answer.answered and not answer.error:
                    # Another login may be shown more.
                    mute.setdefault(address, turn)
                    self._turned_away.add((address, turn))
                elif answer.error and answer.error != NO_ANSWER:
                    self.refused[address] = answer.error
                    self._turned_away.add((address, turn))
            done.update(hits)
            async for found in self._look_closer(hits, turn):
                self.refused.pop(found.address, None)
                yield found
        for turn in sorted(set(mute.values())):
            hits = {one: {} for one, its in mute.items() if its == turn and one not in done}
            async for found in self._look_closer(hits, turn):
                self.refused.pop(found.address, None)
                yield found

    def _targets(
        self, addresses: Iterable[str], turn: int, done: set[str], advance: Callable[[int], None]
    ) -> Iterator[Target]:
        """Who is asked in this turn; an agent that refused a login is not asked with it again."""
        manner = self._manner
        for address in addresses:
            logins = self._logins_of(address)
            if address in done or (address, turn) in self._turned_away or turn >= len(logins):
                advance(1)
            else:
                yield logins[turn].target(address, manner.port, manner.timeout_s, retries=0)

    async def _look_closer(
        self, hits: Mapping[str, VarBinds], turn: int
    ) -> AsyncGenerator[Found, None]:
        """What the agents at `hits` are, besides who they said to be."""
        manner = self._manner
        logins = {address: self._logins_of(address)[turn] for address in hits}
        targets = (
            login.target(address, manner.port, manner.timeout_s, retries=2)
            for address, login in logins.items()
        )

        def look(target: Target) -> Generator[Question, Reply, Found]:
            return self._describe(target, hits[target.address])

        async for answer in self._paced(targets, look, REQUESTS_CLOSER):
            address = answer.target.address
            login, found = logins[address], answer.result
            if found is None:  # it fell silent after it said who it is: that much is known
                values = hits[address]
                profile = self._book.choose(values)
                found = found_of(address, manner.port, values, Reply(()), profile)
            if not hits[address]:
                found = replace(found, family="")
            detail = dict(found.detail)
            if login.credential is None and login.access.community != DEFAULT_COMMUNITY:
                detail["credential_needed"] = True
            yield replace(found, credential_name=login.credential, detail=detail)

    def _describe(self, target: Target, values: VarBinds) -> Generator[Question, Reply, Found]:
        question = closer_question(target.address, self._book.doubts(values))
        reply = yield question
        values = {**values, **_told(question, reply)}
        return found_of(target.address, target.port, values, reply, self._book.choose(values))

    async def _paced(
        self, targets: Iterable[Target], converse: Conversation[T], cost: float
    ) -> AsyncGenerator[Answer[T], None]:
        """Ask `targets` in bunches, so that no more requests leave than the rate allows."""
        waiting = iter(targets)
        size = max(1, int(self._manner.rate * TICK_S / cost))
        pending: set[asyncio.Task[list[Answer[T]]]] = set()
        try:
            while True:
                bunch = list(islice(waiting, size)) if len(pending) < MOST_BUNCHES else []
                if bunch:
                    pending.add(asyncio.create_task(self._ask(bunch, converse, cost)))
                    finished = {task for task in pending if task.done()}
                elif pending:
                    finished, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                else:
                    return
                pending -= finished
                for task in finished:
                    for answer in task.result():
                        yield answer
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _ask(
        self, bunch: Sequence[Target], converse: Conversation[T], cost: float
    ) -> list[Answer[T]]:
        expected = sum(cost * (REQUESTS_V3 if one.version == V3 else 1) for one in bunch)
        await asyncio.sleep(self._pace.wait_s(expected, time.monotonic()))
        poller = self._make_poller()
        answers = [answer async for answer in poller.ask(bunch, converse)]
        sent = poller.figures.sent
        self.requests += sent or int(expected)
        if sent > expected:  # what went beyond is waited for by those that come next
            self._pace.wait_s(sent - expected, time.monotonic())
        return answers


def _identify(_target: Target) -> Generator[Question, Reply, VarBinds]:
    return _told(_WHO, (yield _WHO))


def _told(question: Question, reply: Reply) -> dict[Oid, RawValue]:
    pairs = zip(question.scalars, reply.scalars, strict=True)
    return {oid: value for oid, value in pairs if value is not None}
