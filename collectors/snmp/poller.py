"""The seam between what Farola asks and how packets travel: `Poller`. Behind it stand the sweep of
v1 and v2c (`collectors.snmp.sweep`) and the sessions of v3.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable
from typing import Protocol, TypeVar

from collectors.snmp.model import Answer, Question, Reply, SweepFigures, Target

T = TypeVar("T")
Conversation = Callable[[Target], Generator[Question, Reply, T]]
"""What to ask a device: each `yield` of a Question gives back its Reply, and what the generator
returns becomes the Answer's `result`. After a Reply with an error it may still ask, until the
device's time is up.
"""


class Poller(Protocol):
    """Asks many devices at once."""

    @property
    def figures(self) -> SweepFigures:
        """What the last `ask` sent and met."""
        ...

    def ask(self, targets: Iterable[Target], converse: Conversation[T]) -> AsyncIterator[Answer[T]]:
        """Hold a conversation with every target; yield one Answer each, the quick ones first.

        A device that does not answer delays no other, and none takes longer than its
        `deadline_s`: what it said until then counts. Nothing that a device sends raises.
        """
        ...
