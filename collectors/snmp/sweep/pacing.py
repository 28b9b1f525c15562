"""How many requests may be on their way at once, and how fast they leave.

The window grows while answers come about as quickly as they ever did, and shrinks when the kernel
drops replies, many are lost, or a queue builds up somewhere. Requests to silent devices leave it
after a few round trips, so that the dead take no place from the living; but only as others are
answered: where nobody answers, somebody's queue is full, and more would make it worse.
"""

from __future__ import annotations

import math

START = 64
"""Few enough for the receive buffer of one agent, should all devices hide behind it."""
LEAST = 16
MOST = 4096
RATE = 20_000
"""Requests a second."""
BURST = 32
"""Requests between two looks at the socket."""
REVIEW_S = 0.1
_REPLY_BYTES = 2304
"""What the kernel counts for a reply that fills a packet, with its own bookkeeping."""
_FEW = 10
_GROWTH = 0.05
_SMOOTH = 50
_KEPT = 1 - 1 / _SMOOTH
_CREDIT = 16
_SPARE = 0.1
"""Places given up for each answer at least; more where devices are silent to all sendings."""
_MEMORY = 2000
_NOBODY_S = 1.0
_LEAVING_RATE = 2000
"""Requests a second that leave the window after `_NOBODY_S` without any answer."""


class Window:
    """The number of requests on their way, adapted to what is lost and how long answers take."""

    def __init__(self, buffer_bytes: int) -> None:
        """`buffer_bytes` is the smallest receive buffer that the kernel granted."""
        self.most = max(4, min(MOST, buffer_bytes // _REPLY_BYTES))
        self._start = min(START, self.most)
        self._least = min(LEAST, self.most)
        self.size = float(self._start)
        self.rtt_s = 0.0
        self._best_s = math.inf
        self._seen = self._answers = self._losses = self._timeouts = 0
        self._credit = 0.0
        self._last_answer = self._next_leave = 0.0
        self._alive, self._silent = 1.0, 0.0
        self._dead_per_answer = _SPARE

    def answered(self, rtt_s: float, now: float, count: int = 1) -> None:
        """Answers came to `count` requests that were sent once, after `rtt_s` on average."""
        self._answers += count
        seen = self._seen = self._seen + count
        weight = max(count / seen, 1 - _KEPT**count)
        smoothed = self.rtt_s = self.rtt_s + (rtt_s - self.rtt_s) * weight
        if seen >= _SMOOTH and smoothed < self._best_s:
            self._best_s = smoothed
        # More on their way than leave within two round trips only wait in somebody's queue.
        best_s = self._best_s
        if smoothed <= best_s * 1.5 + 0.001:
            most = min(self.most, 2 * RATE * best_s)
            if self.size < most:
                self.size = min(self.size + _GROWTH * count, most + _GROWTH)
        self._last_answer = now
        self._credit = min(self._credit + self._dead_per_answer * count, _CREDIT)

    def timed_out(self) -> None:
        """A request was not answered in time; its device may be dead, or somebody's queue full."""
        self._timeouts += 1

    def lost(self) -> None:
        """An answer came only to a request that was sent again."""
        self._losses += 1

    def judged(self, answered: bool, count: int = 1) -> None:
        """So many devices answered their first request, or were silent to all sendings of it."""
        if answered:
            self._alive += count
        else:
            self._silent += count
        if self._alive + self._silent > _MEMORY:
            self._alive, self._silent = self._alive / 2, self._silent / 2
        self._dead_per_answer = max(_SPARE, 3 * self._silent / self._alive)

    @property
    def young_s(self) -> float:
        """How long a request without an answer holds its place."""
        return max(0.05, 4 * self.rtt_s)

    def may_leave(self, now: float) -> bool:
        """Whether a request that is no longer young may give its place to another."""
        if self._credit >= 1:
            self._credit -= 1
            return True
        if now - self._last_answer < _NOBODY_S or now < self._next_leave:
            return False
        self._next_leave = max(self._next_leave, now - REVIEW_S) + 1 / _LEAVING_RATE
        return True

    def review(self, kernel_drops: int) -> None:
        """Judge the last while; `kernel_drops` are those since the last review."""
        if kernel_drops or self._losses > _FEW + 0.1 * self._answers:
            self.size = max(self._least, self.size / 2)
        elif (
            self._timeouts > _FEW + 2 * self._dead_per_answer * self._answers
            or self.rtt_s > 2 * self._best_s + 0.002
        ):
            self.size = max(min(self.size, self._start), self.size / 2)
        self._answers = self._losses = self._timeouts = 0


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
