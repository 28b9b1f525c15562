"""A bad line to a fleet on 127/8, as netem makes one, for kernels without it and without root."""

from __future__ import annotations

import heapq
import random
import select
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

IP_PKTINFO = 8  # ip(7); the socket module has no name for it
PKTINFO = struct.Struct("=I4s4s")


class Line:
    """Passes packets for any 127.x.y.z on, late, and loses some."""

    def __init__(self, port: int, delay_s: float, loss: float, seed: int) -> None:
        self.port, self.delay_s, self.loss = port, delay_s, loss
        self.chance = random.Random(seed)
        self.front, self.back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "12")
        self.front.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        for one in (self.front, self.back):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            one.bind(("0.0.0.0", 0))
        self.asked: dict[str, tuple[str, int]] = {}
        self.late: list[tuple[float, int, bytes, str, bool]] = []
        self.count = 0

    def run(self) -> NoReturn:
        while True:
            wait_s = max(0.0, self.late[0][0] - time.monotonic()) if self.late else 0.05
            for one in select.select([self.front, self.back], [], [], min(wait_s, 0.05))[0]:
                self.take(one)
            while self.late and self.late[0][0] <= time.monotonic():
                _, _, packet, device, back = heapq.heappop(self.late)
                if back:
                    info = PKTINFO.pack(0, socket.inet_aton(device), bytes(4))
                    where = [(socket.IPPROTO_IP, IP_PKTINFO, info)]
                    self.front.sendmsg([packet], where, 0, self.asked[device])
                else:
                    self.back.sendto(packet, (device, self.port))

    def take(self, one: socket.socket) -> None:
        packet, more, _, sender = one.recvmsg(65535, 64)
        device = sender[0]
        if one is self.front:
            device = socket.inet_ntoa(PKTINFO.unpack(more[0][2])[2])
            self.asked[device] = sender
        self.count += 1
        if self.chance.random() < self.loss:
            return
        late = (time.monotonic() + self.delay_s, self.count, packet, device, one is self.back)
        heapq.heappush(self.late, late)


@contextmanager
def bad_line(port: int, delay_s: float, loss: float, seed: int = 1):
    """A Line to the agents at `port`, in a process of its own; `delay_s` and `loss` each way.
    Yields the port to ask instead.
    """
    command = [sys.executable, "-m", "tests.collectors.snmp.sweep.lossy"]
    command += map(str, (port, delay_s, loss, seed))
    root = Path(__file__).resolve().parents[4]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as child:
        try:
            yield int(child.stdout.readline())
        finally:
            child.kill()


if __name__ == "__main__":
    line = Line(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    print(line.front.getsockname()[1], flush=True)
    line.run()
