"""Who does something, for the record."""

from __future__ import annotations

import getpass
import os


def person() -> str:
    """Who runs the command: FAROLA_USER, else the account."""
    try:
        return os.environ.get("FAROLA_USER") or getpass.getuser()
    except (KeyError, OSError):
        return "farola"
