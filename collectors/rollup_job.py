"""Beside the polls: the hours that are over become rollups, and what is too old is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from collectors.schedule import Job, run_job
from farola.output import note
from farola.settings import Settings
from timeseries.keeper import open_keeper

LOOK_EVERY_S = 60.0


@asynccontextmanager
async def rollups_kept(
    settings: Settings, failed: Callable[[str], None] = lambda _name: None
) -> AsyncIterator[None]:
    """While this lasts, what is due is made, in a thread. What hinders it is told once, and tried
    again a minute later; `failed` is called with the job's name. At the end, what is under way is
    left for the next time.
    """
    keeper = open_keeper(settings)
    stop = asyncio.Event()

    async def work() -> None:
        kept = await asyncio.to_thread(keeper.run_due, datetime.now(UTC))
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
        await task
        keeper.close()
