"""`farola store copy`: move a city's series to another store."""

from __future__ import annotations

import shlex
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from farola.errors import InputError, StoreError
from farola.output import json_option, note, print_json, print_table, progress
from farola.settings import load_settings

if TYPE_CHECKING:
    from timeseries.copy_places import Place
    from timeseries.copying import Report, Tally

SERIES = "Where the rows {}: city (the store of farola.toml), sqlite (the home's own files), "
SERIES += "sqlite:FOLDER, or influx."


@click.command()
@click.option("--to", "destination", required=True, metavar="STORE", help=SERIES.format("go"))
@click.option(
    "--from", "source", default="city", show_default=True, metavar="STORE",
    help=SERIES.format("are"),
)  # fmt: skip
@click.option("--influx", "url", metavar="URL", help="`influx` is this server.  [default: [store]]")
@click.option("--influx-api", "api", type=click.Choice(["v1", "v2"]), help="v2 unless ≤ 1.6.")
@click.option("--influx-bucket", "bucket", help="Bucket, or database/retention policy.")
@click.option("--influx-rollup-bucket", "rollup_bucket", help="The same for rollups.")
@click.option("--influx-org", "org", help="Organisation, on InfluxDB 2.")
@click.option(
    "--influx-auth", "auth", type=click.Choice(["token", "basic", "bearer"]), help="How to sign in."
)
@click.option("--influx-credential", "credential", help="Stored credential to sign in with.")
@click.option(
    "--influx-ca-file", "ca_file", type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    help="Certificates (PEM) that sign the server's.",
)  # fmt: skip
@click.option(
    "--only", multiple=True, metavar="MEASUREMENT", help="Copy this one alone; may be repeated."
)
@json_option
@click.pass_context
def copy(
    context: click.Context, /, *, destination: str, source: str, url: str | None,
    only: tuple[str, ...], as_json: bool, **server: str | None,
) -> None:  # fmt: skip
    """Copy all rows and rollups to another store, and read them again from both.

    Polls may go on meanwhile. What is there already stays and is not written again; a copy that was
    cut off goes on where it was. The exit code is 1 where the other store lacks a row afterwards
    that is not too old for it.
    """
    from timeseries.base import SCHEMA
    from timeseries.checking import measurement_named
    from timeseries.copy_places import place
    from timeseries.copying import Copy
    from timeseries.opening import open_spool
    from timeseries.sqlite import SqliteStore
    from timeseries.sqlite_files import nearest_folder

    settings = load_settings()
    chosen = [measurement_named(name).name for name in dict.fromkeys(only)] or list(SCHEMA)
    given = {key: value for key, value in (server | {"url": url}).items() if value is not None}
    if given and "influx" not in (source, destination):
        raise click.UsageError("--influx… options are for `--to influx` or `--from influx`")
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    with ExitStack() as held:
        _check_names(source, destination)
        ends = place(source, settings, given), place(destination, settings, given)
        for end in ends:
            held.enter_context(closing(end.store))
            if isinstance(end.store, SqliteStore):
                nearest_folder(end.store.folder)
        _check_source(ends[0])
        bar = lambda days: held.enter_context(progress("Copying days", days))  # noqa: E731
        report = Copy(*ends, settings.city.zone, now_ms).run(chosen, bar)
    # What waits is on no server yet.
    waiting = open_spool(settings).backlog().rows if ends[0].name.startswith("influx") else 0
    if as_json:
        print_json(_data(report, ends[0].name, ends[1].name) | {"waiting": waiting})
    else:
        _show(report, ends[0].name, ends[1].name)
        if report.marked_hours:
            is_city = ends[1].identity == place("city", settings, {}).identity
            note(_to_roll_up(report.marked_hours, ends[1], is_city=is_city))
    if waiting:
        note(
            f"{waiting:,} rows wait in the spool for the city's server: copy again when it has them"
        )
    context.exit(0 if report.ok else 1)


def _check_names(*names: str) -> None:
    if any(name.strip() == "sqlite:" for name in names):
        raise InputError("'sqlite:' names no folder: write sqlite:FOLDER, or sqlite for the home's")


def _check_source(source: Place) -> None:
    """StoreError where there is nothing to copy from."""
    from timeseries.sqlite import SqliteStore
    from timeseries.sqlite_files import ROLLUPS

    if not isinstance(source.store, SqliteStore):
        return
    folder = source.store.folder
    if not folder.exists():
        raise StoreError(f"{folder} does not exist: name the folder that the series are in")
    if not source.store.days() and not (folder / ROLLUPS).exists():
        raise StoreError(f"{folder} holds no series: name the folder that they are in")


def _data(report: Report, source: str, to: str) -> dict[str, Any]:
    until = datetime.fromtimestamp(report.until_ms / 1000, UTC)
    return {
        "ok": report.ok, "from": source, "to": to, "until": until.isoformat(),
        "days": report.days, "resumed": report.resumed, "changed": report.changed,
        "marked_hours": report.marked_hours,
        "measurements": [
            {
                "measurement": name, "rows": one.source.rows, "written": one.written,
                "there": one.there.rows, "lacking": one.lacking, "equal": one.equal,
                "checksum": one.source.shown, "checksum_there": one.there.shown,
                "more_there": one.extra, "too_old": one.expired,
                "refused": one.refused, "reason": one.reason,
            }
            for name, one in report.measurements.items()
        ],
    }  # fmt: skip


def _to_roll_up(hours: int, to: Place, *, is_city: bool) -> str:
    """What is still to be done there, as a command that does it there."""
    told = f"{hours:,} hours are to be rolled up there: "
    kind, _, folder = to.name.partition(":")
    if is_city:
        return told + "farola store rollup"
    if kind == "sqlite":
        return f"{told}farola store rollup --in {shlex.quote(folder)}"
    return f"{told}farola store rollup, once farola.toml names that store"


def _verdict(one: Tally) -> str:
    if one.equal:
        return "equal"
    return "too old" if one.lacking == one.expired > 0 else "DIFFERS"


def _show(report: Report, source: str, to: str) -> None:
    print_table(
        f"{source} → {to}",
        ("measurement", "rows", "written", "there", "checksum", "checksum there", "", "more there"),
        [
            (
                name, f"{one.source.rows:,}", f"{one.written:,}", f"{one.there.rows:,}",
                one.source.shown[:12], one.there.shown[:12], _verdict(one),
                f"{one.extra:,}" if one.extra else "",
            )
            for name, one in report.measurements.items()
            if one.source.rows
        ],
        right=(1, 2, 3, 7),
    )  # fmt: skip
    for name, one in report.measurements.items():
        if one.expired:
            note(f"{name}: {one.expired:,} rows are older than {to} keeps rows")
        if one.refused:
            note(f"{name}: {one.refused:,} rows were refused: {one.reason}")
        elif one.lacking > one.expired:
            note(f"{name}: not all is there: it was written to while it was copied; run it again")
    if report.changed:
        note(f"written to meanwhile, and copied again: {', '.join(report.changed)}")
    if report.resumed:
        note(f"{report.resumed:,} days of them were copied by the run before, which was cut off")
    until = datetime.fromtimestamp(report.until_ms / 1000, UTC)
    click.echo(f"copied until {until:%Y-%m-%d %H:%M:%S} UTC; rows after that come with another run")
