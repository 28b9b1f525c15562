"""A job that one machine does of all that share an inventory, again and again until stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from farola.errors import FarolaError
from farola.output import note
from inventory.db import Inventory

Job = Callable[[Callable[[], bool]], None]
"""Called with what renews the lease, and tells whether it is still ours."""


def again_and_again(
    inventory: Inventory, name: str, job: Job, stop: threading.Event, *, lease_s: float,
    every_s: float, due: Callable[[], bool] = lambda: True,
) -> None:  # fmt: skip
    """Do `job` each `every_s` seconds where it is `due` and no other machine does it.

    `name` is the lease's; one that nobody renews ends after `lease_s`. What fails is told once, and
    tried again the next time.
    """
    from collectors.holder import is_gone, own_mark
    from collectors.lease import LeaseTable

    table, holder, said = LeaseTable(inventory, lease_s, name), f"{name} {own_mark()}", ""
    while not stop.is_set():
        try:
            if due():
                seen = table.seen()
                term = table.take(holder, seen if seen and is_gone(seen.holder) else None)
                if term is not None:
                    try:
                        job(partial(table.renew, holder, term))
                    finally:
                        table.release(holder, term)
            said = ""
        except FarolaError as error:
            if str(error) != said:
                note(f"farola: {name}: {error}")
            said = str(error)
        stop.wait(every_s)
