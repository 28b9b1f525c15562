"""A bound on how many requests leave in a second. Pure: the clock is the caller's."""

from __future__ import annotations


class Pace:
    """Allows `rate` requests a second on average, and at most `burst` at once.

    In any stretch of t seconds no more than `burst` + rate × t are allowed.
    """

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """`now` and every later instant are seconds of one clock that does not go back."""
        self.rate, self.burst = rate, burst
        self._left = float(burst)
        self._at = now

    def wait_s(self, requests: float, now: float) -> float:
        """Take `requests` and return how long to wait before sending them, in seconds.

        More than a burst may be taken at once; what follows then waits for it.
        """
        self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        self._left -= requests
        return max(0.0, -self._left / self.rate)
