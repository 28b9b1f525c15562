"""`farola airwaves scan`: access points that pose as ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collectors.airwaves.inputs import heard_in, recordings, whereabouts
from farola.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from collectors.airwaves.impostors import Finding, Verdict
    from inventory.importers.report import Report

IMPOSTOR = "airwaves.impostor"
"""Kind of the event stored for each finding of a scan."""


@click.command("scan")
@recordings
@json_option
def scan(
    *,
    files: tuple[Path, ...],
    ssid: str,
    position: str,
    track: Path | None,
    encoding: str,
    timezone: str,
    as_json: bool,
) -> None:
    """Name access points that pose as ours, with the evidence.

    Reads pcap or pcapng captures and WiGLE logs. The exit code is 0 whether there are findings or
    not: ask `--json` for `findings` and `cannot_tell`.
    """
    from collectors.airwaves.impostors import judge, listen
    from farola.settings import check_timezone, load_settings
    from inventory import queries
    from inventory.db import open_inventory
    from inventory.importers.report import Report

    settings = load_settings()
    check_timezone(timezone)
    where = whereabouts(position, track)
    name = ssid or settings.city.ssid
    reports = [Report("scan", path) for path in files]
    inventory = open_inventory(settings)
    try:
        heard = listen(s for r in reports for s in heard_in(r.file, r, where, encoding, timezone))
        with inventory.session() as session:
            own = {bssid: device for bssid, (device, _) in queries.own_bssids(session).items()}
            verdict = judge(heard, own, name)
            new = _store_findings(session, verdict.findings)
    finally:
        inventory.close()
    if as_json:
        print_json(_scan_result(name, reports, verdict, len(heard), new))
    else:
        _print_verdict(name, reports, verdict, new)


def _store_findings(session: Session, findings: Sequence[Finding]) -> int:
    """Store an event for each finding that has none yet; how many were new."""
    from sqlalchemy import select

    from collectors.airwaves.sighting import safe
    from inventory import events
    from inventory.models import Event

    key = ("grade", "bssid", "ssid_hex")
    details = session.scalars(select(Event.detail).where(Event.kind == IMPOSTOR))
    known = {tuple(detail.get(name) for name in key) for detail in details}
    new = 0
    for finding in findings:
        said = finding.as_dict()
        if tuple(said[name] for name in key) in known:
            continue
        name = safe(finding.heard.ssid)
        text = f"{finding.grade}: {said['bssid']} announces {name!r}: {finding.why[0]}"
        events.record(session, IMPOSTOR, text, detail=said)
        new += 1
    return new


def _scan_result(
    name: str, reports: Sequence[Report], verdict: Verdict, networks: int, new: int
) -> dict[str, Any]:
    return {
        "ssid": name,
        "read": sum(report.read for report in reports),
        "networks": networks,
        "carriers": verdict.carriers,
        "ours": verdict.ours,
        "cannot_tell": bool(verdict.cannot_tell),
        "cannot_tell_why": verdict.cannot_tell or None,
        "findings": [finding.as_dict() for finding in verdict.findings],
        "new_events": new,
        "files": [
            {key: report.as_dict().get(key) for key in ("file", "read", "rejected", "skipped")}
            for report in reports
        ],
    }


def _print_verdict(name: str, reports: Sequence[Report], verdict: Verdict, new: int) -> None:
    from collectors.airwaves.sighting import safe
    from inventory.importers.names import counted

    shown = safe(name.encode())
    read = sum(report.read for report in reports)
    click.echo(
        f"{counted(read, 'reading')} in {counted(len(reports), 'file')}; "
        f"{counted(verdict.carriers, 'BSSID')} with the name '{shown}', "
        f"{verdict.ours:,} of them ours"
    )
    for report in reports:
        if report.rejected:
            click.echo(f"{report.file.name}: {len(report.rejected):,} readings rejected")
    if verdict.cannot_tell:
        click.echo(f"cannot tell: {verdict.cannot_tell}")
    if not verdict.findings:
        click.echo("nothing to look at" if not verdict.cannot_tell else "no look-alike name heard")
        return
    print_table(
        "Access points to look at (their BSSIDs are as heard: no person's device is among them)",
        ("grade", "BSSID", "network", "security", "channel", "dBm", "heard", "first", "where"),
        [_finding_row(finding) for finding in verdict.findings],
        right=(5, 6),
    )
    for finding in verdict.findings:
        click.echo(f"{finding.heard.bssid}: {'; '.join(finding.why)}")
    click.echo(f"{new:,} new events of kind {IMPOSTOR} ({len(verdict.findings) - new:,} known)")


def _finding_row(finding: Finding) -> tuple[object, ...]:
    said = finding.as_dict()
    place = said["strongest_at"]
    return (
        said["grade"], said["bssid"], repr(said["ssid"]), said["security"],
        ", ".join(map(str, said["channels"])), said["strongest_rssi_dbm"], said["times_heard"],
        said["first_seen"][:19], f"{place['lat']:.5f}, {place['lon']:.5f}" if place else "",
    )  # fmt: skip
