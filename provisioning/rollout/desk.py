"""The other end of `handout.py`, in the process that rolls a change out: Ansible comes
here with each batch of hosts, and goes on to the next one when it is told so.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from farola.errors import ProvisioningError
from provisioning.rollout.handout import address, read_line

LOOK_S = 0.1
"""How often it is looked whether Ansible has ended instead."""
PATIENCE_S = 10.0
"""For a worker to say which devices it means; it does so in one breath."""


class Desk:
    """A socket at `path`, in a folder that must be the user's own; one batch is there at a time.

    Raises
    ------
    ProvisioningError
        No socket can be made there.
    """

    def __init__(self, path: Path, change_id: int) -> None:
        """Listen."""
        self.path, self._change = path, change_id
        self._worker: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with address(str(path)) as bound:
                self._listener.bind(bound)
            path.chmod(0o600)
            self._listener.listen(4)
        except OSError as error:
            self._listener.close()
            raise ProvisioningError(
                f"{path}: no socket can be made there: {error}; set TMPDIR to a folder of yours"
            ) from None
        self._listener.settimeout(LOOK_S)

    def wait(self, alive: Callable[[], bool]) -> tuple[str, ...]:
        """The devices of the batch that Ansible comes with; none where it ended first."""
        while True:
            last_look = not alive()
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                if devices := self._asked(connection):
                    self._worker = connection
                    return devices
                connection.close()
                continue
            if last_look:
                return ()

    def _asked(self, connection: socket.socket) -> tuple[str, ...]:
        """What a worker wants; nothing where it is rubbish or of another change."""
        try:
            connection.settimeout(PATIENCE_S)
            asked = json.loads(read_line(connection))
            if asked["change"] == self._change:
                return tuple(str(name) for name in asked["devices"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return ()

    def answer(self, statuses: Mapping[str, str]) -> None:
        """Let Ansible go on, and tell it what became of the batch. One that died hears nothing."""
        if self._worker is None:
            return
        with self._worker as worker, contextlib.suppress(OSError):
            worker.sendall(f"{json.dumps({'statuses': dict(statuses)})}\n".encode())
        self._worker = None

    def close(self) -> None:
        """Listen no more: Ansible ends where it waits, or with the batch that it begins."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        self._listener.close()
        self.path.unlink(missing_ok=True)
