"""Says a plan and its sites in words that a meeting understands, from their own figures.

Each function takes a `Language`; sentences are whole, because words around a number bend with it.
`docs/planning.md` tells how to translate. Small helpers for English tables stand at the end.
"""

from __future__ import annotations

from coverage_maps.cover.groups import FIFTHS
from coverage_maps.plan.effect import UNGROUPED
from coverage_maps.plan.plans import Plan, PlannedSite, Rival
from coverage_maps.plan.timetables import days_of, hours_a_week
from coverage_maps.telling.messages import Language

HEADINGS = {
    "N": "north", "NE": "north-east", "E": "east", "SE": "south-east", "S": "south",
    "SW": "south-west", "W": "west", "NW": "north-west",
}  # fmt: skip
PARTS = {"hardware": "hardware", "power": "power", "backhaul": "backhaul", "fee": "pole fee"}


def explain(site: PlannedSite, plan: Plan, say: Language) -> list[str]:
    """Sentences on one site: whom it reaches, what it adds, where, at what cost, what it beat."""
    return [
        say.count(
            "It would bring free Wi-Fi within {reach} of {n} resident who has none today.",
            "It would bring free Wi-Fi within {reach} of {n} residents who have none today.",
            site.newly_covered,
            reach=say.metres(plan.radius),
        ),
        *_whom(site, plan, say),
        *_neighbours(site, say),
        *_place(site, say),
        *_demand(site, plan, say),
        *_cost(site, say),
        *_runner_up(site, say),
        *_weighed(site, plan, say),
    ]


def _whom(site: PlannedSite, plan: Plan, say: Language) -> list[str]:
    reached = {name: count for name, count in site.by_grade.items() if round(count) >= 1}
    if plan.groups == "neighbourhood" or not reached or len(site.by_grade) < 2:
        return []
    told = say.listed(
        [
            say.text("{group}: {number}", group=group_name(name, say), number=say.number(count))
            for name, count in reached.items()
        ]
    )
    if plan.groups == "grade":
        return [say.text("By grade of deprivation: {groups}.", groups=told)]
    return [say.text("By fifth of the population: {groups}.", groups=told)]


def _neighbours(site: PlannedSite, say: Language) -> list[str]:
    if site.alone is None or site.only is None:
        return []
    said = []
    shared = site.alone - site.newly_covered
    if round(shared) >= 1:
        said.append(
            say.count(
                "{n} more in its reach is already reached by a site ranked above it.",
                "{n} more in its reach are already reached by sites ranked above it.", shared,
            )
        )  # fmt: skip
    if site.only >= site.alone * 0.995:
        said.append(say.text("No other site of the plan reaches any of them."))
    else:
        said.append(
            say.count(
                "Without it, {n} resident would be reached by no other site of the plan.",
                "Without it, {n} residents would be reached by no other site of the plan.",
                site.only,
            )
        )
    return said


def _place(site: PlannedSite, say: Language) -> list[str]:
    place = say.name(site.neighbourhood)
    if site.borough:
        place = say.text("{place} ({borough})", place=place, borough=say.name(site.borough))
    said = []
    if site.share_uncovered is not None:
        share = say.percent(site.share_uncovered)
        said.append(
            say.text("It stands in the neighbourhood {place}, of which {share} has no coverage.",
                     place=place, share=share) if site.inside else
            say.text("It stands next to the neighbourhood {place}, of which {share} has no "
                     "coverage.", place=place, share=share)
        )  # fmt: skip
    if site.nearest_live is None:
        said.append(say.text("The city has no live site yet."))
    else:
        said.append(
            say.text("The nearest live site is {distance} away.",
                     distance=say.metres(site.nearest_live))
        )  # fmt: skip
    return said


def _demand(site: PlannedSite, plan: Plan, say: Language) -> list[str]:
    said = []
    if not plan.caveats:
        return []  # nothing was imported: the summary says so once
    if site.demand_state == "none":
        said.append(say.text("Nothing is known of how much the portal is used around there."))
    elif site.demand is None:
        said.append(say.text("So few people used the portal nearby that the figure is not shown."))
    elif site.unmet is None:
        said.append(
            say.text("Around there, people use the portal {times} times as much as in the city "
                     "on average.", times=say.number(site.demand, 2))
        )  # fmt: skip
    if site.unmet is not None:
        said.append(
            say.text(
                "If its neighbourhood were covered as usual, the portal would count {expected} "
                "more {metric} in {days} days (8 times in 10, between {low} and {high}).",
                expected=say.number(site.unmet.expected), metric=say.text(site.unmet.metric),
                days=say.number(site.unmet.days), low=say.number(site.unmet.low),
                high=say.number(site.unmet.high),
            )
        )  # fmt: skip
    return said


def _cost(site: PlannedSite, say: Language) -> list[str]:
    if site.cost is None:
        return []
    said = say.text("It costs {cost}.", cost=say.money(site.cost))
    if site.newly_covered >= 0.5:
        said = say.text(
            "It costs {cost}, which is {each} for each newly covered resident.",
            cost=say.money(site.cost), each=say.money(site.cost / site.newly_covered),
        )  # fmt: skip
    if len(site.cost_parts) < 2:
        return [said]
    parts = [
        say.text("{group}: {number}", group=say.text(PARTS.get(name, name)),
                 number=say.money(amount))
        for name, amount in site.cost_parts.items()
    ]  # fmt: skip
    return [said, say.text("Of that, {parts}.", parts=say.listed(parts))]


def _runner_up(site: PlannedSite, say: Language) -> list[str]:
    rival = site.runner_up
    if rival is None:
        return [say.text("No other place that can be paid for would reach anybody in its stead.")]
    told = {
        "name": site_name(rival, say), "distance": say.metres(rival.distance),
        "heading": say.text(HEADINGS[rival.heading]),
    }  # fmt: skip
    return [
        say.text("The runner-up nearby was {name}, {distance} to the {heading}.", **told)
        if rival.nearby
        else say.text(
            "No other place nearby would reach anybody; the best one left in the city was {name}, "
            "{distance} to the {heading}.",
            **told,
        ),
        _why_lost(rival, site.only or 0.0, say),
    ]


def _why_lost(rival: Rival, ours: float, say: Language) -> str:
    """`ours`: residents who would be lost with the site, as the rival's are those won instead."""
    fewer = ours - rival.residents
    match rival.lost_by:
        case "residents":
            return say.count(
                "It lost because {n} resident fewer would be reached from there.",
                "It lost because {n} residents fewer would be reached from there.", fewer,
            )  # fmt: skip
        case "need" if fewer <= -0.5:
            return say.count(
                "It would reach {n} resident more, but people who need it less by the weights of "
                "this plan (deprivation, demand).",
                "It would reach {n} residents more, but people who need it less by the weights of "
                "this plan (deprivation, demand).", -fewer,
            )  # fmt: skip
        case "need":
            return say.text(
                "It would reach about as many residents, but people who need it less by the "
                "weights of this plan (deprivation, demand)."
            )
        case "cost":
            return say.text("It is as good, but dearer: it costs {cost}.",
                            cost=say.money(rival.cost or 0.0))  # fmt: skip
        case "rules":
            return say.text(
                "More would be gained there by the weights of this plan, but what else was asked "
                "of it (places that must be built, capacity or budget) keeps this site."
            )
        case _:
            return say.text("It is as good: either of the two can be built.")


def _weighed(site: PlannedSite, plan: Plan, say: Language) -> list[str]:
    said = []
    factors = [
        say.text("{group}: {number}", group=say.text(name), number=say.number(value, 2))
        for name, value in site.weights.items()
    ]
    if factors:
        said.append(
            say.text(
                "Weight of a resident there in the choice (1 is the city's average): {factors}.",
                factors=say.listed(factors),
            )
        )  # fmt: skip
    if site.survives is not None:
        if site.survives >= 0.999:
            said.append(say.text("It is proposed however residents are weighed."))
        else:
            ways = len(plan.weightings)
            said.append(
                say.count(
                    "With residents weighed in {n} other way, it is proposed in {kept}.",
                    "With residents weighed in {n} other ways, it is proposed in {kept}.",
                    ways, kept=say.number(round(site.survives * ways)),
                )
            )  # fmt: skip
    return said


def van_stop(site: PlannedSite, plan: Plan, say: Language) -> str:
    """A sentence on a van's stop: whom it reaches, and when it is there."""
    said = say.count(
        "A van here would bring free Wi-Fi within {reach} of {n} more resident while it is there.",
        "A van here would bring free Wi-Fi within {reach} of {n} more residents while it is there.",
        site.newly_covered,
        reach=say.metres(plan.radius),
    )
    if not site.timetable:
        return " ".join((said, say.text("Its timetable is still to be set.")))
    stops = [
        say.text(
            "{days} from {start} to {end}",
            days=say.listed([say.text(day) for day in days_of(stop["days"])]),
            start=stop["from"],
            end=stop["to"],
        )
        for stop in site.timetable
    ]
    told = say.text(
        "Timetable: {stops} ({hours} hours a week).",
        stops="; ".join(stops),
        hours=say.number(hours_a_week(site.timetable), 1),
    )
    return f"{said} {told}"


def site_name(site: PlannedSite | Rival, say: Language) -> str:
    """A place's name; a generated one is called after its neighbourhood, in the language."""
    called = "Generated point in "
    if site.site_id.startswith("generated:") and site.name.startswith(called):
        place = say.name(site.name.removeprefix(called))
        return say.text("Point in the neighbourhood {place}", place=place)
    return say.name(site.name)


def weighting_name(name: str, say: Language) -> str:
    """A way to weigh residents, in words."""
    first, _, demand = name.partition(", ")
    told = (
        say.text("heads alone")
        if first == "heads"
        else say.text("equity {equity}", equity=say.number(float(first.split()[1]), 2))
    )
    return say.text("{weights}, with demand", weights=told) if demand else told


def group_name(name: str, say: Language) -> str:
    """A group's name: those of fifths are ours, those of grades the city's own."""
    if name in {*FIFTHS, UNGROUPED, "all"}:
        return say.text(name)
    return say.name(name)


def people(count: float) -> str:
    """A number of residents as English tables tell it."""
    return f"{count:,.0f}"


def several(count: int, noun: str) -> str:
    """`count` things, in the right number, in English."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def metres(distance: float) -> str:
    """A distance as English tables tell it."""
    return f"{distance:,.0f} m" if distance < 1000 else f"{distance / 1000:,.1f} km"
