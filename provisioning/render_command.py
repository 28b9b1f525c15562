"""`farola provision render`: what a device shall be, value by value, and where each comes from."""

from __future__ import annotations

import click

from farola.output import json_option, print_json, print_table
from farola.settings import load_settings


@click.command()
@click.argument("device")
@json_option
def render(device: str, as_json: bool) -> None:
    """Show the config meant for DEVICE and where each value comes from; secrets as •••.

    The device is not asked: its radios are shown as radio0 (2.4 GHz) and radio1 (5 GHz).
    """
    from farola.keys import Keyring
    from inventory.db import open_inventory
    from napalm_openwrt.uci_merge import mask_config
    from napalm_openwrt.uci_text import format_config
    from provisioning.context import read_context, rendered_for, tell_slips
    from provisioning.devices import choose
    from provisioning.intent import gather, is_secret
    from provisioning.render import default_radios, fit

    settings = load_settings()
    inventory = open_inventory(settings)
    with inventory.session() as session:
        found = choose(session, [device], None, False)
    tell_slips(inventory)
    context = read_context(inventory, found, Keyring(settings.home))
    site, secrets = context.of(found[0])
    intent = gather(
        settings, found[0], site, levels=context.levels, secrets=secrets.values if secrets else None
    )
    rendered = rendered_for(context, found[0])
    text = format_config(mask_config(fit(rendered, default_radios(rendered))))
    values = {
        name: {"value": "•••" if is_secret(name) else found.value, "from": found.source}
        for name, found in sorted(intent.items())
    }
    if as_json:
        print_json({"device": device, "variables": values, "candidate": text})
        return
    rows = [(name, one["value"], one["from"]) for name, one in values.items()]
    print_table(f"Variables of {device}", ("variable", "value", "from"), rows)
    click.echo(text, nl=False)
