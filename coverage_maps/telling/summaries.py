"""Says a plan as a whole: what it brings, to whom, how fairly, how good it is, what it costs."""

from __future__ import annotations

from coverage_maps.plan.plans import Plan
from coverage_maps.telling.messages import Language


def summary(plan: Plan, say: Language) -> list[str]:
    """Sentences on the plan as a whole: what it brings, to whom, how fair, how good, its cost."""
    gained = plan.covered_after - plan.covered_before
    said = [
        say.count("The plan proposes {n} site.", "The plan proposes {n} sites.", len(plan.sites)),
        say.count(
            "It would bring free Wi-Fi within {reach}, outdoors, of {n} more resident.",
            "It would bring free Wi-Fi within {reach}, outdoors, of {n} more residents.",
            gained, reach=say.metres(plan.radius),
        ),
        say.text(
            "Coverage of the city's residents rises from {before} to {after}.",
            before=say.percent(plan.covered_before / plan.population, 1),
            after=say.percent(plan.covered_after / plan.population, 1),
        ),
    ]  # fmt: skip
    return said + _fairness(plan, say) + _worth(plan, say)


def _fairness(plan: Plan, say: Language) -> list[str]:
    said = []
    gained = plan.covered_after - plan.covered_before
    fifths = plan.changes.get("fifth", ())
    if fifths and gained > 0:
        worst = fifths[0]
        share = (worst.after - worst.before) / gained
        said.append(
            say.text(
                "Of those newly covered, {share} live in the most deprived fifth of the city, "
                "where coverage rises from {before} to {after}.",
                share=say.percent(share),
                before=say.percent(worst.before / worst.population, 1),
                after=say.percent(worst.after / worst.population, 1),
            )
        )  # fmt: skip
    if plan.before is not None and plan.after is not None:
        said += _measures(plan, say)
    if plan.equity > 0:
        said.append(
            say.text(
                "Serving the more deprived first (equity {equity} of 1) gives up {share} of the "
                "residents that would be reached without it.",
                equity=say.number(plan.equity, 2), share=say.fine_percent(plan.forgone),
            )
        )  # fmt: skip
    if plan.caveats:
        said.append(
            say.text(
                "Weighing places by use of the portal gives up {share} of the residents that "
                "counting heads alone would reach.",
                share=say.fine_percent(plan.forgone_to_demand),
            )
        )
    return said


def _measures(plan: Plan, say: Language) -> list[str]:
    before, after = plan.before, plan.after
    said: list[str] = []
    if before is None or after is None:
        return said
    if before.gini is not None and after.gini is not None:
        said.append(
            say.text(
                "Inequality of coverage between neighbourhoods (Gini; 0 is equality) goes from "
                "{before} to {after}.",
                before=say.number(before.gini, 3), after=say.number(after.gini, 3),
            )
        )  # fmt: skip
    if before.concentration is not None and after.concentration is not None:
        figures = {
            "before": say.number(before.concentration, 3),
            "after": say.number(after.concentration, 3),
        }
        said.append(
            say.text("Coverage favours the better off (concentration index above 0): from {before} "
                     "to {after}.", **figures)
            if after.concentration > 0.0005 else
            say.text("Coverage favours the worse off (concentration index below 0): from {before} "
                     "to {after}.", **figures)
            if after.concentration < -0.0005 else
            say.text("Coverage favours nobody (concentration index about 0): from {before} to "
                     "{after}.", **figures)
        )  # fmt: skip
    said.append(
        say.text(
            "Counting inequality as a loss (Kolm–Pollak), coverage is worth as much as if "
            "everybody had {before} today and {after} after the plan.",
            before=say.percent(before.kolm_pollak, 1), after=say.percent(after.kolm_pollak, 1),
        )
    )  # fmt: skip
    return said


def _worth(plan: Plan, say: Language) -> list[str]:
    gap = better_at_most(plan)
    said = [
        say.count(
            "It is proven that no other choice from the same {n} candidate place is better by "
            "more than {gap}.",
            "It is proven that no other choice from the same {n} candidate places is better by "
            "more than {gap}.",
            plan.candidates,
            gap=say.fine_percent(gap),
        )
        if gap > 0
        else say.count(
            "It is proven that no other choice from the same {n} candidate place is better.",
            "It is proven that no other choice from the same {n} candidate places is better.",
            plan.candidates,
        )
    ]
    if plan.total_cost is not None and plan.covered_after - plan.covered_before >= 0.5:
        said.append(
            say.text(
                "It costs {cost}, which is {each} for each newly covered resident.",
                cost=say.money(plan.total_cost),
                each=say.money(plan.total_cost / (plan.covered_after - plan.covered_before)),
            )
        )
    if not plan.caveats:
        said.append(say.text("No use of the portal was imported, so nothing is said of demand."))
    surviving = [site for site in plan.sites if (site.survives or 0) >= 0.999]
    if plan.weightings:
        said.append(
            say.count(
                "{n} of its sites is proposed however residents are weighed.",
                "{n} of its sites are proposed however residents are weighed.", len(surviving),
            )
        )  # fmt: skip
    return said


def better_at_most(plan: Plan) -> float:
    """By which share of this plan's objective another could be better, at most."""
    if not plan.objective > 0:
        return 0.0
    # Rounded up in the second decimal of a percentage, so that what is said stays true.
    share = max(0.0, plan.upper_bound / plan.objective - 1)
    return -(-share * 10_000 // 1) / 10_000 if share > 1e-9 else 0.0
