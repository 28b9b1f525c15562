"""The device families that a command works with: those of Farola and of the city's home."""

from __future__ import annotations

from pathlib import Path

from collectors.snmp.book import ProfileBook, book_of
from farola.output import note


def told_book(home: Path) -> ProfileBook:
    """The families of the city in `home`; what cannot be used there is told and left out."""
    book = book_of(home)
    for fault in book.faults:
        note(f"{fault}; left out")
    return book
