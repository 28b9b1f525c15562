"""Debian's snmpd with SNMPv3 users, and an eavesdropper that changes what it says."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from collectors.snmp.model import V3, Answer, Question, Target, Usm
from collectors.snmp.v3.poller import V3Poller

AUTH, PRIV = "Auth-Passw0rd", "Priv-Passw0rd"
NAMES = {"md5": "MD5", "sha1": "SHA", "sha224": "SHA-224", "sha256": "SHA-256",
         "sha384": "SHA-384", "sha512": "SHA-512", "des": "DES", "aes128": "AES",
         "aes192": "AES192", "aes256": "AES256"}  # fmt: skip
NOBODY = Usm("nobody-at-all")
USERS = (
    NOBODY,
    *(Usm(f"auth-{auth}", auth, AUTH) for auth in ("md5", "sha1", "sha256", "sha512")),
    *(
        Usm(f"{auth}-{priv}", auth, AUTH, priv, PRIV)
        for auth in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
        for priv in ("des", "aes128", "aes192", "aes256")
    ),
    Usm("cisco-192", "md5", AUTH, "aes192", PRIV),
    Usm("cisco-256", "sha1", AUTH, "aes256", PRIV),
)
SYSTEM = (1, 3, 6, 1, 2, 1, 1)
SYS_NAME, SYS_DESCR, SYS_UPTIME = (*SYSTEM, 5, 0), (*SYSTEM, 1, 0), (*SYSTEM, 3, 0)
ENGINE_BOOTS = (1, 3, 6, 1, 6, 3, 10, 2, 1, 2, 0)


def config(users: tuple[Usm, ...]) -> str:
    lines = []
    for usm in users:
        level = "priv" if usm.priv_protocol else "auth" if usm.auth_protocol else "noauth"
        auth = f" {NAMES[usm.auth_protocol]} {AUTH}" if usm.auth_protocol else ""
        cisco = "C" if usm.user.startswith("cisco") else ""
        priv = f" {NAMES[usm.priv_protocol]}{cisco} {PRIV}" if usm.priv_protocol else ""
        lines += [f"createUser {usm.user}{auth}{priv}", f"rouser {usm.user} {level}"]
    return "\n".join(lines)


class Agent:
    """An snmpd that can be restarted, and can lose what it remembers."""

    def __init__(self, program: str, folder: Path, users: tuple[Usm, ...], also: str = "") -> None:
        """`also` are more addresses that it listens on."""
        self.program, self.folder, self.users, self.also = program, folder, users, also
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            self.port = int(one.getsockname()[1])
        self.child: subprocess.Popen[bytes] | None = None

    def start(self, memory: str = "memory") -> None:
        """Start it; another `memory` makes it another engine."""
        persistent = self.folder / memory
        persistent.mkdir(exist_ok=True)
        file = self.folder / "snmpd.conf"
        file.write_text(
            f"agentAddress udp:0.0.0.0:{self.port}{self.also}\nsysName lamp post\n"
            "rocommunity public\nrocommunity6 public\n"
            f"{config(self.users)}\n"
        )
        log = self.folder / "log"
        with log.open("ab") as output:
            self.child = subprocess.Popen(
                [self.program, "-f", "-Lo", "-I", "-smux"],
                stdout=output, stderr=output,
                env={
                    **os.environ, "MIBS": "", "SNMPCONFPATH": f"{self.folder}:{persistent}",
                    "SNMP_PERSISTENT_DIR": str(persistent),
                },
            )  # fmt: skip
        until = time.monotonic() + 30
        while not ask(self.target(self.users[0]))[0].answered:
            assert self.child.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < until, log.read_text()[-2000:]

    def stop(self) -> None:
        if self.child is not None:
            self.child.terminate()
            self.child.wait(10)
            self.child = None

    def target(self, usm: Usm, **changes: object) -> Target:
        known = {
            "address": "127.0.0.1", "port": self.port, "timeout_s": 0.5, "version": V3, "usm": usm,
        }  # fmt: skip
        return Target(usm.user, **{**known, **changes})  # type: ignore[arg-type]


def named(_target: Target):
    reply = yield Question((SYS_NAME, ENGINE_BOOTS))
    return reply.scalars


def ask(*targets: Target, poller: V3Poller | None = None, converse=named) -> list[Answer]:
    async def collect() -> list[Answer]:
        return [answer async for answer in (poller or V3Poller()).ask(targets, converse)]

    return asyncio.run(collect())


class Meddler:
    """Stands between us and an agent and hands on what `change` makes of each of its answers."""

    def __init__(self, port: int) -> None:
        self.change: Callable[[bytes], list[bytes]] = lambda packet: [packet]
        self.agent = ("127.0.0.1", port)
        self.near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.near.bind(("127.0.0.1", 0))
        self.out = self.near
        self.far.bind(("127.0.0.1", 0))
        self.port = self.near.getsockname()[1]
        self.client = ("127.0.0.1", 0)
        self.threads = [
            threading.Thread(target=one, daemon=True) for one in (self.to_agent, self.from_agent)
        ]
        for thread in self.threads:
            thread.start()

    def to_agent(self) -> None:
        while True:
            packet, self.client = self.near.recvfrom(65535)
            if not packet:
                return
            self.far.sendto(packet, self.agent)

    def from_agent(self) -> None:
        while True:
            packet, sender = self.far.recvfrom(65535)
            if sender != self.agent:
                return
            for one in self.change(packet):
                self.out.sendto(one, self.client)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.near.getsockname())
            last.sendto(b"", self.far.getsockname())
        for thread in self.threads:
            thread.join(5)
        self.near.close()
        self.far.close()
