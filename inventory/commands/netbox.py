"""`farola import netbox`: sites and devices from a NetBox, read over its REST API."""

from __future__ import annotations

import click

from farola.output import json_option


@click.command()
@click.option("--url", required=True, help="NetBox's address, such as https://netbox.example.org.")
@click.option("--credential", required=True, help="Stored credential that holds the API token.")
@click.option("--strict", is_flag=True, help="Import nothing if any site or device is rejected.")
@json_option
def netbox(url: str, credential: str, strict: bool, as_json: bool) -> None:
    """Read sites and devices from NetBox; the token comes from the credential's `token`."""
    from inventory.importers.netbox_run import import_netbox

    import_netbox(url, credential, strict=strict, as_json=as_json)
