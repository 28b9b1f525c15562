"""Compares names that people wrote: columns, layers, boroughs."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence


def fold(text: str) -> str:
    """`text` without case, accents, punctuation and spaces: for comparing names."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[\W_]+", "", "".join(c for c in plain if not unicodedata.combining(c)))


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """ "; did you mean …?" where one of `names` is near, else nothing."""
    folded = {fold(other): other for other in names}
    near = difflib.get_close_matches(fold(name), list(folded), n=1, cutoff=0.6)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def counted(number: int, one: str) -> str:
    """ "1 row", "2 rows", "1,234 rows"."""
    return f"{number:,} {one}" + ("" if number == 1 else "s")
