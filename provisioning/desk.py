"""The other end of `provisioning.handout`, in the process that rolls a change out: takes the turns
that Ansible's workers hand in, each on a thread, with one open inventory, key and history for all.

A worker that did the work itself would open, compile and import all of that anew after its fork:
two thirds of what a push costs. What is journaled, and when, is the same.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from farola.errors import FarolaError
from provisioning.apply import Means, take_turn
from provisioning.handout import read_line

BACKLOG = 512
SWITCH_S = 0.05
PATIENCE_S = 10.0
"""For a worker to say which device it means; it does so in one breath."""


@contextlib.contextmanager
def open_desk(path: Path, means: Means, change_id: int, at_once: int) -> Iterator[str]:
    """Serve turns of `change_id` at the socket `path`, `at_once` at a time; yields the path.

    It must lie in a folder that is the user's own. At the end no new turn begins, and those under
    way are waited for: whoever comes after may ask the devices what became of them.

    Yields "" where no socket can be made there: workers do the work themselves then.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        yield ""
        return
    pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="farola-turn")
    over = threading.Event()

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if over.is_set():
                connection.close()
                return
            pool.submit(_serve, connection, means, change_id, over)

    accepting = threading.Thread(target=accept, name="farola-desk", daemon=True)
    accepting.start()
    # Many threads of short steps: handing the interpreter round less often is a tenth of the cost.
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield str(path)
    finally:
        sys.setswitchinterval(usual)
        over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        pool.shutdown(wait=True)


def _serve(connection: socket.socket, means: Means, change_id: int, over: threading.Event) -> None:
    """Take one turn and answer; a worker that went away meanwhile hears nothing."""
    with connection:
        try:
            connection.settimeout(PATIENCE_S)
            asked = json.loads(read_line(connection))
            connection.settimeout(None)
            if over.is_set() or asked["change"] != change_id:
                return
            answer = _turn(means, change_id, str(asked["device"]), check=bool(asked["check"]))
            connection.sendall(f"{json.dumps(answer)}\n".encode())
        except (OSError, ValueError, KeyError, TypeError):
            return


def _turn(means: Means, change_id: int, device_id: str, *, check: bool) -> dict[str, str]:
    try:
        applied = take_turn(means, change_id, device_id, check=check)
    except FarolaError as error:
        return {"error": str(error)}
    except Exception as error:
        # A fault of ours: told as a worker of Ansible would tell it.
        return {"error": f"{type(error).__name__}: {error}"}
    return {"status": applied.status, "message": applied.message, "diff": applied.diff}
