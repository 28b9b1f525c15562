"""`farola device discovered`, `accept`, `ignore`, `uplink`: a person's word on what was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from collectors.discovery.acceptance import ROLES
from farola.errors import InputError
from farola.output import json_option, note, plain, print_json
from farola.settings import load_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@contextmanager
def _session() -> Iterator[Session]:
    from inventory.db import open_inventory

    inventory = open_inventory(load_settings())
    try:
        with inventory.session() as session:
            yield session
    finally:
        inventory.close()


@click.command()
@click.option(
    "--all", "everything", is_flag=True, help="Also what was accepted or ignored already."
)
@json_option
def discovered(everything: bool, as_json: bool) -> None:
    """List what searches found and controllers told of; `unknown` is what the inventory lacks."""
    from sqlalchemy import select

    from collectors.discovery.telling import print_proposals, proposal_json
    from inventory.models import Discovered

    query = select(Discovered).order_by(Discovered.status != "new", Discovered.key)
    if not everything:
        query = query.where(Discovered.status.in_(("new", "known")))
    with _session() as session:
        rows = [proposal_json(row) for row in session.scalars(query)]
    if as_json:
        print_json({"proposals": rows, "unknown": sum(one["unknown"] for one in rows)})
    else:
        print_proposals(rows)


@click.command()
@click.argument("keys", metavar="KEY…", nargs=-1)
@click.option("--all-new", is_flag=True, help="All proposals that the inventory lacks.")
@click.option("--site", "site_id", metavar="ID", help="The site where they stand.")
@click.option("--role", type=click.Choice(ROLES), help="Their role, instead of the proposed one.")
@click.option("--credential", metavar="NAME", help="Their credential, instead of the one tried.")
@click.option(
    "--move", is_flag=True, help="Set the address and port of KEY's device to where it was found."
)
@json_option
def accept(
    *, keys: tuple[str, ...], all_new: bool, site_id: str | None, role: str | None,
    credential: str | None, move: bool, as_json: bool,
) -> None:  # fmt: skip
    """Take the proposals KEY into the inventory. One that is a device already is completed with
    what the inventory lacks of it; done twice it changes nothing. Its address is kept, unless
    --move is given.
    """
    from collectors.discovery.acceptance import accept as take
    from collectors.discovery.acceptance import chosen, found_elsewhere, sharing_engine
    from collectors.discovery.telling import NAMED

    if bool(keys) == all_new:
        raise InputError("say which proposals: their keys, or --all-new (one of them)")
    if move and all_new:
        raise InputError("--move is for devices that the inventory has: name their keys")
    with _session() as session:
        rows = chosen(session, keys, all_new)
        done = take(session, rows, site_id=site_id, role=role, credential=credential, move=move)
        elsewhere = found_elsewhere(session, rows)
        shared = sharing_engine(session, [one.key for one in done if one.what == "new"])
        locked = [row.key for row in rows if row.detail.get("credential_needed")]
    if locked and credential is None:
        note(
            f"found with a community that no credential holds: {len(locked)}; store it with "
            "`farola device credential NAME --field snmp_community`, and accept with --credential"
        )
    if elsewhere:
        said = [f"{row.key} ({at})" for row, at in elsewhere[:NAMED]]
        note(
            f"the inventory keeps the address that it has: {', '.join(said)}; if the device moved "
            "to where it was found, `farola device accept KEY --move` takes the new one"
        )
    if shared:
        pairs = [f"{one} and {other}" for one, other in list(shared.items())[:NAMED]]
        note(
            f"one device with several addresses, by their engine id? {', '.join(pairs)}"
            + (" …" if len(shared) > NAMED else "")
        )
    if as_json:
        print_json(
            {
                "accepted": [
                    {"key": one.key, "device_id": one.device_id, "what": one.what} for one in done
                ],
                "new": sum(one.what == "new" for one in done),
            }
        )
        return
    for one in done:
        click.echo(plain(f"{one.key}: {one.device_id}, {one.what}"))
    if not done:
        click.echo("nothing new to accept")


@click.command()
@click.argument("keys", metavar="KEY…", nargs=-1, required=True)
@json_option
def ignore(keys: tuple[str, ...], as_json: bool) -> None:
    """Never propose KEY again; `farola device accept KEY` takes that back."""
    from collectors.discovery.acceptance import chosen
    from collectors.discovery.acceptance import ignore as pass_over

    with _session() as session:
        ignored = pass_over(session, chosen(session, keys, all_new=False))
    if as_json:
        print_json({"ignored": ignored})
    else:
        click.echo(f"ignored: {plain(', '.join(ignored)) or 'nothing new'}")


@click.command()
@click.argument("device")
@click.argument("switch", required=False)
@click.argument("port", required=False)
@click.option("--remove", is_flag=True, help="Forget what DEVICE hangs on.")
@json_option
def uplink(device: str, switch: str | None, port: str | None, remove: bool, as_json: bool) -> None:
    """Say that DEVICE hangs on PORT of SWITCH; LLDP does not overwrite it. Without SWITCH, show
    what it hangs on, the nearest first.
    """
    from collectors.discovery.telling import instant
    from inventory import uplinks

    if remove and switch:
        raise InputError("give SWITCH or --remove, not both")
    with _session() as session:
        changed = False
        if remove:
            changed = uplinks.remove(session, device)
        elif switch:
            changed = uplinks.set_by_hand(session, device, switch, port or "")
        known = uplinks.upstream_of(session)
        uplinks.check_device(session, device)
    own = known.get(device)
    path = uplinks.path_up(known, device)
    if as_json:
        said = {"upstream": own.upstream_id, "port": own.upstream_port, "source": own.source,
                "seen_at": instant(own.seen_at)} if own else None  # fmt: skip
        print_json({"device": device, "uplink": said, "path": path, "changed": changed})
        return
    if own is None:
        click.echo(plain(f"{device}: nobody said what it hangs on"))
        return
    place = (
        f"port {own.upstream_port} of {own.upstream_id}" if own.upstream_port else (own.upstream_id)
    )
    above = f", behind {', '.join(path[1:])}" if path[1:] else ""
    click.echo(plain(f"{device}: {place} ({own.source}){above}"))
