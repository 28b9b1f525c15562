"""How one batch is handed to a server that may find it too large, or a line of it wrong: halved
until every line is either acknowledged or known to be the one that is refused.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from farola.errors import StoreError
from timeseries.influx_http import RefusedError
from timeseries.lines import CHUNK_LINES
from timeseries.read_lines import measurement_of, split_lines

Send = Callable[[bytes, bool], None]
"""Sends a body (gzipped or not); returns when the server has it. RefusedError, StoreError."""
TOO_LARGE = 413
WRONG = {400, 422}
COMMENT = b"# farola"
GROWS_AFTER = 20
"""Requests as large as the server took before: then it is tried with a quarter more."""
LEAST_TOLD, SHARE_TOLD = 10, 0.5
"""Where so many lines of a measurement in a batch, and more than this share of them, are refused
for one reason, that reason is not in the lines."""
_GZIP = 31
EXPIRED = re.compile(r"(?:beyond|outside)(?: the)? retention policy")
"""In what a server says of rows that are older than it keeps; it took the others."""
_LIMIT = re.compile(r"max-(?:series-per-database|values-per-tag) limit exceeded")
_VARIES = re.compile(r"'.*'|\"(?:[^\"\\]|\\.)*\"|\d+", re.S)
_HOW_MANY = re.compile(r"dropped[= ](\d+)")


def packed(body: bytes) -> bytes:
    """`body` gzipped, fast rather than small."""
    squeezer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return squeezer.compress(body) + squeezer.flush()


def unpacked(body: bytes) -> bytes:
    """The opposite of `packed`."""
    return zlib.decompress(body, _GZIP)


def _lines(body: bytes, rows: int) -> list[bytes]:
    return [line.encode() for line in split_lines(unpacked(body).decode(), rows)]


@dataclass
class Outcome:
    """Lines that the server refused, each with its reason, and how many were too old for it."""

    rejected: list[tuple[str, str]] = field(default_factory=list)
    expired: int = 0


class HeldError(StoreError):
    """Most rows of a measurement are refused for one reason, which is to be mended, not they."""


class Delivery:
    """Delivers batches; remembers how much the server takes at once."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._most_lines: int | None = None
        self._taken_whole = 0
        """Requests of `_most_lines` that were taken since it was last changed."""
        self._takes_something = False
        self._refused: Counter[tuple[str, str]] = Counter()
        """Lines refused of the batch at hand, by measurement and reason."""
        self._held_back: tuple[bytes, int] | None = None

    def deliver(self, body: bytes, rows: int, *, holds: bool = False) -> Outcome:
        """Hand over a gzipped batch of `rows` lines; on return the server has acknowledged or
        refused each.

        Raises StoreError where the server is away, does not let us in, or refuses whatever it is
        sent: then nothing is known to be wrong with the batch. With `holds`, HeldError as soon as
        most rows of a measurement are refused for one reason.
        """
        outcome = Outcome()
        self._takes_something = False
        self._refused.clear()
        self._held_back = (body, rows) if holds else None
        if self._most_lines is None or rows <= self._most_lines:
            try:
                self._send(body, True)
            except RefusedError as error:
                if error.status not in WRONG | {TOO_LARGE}:
                    raise
                self._after_refusal(_lines(body, rows), error, outcome)
            return outcome
        lines, at_once = _lines(body, rows), self._most_lines
        for start in range(0, len(lines), at_once):
            self._piece(lines[start : start + at_once], outcome)
        self._grow(at_once, len(lines) // at_once)
        return outcome

    def _grow(self, at_once: int, taken: int) -> None:
        """After `taken` more requests of so many lines: what made them too large may be mended."""
        if self._most_lines != at_once:
            return
        self._taken_whole += taken
        if self._taken_whole >= GROWS_AFTER:
            self._taken_whole = 0
            more = at_once + max(1, at_once // 4)
            self._most_lines = more if more < CHUNK_LINES else None

    def _piece(self, lines: list[bytes], outcome: Outcome) -> None:
        try:
            self._send(packed(b"\n".join(lines)), True)
        except RefusedError as error:
            if error.status not in WRONG | {TOO_LARGE}:
                raise
            self._after_refusal(lines, error, outcome)
        else:
            self._takes_something = True

    def _after_refusal(self, lines: list[bytes], error: RefusedError, outcome: Outcome) -> None:
        told = str(error)
        if _LIMIT.search(told):  # the server's, to be raised there: no line is to blame
            raise error
        if error.status == TOO_LARGE:
            if len(lines) > 1:
                self._most_lines, self._taken_whole = len(lines) // 2, 0
            else:
                self._must_take_something(error)
        elif EXPIRED.search(told):
            # Only what the server itself no longer keeps is missing; the others are in it.
            counted = _HOW_MANY.search(told)
            outcome.expired += min(int(counted[1]), len(lines)) if counted else len(lines)
            return
        else:
            self._must_take_something(error)
        counted = _HOW_MANY.search(told)
        if len(lines) == 1 or (counted and int(counted[1]) == len(lines)):
            refused = [line.decode("utf-8", "replace") for line in lines]
            outcome.rejected += [(line, told) for line in refused]
            self._hold_if_most(refused, told)
            return
        half = len(lines) // 2
        self._piece(lines[:half], outcome)
        self._piece(lines[half:], outcome)

    def _hold_if_most(self, refused: list[str], told: str) -> None:
        if self._held_back is None:
            return
        reason = _VARIES.sub("", told)
        names = {measurement_of(line) for line in refused}
        self._refused.update((measurement_of(line), reason) for line in refused)
        for name in sorted(names):
            count = self._refused[name, reason]
            if count < LEAST_TOLD:
                continue
            body, rows = self._held_back
            of = sum(
                measurement_of(line) == name for line in split_lines(unpacked(body).decode(), rows)
            )
            if count > SHARE_TOLD * of:
                raise HeldError(
                    f"most rows of {name} in a batch are refused for one reason, so it waits: "
                    f"{told}; where a field has another type on the server, `DROP MEASUREMENT "
                    f"{name}` there or name another [store] bucket; `farola store quarantine "
                    "--set-aside` sets what waits aside"
                )

    def _must_take_something(self, refusal: RefusedError) -> None:
        """A proxy that is set up wrongly may call every request malformed, or too large: no line
        is to blame where a comment is refused as well. Raises `refusal` then.
        """
        if self._takes_something or "partial write" in str(refusal):
            return
        try:
            self._send(COMMENT, False)
        except RefusedError as error:
            if error.status in WRONG | {TOO_LARGE}:
                self._most_lines = None  # it is not its size
                raise refusal from None
            raise
        self._takes_something = True
