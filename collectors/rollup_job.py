"""Beside the polls: the hours that are over become rollups, and what is too old is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from collectors.schedule import Job, run_job
from farola.output import note
from farola.settings import Settings
from timeseries.keeper import Kept, open_keeper

LOOK_EVERY_S = 60.0
END_S = 10.0
"""How long the end waits for what is under way: new settings, and the polls with them, wait too."""


@asynccontextmanager
async def rollups_kept(
    settings: Settings, failed: Callable[[str], None] = lambda _name: None
) -> AsyncIterator[None]:
    """While this lasts, what is due is made, in a thread. What hinders it is told once, and tried
    again a minute later; `failed` is called with the job's name. At the end, what is under way is
    left for the next time; a server that does not answer is waited for END_S.
    """
    keeper = open_keeper(settings)
    stop = asyncio.Event()

    async def work() -> None:
        kept = await _apart(lambda: keeper.run_due(datetime.now(UTC)))
        if kept is not None and kept.forgot:
            note(kept.forgot)
        if kept is not None and kept.left:
            note(
                f"farola: {kept.left} hours got late rows after their raw rows were forgotten: "
                "their rollups stay as they were"
            )

    task = asyncio.create_task(run_job(Job("rollups", LOOK_EVERY_S, work), stop, failed))
    try:
        yield
    finally:
        stop.set()
        keeper.stop()
        ended, _ = await asyncio.wait({task}, timeout=END_S)
        if ended:
            await task
            keeper.close()
        else:  # its thread ends with its question; until then it alone may make rollups
            task.cancel()


async def _apart(work: Callable[[], Kept | None]) -> Kept | None:
    """What `work` returns, done in a thread that the end of the process does not wait for."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Kept | None] = loop.create_future()

    def tell(kept: Kept | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(kept)

    def run() -> None:
        kept, fault = None, None
        try:
            kept = work()
        except Exception as error:  # handed on to whoever waits
            fault = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, kept, fault)

    threading.Thread(target=run, name="rollups", daemon=True).start()
    return await answer
