"""One poll of a home at a time. Two at once (`farola collect once` beside a collector that runs)
would both count the traffic since the poll before.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from farola.errors import StoreError

LOCK = "collect.lock"
LOOK_AGAIN_S = 0.05


@asynccontextmanager
async def one_poll_at_a_time(home: Path) -> AsyncIterator[None]:
    """Wait until no other process polls for the home `home`; the lock ends with its holder.

    Raises StoreError where the file cannot be made.
    """
    path = home / LOCK
    try:
        lock = path.open("a")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; check that it belongs to you") from None
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(LOOK_AGAIN_S)
        yield
