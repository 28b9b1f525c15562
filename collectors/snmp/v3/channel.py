"""One SNMPv3 device: find its engine, ask it, and tell apart why it refuses or keeps silent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from collectors.snmp.model import Oid, RawValue, Target, Usm
from collectors.snmp.sweep.places import resolve
from collectors.snmp.sweep.sockets import SocketAddress
from collectors.snmp.v3.message import AUTH, GET, GETBULK, PRIV, REPORT, Message, Pdu, encode_pdu
from collectors.snmp.v3.security import NOT_IN_WINDOW, UNKNOWN_ENGINE, level_of
from collectors.snmp.v3.session import LEVELS, Session, report_of, seal, told_by, unseal
from collectors.snmp.v3.usm import KeyRing, has_two_forms
from collectors.snmp.v3.walk import Walk
from collectors.snmp.v3.wire import Letter, Wire

TOO_BIG, GENERAL_ERROR, AUTHORIZATION_ERROR = 1, 5, 16  # error-status of RFC 3416
MOST_OIDS = 60
"""In one GET: agents refuse very long lists."""
SYS_UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)


class NoAnswerError(Exception):
    """The device did not answer in time, or not with anything that can be used."""


class RefusedError(NoAnswerError):
    """The device said why it does not answer this user; asking on is of no use."""


@dataclass(frozen=True, slots=True)
class Request:
    """A GET, or a GETBULK of so many repetitions."""

    kind: int
    oids: Sequence[Oid] = ()
    repetitions: int = 0


class Channel:
    """A conversation's way to one device, through the wire that all share."""

    def __init__(
        self, wire: Wire, target: Target, usm: Usm, session: Session, keys: KeyRing
    ) -> None:
        self._wire = wire
        self._target = target
        self._usm = usm
        self._session = session
        self._keys = keys
        self._level = level_of(usm)
        self._address: SocketAddress | None = None
        self._refusal: RefusedError | None = None
        self._discovered = False
        self.answered = False
        self.first_rtt_ms: float | None = None

    async def get(self, oids: Sequence[Oid]) -> dict[Oid, RawValue]:
        """GET; an OID that the agent lacks is left out, a reply too big is asked in halves. What
        nobody asked may stand in it too.
        """
        if len(oids) > MOST_OIDS:
            head = await self.get(oids[:MOST_OIDS])
            return {**head, **await self.get(oids[MOST_OIDS:])}
        pdu = await self._ask(Request(GET, oids))
        if pdu.status == 0:
            return {oid: value for oid, value in pdu.varbinds if value is not None}
        if len(oids) == 1:
            return {}
        if pdu.status != TOO_BIG and 1 <= pdu.index <= len(oids):
            return await self.get([*oids[: pdu.index - 1], *oids[pdu.index :]])
        half = len(oids) // 2
        return {**await self.get(oids[:half]), **await self.get(oids[half:])}

    async def walk(self, columns: Sequence[Oid]) -> Walk:
        """Walk the columns of a table with GETBULK."""
        walk = Walk(columns)
        while (oids := walk.request()) is not None:
            try:
                pdu = await self._ask(Request(GETBULK, oids, walk.repetitions))
            except RefusedError:
                raise
            except NoAnswerError:
                # A large reply can be lost as IP fragments every time: ask for less. Silent even
                # for one row, the device has gone: its other tables are not waited for.
                if not walk.shrink():
                    raise
                continue
            if pdu.status == 0:
                walk.accept(pdu.varbinds)
            elif pdu.status == TOO_BIG:
                walk.shrink()
            elif pdu.status == GENERAL_ERROR:  # some agents say so of what is too big
                walk.shrink(f"was refused with error {GENERAL_ERROR} (genErr)")
            else:
                walk.stop(f"was refused with error {pdu.status}")
        return walk

    async def _ask(self, request: Request) -> Pdu:
        """The response to a request, its engine discovered, its clock set where needed."""
        if self._refusal is not None:
            raise self._refusal
        again: set[int] = set()
        while True:
            if not self._session.engine_id:
                await self._discover()
            pdu = await self._exchange(request, self._level)
            if pdu is None:
                if await self._may_retry():
                    continue
                raise NoAnswerError("no answer")
            if pdu.kind != REPORT:
                if pdu.status == AUTHORIZATION_ERROR and not self.answered:
                    raise self._refused(
                        f"SNMPv3: user {self._usm.user!r} may not read at "
                        f"{LEVELS[self._level]} (authorizationError)"
                    )
                self.answered = self._session.proven = True
                return pdu
            report = report_of(pdu)
            if report not in {UNKNOWN_ENGINE, NOT_IN_WINDOW} or report in again:
                self._session.forget()
                raise self._refused(told_by(report, self._usm, pdu))
            again.add(report)
            if report == UNKNOWN_ENGINE:
                self._session.forget()

    def _refused(self, text: str) -> RefusedError:
        self._refusal = RefusedError(text)
        return self._refusal

    async def _discover(self) -> None:
        """Learn the engine's id and clock (RFC 3414, 4), and make the keys for it."""
        session, found = self._session, list[Message]()
        pdu = await self._exchange(Request(GET), 0, found)
        if pdu is None:
            raise NoAnswerError("no answer")
        engine_id = found[-1].engine_id
        if report_of(pdu) != UNKNOWN_ENGINE or not 5 <= len(engine_id) <= 32:
            raise self._refused(told_by(report_of(pdu), self._usm, pdu))
        session.engine_id = engine_id
        session.set_clock(found[-1], asyncio.get_running_loop().time())
        session.keys = self._keys.localize(self._usm, engine_id)
        self._discovered = True

    async def _may_retry(self) -> bool:
        """After a silence: whether other keys are worth a try; RefusedError if these are wrong.

        A device that was discovered just now and then falls silent lives: agents drop what they
        cannot decrypt without a word.
        """
        session = self._session
        if session.proven or not self._discovered or not self._level & PRIV:
            if not self.answered:
                session.forget()
            return False
        if has_two_forms(self._usm) and not session.cisco:
            session.cisco = True
            session.keys = self._keys.localize(self._usm, session.engine_id, cisco=True)
            return True
        signed = await self._exchange(Request(GET, (SYS_UPTIME,)), AUTH)
        if signed is None:
            session.forget()
            return False
        report = report_of(signed) if signed.kind == REPORT else NOT_IN_WINDOW
        session.forget()
        if report in {UNKNOWN_ENGINE, NOT_IN_WINDOW}:
            user = f"user {self._usm.user!r}"
            raise self._refused(
                f"SNMPv3: privacy password or protocol of {user} is wrong: the device answers what "
                "is signed and drops what is encrypted"
            )
        raise self._refused(told_by(report, self._usm, signed))

    async def _exchange(
        self, request: Request, level: int, found: list[Message] | None = None
    ) -> Pdu | None:
        """What comes back, and the message it came in; None for silence."""
        loop, session, target = asyncio.get_running_loop(), self._session, self._target
        request_id = random.getrandbits(31) or 1
        pdu = encode_pdu(request.kind, request_id, 0, request.repetitions, request.oids)

        def accept(message: Message) -> Pdu:
            opened = unseal(session, message, level, request_id, loop.time())
            if found is not None:
                found.append(message)
            return opened

        if self._address is None:
            place = await resolve(target.address, target.port)
            if place is None:
                raise NoAnswerError(f"{target.address!r} is not an address")
            self._address = place[1]
        letter = Letter(
            target.device_id, self._address, target.answers_from,
            lambda msg_id: seal(session, pdu, msg_id, level, loop.time()), accept,
            loop.create_future(),
        )  # fmt: skip
        try:
            reply = await self._wire.ask(letter, target.timeout_s, target.retries + 1)
        except OSError as error:
            raise NoAnswerError(f"cannot be asked: {error.strerror or error}") from None
        if reply is None:
            return None
        if self.first_rtt_ms is None:
            self.first_rtt_ms = reply[1] * 1000
        return reply[0]
