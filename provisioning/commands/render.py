"""`farola provision render`: what a device shall be, value by value, and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from farola.output import json_option, note, print_json, print_table
from farola.settings import load_settings

if TYPE_CHECKING:
    from provisioning.intent.meant import Value


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
    from provisioning.change.prepare import printable
    from provisioning.intent.context import intent_of, read_context, secret_fingerprints, tell_slips
    from provisioning.intent.features import variables_of
    from provisioning.intent.meant import notices
    from provisioning.intent.render import default_radios, fit, read_template
    from provisioning.intent.render import render as render_template
    from provisioning.platforms.choosing import choose
    from provisioning.platforms.drivers import told
    from provisioning.platforms.switch_templates import preview

    settings = load_settings()
    inventory = open_inventory(settings)
    with inventory.session() as session:
        found = choose(session, [device], None, False)[0]
    tell_slips(inventory)
    keyring = Keyring(settings.home)
    context = read_context(inventory, [found], keyring)
    intent = intent_of(context, found)
    able = told(found)
    if able["platform"] == "openwrt":
        template, path = read_template(settings.home, found.role)
        rendered = render_template(template, intent, name=path)
        text = printable(format_config(mask_config(fit(rendered, default_radios(rendered)))))
        named = variables_of(template)
    else:
        text, named = preview(settings.home, found, able["platform"], intent)
    values = {
        name: _described(one)
        for name, one in sorted(intent.items())
        if everything or one.source != "default" or name in named
    }
    for words in notices(intent):
        note(f"WARNING: {device}: {words}")
    marks = secret_fingerprints(intent, keyring)
    if as_json:
        print_json(
            {
                "device": device,
                "platform": able["platform"],
                "can": able["can"],
                "variables": values,
                "fingerprints": marks,
                "candidate": text,
            }
        )
        return
    rows = [
        (name, " ".join(filter(None, [_text(one["value"]), marks.get(name)])), one["from"],
         _chain(one))
        for name, one in values.items()
    ]  # fmt: skip
    click.echo(f"{device} ({able['platform']}): {able['words']}")
    print_table(f"Variables of {device}", ("variable", "value", "from", "instead of"), rows)
    click.echo(text, nl=False)


def _described(one: Value) -> dict[str, Any]:
    described: dict[str, Any] = {"value": _plain(one), "from": one.source}
    if one.overridden:
        described["overridden"] = [
            {"value": _plain(before), "from": before.source} for before in one.overridden
        ]
    return described


def _plain(one: Value) -> Any:
    from napalm_openwrt.uci_merge import MASK
    from provisioning.change.prepare import printable

    if one.secret:
        return MASK
    return printable(one.value) if isinstance(one.value, str) else one.value


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _chain(one: dict[str, Any]) -> str:
    return "; ".join(
        f"{_text(before['value'])} ({before['from']})" for before in one.get("overridden", ())
    )
