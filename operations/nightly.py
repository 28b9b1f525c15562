"""`farola nightly`: at [provisioning] nightly, on the city's clock, fetches and audits all configs,
few at a time. `farola up` runs it.

A night that was missed while nothing ran is made up for within `LATE`. What is asked, and what is
meant by it, is `provisioning.audit.comparing`.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from farola.errors import FarolaError, SettingsError
from farola.output import json_option, named, note, print_json
from farola.settings import Settings, load_settings

if TYPE_CHECKING:
    from inventory.db import Inventory

FACT = "nightly"
ACTOR = "nightly"
LATE = timedelta(hours=4)
"""How long after its time a night that was missed is still made up for."""
AT_ONCE = 4
"""Devices asked at a time: as many as the reactor, so that neither collector nor people notice."""
LOOK_EVERY_S = 20.0
UNASKED = ("broken", "unreachable", "refused")
NAMED = 20
"""Devices of a state that are named in a line."""
LEASE, LEASE_S = "nightly", 120.0


@click.command()
@click.option("--once", is_flag=True, help="Do it now, and end.")
@json_option
def nightly(once: bool, as_json: bool) -> None:
    """Fetch and audit all configs each night; `farola up` runs this.

    Waits for the time that [provisioning] nightly names until it is stopped (SIGTERM, Ctrl-C). With
    --once it exits 1 if a device could not be asked; one that drifted is told, and no failure.
    """
    from inventory.db import open_inventory

    settings = load_settings()
    at = time_of(settings)
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    if once:
        inventory = open_inventory(settings)
        night = run(inventory, stop)
        inventory.close()
        if as_json:
            print_json({**_counts(night), "devices": night})
        else:
            click.echo(in_words(night))
        if any(night[state] for state in UNASKED):
            click.get_current_context().exit(1)
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    note("farola: nightly: " + (f"at {at[0]:02}:{at[1]:02}" if at else "switched off"))
    wait_and_run(settings, stop)


def time_of(settings: Settings) -> tuple[int, int] | None:
    """Hour and minute of the nightly run; None if there is none.

    SettingsError if the setting is no time.
    """
    text = settings.provisioning.nightly.strip()
    if not text:
        return None
    with suppress(ValueError):
        found = datetime.strptime(text, "%H:%M")
        return found.hour, found.minute
    raise SettingsError(
        f'[provisioning] nightly is {text!r}: write a time such as "03:30", or "" for never'
    )


def due(now: datetime, at: tuple[int, int], zone: ZoneInfo, last: datetime | None) -> bool:
    """Whether a run should begin at `now` (UTC, aware), the one before having begun at `last`.

    On a night whose clocks skip the time it is due an hour later; one that they repeat counts once.
    """
    local = now.astimezone(zone)
    for day in (local.date(), local.date() - timedelta(days=1)):
        planned = datetime(day.year, day.month, day.day, *at, tzinfo=zone).astimezone(UTC)
        if planned <= now < planned + LATE:
            return last is None or last < planned
    return False


def wait_and_run(settings: Settings, stop: threading.Event) -> None:
    """Run each night until `stop`; what fails is told once, and tried again the next time."""
    from inventory.db import open_inventory
    from operations.leased import again_and_again

    inventory = open_inventory(settings)
    at = time_of(settings)
    again_and_again(
        inventory, LEASE, lambda renew: _one_night(inventory, stop, renew), stop, lease_s=LEASE_S,
        every_s=LOOK_EVERY_S,
        due=lambda: at is not None
        and due(datetime.now(UTC), at, settings.city.zone, last_run(inventory)),
    )  # fmt: skip
    inventory.close()


def _one_night(inventory: Inventory, stop: threading.Event, renew: Any) -> None:
    from inventory import queries

    with inventory.session() as session:
        queries.set_fact(session, FACT, {"began": datetime.now(UTC).isoformat()})
    held = time.monotonic()

    def over() -> bool:
        """Whether to end: stopped, or another machine does it."""
        nonlocal held
        if time.monotonic() - held > LEASE_S / 3:
            held = time.monotonic()
            if not renew():
                stop_here.set()
        return stop.is_set() or stop_here.is_set()

    stop_here = threading.Event()
    note(f"farola: nightly: {in_words(run(inventory, stop, over))}")


def last_run(inventory: Inventory) -> datetime | None:
    """When the last one began; None if none ever did."""
    from inventory import queries

    with inventory.session() as session:
        kept = queries.fact(session, FACT) or {}
    with suppress(KeyError, TypeError, ValueError):
        return datetime.fromisoformat(kept["began"])
    return None


def run(inventory: Inventory, stop: threading.Event, over: Any = None) -> dict[str, list[str]]:
    """Fetch and audit all devices once, and tidy the history; ids of devices by how they were.

    FarolaError where nothing could be done at all.
    """
    from farola.keys import Keyring
    from inventory import audit_log, events, queries
    from provisioning.audit import comparing as auditing
    from provisioning.audit import series as audit_series
    from provisioning.history.configs import History

    settings = inventory.settings
    with inventory.session() as session:
        devices = [d for d in queries.devices(session) if d.management_address]
    history = History(settings.home, Keyring(settings.home))
    history.take_in(author=ACTOR, cause="pushed")
    found = []
    for one in auditing.audit(
        inventory, devices, author=ACTOR, cause="nightly", at_once=AT_ONCE,
        stop=over or stop.is_set,
    ):  # fmt: skip
        found.append(one)
    night = {state: sorted(ids) for state, ids in auditing.counted(found).items()}
    try:
        audit_series.write(settings, found)
    except FarolaError as error:
        note(f"farola: nightly: not in the series: {error}")
    with inventory.session() as session:
        events.record(session, "config.audited", f"all configs audited: {in_words(night)}",
                      actor=ACTOR, detail=_counts(night))  # fmt: skip
        audit_log.record(session, ACTOR, "config.audited", result=in_words(_counts(night)))
    if found:
        with history.store.lock():
            history.store.tidy()
    return night


def _counts(night: dict[str, list[str]]) -> dict[str, int]:
    return {state: len(ids) for state, ids in night.items()}


def in_words(night: Mapping[str, list[str] | int]) -> str:
    """What became of all devices, in a line; those that are not clean by name, if ids are given."""
    words = []
    for state, some in night.items():
        if isinstance(some, int):
            words += [f"{some:,} {state}"] if some else []
        elif some:
            names = "" if state == "clean" else f" ({named(some, NAMED)})"
            words.append(f"{len(some):,} {state}{names}")
    return ", ".join(words) or "no devices"
