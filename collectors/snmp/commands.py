"""`farola snmp`: look at one device as the collector sees it."""

from __future__ import annotations

import asyncio

import click

from collectors.access_options import AccessOptions, access_options
from farola.errors import DeviceError
from farola.options import NumberRange
from farola.output import json_option, note, plain, print_json, print_table


@click.command()
@click.argument("host", metavar="HOST[:PORT]")
@access_options
@click.option(
    "--timeout",
    "timeout_s",
    type=NumberRange(0.1, 60),
    default=2.0,
    show_default=True,
    help="Seconds to wait for each answer, of which one is asked again.",
)
@json_option
def probe(host: str, how: AccessOptions, timeout_s: float, as_json: bool) -> None:
    """Ask one device over SNMP v1, v2c or v3 and show its family, radios and networks.

    Without --community, --credential and --user the environment's FAROLA_SNMP_COMMUNITY is used,
    else `public`.
    """
    from collectors.access_target import target_of, unanswered
    from collectors.families import told_book
    from collectors.pollers import standard_poller
    from collectors.snmp.model import DEADLINE_S
    from collectors.snmp.probe import access_point_rows, probe_json, read_one, what_lacks
    from farola.settings import default_home

    target = target_of(host, how, timeout_s, deadline_s=max(DEADLINE_S, 10 * timeout_s))
    poller = standard_poller()
    reading = asyncio.run(read_one(poller, target, told_book(default_home())))
    if not reading.answered:
        raise unanswered(target, how, reading.error, poller.figures)
    if not reading.family:
        raise DeviceError(f"{host}: {reading.error}")
    lacks = what_lacks(reading, timeout_s)
    if lacks:
        note(f"{host}: {lacks}")
    if as_json:
        print_json(probe_json(reading, lacks))
        return
    uptime = "unknown" if reading.uptime_s is None else f"{reading.uptime_s / 86_400:.1f} days"
    clients = "unknown" if reading.clients is None else reading.clients
    name = plain(reading.sys_name or host)
    click.echo(f"{name}: {reading.family}, up {uptime}, clients: {clients}")
    if reading.radios:
        print_table(
            "Radios",
            ["radio", "band", "channel", "clients", "busy %", "noise dBm", "power dBm"],
            [
                ["–" if value is None or value == "" else value for value in radio.values()]
                for radio in probe_json(reading, lacks)["radios"]
            ],
            right=range(2, 7),
        )
    if reading.ssids:
        print_table(
            "Networks", ["ssid", "clients"], [[s.name, s.clients] for s in reading.ssids], right=[1]
        )
    if reading.access_points:
        print_table(
            f"Access points: {len(reading.access_points)}",
            ["access point", "key", "model", "address", "up", "channels", "clients"],
            access_point_rows(reading.access_points),
            right=[6],
        )
