"""`farola snmp`: look at one device as the collector sees it."""

from __future__ import annotations

import asyncio
import os

import click

from farola.errors import DeviceError, InputError
from farola.output import json_option, print_json, print_table

COMMUNITY_VARIABLE = "FAROLA_SNMP_COMMUNITY"


@click.command()
@click.argument("host", metavar="HOST[:PORT]")
@click.option(
    "--community",
    help=f"Community; others on this machine can see it: prefer --credential or "
    f"{COMMUNITY_VARIABLE}.",
)
@click.option("--credential", metavar="NAME", help="Take the community from this credential.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 60),
    default=2.0,
    show_default=True,
    help="Seconds to wait for each answer, of which one is asked again.",
)
@json_option
def probe(
    host: str, community: str | None, credential: str | None, timeout_s: float, as_json: bool
) -> None:
    """Ask one device over SNMP v2c and show its family, radios and networks.

    Without --community and --credential the environment's FAROLA_SNMP_COMMUNITY is used, else
    `public`.
    """
    from collectors.snmp.addresses import split_host_port
    from collectors.snmp.model import DEADLINE_S, Target
    from collectors.snmp.poller import PysnmpPoller
    from collectors.snmp.probe import probe_json, read_one

    address, port = split_host_port(host, 161)
    if community and credential:
        raise InputError("give --community or --credential, not both")
    secret = community or (
        _stored(credential) if credential else os.environ.get(COMMUNITY_VARIABLE, "public")
    )
    target = Target(
        host, address, port, secret, timeout_s, deadline_s=max(DEADLINE_S, 10 * timeout_s)
    )
    reading = asyncio.run(read_one(PysnmpPoller(in_flight=1), target))
    if not reading.answered:
        raise DeviceError(
            f"{host}: {reading.error}; check the address, that SNMP v2c is on, and the community"
        )
    if reading.error:
        click.echo(f"{host}: {reading.error}", err=True)
    if as_json:
        print_json(probe_json(reading))
        return
    uptime = "unknown" if reading.uptime_s is None else f"{reading.uptime_s / 86_400:.1f} days"
    clients = "unknown" if reading.clients is None else reading.clients
    click.echo(f"{reading.sys_name or host}: {reading.family}, up {uptime}, clients: {clients}")
    if reading.radios:
        print_table(
            "Radios",
            ["radio", "band", "channel", "clients", "busy %", "noise dBm", "power dBm"],
            [
                ["–" if value is None or value == "" else value for value in radio.values()]
                for radio in probe_json(reading)["radios"]
            ],
            right=range(2, 7),
        )
    if reading.ssids:
        print_table(
            "Networks", ["ssid", "clients"], [[s.name, s.clients] for s in reading.ssids], right=[1]
        )


def _stored(name: str) -> str:
    from farola.keys import Keyring
    from farola.settings import load_settings
    from inventory.db import open_inventory
    from inventory.queries import secrets

    settings = load_settings()
    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            found = secrets(session, name, Keyring(settings.home)).values.get("snmp_community")
    finally:
        inventory.close()
    if not found:
        raise InputError(f"credential {name!r} holds no snmp_community")
    return found
