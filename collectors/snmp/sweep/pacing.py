"""How many requests may be on their way at once, and how fast they leave.

The window grows while answers come as quickly as at its beginning, and shrinks when the kernel
drops replies, many are lost, or a queue builds up somewhere. Requests to silent devices leave it
after a few round trips, so that the dead take no place from the living.
"""

from __future__ import annotations

START = 64
LEAST = 16
MOST = 4096
RATE = 20_000
"""Requests a second."""
BURST = 32
"""Requests between two looks at the socket."""
REVIEW_S = 0.1
_REPLY_BYTES = 2304
"""What the kernel counts for a reply that fills a packet, with its own bookkeeping."""
_FEW = 20
_GROWTH = 0.25


class Window:
    """The number of requests on their way, adapted to what is lost and how long answers take."""

    def __init__(self, buffer_bytes: int) -> None:
        """`buffer_bytes` is the smallest receive buffer that the kernel granted."""
        self.most = max(4, min(MOST, buffer_bytes // _REPLY_BYTES))
        self._least = min(LEAST, self.most)
        self.size = float(min(START, self.most))
        self.rtt_s = 0.0
        self._base_s = 0.0
        self._answers = self._losses = 0
        self._seen = 0

    def answered(self, rtt_s: float) -> None:
        """An answer came to a request that was sent once."""
        self._answers += 1
        self._seen += 1
        weight = 0.02 if self._seen > 50 else 1 / self._seen
        self.rtt_s += (rtt_s - self.rtt_s) * weight
        if self.size <= START:
            self._base_s = self.rtt_s
        # More on their way than leave within two round trips only wait in somebody's queue.
        room = min(self.most, 2 * RATE * self._base_s)
        if self.size < room and self.rtt_s <= self._base_s * 1.5 + 0.001:
            self.size += _GROWTH

    def lost(self) -> None:
        """An answer came only to a request that was sent again."""
        self._losses += 1

    @property
    def young_s(self) -> float:
        """How long a request without an answer holds its place."""
        return max(0.05, 4 * self.rtt_s)

    def review(self, kernel_drops: int) -> None:
        """Judge the last while; `kernel_drops` are those since the last review."""
        total = self._answers + self._losses
        factor = 1.0
        if kernel_drops or (total >= _FEW and self._losses > 0.1 * total):
            factor = 0.5
        elif self._answers >= _FEW and self.rtt_s > 3 * self._base_s + 0.05:
            factor = 0.8
        self.size = max(self._least, self.size * factor)
        self._answers = self._losses = 0


class Pace:
    """Lets `RATE` requests a second leave, at most `BURST` at once."""

    def __init__(self, now: float) -> None:
        self._tokens = float(BURST)
        self._last = now

    def allowed(self, now: float) -> int:
        """How many may leave now; `spend` those that do."""
        self._tokens = min(float(BURST), self._tokens + (now - self._last) * RATE)
        self._last = now
        return int(self._tokens)

    def spend(self, count: int) -> None:
        """So many have left."""
        self._tokens -= count
