"""What every command shares: `--json`, tables, and progress bars that keep stdout clean."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
LOST_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def json_option(command: F) -> F:
    """Add `--json`: stdout then holds JSON only."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")(
        command
    )


def plain(text: str) -> str:
    """`text` on one line, safe for a terminal: what does not print (control characters, terminal
    escapes, marks that turn the direction of text, odd spaces, lone surrogates) is written as an
    escape, such as \\u001b. Names come from files, devices and the air, where anyone writes them.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
        for c in text
    )


def print_json(data: Any) -> None:
    """Print `data` as JSON, text unescaped but for lone surrogates, which UTF-8 cannot hold."""
    text = json.dumps(data, ensure_ascii=False, indent=2, default=str)
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def note(message: str) -> None:
    """Say something to the person at the terminal: on stderr, so that stdout stays data."""
    click.echo(plain(message), err=True)


def named(ids: Sequence[str], most: int) -> str:
    """The first `most` of `ids` in a line, and how many more there are."""
    more = len(ids) - most
    return ", ".join(ids[:most]) + (f" and {more:,} more" if more > 0 else "")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[int] = ()
) -> None:
    """Print a table, every text as `plain` and whole; `right` are the indices of columns to align
    right (numbers).
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(plain(title), style="table.title"), title_justify="left", header_style="bold"
    )
    for index, column in enumerate(columns):
        # A long word goes on in the next line: a name that is cut short is another name.
        table.add_column(
            Text(plain(column)), justify="right" if index in right else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(plain(str(cell))) for cell in row))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def flush_output(after: OSError | None = None) -> str:
    """Write what is still to be printed on stdout. Why that cannot be, in a line; empty if it is
    written. `after` is what stopped a command: empty where stdout had no part in it.

    Raises BrokenPipeError where the reader went away, as `head` does.
    """
    try:
        if after and after.filename is None and after.errno in LOST_OUTPUT:
            # Some of Python's layers forget what they could not write: only another try tells.
            sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as error:
        # The interpreter flushes once more as it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        if isinstance(error, BrokenPipeError):
            raise
        return f"the output cannot be written: {error.strerror}; send it elsewhere, or make room"
    return ""


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr when it is a terminal; yields a function that advances it by n."""
    if not sys.stderr.isatty():
        yield lambda _n: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Elapsed(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(description, total=total)
        yield lambda n: bar.advance(task, n)
