"""Many devices at once, for a poller that asks each in a coroutine of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

from collectors.snmp.model import Answer, Target

T = TypeVar("T")


async def ask_each(
    targets: Iterable[Target], ask: Callable[[Target], Awaitable[Answer[T]]], at_once: int
) -> AsyncGenerator[Answer[T]]:
    """The answers of all targets as they come, `at_once` asked at the same time; what `ask` raises
    is the error of that device alone.

    Close it (`contextlib.aclosing`): what is under way is then cancelled and has ended.
    """
    waiting = list(targets)
    turns = iter(waiting)
    answers: asyncio.Queue[Answer[T]] = asyncio.Queue()

    async def work() -> None:
        for target in turns:
            try:
                answer = await ask(target)
            except Exception as fault:  # the others' answers are not lost for it
                answer = Answer(target, False, error=f"{type(fault).__name__}: {fault}")
            answers.put_nowait(answer)

    workers = [asyncio.create_task(work()) for _ in range(min(at_once, len(waiting)))]
    try:
        for _ in waiting:
            yield await answers.get()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
