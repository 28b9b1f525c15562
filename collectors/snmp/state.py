"""When a device is up, down or unknown. Pure: one missed answer is not an outage."""

from __future__ import annotations

from typing import Protocol

MISSES = 3
"""Polls in a row without an answer before a device can be called down."""


class _Told(Protocol):
    """A reading or an answer."""

    answered: bool
    rtt_ms: float | None


def is_refusal(told: _Told) -> bool:
    """Whether a device lives but tells us nothing (SNMPv3: a wrong key): something came from it,
    and no answer. It is not down, and what it is cannot be known.
    """
    return not told.answered and told.rtt_ms is not None


def needs_probe(answered: bool, misses: int, before: str) -> bool:
    """Whether a device is about to be called down, so that it must be asked once more first.

    `misses` counts the polls before this one.
    """
    return not answered and before != "down" and misses + 1 >= MISSES


def next_state(answered: bool, misses: int, before: str, probe_answered: bool | None) -> str:
    """`up`, `down` or `unknown` after a poll.

    Up with any answer, the re-probe's too; down after `MISSES` polls and a failed re-probe
    (`probe_answered` False); else as it was before (`unknown` at first).
    """
    if answered or probe_answered:
        return "up"
    if needs_probe(answered, misses, before) and probe_answered is False:
        return "down"
    return before if before in ("up", "down") else "unknown"
