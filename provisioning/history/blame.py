"""Which version brought each line of a text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher


def blamed(versions: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    """Each line of the newest of `versions`, which are in order of time, with the number of the
    version since which it has been there.
    """
    lines: list[tuple[int, str]] = []
    before: Sequence[str] = ()
    for number, after in enumerate(versions):
        if after == before:
            continue
        matcher = SequenceMatcher(None, before, after, autojunk=False)
        now: list[tuple[int, str]] = []
        for tag, i1, i2, j1, j2 in matcher.get_opcodes():
            now += lines[i1:i2] if tag == "equal" else [(number, line) for line in after[j1:j2]]
        lines, before = now, after
    return lines
