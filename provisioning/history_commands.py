"""`farola provision fetch` and `farola provision history`: what devices run, and what they ran."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import click

from farola.errors import ProvisioningError
from farola.output import json_option, note, print_json, print_table, progress
from farola.settings import load_settings


@click.command()
@click.argument("devices", nargs=-1)
@click.option("--site", help="All devices at this site.")
@click.option("--all", "everything", is_flag=True, help="All devices with an address.")
@json_option
def fetch(devices: tuple[str, ...], site: str | None, everything: bool, as_json: bool) -> None:
    """Fetch the config of DEVICES and keep it, encrypted, where it differs from the last.

    Exits 1 if a device could not be fetched from; the others are kept all the same.
    """
    from farola.keys import Keyring
    from inventory import events
    from inventory.db import open_inventory
    from inventory.models import utcnow
    from provisioning import fetch as fetching
    from provisioning.commands import person
    from provisioning.devices import choose, credentials, for_each
    from provisioning.history import History

    settings = load_settings()
    history = History(settings.home, Keyring(settings.home))
    inventory = open_inventory(settings)
    with inventory.session() as session:
        chosen = choose(session, devices, site, everything)
        secrets = credentials(session, chosen, history.keyring)
    with progress("Fetching", len(chosen)) as done:
        found = list(
            for_each(
                chosen,
                lambda one: fetching.fetch(one, secrets.get(one.credential_name or ""), history),
                done,
            )
        )
    found.sort(key=lambda one: str(one.device_id))
    with inventory.session() as session:
        found = [fetching.explain(session, one, history, utcnow()) for one in found]
        for one in found:
            if one.outcome in {"changed", "recorded"}:
                events.record(
                    session, f"config.{one.outcome}", fetching.in_words(one),
                    device_id=one.device_id, actor=person(), detail=fetching.in_detail(one),
                )  # fmt: skip
    inventory.close()
    failed = [one for one in found if one.outcome in {"unreachable", "refused"}]
    if as_json:
        print_json({
            "fetched": len(found) - len(failed),
            "changed": [
                {"device": one.device_id, "diff": one.diff, "change": one.change}
                for one in found if one.outcome == "changed"
            ],
            "recorded": [one.device_id for one in found if one.outcome == "recorded"],
            "failed": [{"device": one.device_id, "why": one.message} for one in failed],
        })  # fmt: skip
    else:
        for one in found:
            if one.outcome == "changed":
                click.echo(f"{one.device_id}: {fetching.in_words(one)}\n{one.diff}\n")
        counts = {name: sum(one.outcome == name for one in found)
                  for name in ("recorded", "changed", "unchanged")}  # fmt: skip
        click.echo(", ".join(f"{count} {name}" for name, count in counts.items())
                   + f", {len(failed)} failed")  # fmt: skip
    for one in failed:
        note(f"farola: {one.device_id}: {one.message}")
    if failed:
        click.get_current_context().exit(1)


@click.command()
@click.argument("device")
@click.option("--diff", "which", metavar="VERSION", help="What that version changed; or `last`.")
@json_option
def history(device: str, which: str | None, as_json: bool) -> None:
    """List the configs that DEVICE ran, as they were fetched; secrets are never shown.

    VERSION is a version's mark as the list prints it, or the first characters of it.
    """
    from farola.keys import Keyring
    from napalm_openwrt.uci_merge import diff
    from napalm_openwrt.uci_text import parse
    from provisioning.history import History
    from provisioning.prepare import printable

    settings = load_settings()
    kept = History(settings.home, Keyring(settings.home))
    versions = kept.versions(device)
    if not versions:
        raise ProvisioningError(
            f"no config of {device!r} is kept: fetch it with `farola provision fetch {device}`"
        )
    rows: list[dict[str, Any]] = [
        {"version": v.mark, "at": v.at.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")}
        for v in versions
    ]
    if which is None:
        if as_json:
            print_json({"device": device, "versions": rows})
            return
        zone = settings.city.zone
        print_table(f"Configs of {device}", ("version", "fetched first"), [
            (v.mark, v.at.replace(tzinfo=UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z"))
            for v in versions
        ])  # fmt: skip
        return
    index = _index([v.mark for v in versions], which, device)
    before = parse(kept.text(versions[index - 1])) if index else {}
    shown = printable(diff(before, parse(kept.text(versions[index])), mask_secrets=True,
                           names=("before", "after")))  # fmt: skip
    if as_json:
        print_json({"device": device, **rows[index], "diff": shown})
    else:
        click.echo(shown)


def _index(marks: list[str], which: str, device: str) -> int:
    """The version meant; the newest of those that begin so."""
    if which == "last":
        return len(marks) - 1
    found = [index for index, mark in enumerate(marks) if which and mark.startswith(which)]
    if not found:
        raise ProvisioningError(
            f"{device!r} has no version {which!r}: `farola provision history {device}` lists them"
        )
    return found[-1]
