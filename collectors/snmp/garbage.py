"""Long work without the garbage collector's interruptions."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_collected() -> Iterator[None]:
    """A poll makes millions of objects that stay and hardly a cycle: looking for cycles among them
    again and again costs up to a third of its CPU. Within another such block it does nothing.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
