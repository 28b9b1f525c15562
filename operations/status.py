"""`farola status`: what is known of the city now, from the inventory and the newest samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from farola.errors import FarolaError
from farola.output import json_option, note, print_json, print_table
from farola.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from timeseries.base import Store, Table

STALE_MS = 15 * 60_000
"""A device whose newest sample is this much older than the city's newest is unknown, as on the
console."""


@dataclass(frozen=True)
class Poll:
    """The newest poll: when it was made (UTC), devices asked, answered and timed out."""

    at: datetime
    devices: int | None
    answered: int | None
    timed_out: int | None


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
    """The city at one moment. `devices` counts up, down and unknown."""

    city: str
    home: str
    simulated: bool
    counts: dict[str, int]
    devices: dict[str, int]
    last_poll: Poll | None
    last_change: LastChange | None
    store: dict[str, Any]


@click.command()
@json_option
def status(as_json: bool) -> int:
    """Show what is known of the city now.

    A store that cannot be read leaves devices unknown and is told; the rest is still shown, and
    the exit code is 1.
    """
    settings = load_settings()
    found = read_status(settings)
    if as_json:
        print_json(as_plain(found))
    else:
        _print(found, settings)
    return 0 if found.store["ok"] else 1


def read_status(settings: Settings) -> Status:
    """Ask the inventory and the store. InventoryError where the inventory cannot be read."""
    from inventory import queries
    from inventory.db import open_inventory
    from timeseries import open_store

    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            counts = queries.counts(session)
            ids = [device.id for device in queries.devices(session) if device.status == "live"]
            simulated = queries.fact(session, "simulated") is not None
            change = _last_change(session)
    finally:
        inventory.close()
    poll, latest = None, None
    try:
        store = open_store(settings)
    except FarolaError as error:
        health = {"ok": False, "kind": settings.store.kind, "detail": str(error)}
    else:
        try:
            health = asdict(store.health())
            if health["ok"]:
                latest = store.latest("device", ("state",))
                poll = last_poll(store)
        except FarolaError as error:
            health |= {"ok": False, "detail": str(error)}
        finally:
            store.close()
    return Status(
        settings.city.name, str(settings.home), simulated, counts, by_state(ids, latest), poll,
        change, health,
    )  # fmt: skip


def by_state(ids: Iterable[str], latest: Table | None) -> dict[str, int]:
    """How many of the devices `ids` are up, down and unknown by their newest samples."""
    states: dict[str, object] = {}
    if latest is not None and latest.times:
        fresh = max(latest.times) - STALE_MS
        samples = zip(latest.times, latest.tags["device"], latest.fields["state"], strict=True)
        states = {device: state for time, device, state in samples if time >= fresh}
    counted = Counter(states.get(device) for device in ids)
    up, down = counted["up"], counted["down"]
    return {"up": up, "down": down, "unknown": counted.total() - up - down}


def last_poll(store: Store) -> Poll | None:
    """The newest poll of any collector."""
    table = store.latest("poll", ("devices", "answered", "timed_out"))
    if not table.times:
        return None
    newest = max(range(len(table)), key=table.times.__getitem__)
    at = datetime.fromtimestamp(table.times[newest] / 1000, UTC)

    def figure(name: str) -> int | None:
        value = table.fields[name][newest]
        return None if value is None else int(value)

    return Poll(at, figure("devices"), figure("answered"), figure("timed_out"))


def as_plain(found: Status) -> dict[str, Any]:
    """What `--json` prints: instants in UTC as ISO 8601."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return value

    data: dict[str, Any] = plain(asdict(found))
    return data


def _last_change(session: Session) -> LastChange | None:
    from sqlalchemy import func, select

    from inventory.models import Change, ChangeDevice

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
        ("devices", f"{counts['devices']:,}: " + _listed(found.devices)),
        ("last poll", "none yet: run `farola collect once`"),
        ("last change", "none yet"),
        ("store", ("" if found.store["ok"] else "NOT WORKING: ") + found.store["detail"]),
    ]
    if not found.store["ok"]:
        rows[2] = ("devices", f"{counts['devices']:,}: their state cannot be read")
        rows[3] = ("last poll", "cannot be read")
    if found.last_poll:
        poll = found.last_poll
        rows[3] = ("last poll", f"{local(poll.at)}, {poll.answered} of {poll.devices} answered")
    if found.last_change:
        change = found.last_change
        when = local(change.pushed_at or change.created_at)
        rows[4] = (
            "last change",
            f"{change.id}, {change.status}, {when}: {_listed(change.devices) or 'no devices'}",
        )
    if found.simulated:
        note("This city is simulated: its access points and residents are made up.")
    print_table(found.city, ("", ""), rows)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in counts.items())
