"""`farola store`: make the place where time series go."""

from __future__ import annotations

import click

from farola.errors import StoreError
from farola.output import json_option, print_json
from farola.settings import load_settings


@click.command()
@json_option
def prepare(as_json: bool) -> None:
    """Make the database that [store] bucket names on the InfluxDB server, and try it.

    Run again it changes nothing. SQLite needs no preparing.
    """
    from timeseries.opening import open_store, stored_token

    settings = load_settings()
    done = ""
    if settings.store.kind == "influx":
        from timeseries import influx

        done = influx.prepare(settings, stored_token(settings))
    store = open_store(settings)
    try:
        health = store.health()
    finally:
        store.close()
    if not health.ok:
        raise StoreError(health.detail)
    if as_json:
        print_json({"ok": health.ok, "kind": health.kind, "detail": health.detail, "done": done})
        return
    click.echo(done or health.detail)
