"""How one batch is handed to a server that may find it too large, or a line of it wrong: halved
until every line is either acknowledged or known to be the one that is refused.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from timeseries.influx_http import RefusedError
from timeseries.read_lines import split_lines

Send = Callable[[bytes, bool], None]
"""Sends a body (gzipped or not); returns when the server has it. RefusedError, StoreError."""
TOO_LARGE = 413
WRONG = {400, 422}
COMMENT = b"# farola"
_GZIP = 31
_EXPIRED = re.compile(r"(?:beyond|outside)(?: the)? retention policy")
_LIMIT = re.compile(r"max-(?:series-per-database|values-per-tag) limit exceeded")
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


class Delivery:
    """Delivers batches; remembers how much the server takes at once."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._most_lines: int | None = None
        self._takes_something = False

    def deliver(self, body: bytes, rows: int) -> Outcome:
        """Hand over a gzipped batch of `rows` lines; on return the server has acknowledged or
        refused each.

        Raises StoreError where the server is away, does not let us in, or refuses whatever it is
        sent: then nothing is known to be wrong with the batch.
        """
        outcome = Outcome()
        self._takes_something = False
        if self._most_lines is None or rows <= self._most_lines:
            try:
                self._send(body, True)
            except RefusedError as error:
                if error.status not in WRONG | {TOO_LARGE}:
                    raise
                self._after_refusal(_lines(body, rows), error, outcome)
            return outcome
        lines = _lines(body, rows)
        for start in range(0, len(lines), self._most_lines):
            self._piece(lines[start : start + self._most_lines], outcome)
        return outcome

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
                self._most_lines = len(lines) // 2
            else:
                self._must_take_something(error)
        elif _EXPIRED.search(told):
            # Only what the server itself no longer keeps is missing; the others are in it.
            counted = _HOW_MANY.search(told)
            outcome.expired += min(int(counted[1]), len(lines)) if counted else len(lines)
            return
        else:
            self._must_take_something(error)
        counted = _HOW_MANY.search(told)
        if len(lines) == 1 or (counted and int(counted[1]) == len(lines)):
            outcome.rejected += [(line.decode("utf-8", "replace"), told) for line in lines]
            return
        half = len(lines) // 2
        self._piece(lines[:half], outcome)
        self._piece(lines[half:], outcome)

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
