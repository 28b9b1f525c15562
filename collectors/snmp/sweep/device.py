"""A device while it is being asked."""

from __future__ import annotations

import socket
from time import monotonic
from typing import Any

from collectors.snmp.model import Answer, Target
from collectors.snmp.sweep.conversation import Session, Steps
from collectors.snmp.sweep.requests import Request
from collectors.snmp.sweep.sockets import SocketAddress


class Device:
    """`request` is open while `request_id` is not empty; `older` are earlier sendings of it, which
    may still be answered. `young` while it counts as on its way, `queued` while it waits for the
    kernel, `done` when it has its answer.
    """

    __slots__ = (
        "address", "also", "deadline", "done", "fault", "head", "hopeful", "older", "queued",
        "request", "request_id", "rtt_s", "sent_at", "session", "sock", "started", "steps",
        "target", "tries", "young",
    )  # fmt: skip

    request: Request

    def __init__(
        self,
        target: Target,
        sock: socket.socket,
        address: SocketAddress,
        *,
        head: bytes,
        steps: Steps[Any],
        session: Session,
        also: frozenset[SocketAddress] | None = None,
        hopeful: bool = True,
    ) -> None:
        """`also` are other socket addresses that it may answer from; not `hopeful` is one that
        was silent the last time.
        """
        self.target = target
        self.sock = sock
        self.address = address
        self.head = head
        self.steps = steps
        self.session = session
        self.also = also
        self.hopeful = hopeful
        self.request_id = b""
        self.sent_at = 0.0
        self.older: tuple[tuple[bytes, float], ...] = ()
        self.tries = 0
        self.young = self.queued = self.done = False
        self.rtt_s: float | None = None
        self.started = self.deadline = 0.0
        self.fault = ""

    def answer(self, result: Any) -> Answer[Any]:
        """How the conversation ended."""
        rtt_s, errors = self.rtt_s, self.session.errors
        error = "; ".join(dict.fromkeys(errors)) if errors else ""
        took_s = monotonic() - self.started
        if rtt_s is None:
            return Answer(self.target, False, None, None, error, took_s)
        return Answer(self.target, True, rtt_s * 1000, result, error, took_s)

    def failed(self, error: Exception) -> None:
        """The conversation's own code raised; its message may hold what the device said."""
        self.session.errors.append(f"the conversation failed: {type(error).__name__}")

    def close(self) -> None:
        """End the conversation before it ends itself."""
        try:
            self.steps.close()
        except Exception as error:
            self.failed(error)
