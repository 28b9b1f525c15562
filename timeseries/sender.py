"""Empties the spool into the server, in a thread: the newest poll first, then what waits, in order
and with pauses, so that a server that was away is not flooded when it comes back.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from farola.errors import StoreError
from farola.files import locked_if_free
from timeseries.delivery import Delivery, Outcome, Send
from timeseries.spool import Spool
from timeseries.spool_file import QUARTER_MS, Waiting

LOCK = "sender.lock"
LOOK_AGAIN_S = 1.0
"""How often it looks for what other processes of this home spooled."""
LIVE_S = 150.0
"""A batch is live, and goes before what waits, for so long."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""Before it tries again after a fault: doubled each time."""
SHARE = 0.5
"""Of the time, while it catches up, that it keeps the server busy."""
LONGEST_CATCH_UP_PAUSE_S = 5.0
SAY_AGAIN_S = 600.0

Tell = Callable[[str, str], None]
"""Tells people of an event: its kind and one line."""
Taken = Callable[[bytes, int, bool], None]
"""Told, before it leaves the spool, of a body of so many rows that the server has, and whether it
took them all. Must not raise.
"""
Marking = Callable[[Iterable[int]], AbstractContextManager[None]]
"""Held around writing raw rows of these times."""


class Sender:
    """One thread that sends while no other process of the home does."""

    def __init__(
        self,
        spool: Spool,
        send: Send,
        marking: Marking,
        tell: Tell,
        taken: Taken = lambda _body, _rows, _whole: None,
    ) -> None:
        """`send` must not try again by itself for long: the sender does."""
        self._spool = spool
        self._delivery = Delivery(send)
        self._marking = marking
        self._tell = tell
        self._taken = taken
        self._told_at: dict[str, float] = {}
        self._failures = 0
        self._fault_kind = ""
        """Of the faults in a row: HTTP's status, or `no answer`."""
        self._holds: bool | None = None
        """Whether this process is the one that sends; None: not known yet."""
        self._awake = threading.Event()
        self._mended = threading.Event()
        self._ending = threading.Event()
        self._idle = threading.Condition()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self.fault = ""
        """Why the last attempt failed; empty while it works."""

    def start(self) -> None:
        """Start, unless started."""
        with self._starting:
            if not self.started:
                self._ending.clear()
                self._thread = threading.Thread(target=self._run, name="store sender", daemon=True)
                self._thread.start()

    def try_again(self) -> None:
        """Tell it that what hindered may be mended: it waits no longer."""
        self._mended.set()
        self._awake.set()

    def wake(self) -> None:
        """Tell it that something was spooled."""
        self._awake.set()

    @property
    def started(self) -> bool:
        """Whether it was started and did not end."""
        return self._thread is not None and self._thread.is_alive()

    def wait_until_sent(self, timeout_s: float, *, while_it_fails: bool) -> bool:
        """Wait until all is sent, not longer than this; whether all is."""
        until = time.monotonic() + timeout_s
        with self._idle:
            while (backlog := self._spool.backlog()).rows:
                left = until - time.monotonic()
                # Another process may be the one that sends, and fails.
                fault = backlog.fault if self._holds is False else self.fault
                if left <= 0 or not self.started or (fault and not while_it_fails):
                    return False
                # It tells of each batch and fault; another process does not.
                self._idle.wait(min(left, LOOK_AGAIN_S if self._holds else 0.1))
        return True

    def stop(self, timeout_s: float) -> bool:
        """End after the request under way; False if that lasts longer than `timeout_s`."""
        self._ending.set()
        self._mended.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.started

    def _run(self) -> None:
        lock = self._spool.folder / LOCK
        while not self._ending.is_set():
            # OSError: a folder that is gone or shut, which whoever adds to the spool is told.
            with contextlib.suppress(OSError), locked_if_free(lock) as self._holds:
                while self._holds and not self._ending.is_set():
                    self._pause(self.turn())
            self._pause(LOOK_AGAIN_S)

    def _pause(self, seconds: float) -> None:
        # Through a fault's pause it sleeps whatever is spooled, else it would hammer the server.
        if self._failures:
            self._mended.wait(seconds)
            self._mended.clear()
        elif seconds:
            self._awake.wait(seconds)
        self._awake.clear()

    def turn(self) -> float:
        """Send one batch, if any waits; returns the seconds to pause."""
        try:
            now_ms = int(time.time() * 1000)
            batch = self._spool.next(now_ms - int(LIVE_S * 1000))
            if batch is None:
                with contextlib.suppress(StoreError):
                    self._spool.tidy()
                return LOOK_AGAIN_S
            started = time.monotonic()
            self._send(batch)
            took_s = time.monotonic() - started
        except StoreError as error:
            return self._failed(str(error), getattr(error, "status", None))
        except Exception as error:  # whatever it is, the thread must go on trying
            return self._failed(f"the sender met {type(error).__name__}: {error}")
        self._works_again()
        self._tell_who_waits()
        if now_ms - batch.made_ms < LIVE_S * 1000:
            return 0.0
        return min(took_s * (1 / SHARE - 1), LONGEST_CATCH_UP_PAUSE_S)

    def _send(self, batch: Waiting) -> None:
        body = self._spool.body(batch.id)
        if body is None:  # it had to go: the spool is full
            return
        times = [quarter * QUARTER_MS for quarter in batch.quarters]
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self._marking(times))
            except StoreError:
                # A full disk, perhaps, which must not keep what waits from leaving. The reserve is
                # not given up before the server took something.
                held.callback(self._mark, times)
            holds = batch.id > self._spool.set_aside_until()
            outcome = self._delivery.deliver(body, batch.rows, holds=holds)
            self._spool.give_up_reserve()
        self._taken(body, batch.rows, not (outcome.rejected or outcome.expired))
        self._spool.acknowledged(batch, outcome.rejected, outcome.expired)
        self._tell_of(outcome)

    def _mark(self, times: Iterable[int]) -> None:
        with self._marking(times):
            pass

    def _tell_of(self, outcome: Outcome) -> None:
        if outcome.rejected:
            line, reason = outcome.rejected[0]
            self.say(
                "store.quarantined",
                f"the server refused {counted(len(outcome.rejected))}, kept in quarantine (`farola "
                f"store quarantine` lists them); the first: {line[:200]}: {reason}",
            )
        if outcome.expired:
            self.say(
                "store.expired",
                f"{counted(outcome.expired)} that waited are older than the server keeps rows: it "
                "did not take them; lengthen its retention policy",
            )

    def _failed(self, text: str, status: int | None = None) -> float:
        kind = str(status or "no answer")
        self._failures += 1
        if text != self.fault:
            self.fault = text
            with contextlib.suppress(StoreError):
                self._spool.set_fault(text)
        if kind != self._fault_kind:
            self._fault_kind = kind
            waits = f"rows wait in the spool, nothing is lost: {text}"
            self.say("store.away", waits, key=f"store.away {kind}")
        self._tell_who_waits()
        pause: float = min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_S)
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - only to fall out of step

    def _tell_who_waits(self) -> None:
        with self._idle:
            self._idle.notify_all()

    def _works_again(self) -> None:
        if not self._failures:
            return
        self._failures, self.fault, self._fault_kind = 0, "", ""
        self.say("store.back", "the server takes rows again; what waited is being sent")

    def say(self, kind: str, text: str, *, key: str = "") -> None:
        """Tell people, but not of the same (`key`; else the kind) again and again."""
        now, key = time.monotonic(), key or kind
        if now - self._told_at.get(key, -SAY_AGAIN_S) >= SAY_AGAIN_S:
            self._told_at[key] = now
            self._tell(kind, text)


def counted(count: int) -> str:
    """So many rows, in words."""
    return "1 row" if count == 1 else f"{count:,} rows"
