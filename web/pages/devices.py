"""The NOC's list of devices, and the page of one: its state, its day, its last push."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, abort, render_template, request
from sqlalchemy import select

from farola.errors import FarolaError
from inventory import queries
from inventory.change_models import Change, ChangeDevice
from inventory.models import Event, Placement, Radio, Site
from timeseries.base import Table
from web import day
from web.context import console
from web.fleet import SORTS, STATES, choose

pages = Blueprint("devices", __name__)
SIZE = 100
QUIET = timedelta(minutes=15)
"""Without a sample for this long, the page says that nobody polls."""


@pages.get("/devices")
def index() -> str:
    """All devices, worst first; filtered and sorted by the address alone."""
    fleet = console().fleet.get()
    text, state = request.args.get("q", "")[:200], request.args.get("state", "")
    sort = request.args.get("sort", "state")
    sort = sort if sort in SORTS else "state"
    down = request.args.get("desc") == "1"
    state = state if state in STATES else ""
    found = choose(fleet.rows, text, state, sort, down)
    page = max(request.args.get("page", 1, int), 1)
    quiet = fleet.newest is not None and (
        datetime.now(UTC) - datetime.fromtimestamp(fleet.newest / 1000, UTC) > QUIET
    )
    part = request.headers.get("HX-Target") == "device-list"
    return render_template(
        "parts/device_list.html" if part else "devices.html",
        fleet=fleet, rows=found[(page - 1) * SIZE : page * SIZE], total=len(found), page=page,
        pages=-(-len(found) // SIZE), q=text, state=state, sort=sort, down=down, quiet=quiet,
    )  # fmt: skip


@pages.get("/devices/<path:device_id>")
def show(device_id: str) -> str:
    """Facts, the chosen day, radios, events and the last push of one device."""
    with console().inventory.session() as session:
        found = queries.devices(session, [device_id])
        if not found:
            abort(404)
        device = found[0]
        site = session.get(Site, device.site_id) if device.site_id else None
        radios = session.scalars(
            select(Radio).where(Radio.device_id == device_id).order_by(Radio.name)
        ).all()
        networks = {radio.id: [(b.bssid, b.ssid) for b in radio.bssids] for radio in radios}
        happened = session.scalars(
            select(Event).where(Event.device_id == device_id).order_by(Event.id.desc()).limit(12)
        ).all()
        pushed = session.execute(
            select(
                Change.id, Change.reason, ChangeDevice.status, ChangeDevice.message,
                ChangeDevice.at, ChangeDevice.diff,
            )
            .join(Change, Change.id == ChangeDevice.change_id)
            .where(ChangeDevice.device_id == device_id, Change.pushed_at.is_not(None))
            .order_by(ChangeDevice.at.desc()).limit(1)
        ).first()  # fmt: skip
        waiting = session.scalars(
            select(ChangeDevice.change_id)
            .where(ChangeDevice.device_id == device_id, ChangeDevice.status == "pending")
            .order_by(ChangeDevice.change_id.desc())
        ).all()
        since = session.scalar(
            select(Placement.valid_from)
            .where(Placement.device_id == device_id, Placement.valid_to.is_(None)).limit(1)
        )  # fmt: skip
    row = next((r for r in console().fleet.get().rows if r.id == device_id), None)
    span = day.span_of(request.args.get("day"), console().settings.city.zone, datetime.now(UTC))
    return render_template(
        "device.html", device=device, site=site, radios=radios, networks=networks,
        happened=happened, pushed=pushed, waiting=waiting, since=since, row=row, span=span,
        **_measured(device_id, span), **_neighbours(span),
    )  # fmt: skip


def _measured(device_id: str, span: day.Span) -> dict[str, object]:
    """What the store knows of the day; a store that is down is told, not thrown."""
    where = {"device": device_id}
    try:
        store = console().store()
        samples = store.series("device", where, span.start, span.end)
        traffic = store.series("interface", where, span.start, span.end)
        radio_now = store.latest("radio", where=where)
    except FarolaError as error:
        return {"trouble": str(error)}
    names = day.interfaces(traffic)
    chosen = request.args.get("interface", "")
    chosen = chosen if chosen in names else names[0] if names else ""
    moved = day.traffic_chart(day.rows_of(traffic, "interface", chosen))
    clients = day.clients_chart(samples)
    return {
        "trouble": "",
        "newest": _newest(samples),
        "clients": {"times": clients.times, **clients.columns},
        "traffic": {"times": moved.times, **moved.columns},
        "interfaces": names,
        "interface": chosen,
        "strip": day.strip(samples, span),
        "availability": day.availability(samples),
        "hours": hours(samples, span),
        "radio_now": _by_radio(radio_now),
    }


def hours(samples: Table, span: day.Span) -> list[tuple[datetime, int, float | None, int]]:
    """The chart as a table: hour, polls, mean clients, unanswered polls."""
    begin = span.start.timestamp() * 1000
    kept: dict[int, list[int]] = {}
    for i, at in enumerate(samples.times):
        kept.setdefault(int((at - begin) // 3_600_000), []).append(i)
    clients, answered = day.column(samples, "clients"), day.column(samples, "answered")
    rows = []
    for hour, members in sorted(kept.items()):
        known = [float(c) for i in members if (c := clients[i]) is not None]
        rows.append(
            (
                span.start.astimezone(UTC) + timedelta(hours=hour), len(members),
                sum(known) / len(known) if known else None,
                sum(1 for i in members if not answered[i]),
            )
        )  # fmt: skip
    return rows


def _newest(samples: Table) -> dict[str, object]:
    """The last value of each field that the day has one for, and when it last answered."""
    found: dict[str, object] = {}
    for name in samples.fields:
        values = day.column(samples, name)
        found[name] = next((v for v in reversed(values) if v is not None), None)
    answered = day.column(samples, "answered")
    found["answered_at"] = next(
        (t for t, a in zip(reversed(samples.times), reversed(answered), strict=True) if a), None
    )
    return found


def _by_radio(latest: Table) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for i, radio in enumerate(latest.tags.get("radio", [])):
        found[radio] = {name: values[i] for name, values in latest.fields.items()}
        found[radio]["band"] = latest.tags["band"][i]
    return found


def _neighbours(span: day.Span) -> dict[str, str]:
    """Addresses' dates of the day before and after."""
    today = datetime.now(console().settings.city.zone).date()
    shown = span.day or today
    after = shown + timedelta(days=1)
    return {
        "day_before": (shown - timedelta(days=1)).isoformat(),
        "day_after": after.isoformat() if span.day and after <= today else "",
    }
