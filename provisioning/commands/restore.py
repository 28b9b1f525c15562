"""`farola provision restore`: prepares the change that puts back a config that a device ran."""

from __future__ import annotations

import click

from farola.output import json_option, note
from farola.people import person
from farola.settings import load_settings


@click.command()
@click.argument("device")
@click.argument("rev")
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--old-secrets", is_flag=True,
              help="Put back the secrets of that time too, where a credential holds a newer "
                   "one.")  # fmt: skip
@json_option
def restore(device: str, rev: str, reason: str, old_secrets: bool, as_json: bool) -> None:
    """Prepare a change that brings DEVICE back to version REV of its history.

    REV is as `farola provision history` names it. Nothing is pushed: look at the change, then push
    it as any other.
    """
    from farola.errors import ProvisioningError
    from farola.keys import Keyring
    from inventory.db import open_inventory
    from provisioning.change.prepare import prepare_change
    from provisioning.commands.changes import tell_prepared
    from provisioning.commands.history import index_of
    from provisioning.history.configs import History
    from provisioning.history.restore import candidate_of
    from provisioning.platforms.choosing import choose
    from provisioning.platforms.drivers import platform_of

    settings = load_settings()
    inventory = open_inventory(settings)
    with inventory.session() as session:
        chosen = choose(session, [device], None, False)
    history = History(settings.home, Keyring(settings.home))
    versions = history.versions(device)
    if not versions:
        raise ProvisioningError(
            f"no config of {device!r} is kept: fetch it with `farola provision fetch {device}`"
        )
    version = versions[index_of(versions, rev, device)]
    candidate = candidate_of(history, version, platform_of(chosen[0]), as_it_was=old_secrets)
    for line in candidate.notes:
        note(line)
    change = prepare_change(
        inventory, chosen, author=person(), kind="restore",
        reason=reason or f"back to {version.mark} of {version.at:%Y-%m-%d %H:%M} UTC",
        candidates={device: (candidate.text, True)},
    )  # fmt: skip
    inventory.close()
    tell_prepared(change, as_json)
