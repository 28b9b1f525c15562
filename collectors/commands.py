"""`farola collect`: poll the access points once, or at an interval, and receive their traps."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from farola.errors import InputError
from farola.options import NumberRange
from farola.output import json_option, named, note, print_json
from farola.settings import load_settings

if TYPE_CHECKING:
    from collectors.poll import Refused, Summary
    from collectors.snmp.traps import TrapCounts


_NAME = re.compile(r"[\w.-]{1,60}")
NAMED = 20
"""So many devices are named in a line."""


def _listen_address(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[str, int] | None:
    if value is None:
        return None
    from collectors.snmp.addresses import split_host_port

    return split_host_port(value, 162)


def _metrics_address(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[str, int] | None:
    if value is None:
        return None
    from collectors.snmp.addresses import split_host_port

    port_alone = value.removeprefix(":")
    if port_alone.isascii() and port_alone.isdigit():
        value = f"127.0.0.1:{port_alone}"
    return split_host_port(value, METRICS_PORT)


REASONS = 5
"""So many reasons are told in a line."""
METRICS_PORT = 9161
metrics_option = click.option(
    "--metrics",
    metavar="HOST:PORT",
    callback=_metrics_address,
    help="Serve the collector's own health for Prometheus there (PORT alone: on 127.0.0.1).",
)
traps_option = click.option(
    "--traps",
    metavar="HOST:PORT",
    callback=_listen_address,
    help="Also receive traps and informs there (162 is the usual port and needs root).",
)


@click.command()
@traps_option
@click.option(
    "--linger",
    "linger_s",
    type=NumberRange(0, 3600),
    default=0.0,
    help="Seconds to go on listening for traps after the poll.",
)
@json_option
def once(traps: tuple[str, int] | None, linger_s: float, as_json: bool) -> None:
    """Poll every live device that has a management address, once.

    Devices that do not answer are named and do not fail the command; a store that cannot be
    written does.
    """
    from collectors.service import collect_once

    settings = load_settings()
    summary, counts = asyncio.run(collect_once(settings, traps, linger_s))
    _note_odd(summary, set())
    if as_json:
        print_json(summary.as_json() | ({"traps": counts.as_json()} if counts else {}))
        return
    click.echo(_line(summary))
    refusing = {one.device for one in summary.refused}
    if silent := [device for device in summary.not_answered if device not in refusing]:
        click.echo(f"no answer: {named(silent, NAMED)}")
    if summary.slowest:
        slow = (f"{one.device} {one.took_s:.2f} s" for one in summary.slowest)
        click.echo(f"slowest: {', '.join(slow)}")
    if counts:
        click.echo(_trap_line(counts))


@click.command()
@click.option(
    "--interval",
    "interval_s",
    type=NumberRange(1, 86_400),
    default=60.0,
    show_default=True,
    help="Seconds from the start of one poll to the start of the next.",
)
@click.option("--count", type=click.IntRange(1), help="Stop after so many polls.")
@traps_option
@metrics_option
@click.option(
    "--name", default="", help="Name of this collector in the series.  [default: the host's name]"
)
def run(
    interval_s: float,
    count: int | None,
    traps: tuple[str, int] | None,
    metrics: tuple[str, int] | None,
    name: str,
) -> None:
    """Poll at a fixed rate until stopped (SIGTERM, Ctrl-C): the poll under way is still written.

    Of several collectors of a city one polls, the others stand by. The inventory is looked at
    again before each poll, the settings on SIGHUP. Each poll prints one line.
    """
    from collectors.service import Plan, collect_run

    settings = load_settings()

    told: set[str] = set()

    def report(summary: Summary) -> None:
        note(_line(summary))
        _note_odd(summary, told)

    if name and not _NAME.fullmatch(name):
        raise InputError(
            f"--name {name!r}: a collector's name has up to 60 letters, digits, dots, dashes"
        )
    plan = Plan(interval_s, count, traps, metrics, name)
    counts = asyncio.run(collect_run(settings, plan, report))
    if counts:
        note(_trap_line(counts))


def _line(summary: Summary) -> str:
    parts = [
        f"{summary.answered} of {summary.devices} devices answered",
        f"{summary.points} points",
        f"{summary.duration_s:.1f} s",
        f"{summary.cpu_s:.2f} s of CPU",
    ]
    for count, text in (
        (summary.skipped, "skipped"), (len(summary.down), "down"),
        (len(summary.maintenance), "down in maintenance"),
        (summary.late, "poll late" if summary.late == 1 else "polls late"),
        (summary.spooled, "rows wait for the store's server"),
    ):  # fmt: skip
        if count:
            parts.append(f"{count} {text}")
    return ", ".join(parts)


def _note_odd(summary: Summary, told: set[str]) -> None:
    """Name those whose rows lack something, those that answered from elsewhere, and controllers'
    access points that nobody knows; each line is said when it changes.
    """
    lines = []
    if summary.partial:
        lines.append(
            f"answered only in part: {named(summary.partial, NAMED)}; "
            "`farola snmp probe` tells what is missing"
        )
    if summary.refused:
        lines.append(_refusals(summary.refused))
    if summary.other_address:
        lines.append(
            f"answered from an address that is not theirs, so not believed: "
            f"{named(summary.other_address, NAMED)}"
        )
    if summary.unknown_access_points:
        lines.append(
            f"{len(summary.unknown_access_points):,} access points of controllers are not in the "
            "inventory; `farola device discovered` lists them"
        )
    if summary.kernel_drops:
        lines.append(
            f"the kernel dropped {summary.kernel_drops:,} replies: `farola doctor` tells how to "
            "give it room"
        )
    for line in lines:
        if line not in told:
            note(line)
    told.clear()
    told.update(lines)


def _refusals(refused: Sequence[Refused]) -> str:
    """Who lives and tells us nothing, by the reason they give, the commonest first."""
    by_reason: dict[str, list[str]] = {}
    for one in refused:
        by_reason.setdefault(one.reason or "no reason told", []).append(one.device)
    reasons = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    told = "; ".join(f"{reason}: {named(ids, NAMED)}" for reason, ids in reasons[:REASONS])
    more = sum(len(ids) for _, ids in reasons[REASONS:])
    rest = f"; {more:,} for other reasons" if more else ""
    who = "1 device lives but refuses" if len(refused) == 1 else f"{len(refused):,} live but refuse"
    return f"{who} to tell us anything: {told}{rest}"


def _trap_line(counts: TrapCounts) -> str:
    return "traps: " + ", ".join(f"{value} {name}" for name, value in counts.as_json().items())
