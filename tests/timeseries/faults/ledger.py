"""What a writer was told, on disk before it goes on: so much can be known of one that is killed."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

MADE, ACKNOWLEDGED, REFUSED = "made", "acknowledged", "refused"
SENT, FAULT, END = "sent", "fault", "end"


class Ledger:
    """Appends one line at a time."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, what: str, *more: object, sync: bool = True) -> None:
        """On return the line is on disk (without `sync`: survives a kill)."""
        os.write(self._file, f"{' '.join(map(str, (what, *more)))}\n".encode())
        if sync:
            os.fdatasync(self._file)


@dataclass
class Account:
    """A ledger, read: numbers of polls, requests that the server took, how many met which fault,
    and the last words: rows that waited, were dropped, and are in quarantine.
    """

    made: set[int] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    end: list[int] | None = None


def read(path: Path) -> Account:
    """What the ledger tells; a last line that is torn does not count."""
    account = Account()
    text = path.read_text() if path.exists() else ""
    for line in text.split("\n")[:-1]:
        what, _, more = line.partition(" ")
        if what == MADE:
            account.made.add(int(more))
        elif what == ACKNOWLEDGED:
            account.acknowledged.add(int(more))
        elif what == REFUSED:
            account.refused[more] += 1
        elif what == SENT:
            account.sent += 1
        elif what == FAULT:
            account.faults[more] += 1
        elif what == END:
            account.end = [int(word) for word in more.split()]
    return account
