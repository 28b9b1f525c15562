"""`farola collect discover` and `farola collect neighbours`: what is out there, and what hangs on
what.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from ipaddress import ip_address
from typing import TYPE_CHECKING

import click

from collectors.access_options import COMMUNITY_VARIABLE, community_of_environment
from farola.errors import InputError
from farola.options import NumberRange
from farola.output import json_option, print_json, progress
from farola.settings import load_settings

if TYPE_CHECKING:
    from collectors.discovery.logins import Logins
    from collectors.discovery.matching import Found, Match
    from collectors.discovery.neighbours import Report
    from collectors.discovery.ranges import Ranges
    from collectors.discovery.search import Manner, Search
    from inventory.db import Inventory

KEPT_AT_ONCE = 100
"""Finds are written down in bunches, so that a search that is stopped loses few."""


@click.command()
@click.argument("ranges", metavar="RANGE…", nargs=-1, required=True)
@click.option(
    "--community",
    help=f"Community to ask with, instead of the inventory's credentials; others on this machine "
    f"can see it: prefer --credential or {COMMUNITY_VARIABLE}.",
)
@click.option(
    "--credential", "credentials", multiple=True, metavar="NAME",
    help="Try this credential; several are tried in their order. Default: those of the inventory.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(1, 65535), default=161, show_default=True,
    help="UDP port to ask at.",
)  # fmt: skip
@click.option(
    "--rate", type=NumberRange(0.1, 10_000), default=200.0, show_default=True,
    help="Most requests a second.",
)  # fmt: skip
@click.option(
    "--tries", type=click.IntRange(1, 5), default=2, show_default=True,
    help="How often each credential is tried at an address that does not answer.",
)  # fmt: skip
@click.option(
    "--timeout", "timeout_s", type=NumberRange(0.1, 60), default=1.0, show_default=True,
    help="Seconds to wait for each answer.",
)  # fmt: skip
@click.option("--large", is_flag=True, help="Allow more than 262,144 addresses (an IPv4 /14).")
@json_option
def discover(
    *, ranges: tuple[str, ...], community: str | None, credentials: tuple[str, ...], port: int,
    rate: float, tries: int, timeout_s: float, large: bool, as_json: bool,
) -> None:  # fmt: skip
    """Find SNMP agents in RANGE: networks such as 10.2.0.0/22, addresses, ranges such as
    10.2.0.5-10.2.0.80, or files with one of these in each line. Nothing else is asked.

    What is found is kept as a proposal: see `farola device discovered`.
    """
    from collectors.discovery import telling
    from collectors.discovery.logins import choose_logins
    from collectors.discovery.ranges import read_ranges
    from collectors.discovery.search import Manner
    from farola.keys import Keyring
    from inventory.db import open_inventory

    if community == "" or "" in credentials:
        raise InputError("an empty --community or --credential: say which, or leave it out")
    if community is not None and credentials:
        raise InputError("give --community or --credential, not both")
    given = read_ranges(ranges, large)
    settings = load_settings()
    inventory = open_inventory(settings)
    try:
        keyring = Keyring(settings.home)
        if community is None and not credentials:
            community = community_of_environment()
        with inventory.session() as session:
            logins = choose_logins(session, keyring, credentials, community)
        telling.note_logins(logins, tries)
        manner = Manner(port, rate, tries, timeout_s)
        found, search = asyncio.run(_search(inventory, given, logins, manner))
        known = {match.device_id for _, match in found if match.device_id}
        heard = asyncio.run(_hear(inventory, known)) if known else None
    finally:
        inventory.close()
    report = telling.search_json(given.count, found, search)
    if as_json:
        print_json(report | ({"neighbours": heard.as_json()} if heard is not None else {}))
        return
    telling.print_search(report)
    if heard is not None and heard.neighbours:
        telling.print_neighbours(heard)


@click.command()
@json_option
def neighbours(as_json: bool) -> None:
    """Ask the inventory's switches and access points what LLDP (or CDP) tells of their neighbours,
    and keep which switch port each device hangs on.
    """
    from collectors.discovery import telling
    from inventory.db import open_inventory

    inventory = open_inventory(load_settings())
    try:
        report = asyncio.run(_hear(inventory, None))
    finally:
        inventory.close()
    if as_json:
        print_json(report.as_json())
    else:
        telling.print_neighbours(report)


async def _search(
    inventory: Inventory, given: Ranges, logins: Logins, manner: Manner
) -> tuple[list[tuple[Found, Match]], Search]:
    from collectors.discovery.proposals import propose
    from collectors.discovery.search import MOST_BUNCHES, Search
    from collectors.families import told_book
    from collectors.pollers import standard_poller

    # The sweep works in threads: one for each bunch that waits for answers.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MOST_BUNCHES))
    search = Search(standard_poller, manner, logins.at, told_book(inventory.settings.home))
    most = len(logins.everywhere)
    done: list[tuple[Found, Match]] = []
    waiting: list[Found] = []

    def keep() -> None:
        with inventory.session() as session:
            matches = propose(session, waiting)
        done.extend((one, matches[one.key]) for one in waiting)
        waiting.clear()

    with progress("asking", given.count * most * manner.tries) as advance:
        try:
            async with aclosing(search.run(given, most, advance)) as finds:
                async for one in finds:
                    waiting.append(one)
                    if len(waiting) >= KEPT_AT_ONCE:
                        keep()
        finally:
            keep()
    done.sort(key=lambda pair: (":" in pair[0].address, ip_address(pair[0].address)))
    return done, search


async def _hear(inventory: Inventory, only: set[str] | None) -> Report:
    from collectors.discovery.neighbours import refresh_uplinks
    from collectors.pollers import standard_poller
    from farola.keys import Keyring

    keyring = Keyring(inventory.settings.home)
    with progress("neighbours", None) as advance:
        return await refresh_uplinks(inventory, keyring, standard_poller(), only, advance)
