"""`farola provision render`: what a device shall be, value by value, and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from farola.output import json_option, note, print_json, print_table
from farola.settings import load_settings

if TYPE_CHECKING:
    from farola.keys import Keyring
    from provisioning.intent import Value


@click.command()
@click.argument("device")
@click.option(
    "--all", "everything", is_flag=True,
    help="Also what features would take by default.",
)  # fmt: skip
@json_option
def render(device: str, everything: bool, as_json: bool) -> None:
    """Show the config meant for DEVICE and where each value comes from; secrets as •••.

    What a value took the place of is shown with it. The device is not asked: its radios are shown
    as radio0 (2.4 GHz) and radio1 (5 GHz), its bridge with the port eth0.
    """
    from farola.keys import Keyring
    from inventory.db import open_inventory
    from napalm_openwrt.uci_merge import mask_config
    from napalm_openwrt.uci_text import format_config
    from provisioning.context import intent_of, read_context, tell_slips
    from provisioning.devices import choose
    from provisioning.features import variables_of
    from provisioning.intent import notices
    from provisioning.prepare import printable
    from provisioning.render import default_radios, fit, read_template
    from provisioning.render import render as render_template

    settings = load_settings()
    inventory = open_inventory(settings)
    with inventory.session() as session:
        found = choose(session, [device], None, False)[0]
    tell_slips(inventory)
    keyring = Keyring(settings.home)
    context = read_context(inventory, [found], keyring)
    intent = intent_of(context, found)
    template, path = read_template(settings.home, found.role)
    rendered = render_template(template, intent, name=path)
    text = printable(format_config(mask_config(fit(rendered, default_radios(rendered)))))
    named = variables_of(template)
    values = {
        name: _described(one, keyring)
        for name, one in sorted(intent.items())
        if everything or one.source != "default" or name in named
    }
    for words in notices(intent):
        note(f"WARNING: {device}: {words}")
    if as_json:
        print_json({"device": device, "variables": values, "candidate": text})
        return
    rows = [(name, _text(one), one["from"], _chain(one)) for name, one in values.items()]
    print_table(f"Variables of {device}", ("variable", "value", "from", "instead of"), rows)
    click.echo(text, nl=False)


def _described(one: Value, keyring: Keyring) -> dict[str, Any]:
    from napalm_openwrt.uci_merge import MASK
    from provisioning.context import fingerprint
    from provisioning.prepare import printable

    def plain(value: Any) -> Any:
        return printable(value) if isinstance(value, str) else value

    described: dict[str, Any] = {"value": MASK if one.secret else plain(one.value)}
    if one.secret:
        described["fingerprint"] = fingerprint(keyring, str(one.value))
    described["from"] = one.source
    described["overridden"] = [
        {"value": MASK if before.secret else plain(before.value), "from": before.source}
        for before in one.overridden
    ]
    return described


def _text(one: dict[str, Any]) -> str:
    value = one["value"]
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return f"{text} {one['fingerprint']}" if "fingerprint" in one else text


def _chain(one: dict[str, Any]) -> str:
    return "; ".join(f"{_text(before)} ({before['from']})" for before in one["overridden"])
