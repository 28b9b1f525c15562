"""`farola collect check`: an address, a name and the portal, as a client gets them."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import click

from farola.errors import DeviceError, SettingsError
from farola.output import json_option, print_json, print_table
from farola.settings import load_settings

if TYPE_CHECKING:
    from collectors.checks.run import Checked

NOTHING = (
    "nothing to check: set interface, dns_name or portal_url under [checks] in farola.toml; for "
    "access points also aps, or name a device"
)


@click.command()
@click.argument("device", nargs=-1)
@click.option(
    "--from", "place", type=click.Choice(["collector", "ap"]),
    help="Only from here: the collector's own machine, or access points over SSH.",
)  # fmt: skip
@json_option
def check(device: tuple[str, ...], place: str | None, as_json: bool) -> int:
    """Check address, name and portal as a client gets them, and store what came.

    Made from the collector and from the next access points in turn, as [checks] in farola.toml
    says; with DEVICE from those access points alone. A check that fails is a result; the exit code
    is 1 where one could not be made at all.
    """
    from collectors.checks.run import run_checks
    from inventory.db import open_inventory
    from timeseries.opening import open_store

    settings = load_settings()
    if device and place == "collector":
        raise SettingsError("DEVICE names access points: leave out --from collector")
    places = frozenset({place} if place else {"collector", "ap"})
    inventory = open_inventory(settings)
    try:
        store = open_store(settings)
        try:
            found = asyncio.run(
                run_checks(
                    settings, inventory, store, socket.gethostname(), ids=device, places=places
                )
            )
        finally:
            store.close()
    finally:
        inventory.close()
    if not any(one.results or one.problem for one in found):
        raise SettingsError(NOTHING)
    _show(found, as_json)
    if not any(one.results for one in found):
        raise DeviceError("no access point could be checked")
    whole = all(not one.problem and all(r.ok is not None for r in one.results) for one in found)
    return 0 if whole else 1


def _show(found: list[Checked], as_json: bool) -> None:
    if as_json:
        print_json({"checked": [
            {"device": one.device, "problem": one.problem,
             "results": [result.as_json() for result in one.results]}
            for one in found
        ]})  # fmt: skip
        return
    words = {True: "ok", False: "FAILED", None: "unknown"}
    print_table(
        "Checks",
        ["from", "check", "", "ms", "what came"],
        [
            [one.device, r.check, words[r.ok], "–" if r.ms is None else r.ms, r.reason]
            for one in found
            for r in one.results
        ],
        right=[3],
    )
    for one in found:
        if one.problem:
            click.echo(f"{one.device}: {one.problem}", err=True)
