"""Counters of a sweep while it runs."""

from __future__ import annotations

from collectors.snmp.model import SweepFigures


class Counters:
    """See `SweepFigures` for what is counted."""

    __slots__ = (
        "elsewhere", "kernel_drops", "malformed", "received", "retried", "sent",
        "unmatched",
    )  # fmt: skip

    def __init__(self) -> None:
        self.sent = self.received = self.retried = self.kernel_drops = 0
        self.malformed = self.unmatched = 0
        self.elsewhere: dict[str, None] = {}

    def figures(self) -> SweepFigures:
        """As they are now."""
        return SweepFigures(
            self.sent, self.received, self.retried, self.kernel_drops, self.malformed,
            self.unmatched, tuple(self.elsewhere),
        )  # fmt: skip
