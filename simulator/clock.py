"""The clocks of a pretend access point: one that only goes on, one that people set.

Both may run faster than ours, so that a test need not wait out minutes of radar listening, and
both can be moved at once: `advance` lets time pass, `jump` sets the date as NTP does at a boot.
"""

from __future__ import annotations

import asyncio
import time


class Clock:
    """Seconds of the device; `rate` of them pass in one of ours."""

    def __init__(self, rate: float = 1.0) -> None:
        if rate <= 0:
            raise ValueError(f"a clock's rate must be above 0, not {rate}")
        self.rate = rate
        self._began = time.monotonic()
        self._advanced = 0.0
        self._date = time.time()
        self._wakes: set[asyncio.Event] = set()

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back, whatever the date does."""
        return (time.monotonic() - self._began) * self.rate + self._advanced

    def wall(self) -> float:
        """The device's date, in seconds since the epoch."""
        return self._date + self.monotonic()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once: who sleeps that long wakes up."""
        if seconds < 0:
            raise ValueError("time does not go back; use jump for the date")
        self._advanced += seconds
        for wake in self._wakes:
            wake.set()

    def jump(self, seconds: float) -> None:
        """Set the date `seconds` forward, or back where below 0; nobody wakes up."""
        self._date += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of the device."""
        until = self.monotonic() + seconds
        wake = asyncio.Event()
        self._wakes.add(wake)
        try:
            while (left := until - self.monotonic()) > 0:
                wake.clear()
                try:
                    async with asyncio.timeout(left / self.rate):
                        await wake.wait()
                except TimeoutError:
                    continue
        finally:
            self._wakes.discard(wake)
