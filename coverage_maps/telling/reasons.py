"""Says in a line of English why a site is proposed, from that site's own figures.

It is kept with a plan and shown in lists; `words.py` says more, and in more languages.
"""

from __future__ import annotations

from dataclasses import dataclass

from coverage_maps.plan.effect import UNGROUPED, Effect
from coverage_maps.telling.words import metres, people


@dataclass(frozen=True)
class Facts:
    """What is known of the place of a proposed site."""

    neighbourhood: str
    inside: bool
    """Whether the site is in that neighbourhood or only nearest to it."""
    share_uncovered: float
    nearest_live: float | None
    """Metres to the nearest live site; None where there is none."""
    radius: float
    grouped_by: str
    demand: str


def reason(effect: Effect, facts: Facts) -> str:
    """Why this site: who is reached, how deprived, how far Wi-Fi is now, how it is used."""
    parts = [f"reaches {people(effect.residents)} residents who have no Wi-Fi within "
             f"{metres(facts.radius)}{_groups(effect, facts.grouped_by)}"]  # fmt: skip
    place = "in" if facts.inside else "next to"
    parts.append(
        f"{place} {facts.neighbourhood}, {facts.share_uncovered:.0%} of which is uncovered"
    )
    if facts.nearest_live is None:
        parts.append("no live site yet in the city")
    else:
        parts.append(f"nearest live site {metres(facts.nearest_live)} away")
    parts.append(facts.demand)
    return "; ".join(parts)


def _groups(effect: Effect, grouped_by: str) -> str:
    """The worst group reached, and the largest where that is another."""
    reached = {
        name: count for name, count in effect.by_group.items() if count >= 0.5 and name != UNGROUPED
    }
    if not reached or grouped_by == "neighbourhood":
        return ""
    worst = next(iter(reached))
    largest = max(reached, key=lambda name: reached[name])
    word = "grade" if grouped_by == "grade" else "fifth"
    if len(reached) == 1:
        return f", all of them in {word} {worst}" if len(effect.by_group) > 1 else ""
    told = [f"{people(reached[worst])} in {word} {worst}"]
    if largest != worst:
        told.append(f"{people(reached[largest])} in {largest}")
    return f" ({', '.join(told)})"
