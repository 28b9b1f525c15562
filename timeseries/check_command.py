"""`farola store check`: is what was kept whole, and does it agree with itself?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING

import click

from farola.output import json_option, plain, print_json, progress
from farola.settings import Settings, load_settings

if TYPE_CHECKING:
    from timeseries.findings import Finding

HOURS = 24


@click.command()
@click.option(
    "--hours", default=HOURS, show_default=True, type=click.IntRange(0, 24 * 31),
    help="How many of the last closed hours to compare rollups and raw rows of.",
)  # fmt: skip
@json_option
@click.pass_context
def check(context: click.Context, hours: int, as_json: bool) -> None:
    """Look through the store: files whole, newest rows right, rollups equal to raw rows.

    Polls go on meanwhile. The exit code is 1 where something is not as it must be.
    """
    findings = list(_findings(load_settings(), hours))
    well = all(one.ok for one in findings)
    if as_json:
        print_json({"ok": well, "findings": [vars(one) for one in findings]})
    else:
        for one in findings:
            click.echo(plain(f"{'ok   ' if one.ok else 'FAULT'} {one.what}: {one.detail}"))
    context.exit(0 if well else 1)


def _findings(settings: Settings, hours: int) -> Iterator[Finding]:
    from timeseries import sqlite_check
    from timeseries.findings import Finding, rollups_agree
    from timeseries.keeper import GRACE_MS
    from timeseries.marks import Marks
    from timeseries.opening import open_store
    from timeseries.sqlite import SqliteStore
    from timeseries.windows import HOUR_MS, hours_between

    store = open_store(settings)
    marks = Marks(settings.home / "series", settings.city.zone)
    try:
        if isinstance(store, SqliteStore):
            yield from sqlite_check.strays(store)
            paths = sqlite_check.files(store)
            with progress("files", len(paths)) as advance:
                for path in paths:
                    yield sqlite_check.whole(path)
                    advance(1)
            yield from sqlite_check.latest_agrees(store)
        else:
            health = store.health()
            yield Finding("server", health.ok, health.detail)
            if not health.ok:
                return
        until = int(datetime.now(UTC).timestamp() * 1000) - GRACE_MS
        start = until - (hours + 1) * HOUR_MS
        every = hours_between(start, until, settings.city.zone)
        closed = list(takewhile(lambda hour: hour.end <= until, every))[-hours:] if hours else []
        with progress("hours", len(closed)) as advance:
            yield from rollups_agree(store, closed, marks.open, advance)
    finally:
        marks.close()
        store.close()
