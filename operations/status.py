"""`farola status`: what is known of the city now, from the inventory and the newest samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from farola.errors import FarolaError, InventoryError
from farola.output import json_option, named, note, print_json, print_table
from farola.settings import Settings, load_settings
from operations.keeping import Rollups, rollups_line, rollups_of
from operations.last_poll import Poll, last_poll, poll_line
from operations.standing import Dead, Standing, by_state, last_answers, samples, standing
from operations.waiting import spool_line, spool_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


NAMED = 10
"""So many devices are named in a line; `--json` has all."""

LOOK_BACK = timedelta(days=7)
"""What is older says nothing about the present."""


@dataclass(frozen=True)
class LeaseHolder:
    """Who polls this city, since when and until when unless the lease is renewed; `active` if it
    has not run out.
    """

    holder: str
    term: int
    since: datetime
    expires_at: datetime
    active: bool


@dataclass(frozen=True)
class LastChange:
    """The newest change to configs and how many of its devices are in each state."""

    id: int
    created_at: datetime
    pushed_at: datetime | None
    author: str
    status: str
    devices: dict[str, int]


@dataclass(frozen=True)
class Status:
    """The city at one moment. `devices` counts up, down and unknown; `standing` names the slowest,
    the dead, the unknown and those in maintenance.
    """

    city: str
    home: str
    simulated: bool
    counts: dict[str, int]
    devices: dict[str, int]
    collector: LeaseHolder | None
    last_poll: Poll | None
    standing: Standing
    last_change: LastChange | None
    store: dict[str, Any]
    spool: dict[str, Any]
    """What waits for the store's server: the fields of `Backlog`."""
    rollups: Rollups


@click.command()
@json_option
def status(as_json: bool) -> int:
    """Show what is known of the city now.

    A store that cannot be read leaves devices unknown and is told, and so are damaged marks; the
    rest is still shown, and the exit code is 1. So is the store where the inventory cannot be read.
    """
    settings = load_settings()
    try:
        found = read_status(settings)
    except InventoryError:
        if not as_json:
            _print_rest(settings)
        raise
    if as_json:
        print_json(as_plain(found))
    else:
        _print(found, settings)
    return 0 if found.store["ok"] and not found.rollups.error else 1


def read_status(settings: Settings) -> Status:
    """Ask the inventory and the store. InventoryError where the inventory cannot be read."""
    from collectors.availability_reading import upstream_paths
    from inventory import queries
    from inventory.db import open_inventory
    from inventory.maintenance import in_maintenance, windows
    from inventory.uplinks import upstream_of
    from timeseries import open_store

    inventory = open_inventory(settings)
    now = datetime.now(UTC)
    try:
        with inventory.session() as session:
            counts = queries.counts(session)
            live = [device for device in queries.devices(session) if device.status == "live"]
            simulated = queries.fact(session, "simulated") is not None
            change = _last_change(session)
            holder = _holder(session)
            upstream = upstream_paths(live, upstream_of(session))
            sites = {device.id: device.site_id for device in live}
            maintained = in_maintenance(windows(session, now, None), sites, now)
    finally:
        inventory.close()
    poll, latest = None, None
    names = {device.id: device.name for device in live}
    found = Standing()
    try:
        store = open_store(settings, hasty=True)
    except FarolaError as error:
        health = {"ok": False, "kind": settings.store.kind, "detail": str(error)}
    else:
        try:
            health = asdict(store.health())
            if health["ok"]:
                latest = store.latest("device", ("state", "rtt_ms"), now - LOOK_BACK)
                poll = last_poll(store, now)
                found = standing(names, samples(latest), upstream, maintained)
                found = replace(found, dead=last_answers(found.dead, store, now))
        except FarolaError as error:
            health |= {"ok": False, "detail": str(error)}
        finally:
            store.close()
    return Status(
        settings.city.name, str(settings.home), simulated, counts,
        by_state(names, samples(latest)), holder, poll, found, change, health,
        spool_of(settings), rollups_of(settings, now),
    )  # fmt: skip


def as_plain(found: Status) -> dict[str, Any]:
    """What `--json` prints: instants in UTC as ISO 8601."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [plain(inner) for inner in value]
        return value

    data: dict[str, Any] = plain(asdict(found))
    named: dict[str, Any] = data.pop("standing")
    return data | named


def _holder(session: Session) -> LeaseHolder | None:
    from collectors.lease import read_lease

    held = read_lease(session)
    if held is None:
        return None
    return LeaseHolder(held.holder, held.term, held.since, held.expires_at, held.valid)


def _last_change(session: Session) -> LastChange | None:
    from sqlalchemy import func, select

    from inventory.change_models import Change, ChangeDevice

    row = session.scalars(select(Change).order_by(Change.id.desc()).limit(1)).first()
    if row is None:
        return None
    counted = session.execute(
        select(ChangeDevice.status, func.count())
        .where(ChangeDevice.change_id == row.id)
        .group_by(ChangeDevice.status)
        .order_by(ChangeDevice.status)
    )
    pushed = row.pushed_at.replace(tzinfo=UTC) if row.pushed_at else None
    created = row.created_at.replace(tzinfo=UTC)
    devices = {state: count for state, count in counted}  # noqa: C416 - rows, not pairs
    return LastChange(row.id, created, pushed, row.author, row.status, devices)


def _print(found: Status, settings: Settings) -> None:
    def local(at: datetime) -> str:
        return at.astimezone(settings.city.zone).strftime("%Y-%m-%d %H:%M %Z")

    counts = found.counts
    rows = [
        ("neighbourhoods", f"{counts['neighbourhoods']:,}"),
        ("sites", f"{counts['sites']:,} and {counts['candidates']:,} candidates"),
    ]
    if found.store["ok"]:
        rows.append(("devices", f"{counts['devices']:,}: " + _listed(found.devices)))
        rows += _standing_rows(found, local)
        rows.append(("last poll", poll_line(found.last_poll, local, datetime.now(UTC))))
    else:
        rows.append(("devices", f"{counts['devices']:,}: their state cannot be read"))
        rows.append(("last poll", "cannot be read"))
    rows.append(("collector", _collector_line(found.collector, local)))
    rows.append(("last change", "none yet"))
    if found.last_change:
        change = found.last_change
        when = local(change.pushed_at or change.created_at)
        rows[-1] = (
            "last change",
            f"{change.id}, {change.status}, {when}: {_listed(change.devices) or 'no devices'}",
        )
    rows.append(("store", ("" if found.store["ok"] else "NOT WORKING: ") + found.store["detail"]))
    if waiting := spool_line(found.spool, datetime.now(UTC)):
        rows.append(("spool", waiting))
    if unmade := rollups_line(found.rollups, settings):
        rows.append(("rollups", unmade))
    if found.simulated:
        note("This city is simulated: its access points and residents are made up.")
    print_table(found.city, ("", ""), rows)


def _print_rest(settings: Settings) -> None:
    """What is known without the inventory."""
    from timeseries import open_store

    rows = []
    try:
        store = open_store(settings, hasty=True)
        try:
            health = store.health()
        finally:
            store.close()
        rows.append(("store", ("" if health.ok else "NOT WORKING: ") + health.detail))
    except FarolaError as error:
        rows.append(("store", f"cannot be looked at: {error}"))
    now = datetime.now(UTC)
    if waiting := spool_line(spool_of(settings), now):
        rows.append(("spool", waiting))
    if unmade := rollups_line(rollups_of(settings, now), settings):
        rows.append(("rollups", unmade))
    print_table(settings.city.name, ("", ""), rows)


def _standing_rows(found: Status, local: Callable[[datetime], str]) -> list[tuple[str, str]]:
    """Who is dead, behind what, in maintenance, unknown or slow."""
    rows = []
    told = found.standing
    behind: dict[str, list[Dead]] = {}
    for one in told.dead:
        if one.behind:
            behind.setdefault(one.behind, []).append(one)
    alone = [one for one in told.dead if not one.behind]
    for one in alone[:NAMED]:
        when = f", last answer {local(one.last_answer)}" if one.last_answer else ""
        hanging = behind.pop(one.device, [])
        with_it = f"; behind it {_named([below.device for below in hanging])}" if hanging else ""
        rows.append(("down", _called(one.device, one.name) + when + with_it))
    if len(alone) > NAMED:
        rows.append(("down", f"and {len(alone) - NAMED:,} more"))
    for upstream, hanging in behind.items():
        if not any(one.device == upstream for one in alone):
            rows.append(
                ("down", f"behind {upstream}: {_named([below.device for below in hanging])}")
            )
    if told.maintenance:
        rows.append(("in maintenance", _named(told.maintenance)))
    if told.unknown and found.last_poll:
        rows.append(("unknown", _named(told.unknown)))
    if told.slowest:
        slow = (f"{_called(one.device, one.name)} {one.rtt_ms:.0f} ms" for one in told.slowest)
        rows.append(("slowest", ", ".join(slow)))
    return rows


def _collector_line(held: LeaseHolder | None, local: Callable[[datetime], str]) -> str:
    if held is None:
        return "none has run yet: `farola up` or `farola collect run` starts one"
    from collectors.holder import shown

    if not held.active:
        return f"none is active; the last was {shown(held.holder)}, until {local(held.expires_at)}"
    return f"{shown(held.holder)}, since {local(held.since)}"


def _called(device: str, name: str) -> str:
    return device if device == name else f"{device} ({name})"


def _named(ids: Sequence[str]) -> str:
    return f"{len(ids):,}: {named(ids, NAMED)}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in counts.items())
