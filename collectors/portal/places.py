"""Finds the site or neighbourhood that a table means by a name: by id, else by name, else by the
name written differently, else by a beginning that only one has. Pure.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from collectors.portal.periods import plain
from inventory.importers.names import fold
from inventory.importers.report import BadCellError

NEAR_SHOWN = 3
NEAR_SEARCHES = 50
"""Names that near ones are looked up for; a table of quite another city would take minutes."""
SHORTEST_PREFIX = 3


@dataclass(frozen=True)
class Place:
    """A site or neighbourhood."""

    id: str
    name: str


@dataclass(frozen=True)
class Match:
    """The place meant, and why it was taken for it ("" where id or name are the same)."""

    place: Place
    why: str


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", plain(name)))


class Gazetteer:
    """All places of one scope (`site` or `neighbourhood`), to look names up in."""

    def __init__(
        self, scope: str, places: Iterable[Place], aliases: Mapping[str, Place] | None = None
    ) -> None:
        """`aliases` are other ids: a portal often reports by the access point, not by the site."""
        self.scope = scope
        self.by_id: dict[str, Place] = dict(aliases or {})
        self.by_name: dict[str, list[Place]] = defaultdict(list)
        self.by_fold: dict[str, list[Place]] = defaultdict(list)
        self.by_first_word: dict[str, list[tuple[tuple[str, ...], Place]]] = defaultdict(list)
        for place in places:
            self.by_id[place.id] = place
            self.by_name[place.name].append(place)
            self.by_fold[fold(place.name)].append(place)
            words = _words(place.name)
            if words:
                self.by_first_word[words[0]].append((words, place))
        self._searches = 0

    def resolve(self, names: Iterable[str], column: str) -> dict[str, Match | BadCellError]:
        """For each name the place it means, or what is wrong with it.

        Two names that only begin like one place are both refused, and so is one that begins
        like a place which another name of the table means exactly.
        """
        found: dict[str, Match | BadCellError] = {}
        rest = []
        for name in dict.fromkeys(names):
            match = self._same(name, column)
            if match is None:
                rest.append(name)
            else:
                found[name] = match
        taken = {m.place.id: name for name, m in found.items() if isinstance(m, Match)}
        guesses = {name: self._by_prefix(name) for name in rest}
        for name, places in guesses.items():
            if len(places) != 1:
                found[name] = self._unknown(name, column, places)
                continue
            other = taken.get(places[0].id) or next(
                (n for n, p in guesses.items() if n != name and p == places), None
            )
            if other is not None:
                why = f"begins like {self.scope} {places[0].name!r}, which {other!r} means as well"
                found[name] = BadCellError(
                    column, name, why, "means the same place as another name"
                )
            else:
                why = f"the only {self.scope} whose name begins so is {places[0].name!r}"
                found[name] = Match(places[0], why)
        return found

    def _same(self, name: str, column: str) -> Match | BadCellError | None:
        if name in self.by_id:
            return Match(self.by_id[name], "")
        for places, why in (
            (self.by_name.get(name, []), ""),
            (self.by_fold.get(fold(name), []) if fold(name) else [], "name written differently"),
        ):
            if len(places) == 1:
                return Match(places[0], why)
            if places:
                ids = ", ".join(place.id for place in places[:NEAR_SHOWN])
                return BadCellError(
                    column, name, f"{len(places)} {self.scope}s have this name ({ids}…): use ids",
                    "several places have this name",
                )  # fmt: skip
        return None

    def _by_prefix(self, name: str) -> list[Place]:
        words = _words(name)
        if not words or len("".join(words)) < SHORTEST_PREFIX:
            return []
        return [
            place
            for other, place in self.by_first_word.get(words[0], [])
            if other[: len(words)] == words or words[: len(other)] == other
        ]

    def _unknown(self, name: str, column: str, several: list[Place]) -> BadCellError:
        if several:
            named = ", ".join(repr(place.name) for place in several[:NEAR_SHOWN])
            why = f"could be {len(several)} {self.scope}s: {named}"
            return BadCellError(column, name, why, "could be several places")
        self._searches += 1
        near: list[str] = []
        if self._searches <= NEAR_SEARCHES:
            near = difflib.get_close_matches(name, list(self.by_name), NEAR_SHOWN, 0.6)
        hint = f"; near are {', '.join(map(repr, near))}" if near else ""
        return BadCellError(
            column, name, f"is no {self.scope} of the inventory{hint}", "unknown place"
        )
