"""A street in a network namespace: a veth to a gateway that gives addresses, names and a portal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

NAME = "probe.example"
GATEWAY, CLIENT = "10.213.0.1", "10.213.0.77"
PORTAL_SCRIPT = """
import socket, sys, threading
ANSWERS = {
    "/204": b"HTTP/1.1 204 No Content\\r\\n\\r\\n",
    "/302": b"HTTP/1.1 302 Found\\r\\nLocation: http://portal.example/login?mac=00:11:22:33:44:55"
            b"\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "/200": b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nLogin",
    "/511": b"HTTP/1.1 511 Network Authentication Required\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "/500": b"HTTP/1.1 500 Oh\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "/rubbish": b"\\x00\\xff not http\\r\\n" * 50,
    "/drop": b"",
}
def serve(one):
    path = one.recv(4096).decode("latin-1").split(" ")[1]
    if path == "/hang":
        return kept.append(one)
    if path == "/trickle":
        while True:
            one.send(b"H"); threading.Event().wait(0.2)
    one.sendall(ANSWERS[path]); one.close()
kept = []
listener = socket.create_server((sys.argv[1], 80), reuse_port=True)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Street:
    """Two namespaces: `street`, where a client is, and `gateway`, which serves it."""

    def __init__(self, folder: Path, dnsmasq: str, number: int) -> None:
        self.folder, self.dnsmasq = folder, dnsmasq
        self.street, self.gateway = f"fs{number}", f"fg{number}"
        self.inside, self.outside = f"vs{number}", f"vg{number}"
        self.stack = ExitStack()

    def __enter__(self) -> Street:
        for space in (self.street, self.gateway):
            ip("netns", "add", space)
            self.stack.callback(ip, "netns", "del", space)
            ip("-n", space, "link", "set", "lo", "up")
        ip("-n", self.street, "link", "add", self.inside, "type", "veth", "peer",
           "name", self.outside, "netns", self.gateway)  # fmt: skip
        for space, link, address in (
            (self.street, self.inside, CLIENT), (self.gateway, self.outside, GATEWAY)
        ):  # fmt: skip
            ip("-n", space, "addr", "add", f"{address}/24", "dev", link)
            ip("-n", space, "link", "set", link, "up")
        self.start(
            [self.dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
             "--no-hosts", "--no-ping", f"--interface={self.outside}", "--bind-interfaces",
             "--user=root",
             "--dhcp-range=10.213.0.100,10.213.0.200,1h", f"--address=/{NAME}/{GATEWAY}",
             "--address=/example/#", f"--pid-file={self.folder}/pid", "--local=/nowhere/",
             f"--dhcp-leasefile={self.folder}/leases", "--log-facility=-"],
        )  # fmt: skip
        wait_for((self.folder / "pid").exists, "dnsmasq does not start")
        portal = self.start([sys.executable, "-c", PORTAL_SCRIPT, GATEWAY], output=subprocess.PIPE)
        assert portal.stdout is not None
        assert portal.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def start(
        self, command: list[str], space: str = "", output: int | None = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """A child in the gateway (or `space`), ended with this street."""
        child = subprocess.Popen(
            ["ip", "netns", "exec", space or self.gateway, *command],
            stdout=output, stderr=subprocess.DEVNULL, env=dict(os.environ),
        )  # fmt: skip
        self.stack.callback(end, child)
        return child

    @property
    def leases(self) -> str:
        file = self.folder / "leases"
        return file.read_text() if file.exists() else ""


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait(10)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.05)
