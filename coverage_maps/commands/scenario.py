"""`farola scenario`: plans kept under a name, shown, compared side by side, forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from farola.errors import PlanningError
from farola.output import json_option, note, plain, print_json, print_table
from farola.settings import load_settings

if TYPE_CHECKING:
    from coverage_maps.plan.plans import Plan
    from coverage_maps.plan.scenarios import Kept


@click.command("list")
@json_option
def list_scenarios(as_json: bool) -> None:
    """List the scenarios by name."""
    from coverage_maps.plan.scenarios import kept
    from inventory.db import open_inventory

    with open_inventory(load_settings()).session() as session:
        found = kept(session)
    if as_json:
        print_json([_brief(one) for one in found])
        return
    print_table(
        "Scenarios",
        ["name", "by", "changed", "sites", "new residents", "note"],
        [
            (
                one.name, one.author, f"{one.changed_at:%Y-%m-%d %H:%M}",
                "" if one.plan is None else len(one.plan.sites),
                "" if one.plan is None else f"{_gained(one.plan):,.0f}", one.note,
            )
            for one in found
        ],
        right=(3, 4),
    )  # fmt: skip
    if not found:
        note("None yet: `farola plan --sites N --save NAME` keeps one.")


@click.command()
@click.argument("name")
@click.option("--lang", default="en", show_default=True, help="Of words: en, es, ar, or es-MX.")
@json_option
def show(name: str, lang: str, as_json: bool) -> None:
    """Show what a scenario asks for and what its plan brings."""
    from coverage_maps.plan.scenarios import find
    from coverage_maps.telling.messages import language
    from coverage_maps.telling.summaries import summary
    from coverage_maps.telling.words import explain, site_name
    from inventory.db import open_inventory

    settings = load_settings()
    say = language(lang, settings.city.timezone)
    with open_inventory(settings).session() as session:
        one = find(session, name)
    plan = _plan_of(one)
    if as_json:
        from coverage_maps.telling.exports import plan_json

        print_json(_brief(one) | {"plan": plan_json(plan, say)})
        return
    click.echo(plain(f"{one.name}: {one.note}" if one.note else one.name))
    asked = {key: value for key, value in one.parameters.items() if value not in (None, [], {}, "")}
    click.echo(plain(", ".join(f"{key} {value}" for key, value in asked.items())))
    for line in (*summary(plan, say), ""):
        click.echo(plain(line))
    for site in plan.sites:
        click.echo(
            plain(f"{site.rank}. {site_name(site, say)}: {' '.join(explain(site, plan, say))}")
        )


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME…")
@json_option
def compare(names: tuple[str, ...], as_json: bool) -> None:
    """Hold scenarios side by side: what each brings, to whom, at what cost."""
    from coverage_maps.plan.scenarios import find, shared
    from inventory.db import open_inventory

    if len(names) < 2:
        raise click.UsageError("give two names or more")
    with open_inventory(load_settings()).session() as session:
        found = [find(session, name) for name in names]
    plans = [_plan_of(one) for one in found]
    pairs = [
        {"first": found[i].name, "second": found[j].name, **asdict(shared(plans[i], plans[j]))}
        for i in range(len(plans))
        for j in range(i + 1, len(plans))
    ]
    if as_json:
        print_json({"scenarios": [_brief(one) for one in found], "shared_sites": pairs})
        return
    print_table(
        "Scenarios side by side",
        ["", *names],
        [(word, *(figure(plan) for plan in plans)) for word, figure in _figures(plans)],
        right=tuple(range(1, len(names) + 1)),
    )
    for pair in pairs:
        click.echo(
            plain(
                f"{pair['first']} and {pair['second']}: {pair['both']} sites in both, "
                f"{pair['first_only']} and {pair['second_only']} in one alone"
            )
        )
    if len({plan.radius for plan in plans}) > 1:
        note("The reach differs between them: their residents do not compare.")
    if len({tuple(sorted(_measured(plan).items())) for plan in plans}) > 1:
        note("Neighbourhoods, sites or usage changed between these plans: make them anew.")


@click.command()
@click.argument("name")
def delete(name: str) -> None:
    """Forget a scenario; the plan made for it stays."""
    from coverage_maps.plan.scenarios import delete as forget
    from inventory.db import open_inventory

    with open_inventory(load_settings()).session() as session:
        forget(session, name)
    note(f"Scenario {name} is deleted.")


def _figures(plans: list[Plan]) -> list[tuple[str, Callable[[Plan], str]]]:
    figures: list[tuple[str, Callable[[Plan], str]]] = [
        ("sites", lambda plan: f"{len(plan.sites):,}"),
        ("reach, m", lambda plan: f"{plan.radius:g}"),
        ("equity", lambda plan: f"{plan.equity:g}"),
        ("cost", lambda plan: "–" if plan.total_cost is None else f"{plan.total_cost:,.0f}"),
        ("residents newly covered", lambda plan: f"{_gained(plan):,.0f}"),
        ("covered after", lambda plan: f"{plan.covered_after / plan.population:.2%}"),
    ]
    if all(plan.changes.get("fifth") for plan in plans):
        figures += [
            (
                f"new in fifth {plans[0].changes['fifth'][k].group}",
                lambda plan, k=k: _new(plan, k),  # type: ignore[misc]  # k is bound per row
            )
            for k in range(len(plans[0].changes["fifth"]))
        ]
    figures += [
        ("Gini after", lambda plan: _measure(plan, "gini")),
        ("concentration after", lambda plan: _measure(plan, "concentration")),
        ("Kolm–Pollak after", lambda plan: _measure(plan, "kolm_pollak")),
        ("gives up for equity", lambda plan: f"{plan.forgone:.2%}"),
        ("gap to the bound", lambda plan: f"{plan.gap:.3%}"),
        ("sites under all weightings",
         lambda plan: f"{sum((site.survives or 0) >= 0.999 for site in plan.sites):,}"),
    ]  # fmt: skip
    return figures


def _new(plan: Plan, k: int) -> str:
    changes = plan.changes.get("fifth", ())
    return f"{changes[k].after - changes[k].before:,.0f}" if k < len(changes) else "–"


def _measure(plan: Plan, name: str) -> str:
    value = None if plan.after is None else getattr(plan.after, name)
    return "–" if value is None else f"{value:.4f}"


def _measured(plan: Plan) -> dict[str, str]:
    return {name: digest for name, digest in plan.inputs.items() if name != "request"}


def _gained(plan: Plan) -> float:
    return plan.covered_after - plan.covered_before


def _plan_of(one: Kept) -> Plan:
    if one.plan is None:
        raise PlanningError(
            f"the plan of scenario {one.name!r} is gone, or an earlier Farola kept it: make it "
            "anew with `farola plan … --save`"
        )
    return one.plan


def _brief(one: Kept) -> dict[str, Any]:
    plan = one.plan
    told: dict[str, Any] = {
        "name": one.name, "author": one.author, "note": one.note, "created_at": one.created_at,
        "changed_at": one.changed_at, "parameters": dict(one.parameters), "plan_id": one.plan_id,
    }  # fmt: skip
    if plan is None:
        return told
    return told | {
        "sites": len(plan.sites), "newly_covered": round(_gained(plan), 3),
        "covered_before": plan.covered_before, "covered_after": plan.covered_after,
        "total_cost": plan.total_cost, "equity": plan.equity, "forgone": plan.forgone,
        "gap": plan.gap, "radius_m": plan.radius,
        "by_fifth": [asdict(change) for change in plan.changes.get("fifth", ())],
        "inequality": None if plan.after is None else asdict(plan.after),
    }  # fmt: skip
