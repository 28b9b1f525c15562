"""One spelling for a borough: that of the neighbourhoods, whatever case, accents or article."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from inventory.importers.names import fold

ARTICLES = frozenset({
    "the", "la", "el", "los", "las", "le", "les", "l", "lo", "i", "gli", "il", "der", "die",
    "das", "den", "o", "a", "os", "as", "de", "het", "al",
})  # fmt: skip


@lru_cache(maxsize=4096)
def borough_key(name: str) -> str:
    """What two spellings of one borough have in common."""
    words = name.replace("'", " ").replace("’", " ").split()
    while len(words) > 1 and fold(words[0]) in ARTICLES:
        words = words[1:]
    return fold(" ".join(words))


class Boroughs:
    """The spellings in use; a key with two of them is left alone."""

    def __init__(self, names: Iterable[str | None]) -> None:
        spellings: dict[str, set[str]] = {}
        for name in names:
            if name:
                spellings.setdefault(borough_key(name), set()).add(name)
        self._spelling = {key: s.pop() for key, s in spellings.items() if len(s) == 1}

    def spelling(self, name: str) -> str:
        """The known spelling of `name`, else `name` itself."""
        return self._spelling.get(borough_key(name), name)
