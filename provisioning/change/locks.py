"""One process at a time pushes a change: of all that share the inventory, on other machines too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from farola.errors import ProvisioningError
from farola.files import locked_if_free
from farola.settings import Settings
from inventory.db import open_engine

KEY = 0x466172 << 40
"""Apart from what else takes advisory locks in the same database; a change's number is added."""


@contextlib.contextmanager
def alone(settings: Settings, change_id: int) -> Iterator[None]:
    """Keep other processes from pushing the same change; it is freed whatever happens to us."""
    with free(settings, change_id) as held:
        if not held:
            raise ProvisioningError(
                f"change {change_id} is being pushed by another process: wait for its end, and "
                f"look with `farola provision status {change_id}`"
            )
        yield


@contextlib.contextmanager
def free(settings: Settings, change_id: int) -> Iterator[bool]:
    """Yield whether no other process pushes the change; none can meanwhile.

    A file beside the inventory tells, held by the kernel; or PostgreSQL does for as long as the
    connection lives.
    """
    engine = open_engine(settings.inventory_url)
    try:
        name = engine.url.database
        if engine.dialect.name != "sqlite" or not name or name == ":memory:" or "file:" in name:
            folder = settings.home / "locks"
        else:
            folder = Path(name).absolute().parent / "locks"
        with contextlib.ExitStack() as stack:
            held = _file_is_held(stack, folder / f"change-{change_id}")
            if held and engine.dialect.name == "postgresql":
                connection = stack.enter_context(engine.connect())
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                order = text("SELECT pg_try_advisory_lock(:key)")
                held = bool(connection.scalar(order, {"key": KEY + change_id % 2**40}))
                # A session's lock outlives what only goes back to the pool.
                stack.callback(connection.invalidate)
            yield held
    finally:
        engine.dispose()


def _file_is_held(stack: contextlib.ExitStack, path: Path) -> bool:
    try:
        path.parent.mkdir(exist_ok=True)
        return stack.enter_context(locked_if_free(path))
    except OSError as error:
        raise ProvisioningError(f"{path}: cannot be written: {error.strerror}") from None
