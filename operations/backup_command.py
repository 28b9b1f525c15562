"""`farola backup` and `farola restore`: all of a city in one file, and a home made from it."""

from __future__ import annotations

from pathlib import Path

import click

from farola.output import json_option, note, plain, print_json, progress
from farola.settings import default_home, load_settings


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def backup(file: Path, as_json: bool) -> None:
    """Write inventory, series, spool, settings and config history into FILE, a new tar file.

    Everything may run meanwhile. The key that secrets are encrypted with is never in it: back it up
    apart. Readable by its owner only.
    """
    from operations.backup import back_up

    settings = load_settings()
    with progress("Files", None) as advance:
        made = back_up(settings, file.absolute(), advance)
    if as_json:
        print_json({
            "file": str(file), "files": made.files, "bytes": made.bytes, "notes": made.notes,
            "left_out": made.left_out, "key_fingerprint": made.key_fingerprint,
        })  # fmt: skip
        return
    click.echo(f"{len(made.files):,} files, {made.bytes / 1e6:,.1f} MB in {plain(str(file))}")
    if made.key_fingerprint:
        click.echo(f"not in it: the key with the fingerprint {made.key_fingerprint}; keep it apart")
    if made.left_out:
        click.echo(plain(f"not in it: {', '.join(made.left_out)}"))
    if settings.store.kind == "influx":
        note(f"the rows on {settings.store.url} are not in it: back that server up by itself")
    for remark in made.notes:
        note(remark)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def restore(file: Path, as_json: bool) -> None:
    """Make the home FAROLA_HOME, which must be empty, from FILE that `farola backup` wrote.

    The file is read through first; nothing is written unless all of it is whole.
    """
    from operations.restoring import restore as make

    home = default_home()
    with progress("Files", None) as advance:
        done = make(file.absolute(), home, advance)
    if as_json:
        print_json({"home": str(home), **vars(done)})
        return
    click.echo(
        f"{plain(done.city)} as of {plain(done.made)}: {done.files:,} files, "
        f"{done.bytes / 1e6:,.1f} MB in {plain(str(home))}"
    )
    wanted = f"the key with the fingerprint {plain(done.key_fingerprint or '')}"
    if done.key == "there":
        click.echo(f"its secrets can be read: {wanted} is there ({done.key_file})")
    elif done.key == "missing":
        note(
            f"its secrets cannot be read yet: put {wanted} at {done.key_file}, mode 0600, or set "
            "FAROLA_KEY_FILE"
        )
    elif done.key == "another":
        note(
            f"its secrets cannot be read: {done.key_file} is another key, they need {wanted}; put "
            "that one there, or set FAROLA_KEY_FILE"
        )
    for remark in done.notes:
        note(f"when it was made: {remark}")
    click.echo("next: farola init brings it up to date, farola doctor and farola store check look")
