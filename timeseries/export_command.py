"""`farola store export`: rows of a measurement as a CSV file, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from farola.errors import InputError
from farola.files import written_whole
from farola.output import json_option, note, print_json, progress
from farola.settings import load_settings
from farola.times import parse_instant, show_instant

NEW_FILE_MODE = 0o644


@click.command()
@click.argument("measurement")
@click.argument(
    "file", required=False, type=click.Path(dir_okay=False, writable=True, path_type=Path)
)
@click.option("--from", "start", required=True, metavar="TIME", help="Since then, in city time.")
@click.option("--to", "end", metavar="TIME", help="Until then.  [default: now]")
@click.option(
    "--where", "conditions", multiple=True, metavar="TAG=VALUE", help="Rows with that tag alone."
)
@click.option("--field", "fields", multiple=True, help="This field alone; may be repeated.")
@click.option("--overwrite", is_flag=True, help="FILE may be there already: replace what it holds.")
@json_option
def export(
    *, measurement: str, file: Path | None, start: str, end: str | None,
    conditions: tuple[str, ...], fields: tuple[str, ...], overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write the rows of MEASUREMENT into FILE as CSV, or to the terminal.

    A file is there whole or not at all; one that is there already is left alone, unless you say
    --overwrite. A FIFO or a device is written to as the rows are read.

    Times are UTC, as 2026-11-01T08:30:00Z. A text that a spreadsheet would take for a formula gets
    an apostrophe before it.
    """
    from timeseries.checking import checked_query
    from timeseries.exporting import header, lines
    from timeseries.opening import open_store

    settings = load_settings()
    zone, now = settings.city.zone, datetime.now(UTC)
    since = parse_instant(start, zone, "--from")
    until = parse_instant(end, zone, "--to") if end else now
    if since >= until:
        shown = show_instant(since, zone), show_instant(until, zone)
        raise InputError(f"the time from {shown[0]} to {shown[1]} is empty")
    if as_json and file is None:
        raise click.UsageError("--json tells how many rows went into a file: name one")
    pairs = [_pair(text) for text in conditions]
    shape, names, where = checked_query(measurement, fields, dict(pairs))
    if len(where) < len(pairs):
        raise InputError("--where names a tag twice: a row has one value of it")

    store = open_store(settings)
    with closing(store), progress("hours", int((until - since).total_seconds() // 3600)) as bar:
        rows = lines(store, shape, fields=names, where=where, start=since, end=until, advance=bar)
        if file is None:
            write_rows(sys.stdout, [header(shape, names)], rows)
            return
        try:
            with _to_write(file, overwrite=overwrite) as out:
                text = TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
                count = write_rows(text, [header(shape, names)], rows)
                text.detach()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise InputError(f"{file} cannot be written: {error.strerror}; mend that") from None
    if as_json:
        print_json({"measurement": measurement, "rows": count, "file": str(file)})
    else:
        note(f"{count:,} rows in {file}")


@contextmanager
def _to_write(file: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """`file`, or what it is a link to, to be written whole with the mode that it had; what is no
    regular file is written to as it is. InputError where it is there and stays; raises OSError.
    """
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG | NEW_FILE_MODE
    else:
        if not stat.S_ISREG(mode):
            with file.open("wb") as out:
                yield out
            return
        if not overwrite:
            raise InputError(f"{file} is there already: name another file, or add --overwrite")
    with written_whole(file.resolve(), stat.S_IMODE(mode)) as out:
        yield out


def write_rows(out: TextIO, first: Sequence[list[str]], rows: Iterable[list[str]]) -> int:
    """Write the header `first` and `rows` as CSV; how many rows they were."""
    plain = csv.writer(out, lineterminator="\n")
    # The module leaves a carriage return alone, at which every reader ends a line.
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    count = -len(first)
    for row in chain(first, rows):
        writer = quoted if any("\r" in text for text in row) else plain
        writer.writerow(row)
        count += 1
    return count


def _pair(text: str) -> tuple[str, str]:
    tag, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--where {text!r}: write it as TAG=VALUE, such as device=ap-1")
    return tag, value
