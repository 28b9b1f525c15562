"""The sweep's loop: sends what conversations want to know, reads replies, judges time-outs.

No future, task or timer per request: a reply finds its device by request-id in one dict, and
requests of one time-out wait in one queue, oldest first; the many that are answered at once never
get so far. No request is judged before everything that arrived until its time was up has been read,
and time in which this process did not run (or the whole machine) does not count: a loop held up by
load must not take the living for dead.

A packet costs Python's calls and look-ups, hardly the kernel's work: so what happens to each one
stands in few functions, and the window is told once for all that were read together.
"""

from __future__ import annotations

import errno
import random
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from collectors.snmp.garbage import no_garbage_collected
from collectors.snmp.model import Answer
from collectors.snmp.sweep.conversation import SilentError, TimeUpError
from collectors.snmp.sweep.device import Device
from collectors.snmp.sweep.figures import Counters
from collectors.snmp.sweep.inbox import Inbox
from collectors.snmp.sweep.pacing import BURST, REVIEW_S, Pace, Window
from collectors.snmp.sweep.request_ids import RequestIds
from collectors.snmp.sweep.sockets import granted, kernel_drops
from collectors.snmp.sweep.waiting import Sent, Waiting

_CHUNK = 256
"""Replies read before new devices get their turn."""
_MOST_WAIT_S = 0.05
_MANY = 32
_GATHER_S = 0.001
"""With many on their way, replies are let gather so long: waking up costs more than reading."""
_MOST_STEP_S = 0.1
"""More time than this between two looks at the sockets counts as this much."""
_FRESH_S = 0.05
"""A request without an answer is not looked at before; most have theirs by then."""
_SMALLEST_PACKET = 512
"""Bytes of buffer that the kernel counts for the smallest packet."""
_JITTER = 0.1
"""Of the time-out: a request is sent again up to this much later."""
_FULL = (errno.EAGAIN, errno.ENOBUFS, errno.EINTR)
_random = random.SystemRandom().random
_HAND_OVER = 1000
_HAND_OVER_S = 0.1


class Engine:
    """One sweep; `run` in a thread of its own."""

    def __init__(
        self,
        devices: Iterator[Device],
        sockets: list[socket.socket],
        counters: Counters,
        hand_over: Callable[[list[Answer[Any]]], None],
    ) -> None:
        """`hand_over` is given lists of answers; it must not wait."""
        self.stopped = False
        self._devices = devices
        self._all_begun = False
        self._sockets = {sock.fileno(): sock for sock in sockets}
        self._counters = counters
        self._hand_over = hand_over
        self._pending: dict[bytes, Device] = {}
        self._sent: deque[Sent] = deque()
        self._leaving: deque[Sent] = deque()
        self._waiting = Waiting()
        self._ready: deque[Device] = deque()
        self._open = self._young = 0
        self._answers: list[Answer[Any]] = []
        smallest = min((granted(sock) for sock in sockets), default=0)
        self._window = Window(smallest)
        self._enough = max(_CHUNK, smallest // _SMALLEST_PACKET)
        self._real = monotonic()
        self._now = 0.0
        self._pace = Pace(self._real)
        self._kernel_is_full = False
        self._mark: float | None = None
        self._since_mark = 0
        self._inbox = Inbox(self._pending, counters)
        self._ids = RequestIds()
        self._trips = self._alive = 0
        self._trips_s = 0.0

    def run(self) -> None:
        """Ask all devices until each has its answer, or `stopped` is set."""
        with no_garbage_collected():
            self._run()

    def _run(self) -> None:
        handed = reviewed = self._real
        with select.epoll(max(1, len(self._sockets))) as epoll:
            for number in self._sockets:
                epoll.register(number, select.EPOLLIN)
            while not self.stopped:
                self._send_waiting()
                if not self._open and self._all_begun:
                    break
                before, wait_s = self._now, self._wait_s()
                readable = list(self._sockets.values())
                if wait_s or self._young < _MANY:
                    readable = [self._sockets[number] for number, _ in epoll.poll(wait_s)]
                self._tick()
                if self._young >= _MANY:
                    time.sleep(_GATHER_S)
                self._judge(self._read(readable, before))
                if self._real - reviewed > REVIEW_S:
                    reviewed = self._real
                    self._review()
                if self._answers and self._real - handed > _HAND_OVER_S:
                    handed = self._real
                    self._flush()
        self._review()
        self._flush()

    # Time

    def _tick(self) -> None:
        real = monotonic()
        self._now += min(real - self._real, _MOST_STEP_S)
        self._real = real

    def _wait_s(self) -> float:
        if self._kernel_is_full:
            return 0.001
        if self._may_begin() or (self._ready and self._young < self._window.size):
            return 0.001 if self._pace.allowed(self._real) < 1 else 0.0
        return _MOST_WAIT_S if self._young == 0 and not self._waiting.has_times else 0.01

    def _may_begin(self) -> bool:
        return not self._all_begun and self._young < self._window.size

    def _review(self) -> None:
        drops = sum(map(kernel_drops, self._sockets.values()))
        self._window.review(drops - self._counters.kernel_drops)
        self._counters.kernel_drops = drops

    # Sending

    def _send_waiting(self) -> None:
        """Send what is due, then begin with new devices while there is room."""
        allowed = min(BURST, self._pace.allowed(self._real))
        spent = 0
        self._kernel_is_full = False
        while self._ready and spent < allowed and self._young < self._window.size:
            device = self._ready[0]
            if device.done or self._now >= device.deadline:
                self._ready.popleft().queued = False
                if not device.done:
                    self._silent(device, TimeUpError())
                continue
            if not self._send(device):
                self._kernel_is_full = True
                break
            self._ready.popleft().queued = False
            spent += 1
        while self._may_begin() and spent < allowed and not self._kernel_is_full:
            fresh = next(self._devices, None)
            if fresh is None:
                self._all_begun = True
                break
            self._open += 1
            spent += 1
            fresh.started = self._real
            fresh.deadline = self._now + fresh.target.deadline_s
            self._step(fresh, None)
        self._pace.spend(spent)

    def _send(self, device: Device) -> bool:
        """Send the device's request; False if the kernel takes no more at the moment."""
        pending, now = self._pending, self._now
        request_id = self._ids.draw(pending)
        sent_at = monotonic()
        try:
            device.sock.sendto(device.request.packet(device.head, request_id), device.address)
        except OSError as error:
            if error.errno in _FULL:
                return False
            # No route, a firewall of our own: like a packet that was lost, and told at the end.
            device.fault = error.strerror or type(error).__name__
        self._counters.sent += 1
        if device.request_id:
            device.older = (*device.older, (device.request_id, device.sent_at))
            self._counters.retried += 1
        device.tries += 1
        device.request_id = request_id
        device.sent_at = sent_at
        if device.hopeful and not device.young and (device.tries == 1 or device.rtt_s is not None):
            device.young = True
            self._young += 1
        pending[request_id] = device
        timeout_s = device.target.timeout_s
        if timeout_s > _FRESH_S and now + timeout_s < device.deadline:
            self._sent.append((now, request_id, device))
        else:
            self._watch((now, request_id, device))
        return True

    def _watch(self, sent: Sent) -> None:
        """This request is not answered at once."""
        self._waiting.add(sent)
        self._leaving.append(sent)

    def _queue(self, device: Device) -> None:
        """Send when there is room."""
        device.queued = True
        self._ready.append(device)

    # Reading

    def _read(self, readable: list[socket.socket], since: float) -> float | None:
        """Read what has arrived; returns a time until which all that came has been read, None if
        some of that may be left. `readable` were looked for after `since`.
        """
        if self._mark is None:
            self._mark, self._since_mark = since, 0
        drained = True
        for sock in readable:
            drained &= self._read_some(sock)
        if not drained and self._since_mark < self._enough:
            return None
        mark, self._mark = self._mark, None
        return mark

    def _read_some(self, sock: socket.socket) -> bool:
        """Read replies of one socket; True if none is left there."""
        count, drained = self._inbox.read(sock, _CHUNK, self._take)
        self._since_mark += count
        if self._trips:
            self._window.answered(self._trips_s / self._trips, self._now, self._trips)
            self._trips, self._trips_s = 0, 0.0
        if self._alive:
            self._window.judged(True, self._alive)
            self._alive = 0
        return drained

    def _take(self, device: Device, request_id: bytes, found: Any) -> None:
        """The answer to the device's open request, or to an earlier sending of it."""
        trip_s = monotonic() - device.sent_at
        if device.older:
            trip_s += device.sent_at - dict(device.older).get(request_id, device.sent_at)
            self._window.lost()
            self._forget(device)
        else:  # `_forget`, in place
            self._trips += 1
            self._trips_s += trip_s
            del self._pending[request_id]
            device.request_id = b""
            device.tries = 0
            if device.young:
                device.young = False
                self._young -= 1
        if device.rtt_s is None:
            device.rtt_s = trip_s
            device.hopeful = True
            self._alive += 1
        self._step(device, found)

    def _forget(self, device: Device) -> None:
        """Its request is no longer open, in any of its sendings."""
        self._pending.pop(device.request_id, None)
        if device.older:
            for older, _ in device.older:
                self._pending.pop(older, None)
            device.older = ()
        device.request_id = b""
        device.tries = 0
        self._grow_old(device)

    def _grow_old(self, device: Device) -> None:
        if device.young:
            device.young = False
            self._young -= 1

    def _step(self, device: Device, found: Any) -> None:
        """Give the conversation a reading; send what it asks next, or end it."""
        try:
            device.request = device.steps.send(found)
        except StopIteration as end:
            self._finish(device, end.value)
        except Exception as error:  # the code of one conversation: it costs that device alone
            self._fail(device, error)
        else:
            if self._now >= device.deadline:
                self._tell(device, TimeUpError())
            elif not device.queued and not self._send(device):
                self._queue(device)

    def _tell(self, device: Device, fault: Exception) -> None:
        """Tell the conversation that its request will not be answered."""
        before = device.request
        try:
            device.request = device.steps.throw(fault)
        except StopIteration as end:
            self._finish(device, end.value)
        except Exception as error:
            self._fail(device, error)
        else:
            if device.request is not before:
                self._forget(device)
            if not device.queued and not self._send(device):
                self._queue(device)

    # Time-outs

    def _judge(self, read_until: float | None) -> None:
        """Judge the requests whose time was up before `read_until`."""
        self._sift()
        if read_until is None:
            return
        for device in self._waiting.timed_out(read_until):
            self._timed_out(device)
        for device in self._waiting.due(read_until):
            if device.queued:
                continue
            if device.deadline <= read_until:
                self._silent(device, TimeUpError())
            else:
                self._queue(device)

    def _sift(self) -> None:
        """Forget the requests that were answered; the others no longer count as on their way when
        they are old and the window allows it.
        """
        sent, old = self._sent, self._now - _FRESH_S
        while sent:
            since, request_id, device = sent[0]
            if device.request_id is request_id:
                if since > old:
                    break
                self._watch(sent[0])
            sent.popleft()
        leaving, old = self._leaving, self._now - self._window.young_s
        while leaving and leaving[0][0] < old:
            _, request_id, device = leaving[0]
            if device.young and device.request_id is request_id:
                if not self._window.may_leave(self._now):
                    break
                self._grow_old(device)
            leaving.popleft()

    def _timed_out(self, device: Device) -> None:
        """Nothing came in time: once more, or the conversation is told."""
        if device.hopeful:
            self._window.timed_out()
        self._grow_old(device)
        error = SilentError(f"cannot be asked: {device.fault}" if device.fault else "no answer")
        if device.tries > device.target.retries:
            self._silent(device, error)
        elif device.request.patient:
            again = self._now + _JITTER * _random() * device.target.timeout_s
            self._waiting.at(min(again, device.deadline), device)
        else:
            self._tell(device, error)

    def _silent(self, device: Device, fault: Exception) -> None:
        """No more is waited for."""
        if device.rtt_s is None:
            device.session.errors.append(str(fault) or "no answer")
            if device.hopeful:
                self._window.judged(False)
            device.close()
            self._finish(device, None)
        else:
            device.tries = 0
            self._tell(device, fault)

    # The end of a conversation

    def _finish(self, device: Device, result: Any) -> None:
        if device.request_id:
            self._forget(device)
        device.done = True
        self._open -= 1
        self._answers.append(device.answer(result))
        if len(self._answers) >= _HAND_OVER:
            self._flush()

    def _fail(self, device: Device, error: Exception) -> None:
        device.failed(error)
        self._finish(device, None)

    def _flush(self) -> None:
        if self._answers:
            self._hand_over(self._answers)
            self._answers = []
