"""Reads the flags of applets as busybox does: short ones, joined or apart, up to `--`."""

from __future__ import annotations

import getopt
from collections.abc import Sequence

from simulator.shell.commands import Call


class BadOption(Exception):  # noqa: N818 - a user's slip, told as one line
    """A flag that the applet does not know."""


def read_options(args: Sequence[str], allowed: str) -> tuple[dict[str, str], list[str]]:
    """Flags by their letter, with values, and the rest; flags may stand after other arguments."""
    try:
        given, rest = getopt.gnu_getopt(list(args), allowed)
    except getopt.GetoptError as error:
        raise BadOption(f"unrecognized option: {error.opt}") from None
    return {flag.lstrip("-"): value for flag, value in given}, rest


def options(call: Call, allowed: str) -> tuple[dict[str, str], list[str]] | None:
    """As `read_options` for a call; None (told) where a flag is not known."""
    try:
        return read_options(call.args, allowed)
    except BadOption as error:
        call.err(str(error))
        return None
