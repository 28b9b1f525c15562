"""CPU of one SNMPv3 poll: an authPriv GET (SHA-1, AES-128) of 12 values from an address of its own,
sessions kept; beside pysnmp's hlapi and gufo-snmp, which checks no signature of what it receives.

The agent is Debian's snmpd on all of 127/8, which answers every address as a device of its own.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from snmp_poll import SYSTEM_PATH, TWELVE, address, free_port, row, running  # noqa: E402

from collectors.snmp.model import V3, Question, Reply, Target, Usm  # noqa: E402 - after the path
from collectors.snmp.v3.poller import V3Poller  # noqa: E402

POLLS, HLAPI_POLLS, IN_FLIGHT, ROUNDS = 2000, 200, 64, 3
AUTH, PRIV = "bench-auth-key", "bench-priv-key"
HLAPI_TARGET = 1 / 30
JOB = "SNMPv3 authPriv poll of 12 values, sessions kept"


def ours(port: int) -> float:
    """CPU seconds of POLLS polls with kept sessions, the best of ROUNDS."""
    question = Question(tuple(tuple(map(int, oid.split("."))) for oid in TWELVE))
    usm = Usm("bench", "sha1", AUTH, "aes128", PRIV)
    targets = [
        Target(str(n), address(n), port, timeout_s=5, version=V3, usm=usm) for n in range(POLLS)
    ]

    def converse(_target: Target) -> Iterator[Question]:
        reply: Reply = yield question
        return reply.scalars

    async def poll() -> list[float]:
        poller, spent = V3Poller(in_flight=IN_FLIGHT), []
        for _ in range(ROUNDS + 1):
            before = time.process_time()
            answers = [answer async for answer in poller.ask(targets, converse)]
            spent.append(time.process_time() - before)
            whole = sum(a.result is not None and None not in a.result for a in answers)
            if whole != POLLS:
                raise SystemExit(f"only {whole} of {POLLS} polls brought all 12 values")
        return spent

    return min(asyncio.run(poll())[1:])


def gufo(port: int) -> float:
    """CPU seconds of POLLS polls with kept sessions, the best of ROUNDS."""
    from gufo.snmp.aio import SnmpSession
    from gufo.snmp.user import Aes128Key, KeyType, Sha1Key, User

    user = User(
        "bench",
        auth_key=Sha1Key(Sha1Key.get_master_key(AUTH.encode()), KeyType.Master),
        priv_key=Aes128Key(Sha1Key.get_master_key(PRIV.encode()), KeyType.Master),
    )

    async def poll() -> list[float]:
        places, spent = asyncio.Semaphore(IN_FLIGHT), []
        sessions = [SnmpSession(address(n), port, user=user, timeout=5) for n in range(POLLS)]

        async def refresh(session: Any) -> None:
            async with places:
                await session.refresh()

        async def get(session: Any) -> int:
            async with places:
                return len(await session.get_many(TWELVE))

        await asyncio.gather(*map(refresh, sessions))
        for _ in range(ROUNDS):
            before = time.process_time()
            found = await asyncio.gather(*map(get, sessions))
            spent.append(time.process_time() - before)
            if set(found) != {len(TWELVE)}:
                raise SystemExit("gufo-snmp: not all polls brought all 12 values")
        return spent

    return min(asyncio.run(poll()))


def hlapi(port: int) -> float:
    """CPU seconds of HLAPI_POLLS polls through pysnmp's v3arch, its engines known beforehand."""
    from pysnmp.hlapi.v3arch.asyncio import (
        ContextData,
        ObjectIdentity,
        ObjectType,
        SnmpEngine,
        UdpTransportTarget,
        UsmUserData,
        get_cmd,
        usmAesCfb128Protocol,
        usmHMACSHAAuthProtocol,
    )

    async def poll() -> float:
        engine, places = SnmpEngine(), asyncio.Semaphore(IN_FLIGHT)
        user = UsmUserData(
            "bench", AUTH, PRIV,
            authProtocol=usmHMACSHAAuthProtocol, privProtocol=usmAesCfb128Protocol,
        )  # fmt: skip

        async def one(number: int) -> bool:
            async with places:
                target = await UdpTransportTarget.create((address(number), port), timeout=10)
                error, status, _, _ = await get_cmd(
                    engine, user, target, ContextData(),
                    *(ObjectType(ObjectIdentity(oid)) for oid in TWELVE), lookupMib=False,
                )  # fmt: skip
                return not error and not status

        await one(0)  # the engine is one and the same behind all addresses
        before = time.process_time()
        good = sum(await asyncio.gather(*map(one, range(HLAPI_POLLS))))
        spent = time.process_time() - before
        engine.close_dispatcher()
        if good != HLAPI_POLLS:
            raise SystemExit(f"hlapi: only {good} of {HLAPI_POLLS} polls were answered")
        return spent

    return asyncio.run(poll())


def measure() -> list[dict[str, Any]]:
    """Rows for benchmarks/results.json."""
    snmpd = shutil.which("snmpd", path=SYSTEM_PATH)
    if snmpd is None:
        raise SystemExit("snmpd is missing: apt-get install snmpd")
    port = free_port(socket.SOCK_DGRAM)
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "snmpd.conf"
        config.write_text(
            f"agentAddress udp:0.0.0.0:{port}\ncreateUser bench SHA {AUTH} AES {PRIV}\n"
            "rouser bench priv\nsysName bench\nsysContact noc\nsysLocation street\nsysServices 72\n"
        )
        command = [snmpd, "-f", "-Lo", "-C", "-c", str(config), "-I", "-smux"]
        with running(command, Path(name) / "log", SNMP_PERSISTENT_DIR=name, MIBS=""):
            time.sleep(1)
            mine = ours(port) / POLLS * 1000
            theirs = hlapi(port) / HLAPI_POLLS * 1000
            return [
                row(mine, "pysnmp hlapi v3arch", theirs, HLAPI_TARGET, JOB),
                row(mine, "gufo-snmp (verifies nothing)", gufo(port) / POLLS * 1000, None, JOB),
            ]


if __name__ == "__main__":
    for line in measure():
        print(line)
