"""To which groups devices belonged at a time, through the site that they were at: the site itself,
its neighbourhood, borough and programme. Series of groups are made with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from inventory.maintenance import placements
from inventory.queries import neighbourhoods, sites

SITE, NEIGHBOURHOOD, BOROUGH, PROGRAMME = "site", "neighbourhood", "borough", "programme"
Group = tuple[str, str]
"""Kind and id."""


class Stay(NamedTuple):
    """At `site` from `start` until before `end`, milliseconds since 1970; None is open."""

    start: int | None
    end: int | None
    site: str


@dataclass(frozen=True)
class Membership:
    """Where devices were, in order of time, and the groups of each site."""

    stays: Mapping[str, Sequence[Stay]] = field(default_factory=dict)
    groups: Mapping[str, Sequence[Group]] = field(default_factory=dict)
    """As they are now."""

    def stays_in(self, device: str, start: int, end: int) -> list[Stay]:
        """The device's stays cut to that time. Its first one ever counts from always: a device is
        not in the inventory before it is somewhere.
        """
        known = self.stays.get(device, ())
        cut = []
        for number, stay in enumerate(known):
            since = start if number == 0 or stay.start is None else max(start, stay.start)
            until = end if stay.end is None else min(end, stay.end)
            if since < until:
                cut.append(Stay(since, until, stay.site))
        return cut


def membership(session: Session) -> Membership:
    """All that the inventory knows of it, retired devices and sites too.

    The groups of a site are those of now: whoever needs them as they were keeps them.
    """
    known = sites(session)
    groups: dict[str, list[Group]] = {one.id: [(SITE, one.id)] for one in known}
    areas = neighbourhoods(session)
    if areas and known:
        from inventory.places import Places

        index, _ = Places(areas).locate([one.lat for one in known], [one.lon for one in known])
        for one, number in zip(known, index.tolist(), strict=True):
            if number >= 0:
                groups[one.id].append((NEIGHBOURHOOD, areas[number].id))
    for one in known:
        for kind, name in ((BOROUGH, one.borough), (PROGRAMME, one.programme)):
            if name:
                groups[one.id].append((kind, name))
    always = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
    stays = {
        device: [Stay(_ms(since), None if until is None else _ms(until), site)
                 for since, until, site in found]
        for device, found in placements(session, *always).items()
    }  # fmt: skip
    return Membership(stays, groups)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
