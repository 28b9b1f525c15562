"""`farola store quarantine`: the rows that a server refused, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from farola.errors import InputError
from farola.output import json_option, print_json, print_table
from farola.settings import load_settings
from farola.times import iso, show_instant
from timeseries.lines import CHUNK_LINES
from timeseries.read_lines import measurement_of

if TYPE_CHECKING:
    from timeseries.spool import Spool
    from timeseries.spool_file import Quarantined

MOST_CHARACTERS = 200
"""Of a line, in a table; `--json` has all."""


@click.command()
@click.option(
    "--most", type=click.IntRange(1, 100_000), default=20, show_default=True,
    help="Show so many lines, the newest first.",
)  # fmt: skip
@click.option(
    "--retry", is_flag=True, help="Send all of them again: what they were refused for is mended."
)
@click.option("--forget", is_flag=True, help="Delete all of them for good.")
@click.option(
    "--set-aside",
    is_flag=True,
    help="Of the rows that wait, have those refused put here, even where they are most of a batch.",
)
@click.option(
    "--losses-known",
    is_flag=True,
    help="You know of the rows that were lost: status and doctor tell only of later ones.",
)
@json_option
def quarantine(most: int, as_json: bool, **does: bool) -> None:
    """List the rows that the InfluxDB server refused, each with its reason.

    With --retry they wait to be sent again, by the collector or the next command that writes.
    """
    from timeseries.opening import open_spool
    from timeseries.sender import counted

    if sum(does.values()) > 1:
        raise InputError("--retry, --forget, --set-aside or --losses-known: not two of them")
    retry, forget = does["retry"], does["forget"]
    settings = load_settings()
    spool = open_spool(settings)
    try:
        count = spool.backlog().quarantined
        found = spool.quarantined(most)
        if retry:
            send_again(spool)
        elif forget:
            spool.forget_quarantined()
        waiting = spool.set_aside() if does["set_aside"] else 0
        losses = spool.acknowledge_losses() if does["losses_known"] else 0
    finally:
        spool.close()
    said = "wait to be sent again" if retry else "forgotten" if forget else "in quarantine"
    if as_json:
        print_json(
            {
                "quarantined": 0 if retry or forget else count,
                "retried": count if retry else 0,
                "forgotten": count if forget else 0,
                "set_aside_of": waiting,
                "losses_known": losses,
                "lines": [_as_json(one) for one in found],
            }
        )
        return
    if does["set_aside"] or does["losses_known"]:
        said = (
            "that waited: those the server refuses will be put here"
            if does["set_aside"]
            else "lost: told no more"
        )
        click.echo(f"{counted(waiting or losses)} {said}")
        return
    if found and not retry and not forget:
        rows = [
            (show_instant(_at(one), settings.city.zone), _short(one.line), one.reason)
            for one in found
        ]
        print_table("Refused by the server", ("when", "row", "why"), rows)
    click.echo(f"{count:,} {'row' if count == 1 else 'rows'} {said}")


def send_again(spool: Spool) -> None:
    """Spool every quarantined line once more, the oldest first; a kill meanwhile loses none. Those
    that are refused again by then stay.
    """
    from timeseries.spooled import pack

    last = max((one.id for one in spool.quarantined(1)), default=0)
    while some := [
        one for one in spool.quarantined(CHUNK_LINES, newest_first=False) if one.id <= last
    ]:
        spool.add([pack([one.line for one in some], [_stamp(one) for one in some])])
        spool.forget_quarantined([one.id for one in some])


def _stamp(one: Quarantined) -> tuple[str, int]:
    return measurement_of(one.line), int(one.line.rpartition(" ")[2])


def _at(one: Quarantined) -> datetime:
    return datetime.fromtimestamp(one.at_ms / 1000, UTC)


def _short(line: str) -> str:
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"


def _as_json(one: Quarantined) -> dict[str, object]:
    return {
        "at": iso(_at(one)),
        "measurement": one.measurement,
        "line": one.line,
        "reason": one.reason,
    }
