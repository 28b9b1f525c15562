"""`farola store rollup`: make the hours and days that are due, or some again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from farola.errors import InputError, StoreError
from farola.output import json_option, note, print_json, progress
from farola.settings import load_settings
from farola.times import parse_instant, show_instant


@click.command()
@click.option(
    "--from", "start", metavar="TIME",
    help="Make all hours again that have rows of devices since then, in the city's time.",
)  # fmt: skip
@click.option("--to", "end", metavar="TIME", help="Until then.  [default: now]")
@click.option(
    "--in", "elsewhere", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Of a copy of the series in this folder, instead of the city's store.",
)  # fmt: skip
@json_option
def rollup(start: str | None, end: str | None, elsewhere: Path | None, as_json: bool) -> None:
    """Make the rollups that are due: hours that are over, and their days.

    A running collector does this by itself. What was forgotten of the raw rows keeps the rollups
    that it had.
    """
    from timeseries.keeper import open_keeper

    settings = load_settings()
    zone, now = settings.city.zone, datetime.now(UTC)
    until = min(now, parse_instant(end, zone, "--to")) if end else now
    if end and not start:
        raise InputError("--to says until when rollups are made again: give --from too")
    since = parse_instant(start, zone, "--from") if start else until
    if start and since >= until:
        raise InputError(
            f"the time from {show_instant(since, zone)} to {show_instant(until, zone)} is empty"
        )
    keeper = open_keeper(settings, elsewhere)
    try:
        marked = keeper.mark_again(since, until) if start else 0
        with progress("Making rollups", 100) as bar:
            shown = 0

            def advance(done: int, of: int) -> None:
                nonlocal shown
                if (share := 100 * done // of) > shown:
                    bar(share - shown)
                    shown = share

            kept = keeper.run_due(now, advance)
    finally:
        keeper.close()
    if kept is None:
        raise StoreError(
            "another process makes rollups of this city now: what is due is marked, it or the next "
            "one makes it; try again to wait for it"
        )
    if kept.forgot:
        note(kept.forgot)
    if start and not marked:
        between = f"from {show_instant(since, zone)} to {show_instant(until, zone)}"
        note(f"no device has a row {between}: there is nothing to make")
    if as_json:
        print_json({"marked": marked, **vars(kept)})
        return
    left = f"; {kept.left} stay as they were: raw rows of them are forgotten" if kept.left else ""
    click.echo(f"rollups made: hours {kept.hours}, days {kept.days}{left}")
