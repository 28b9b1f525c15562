"""`farola deployments`: accept a plan's sites, follow them until they are live, see what they
brought.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import click

from farola.errors import InputError, PlanningError
from farola.output import json_option, note, print_json, print_table
from farola.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from coverage_maps.impact.deployments import Known


@click.command(name="list")
@click.option("--all", "every", is_flag=True, help="Those that were withdrawn too.")
@json_option
def list_deployments(every: bool, as_json: bool) -> None:
    """List the deployments, and how far each is."""
    from coverage_maps.impact.deployments import deployments
    from inventory.db import open_inventory

    with open_inventory(load_settings()).session() as session:
        known = deployments(session, withdrawn=every)
    if as_json:
        print_json([_plain(one) for one in known])
        return
    if not known:
        note("No deployments: `farola deployments accept RANK` makes one of a plan's site.")
        return
    print_table(
        "Deployments",
        ["#", "site", "borough", "status", "plan", "accepted by", "live since", "residents"],
        [
            (
                one.id, one.name, one.borough or "", one.status, one.plan_id or "",
                one.accepted_by, one.live_at.date().isoformat() if one.live_at else "",
                f"{float(one.forecast.get('newly_covered') or 0):,.0f}",
            )
            for one in known
        ],
        right=(0, 4, 7),
    )  # fmt: skip


@click.command()
@click.argument("sites", nargs=-1, required=True, metavar="RANK|SITE…")
@click.option("--plan", "plan_id", type=int, help="Number of the plan.  [default: the newest]")
@click.option("--scenario", default="", help="Take the newest plan of this scenario.")
@json_option
def accept(sites: tuple[str, ...], plan_id: int | None, scenario: str, as_json: bool) -> None:
    """Accept sites of a plan, by rank or id: each becomes a deployment with its forecast."""
    from coverage_maps.impact import deployments as book
    from inventory.db import open_inventory

    if plan_id is not None and scenario:
        raise InputError("give one of --plan and --scenario")
    settings = load_settings()
    inventory = open_inventory(settings)
    with inventory.session() as session:
        plan = book.plan_of(session, plan_id, scenario)
        wanted = book.sites_of(plan, sites)
        radius = float(plan.result.get("radius_m") or 80.0)
        forecasts = _forecasts(session, settings, wanted, radius)
        made = [
            book.accept(session, plan, site, forecast, scenario=scenario)
            for site, forecast in zip(wanted, forecasts, strict=True)
        ]
        ids = {one.id for one in made}
        known = [one for one in book.deployments(session) if one.id in ids]
    if as_json:
        print_json([_plain(one) for one in known])
        return
    for one in known:
        use = one.forecast["use"]
        told = (
            f"{use['expected']:,.0f} {use['metric']} in {use['days']:.0f} days "
            f"(80 % interval {use['low']:,.0f} to {use['high']:,.0f})"
            if use
            else f"no forecast of use: {one.forecast['use_silent']}"
        )
        click.echo(
            f"Deployment {one.id}: {one.name}, {one.forecast['newly_covered']:,.0f} residents "
            f"newly covered; {told}"
        )


def _forecasts(
    session: Session, settings: Settings, wanted: list[dict[str, Any]], radius: float
) -> list[dict[str, Any]]:
    """What is forecast of each site now, from the inventory as it is now."""
    from coverage_maps.cover.cache import cached_cover
    from coverage_maps.cover.ground import lay_out, positions
    from coverage_maps.demand.unmet import estimate
    from coverage_maps.demand.uptime_of_usage import uptime_of_usage
    from coverage_maps.demand.usage import recent_use
    from coverage_maps.demand.use_of_places import bring_home
    from coverage_maps.impact.forecasts import forecast
    from coverage_maps.impact.outcome import homes_of
    from inventory import queries

    ground = lay_out(queries.neighbourhoods(session))
    known = queries.sites(session)
    recent = recent_use(queries.usage(session))
    found = None
    if recent.sites or recent.neighbourhoods:
        live = [site for site in known if site.stands]
        before = cached_cover(ground, positions(ground, live), radius, settings.home / "cache")
        uptime, _ = uptime_of_usage(settings, known, recent)
        found = estimate(ground, before, bring_home(ground, radius, known, recent, uptime))
    xy = ground.plane.xy([float(s["lat"]) for s in wanted], [float(s["lon"]) for s in wanted])
    return [
        forecast(site, home, ground, radius, found)
        for site, home in zip(wanted, homes_of(ground, xy), strict=True)
    ]


@click.command()
@click.argument("deployments", nargs=-1, required=True, metavar="NUMBER|SITE…")
def provisioned(deployments: tuple[str, ...]) -> None:
    """Say that devices hang at these sites and have their config."""
    _move(deployments, "provisioned")


@click.command()
@click.argument("deployments", nargs=-1, required=True, metavar="NUMBER|SITE…")
@click.option(
    "--on",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Day since when, in the city's time.  [default: now]",
)
def live(deployments: tuple[str, ...], on: datetime | None) -> None:
    """Say that these sites serve people now: they cover from here on."""
    zone = load_settings().city.zone
    at = datetime.now(UTC)
    if on is not None:
        at = datetime.combine(on.date(), time(), zone).astimezone(UTC)
        if at > datetime.now(UTC):
            raise InputError(f"--on {on:%Y-%m-%d} is still to come: say it when they are live")
    _move(deployments, "live", at.replace(tzinfo=None))


@click.command()
@click.argument("deployments", nargs=-1, required=True, metavar="NUMBER|SITE…")
def withdraw(deployments: tuple[str, ...]) -> None:
    """Give deployments up before they are live; a later plan may propose the sites again."""
    _move(deployments, "withdrawn")


def _move(words: tuple[str, ...], status: str, at: datetime | None = None) -> None:
    from coverage_maps.impact import deployments as book
    from inventory.db import open_inventory

    with open_inventory(load_settings()).session() as session:
        for word in dict.fromkeys(words):
            deployment = book.found(session, word)
            book.move(session, deployment, status, at=at)
            click.echo(f"Deployment {deployment.id} ({deployment.site_id}): {status}")


@click.command()
@click.option("--radius", type=float, help="Reach in metres.  [default: that of the forecasts]")
@click.option(
    "--days", type=int, default=90, show_default=True, help="Days looked at before and after."
)
@click.option("--record", is_flag=True, help="Keep it: deployments with figures become measured.")
@json_option
def impact(radius: float | None, days: int, record: bool, as_json: bool) -> None:
    """Hold deployments that are live against their forecast and against places like theirs."""
    from coverage_maps.commands.impact_report import impact_json, print_impact
    from coverage_maps.cover.footprint import check_radius
    from coverage_maps.cover.ground import lay_out
    from coverage_maps.impact import deployments as book
    from coverage_maps.impact.outcome import Deployed, impact_of
    from inventory import queries
    from inventory.db import open_inventory

    if days < 1:
        raise InputError(f"--days {days} looks at nothing: give 1 or more")
    if radius is not None:
        check_radius(radius)
    settings = load_settings()
    zone = settings.city.zone
    with open_inventory(settings).session() as session:
        known = [one for one in book.deployments(session) if one.live_at is not None]
        if not known:
            raise PlanningError(
                "no deployment is live yet: `farola deployments live SITE` says that one is"
            )
        ground = lay_out(queries.neighbourhoods(session))
        reach = radius or max(float(one.forecast.get("radius_m") or 80.0) for one in known)
        deployed = [
            Deployed(one.id, one.site_id, _day(one.live_at, zone), one.forecast)
            for one in known
            if one.live_at is not None
        ]
        found = impact_of(
            ground, queries.sites(session), queries.usage(session), deployed,
            radius=reach, days=days, today=datetime.now(zone).date() + timedelta(days=1),
        )  # fmt: skip
        told = impact_json(found, known, radius=reach, days=days)
        if record:
            for row in told["deployments"]:
                if row["use"]["observed"] is not None:
                    one = book.found(session, str(row["id"]))
                    one.forecast = {**one.forecast, "measured": row}
                    book.move(session, one, book.MEASURED)
    if as_json:
        print_json(told)
    else:
        print_impact(told)


def _day(at: datetime, zone: Any) -> Any:
    return at.replace(tzinfo=UTC).astimezone(zone).date()


def _plain(one: Known) -> dict[str, Any]:
    return {
        "id": one.id,
        "site_id": one.site_id,
        "name": one.name,
        "borough": one.borough,
        "status": one.status,
        "plan_id": one.plan_id,
        "scenario": one.scenario or None,
        "accepted_by": one.accepted_by,
        "created_at": one.created_at.isoformat() + "Z",
        "live_at": one.live_at.isoformat() + "Z" if one.live_at else None,
        "forecast": dict(one.forecast),
    }
