"""How discovery's results read: for people and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from collectors.discovery.logins import Logins
from collectors.discovery.matching import Found, Match
from collectors.discovery.neighbours import Report
from collectors.discovery.search import Search
from farola.output import note, plain, print_table
from inventory.importers.names import counted
from inventory.models import Discovered

NAMED = 20
"""So many things are named in a line."""


def note_logins(logins: Logins, tries: int) -> None:
    """Say what will be tried at each address."""
    names = [one.credential for one in logins.everywhere if one.credential]
    if names:
        what = ("credentials " if len(names) > 1 else "credential ") + ", ".join(names)
    elif logins.everywhere[0].access.community == "public":
        what = "the community 'public'"
    else:
        what = "the given community"
    most = tries * len(logins.everywhere)
    note(f"asking with {what}, at most {most} times where nothing answers")
    if logins.left_out:
        note(
            f"credentials that are not tried: {', '.join(logins.left_out)}; name those to try with "
            "--credential"
        )


def search_json(
    addresses: int, found: Sequence[tuple[Found, Match]], search: Search
) -> dict[str, Any]:
    """As `farola collect discover --json` prints it."""
    engines = Counter(one.detail.get("engine_id") for one, _ in found)
    return {
        "addresses": addresses,
        "requests": search.requests,
        "found": [
            {
                "key": one.key,
                "address": one.address,
                "port": one.port,
                "family": one.family,
                "name": one.name,
                "mac": one.mac,
                "serial": one.serial,
                "credential": one.credential_name,
                **{k: v for k, v in one.detail.items() if k != "macs"},
                "device_id": match.device_id,
                "unknown": match.unknown,
                "ignored": match.ignored,
                "recognised_by": match.by,
                "remark": match.remark,
                "same_engine": engines[one.detail.get("engine_id")] - 1
                if one.detail.get("engine_id")
                else 0,
            }
            for one, match in found
        ],
        "unknown": sum(match.unknown for _, match in found),
        "ignored": sum(match.ignored for _, match in found),
        "known": sum(match.device_id is not None for _, match in found),
        "refused": [
            {"address": address, "why": why} for address, why in sorted(search.refused.items())
        ],
    }


def print_search(report: Mapping[str, Any]) -> None:
    """A table of what was found and a line that sums it up."""
    found = report["found"]
    if found:
        _print_things("Found", found)
    click.echo(
        f"{counted(len(found), 'agent')} at {_addresses(report['addresses'])}, "
        f"{report['unknown']} unknown to the inventory"
        + (f", {report['ignored']} ignored" if report["ignored"] else "")
        + ("; `farola device accept` takes them in" if report["unknown"] else "")
    )
    shared = sum(one["same_engine"] > 0 for one in found)
    if shared:
        note(
            f"addresses that share an engine id with another: {shared}; they may be one device "
            "with several addresses"
        )
    _note_list(
        "agents that answered but let nobody in",
        [f"{one['address']} ({one['why']})" for one in report["refused"]],
    )


def proposal_json(row: Discovered) -> dict[str, Any]:
    """A proposal as `farola device discovered --json` prints it."""
    return {
        "key": row.key,
        "status": row.status,
        "unknown": row.device_id is None and row.status != "ignored",
        "device_id": row.device_id,
        "address": row.address,
        "port": row.port,
        "family": row.family,
        "name": row.name,
        "mac": row.mac,
        "serial": row.serial,
        "credential": row.credential_name,
        "controller_id": row.controller_id,
        **{k: v for k, v in row.detail.items() if k != "macs"},
        "first_seen": instant(row.first_seen),
        "last_seen": instant(row.last_seen),
    }


def instant(at: datetime) -> str:
    """An instant of the inventory (UTC) as `2026-11-01T08:30:00+00:00`."""
    return at.replace(tzinfo=UTC).isoformat()


def print_proposals(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of proposals, the unknown ones marked."""
    if rows:
        _print_things("Proposals", rows)
    unknown = sum(one["unknown"] for one in rows)
    click.echo(f"{counted(len(rows), 'proposal')}, {unknown} unknown to the inventory")


def _print_things(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = {
        "key": [one["key"] for one in rows],
        "family": [one["family"] for one in rows],
        "name": [one["name"] for one in rows],
        "MAC address": [one["mac"] for one in rows],
        "serial": [one["serial"] for one in rows],
        "device": [
            one["device_id"] or ("unknown" if one["unknown"] else "ignored") for one in rows
        ],
        "remark": [one.get("remark", "") for one in rows],
    }
    # Where nobody says anything the others get the room: a key must be readable to be accepted.
    told = {name: cells for name, cells in columns.items() if any(cells)}
    print_table(title, list(told), zip(*told.values(), strict=True))


def _addresses(number: int) -> str:
    return f"{number:,} address" + ("" if number == 1 else "es")


def print_neighbours(report: Report) -> None:
    """A table of uplinks, and what could not be told."""
    if report.found.links:
        print_table(
            "Uplinks",
            ["device", "hangs on", "port", "is"],
            [
                [one.device_id, one.upstream_id, one.port, _word(report, one.device_id)]
                for one in report.found.links
            ],
        )
    click.echo(
        f"{report.answered} of {report.asked} devices answered, "
        f"{counted(report.neighbours, 'neighbour')} told, "
        + ", ".join(f"{len(report.became[word])} {word}" for word in ("new", "moved", "seen"))
    )
    for word, text in (
        ("manual", "LLDP says otherwise than a person, whose word stays"),
        ("circle", "refused because something would hang on itself"),
    ):
        _note_list(text, report.became[word])
    _note_list(
        "equals that see each other (say which hangs on which with `farola device uplink`)",
        [f"{one} and {other}" for one, other in report.found.undecided],
    )
    _note_list(
        "neighbours that are not in the inventory",
        [
            f"{one.name or next(iter((*one.macs, *one.addresses)), '?')} at {device_id} {one.port}"
            for device_id, one in report.found.unmatched
        ],
    )


def _word(report: Report, device_id: str) -> str:
    words = {"manual": "otherwise by hand", "circle": "refused"}
    became = next((word for word, ids in report.became.items() if device_id in ids), "")
    return words.get(became, became)


def _note_list(text: str, things: Sequence[str]) -> None:
    if things:
        more = len(things) - NAMED
        shown = "; ".join(plain(one) for one in things[:NAMED])
        note(f"{text}: {shown}" + (f" and {more} more" if more > 0 else ""))
