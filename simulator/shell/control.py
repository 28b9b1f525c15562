"""What unwinds the interpreter, and the signals it knows."""

from __future__ import annotations

SIGNALS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "PIPE": 13, "ALRM": 14,
    "TERM": 15,
}  # fmt: skip


class Exit(Exception):  # noqa: N818 - a request of the script, no error
    """`exit`."""

    def __init__(self, status: int) -> None:
        self.status = status


class Return(Exit):
    """`return`."""


class Break(Exception):  # noqa: N818 - a request of the script, no error
    """`break n`."""

    def __init__(self, levels: int) -> None:
        self.levels = levels


class Continue(Break):
    """`continue n`."""
