"""A walk for people: any subtree, one value after the other, in the types that the agent gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace
from typing import Any

from collectors.snmp.model import V1, V3, Answer, Oid, Question, Reply, SweepFigures, Target, Usm
from collectors.snmp.names import NoCompiler
from collectors.snmp.names_index import package_folders
from farola.errors import DeviceError

REPETITIONS = 20
TOO_BIG, NO_SUCH_NAME, GENERAL_ERROR = 1, 2, 5  # error-status of RFC 3416


class UnansweredError(DeviceError):
    """The agent gave no answer, or let us not in; `figures` say what came instead."""

    def __init__(self, why: str, figures: SweepFigures) -> None:
        super().__init__(why)
        self.figures = figures


async def walk(target: Target, root: Oid, exact: bool) -> AsyncGenerator[tuple[Oid, Any], None]:
    """Yield what the agent has at or below `root`, pysnmp's values; `exact` asks for `root` itself
    first.

    Raises
    ------
    UnansweredError
        The agent does not answer, or does not let this user in.
    DeviceError
        The agent refuses, or its OIDs do not increase: the walk is stopped.
    """
    from pysnmp.hlapi.v3arch.asyncio import SnmpEngine

    if target.version == V3:  # what it says of a user that is refused is what people know
        answer, figures = await _ask_once(target)
        if not answer.answered:
            raise UnansweredError(answer.error, figures)
    # Packets that are no SNMP raise in pysnmp's callbacks: they are dropped, not shown.
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    engine = SnmpEngine()
    engine.get_mib_builder().set_mib_compiler(NoCompiler(), str(package_folders()[0]))
    try:
        agent = await _Agent.open(engine, target)
        if exact:
            for oid, value in await agent.ask("get", root):
                if value is not None:
                    yield oid, value
                    return
        last = root if len(root) > 1 else (*root, 0)  # the least that a request can hold
        while True:
            pairs = await agent.ask("next", last)
            if not pairs:
                return
            for oid, value in pairs:
                if value is None or oid[: len(root)] != root:
                    return
                if oid <= last:
                    raise DeviceError(
                        f"{target.device_id}: its OIDs do not increase "
                        f"({'.'.join(map(str, oid))} follows {'.'.join(map(str, last))}): the walk "
                        "is stopped"
                    )
                last = oid
                yield oid, value
    finally:
        engine.close_dispatcher()


async def _ask_once(target: Target) -> tuple[Answer[None], SweepFigures]:
    """Ask as the polls do, and what went over the wire."""
    from collectors.pollers import standard_poller
    from collectors.snmp.v3.channel import SYS_UPTIME

    def converse(_target: Target) -> Generator[Question, Reply, None]:
        yield Question((SYS_UPTIME,))

    poller = standard_poller()
    (answer,) = [one async for one in poller.ask([target], converse)]
    return answer, poller.figures


class _Agent:
    """One agent behind pysnmp's API."""

    def __init__(self, engine: Any, target: Target, transport: Any) -> None:
        from pysnmp.hlapi.v3arch.asyncio import ContextData

        self._engine, self._target, self._transport = engine, target, transport
        self._context = ContextData()
        self._repetitions = 1 if target.version == V1 else REPETITIONS
        self._credentials = _credentials(target)

    @classmethod
    async def open(cls, engine: Any, target: Target) -> _Agent:
        from pysnmp.error import PySnmpError
        from pysnmp.hlapi.v3arch.asyncio import Udp6TransportTarget, UdpTransportTarget

        kind = Udp6TransportTarget if ":" in target.address else UdpTransportTarget
        try:
            transport = await kind.create(
                (target.address, target.port), timeout=target.timeout_s, retries=target.retries
            )
        except (PySnmpError, OSError, UnicodeError):
            raise DeviceError(f"{target.device_id}: no such address") from None
        return cls(engine, target, transport)

    async def ask(self, how: str, oid: Oid) -> list[tuple[Oid, Any]]:
        """The agent's answer; a value of None is the end, or that it lacks what was asked."""
        while True:
            error, status, pairs = await self._send(how, oid)
            if error:
                _, figures = await _ask_once(replace(self._target, retries=0))
                raise UnansweredError(error, figures)
            if status in {TOO_BIG, GENERAL_ERROR} and self._repetitions > 1:
                self._repetitions //= 4
                continue
            if status == NO_SUCH_NAME and self._target.version == V1:
                return []
            if status:
                raise DeviceError(f"{self._target.device_id}: refuses to tell: {_word(status)}")
            return pairs

    async def _send(self, how: str, oid: Oid) -> tuple[str, int, list[tuple[Oid, Any]]]:
        from pysnmp.error import PySnmpError
        from pysnmp.hlapi.v3arch.asyncio import (
            ObjectIdentity,
            ObjectType,
            bulk_cmd,
            get_cmd,
            next_cmd,
        )
        from pysnmp.proto.errind import RequestTimedOut
        from pysnmp.proto.rfc1905 import EndOfMibView, NoSuchInstance, NoSuchObject

        one = ObjectType(ObjectIdentity(oid))
        to = (self._engine, self._credentials[0], self._transport, self._context)
        try:
            if how == "get":
                said = await get_cmd(*to, one, lookupMib=False)
            elif self._repetitions > 1:
                said = await bulk_cmd(*to, 0, self._repetitions, one, lookupMib=False)
            else:
                said = await next_cmd(*to, one, lookupMib=False)
        except PySnmpError as fault:
            return " ".join(str(fault).split())[:200], 0, []
        error, status, _, pairs = said
        if isinstance(error, RequestTimedOut):
            error = "no answer"
        elif error is not None and "ecrypt" in str(error) and len(self._credentials) > 1:
            del self._credentials[0]  # the other way to lengthen a key
            return await self._send(how, oid)
        none = (EndOfMibView, NoSuchInstance, NoSuchObject)
        values = [(tuple(o), None if isinstance(v, none) else v) for o, v in pairs]
        return str(error or ""), int(status or 0), values


def _word(status: int) -> str:
    from pysnmp.proto.rfc1905 import errorStatus

    words = {int(value): str(word) for word, value in errorStatus.namedValues.items()}
    return words.get(status, str(status))


def _credentials(target: Target) -> list[Any]:
    """pysnmp's form of the community or user; several where keys can be lengthened two ways."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    if target.usm is None:
        model = 0 if target.version == V1 else 1
        return [hlapi.CommunityData(target.community, mpModel=model)]
    usm: Usm = target.usm
    auth = {
        "": hlapi.USM_AUTH_NONE, "md5": hlapi.USM_AUTH_HMAC96_MD5,
        "sha1": hlapi.USM_AUTH_HMAC96_SHA, "sha224": hlapi.USM_AUTH_HMAC128_SHA224,
        "sha256": hlapi.USM_AUTH_HMAC192_SHA256, "sha384": hlapi.USM_AUTH_HMAC256_SHA384,
        "sha512": hlapi.USM_AUTH_HMAC384_SHA512,
    }[usm.auth_protocol]  # fmt: skip
    privs = {
        "": (hlapi.USM_PRIV_NONE,), "des": (hlapi.USM_PRIV_CBC56_DES,),
        "aes128": (hlapi.USM_PRIV_CFB128_AES,),
        "aes192": (hlapi.USM_PRIV_CFB192_AES_BLUMENTHAL, hlapi.USM_PRIV_CFB192_AES),
        "aes256": (hlapi.USM_PRIV_CFB256_AES_BLUMENTHAL, hlapi.USM_PRIV_CFB256_AES),
    }[usm.priv_protocol]  # fmt: skip
    return [
        hlapi.UsmUserData(
            usm.user, usm.auth_password or None, usm.priv_password or None,
            authProtocol=auth, privProtocol=priv,
        )
        for priv in privs
    ]  # fmt: skip
