"""`farola provision firmware` and `farola provision reboot`: changes that restart devices."""

from __future__ import annotations

from pathlib import Path

import click

from farola.output import json_option, note, print_json, progress
from farola.people import person
from farola.settings import load_settings
from provisioning.turn.upgrades import Image


@click.command()
@click.argument("image", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--sha256", "digest", required=True, help="The image's hash, as its maker tells it.")
@click.option("--version", default="",
              help="What a device tells once it runs it: `23.05.5 r24106-10cc5fcd00`.")  # fmt: skip
@click.option("--device", "devices", multiple=True, help="Id of a device; may be repeated.")
@click.option("--site", help="All devices at this site.")
@click.option("--all", "everything", is_flag=True, help="All devices with an address.")
@click.option("--reason", default="", help="Why, for the record.")
@json_option
def firmware(
    image: Path, *, digest: str, version: str, devices: tuple[str, ...], site: str | None,
    everything: bool, reason: str, as_json: bool,
) -> None:  # fmt: skip
    """Freeze a change that brings devices to the firmware IMAGE; `push` rolls it out in waves.

    The image is kept under its hash. Each device must take it with `sysupgrade -T` before anything
    is written, and must come back with the new version and its config. There is no way back by
    itself: the canary is the way to find out.
    """
    from provisioning.turn.upgrades import keep_image

    kept = keep_image(load_settings().home, image, digest, version)
    _prepare(kept, devices, site, everything=everything, reason=reason, as_json=as_json)


@click.command()
@click.option("--device", "devices", multiple=True, help="Id of a device; may be repeated.")
@click.option("--site", help="All devices at this site.")
@click.option("--all", "everything", is_flag=True, help="All devices with an address.")
@click.option("--reason", default="", help="Why, for the record.")
@json_option
def reboot(
    devices: tuple[str, ...], *, site: str | None, everything: bool, reason: str, as_json: bool
) -> None:
    """Freeze a change that reboots devices; `push` rolls it out in waves."""
    _prepare(None, devices, site, everything=everything, reason=reason, as_json=as_json)


def _prepare(
    image: Image | None, devices: tuple[str, ...], site: str | None, *, everything: bool,
    reason: str, as_json: bool,
) -> None:  # fmt: skip
    from inventory.db import open_inventory
    from provisioning.platforms.choosing import choose
    from provisioning.turn.upgrades import prepare_restart

    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        chosen = choose(session, devices, site, everything)
    with progress("Asking devices", len(chosen)) as done:
        change = prepare_restart(
            inventory, chosen, image, author=person(), reason=reason, done=done
        )
    inventory.close()
    if as_json:
        print_json({
            "change": change.id, "kind": change.kind,
            "devices": [
                {"device": one.device_id, "status": one.status, "why": one.message,
                 "diff": one.diff} for one in change.devices
            ],
        })  # fmt: skip
    else:
        waiting = len(change.of("pending"))
        click.echo(f"Change {change.id} ({change.kind}): {waiting} to push, "
                   f"{len(change.of('unchanged'))} unchanged")  # fmt: skip
        if waiting:
            note(f"Push it with: farola provision push {change.id}")
    for one in change.of("unreachable"):
        note(f"farola: {one.device_id}: left out: {one.message}")
    if change.of("unreachable"):
        click.get_current_context().exit(1)
