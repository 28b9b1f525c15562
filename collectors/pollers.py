"""All ways to ask behind one `Poller`: each target goes to the poller of its version, and all of
them work at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TypeVar

from collectors.access import ICMP
from collectors.snmp.model import V1, V2C, V3, Answer, SweepFigures, Target
from collectors.snmp.poller import Conversation, Poller

T = TypeVar("T")


def standard_poller() -> Poller:
    """What Farola polls with."""
    from collectors.checks.ping import PingPoller
    from collectors.snmp.sweep import SweepPoller
    from collectors.snmp.v3.poller import V3Poller

    community = SweepPoller()
    return CompositePoller({V1: community, V2C: community, V3: V3Poller(), ICMP: PingPoller()})


class CompositePoller:
    """Gives each target to the poller of its version; `figures` are those of all together."""

    def __init__(self, by_version: Mapping[str, Poller]) -> None:
        self._by_version = dict(by_version)
        self._asked: tuple[Poller, ...] = ()

    @property
    def figures(self) -> SweepFigures:
        """What the last `ask` sent and met."""
        return add_figures([poller.figures for poller in self._asked])

    async def ask(
        self, targets: Iterable[Target], converse: Conversation[T]
    ) -> AsyncIterator[Answer[T]]:
        """See `Poller.ask`."""
        groups: dict[Poller, list[Target]] = {}
        for target in targets:
            poller = self._by_version.get(target.version)
            if poller is None:
                yield Answer(target, False, error=f"no way to ask by version {target.version!r}")
            else:
                groups.setdefault(poller, []).append(target)
        self._asked = tuple(groups)
        if len(groups) == 1:
            for poller, group in groups.items():
                async for answer in poller.ask(group, converse):
                    yield answer
            return
        async for answer in _merged(groups, converse):
            yield answer


async def _merged(
    groups: Mapping[Poller, Sequence[Target]], converse: Conversation[T]
) -> AsyncIterator[Answer[T]]:
    """The answers of all pollers as they come."""
    answers: asyncio.Queue[Answer[T] | None] = asyncio.Queue()

    async def run(poller: Poller, group: Sequence[Target]) -> None:
        try:
            async for answer in poller.ask(group, converse):
                answers.put_nowait(answer)
        finally:
            answers.put_nowait(None)

    running = [asyncio.create_task(run(poller, group)) for poller, group in groups.items()]
    try:
        busy = len(running)
        while busy:
            answer = await answers.get()
            if answer is None:
                busy -= 1
            else:
                yield answer
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def add_figures(parts: Sequence[SweepFigures]) -> SweepFigures:
    """The figures of several sweeps that ran at once."""
    if not parts:
        return SweepFigures()
    sums = {
        one.name: sum(getattr(part, one.name) for part in parts)
        for one in fields(SweepFigures)
        if one.name != "other_address"
    }
    other = tuple(sorted({device for part in parts for device in part.other_address}))
    return SweepFigures(**sums, other_address=other)
