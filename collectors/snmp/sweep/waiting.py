"""Requests without an answer, and when to look at them."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from collectors.snmp.sweep.device import Device

Sent = tuple[float, bytes, Device]
"""When, under which request-id, and to whom."""


class Waiting:
    """One queue for each time-out, oldest first, and a heap of other times."""

    def __init__(self) -> None:
        self._queues: dict[float, deque[Sent]] = {}
        self._later: list[tuple[float, int, bytes, Device]] = []
        self._number = 0

    def add(self, sent: Sent) -> None:
        """Look at this request when its time is up."""
        device = sent[2]
        timeout_s = device.target.timeout_s
        if sent[0] + timeout_s < device.deadline:
            self._queues.setdefault(timeout_s, deque()).append(sent)
        else:
            self.at(device.deadline, device)

    def at(self, due: float, device: Device) -> None:
        """Look at the device's open request then."""
        self._number += 1
        heapq.heappush(self._later, (due, self._number, device.request_id, device))

    def timed_out(self, until: float) -> Iterator[Device]:
        """Those whose request was open for its whole time."""
        for timeout_s, queue in list(self._queues.items()):
            while queue and queue[0][0] + timeout_s <= until:
                _, request_id, device = queue.popleft()
                if device.request_id is request_id:
                    yield device

    def due(self, until: float) -> Iterator[Device]:
        """Those that `at` was said of, if the request is still open."""
        later = self._later
        while later and later[0][0] <= until:
            _, _, request_id, device = heapq.heappop(later)
            if device.request_id is request_id:
                yield device

    @property
    def has_times(self) -> bool:
        """Whether `due` will have something."""
        return bool(self._later)
