"""`farola survey import` and `farola airwaves scan`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from farola.output import json_option, print_json, print_table, progress

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from collectors.airwaves.hearing import Whereabouts
    from collectors.airwaves.impostors import Finding, Verdict
    from collectors.airwaves.sighting import Sighting
    from collectors.airwaves.survey import Reading
    from farola.settings import Settings
    from inventory.importers.report import Report

FILES = click.argument("files", metavar="FILE…", nargs=-1, required=True, type=Path)
IMPOSTOR = "airwaves.impostor"
"""Kind of the event stored for each finding of a scan."""


@click.command("import")
@FILES
@click.option("--survey", default="", help="Name to keep the readings under (default: the file's).")
@click.option("--ssid", default="", help="The city's network name (default: [city] ssid).")
@click.option("--position", default="", metavar="LAT,LON", help="Where a capture was made.")
@click.option("--track", type=Path, help="GPS track of a capture: GPX, or CSV with time,lat,lon.")
@click.option("--encoding", default="", help="Of a WiGLE log (default: UTF-8).")
@click.option("--timezone", default="UTC", help="Of times in a WiGLE log that name none.")
@click.option("--strict", is_flag=True, help="Import nothing if any row is rejected.")
@json_option
def survey_import(
    *,
    files: tuple[Path, ...],
    survey: str,
    ssid: str,
    position: str,
    track: Path | None,
    encoding: str,
    timezone: str,
    strict: bool,
    as_json: bool,
) -> None:
    """Keep the readings of walked surveys: pcap or pcapng captures, and WiGLE logs.

    Networks that are not ours are kept under a keyed pseudonym and without their name; devices of
    people are not read at all.
    """
    from farola.errors import InputError
    from farola.settings import check_timezone, load_settings
    from inventory.db import open_inventory
    from inventory.importers.report import write_reject_file

    settings = load_settings()
    check_timezone(timezone)
    where = _whereabouts(position, track)
    reports = [_begin("survey", path) for path in files]
    inventory = open_inventory(settings)
    try:
        # One transaction for all files: a fault of any of them imports nothing.
        with inventory.session() as session:
            for report in reports:
                heard = _heard(report.file, report, where, encoding, timezone)
                name = survey or report.file.stem
                _keep(session, settings, report, heard, survey=name, ssid=ssid, strict=strict)
    finally:
        inventory.close()
    for report in reports:
        report.sort()
        # Only row numbers, fields and masked values: a whole row would name somebody's network.
        write_reject_file(report, settings.home / "rejects", (), {})
        if not as_json:
            _print_report(report)
    if as_json:
        print_json(_merged(reports))
    refused = [report for report in reports if strict and report.rejected]
    if refused:
        first = refused[0].rejected[0]
        raise InputError(
            f"{refused[0].file}: {len(refused[0].rejected)} rows rejected and --strict given: "
            f"nothing was imported from it; the first is row {first.row}, {first.field} "
            f"{first.value!r}: {first.why}"
        )


def _begin(kind: str, path: Path) -> Report:
    from inventory.importers.report import Report

    return Report(kind, path)


def _whereabouts(position: str, track: Path | None) -> Whereabouts | None:
    from collectors.airwaves.track import Track, parse_position, read_track
    from farola.errors import InputError

    if position and track:
        raise InputError("--position and --track exclude each other: give one")
    if position:
        return Track(fixed=parse_position(position))
    return read_track(track) if track else None


def _heard(
    path: Path, report: Report, where: Whereabouts | None, encoding: str, timezone: str
) -> Iterator[Sighting]:
    from collectors.airwaves.hearing import sightings

    with progress(f"reading {path.name}", None) as advance:
        for sighting in sightings(path, report, where, encoding=encoding, zone=ZoneInfo(timezone)):
            advance(1)
            yield sighting


def _keep(
    session: Session,
    settings: Settings,
    report: Report,
    sightings: Iterator[Sighting],
    *,
    survey: str,
    ssid: str,
    strict: bool,
) -> None:
    """Store what was heard and tell of it as an event, unless a row is rejected and `strict`."""
    from collectors.airwaves.hearing import is_capture_file
    from collectors.airwaves.survey import Thinning, anonymous, store
    from farola.keys import Keyring
    from inventory import events, queries

    keyring = Keyring(settings.home)
    name = (ssid or settings.city.ssid).encode()
    own = queries.own_bssids(session)
    thinning = Thinning(by_second=is_capture_file(report.file))
    readings = [
        anonymous(s, own, name, lambda bssid: keyring.fingerprint(bssid, "bssid"))
        for s in thinning.thin(sightings)
    ]
    if strict and report.rejected:
        return
    report.imported = thinning.heard
    report.extra |= {"survey": survey, "readings": len(readings)}
    report.extra |= store(session, survey, readings)
    report.extra["without_position"] = sum(r.lat is None for r in readings)
    report.extra["networks"] = len({r.bssid for r in readings})
    report.extra["ours"] = sum(r.bssid in own for r in readings)
    _warn_of_distance(session, report, readings)
    if report.extra["created"] or report.extra["updated"]:
        text = f"survey {survey}: {len(readings):,} readings kept"
        events.record(session, "import.survey", text, detail=report.event_detail())


def _warn_of_distance(session: Session, report: Report, readings: Sequence[Reading]) -> None:
    """Warn, once a file, where readings lie far from every neighbourhood."""
    from collectors.airwaves.survey import FAR_KM, far_from_city
    from inventory import queries

    areas = [n.geometry.bounds for n in queries.neighbourhoods(session)]
    far = far_from_city(areas, readings)
    if far:
        report.warn(
            far[0].row, "position", f"{far[0].lat:.4f}, {far[0].lon:.4f}",
            f"{len(far)} readings lie more than {FAR_KM} km from every neighbourhood: "
            "is this the right city?",
        )  # fmt: skip


def _print_report(report: Report) -> None:
    from inventory.importers.report import summary

    for line in summary(report):
        click.echo(line)
    extra = report.extra
    if "readings" in extra:
        click.echo(
            f"kept {extra['readings']:,} readings of {extra['networks']:,} networks as survey "
            f"{extra['survey']!r}; {extra['ours']:,} are of our own access points, "
            f"{extra['without_position']:,} have no position"
        )
    skipped = {key: n for key, n in extra.get("skipped", {}).items() if n}
    if skipped:
        said = ", ".join(f"{n:,} {key}" for key, n in sorted(skipped.items()))
        click.echo(f"skipped: {said}")


def _merged(reports: list[Report]) -> dict[str, Any]:
    """One result for all files: sums, and every row with the file it is of."""
    if len(reports) == 1:
        return reports[0].as_dict()
    files = [report.as_dict() for report in reports]
    merged: dict[str, Any] = {"kind": "survey"}
    for key in ("read", "imported", "readings", "created", "updated", "unchanged"):
        merged[key] = sum(file.get(key, 0) for file in files)
    for key in ("repaired", "rejected", "warnings"):
        merged[key] = [{"file": file["file"], **row} for file in files for row in file[key]]
    reject_files = [file["reject_file"] for file in files if file["reject_file"]]
    merged["reject_file"] = reject_files[0] if reject_files else None
    return {**merged, "reject_files": reject_files, "files": files}


@click.command("scan")
@FILES
@click.option("--ssid", default="", help="The city's network name (default: [city] ssid).")
@click.option("--position", default="", metavar="LAT,LON", help="Where a capture was made.")
@click.option("--track", type=Path, help="GPS track of a capture: GPX, or CSV with time,lat,lon.")
@click.option("--encoding", default="", help="Of a WiGLE log (default: UTF-8).")
@click.option("--timezone", default="UTC", help="Of times in a WiGLE log that name none.")
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

    settings = load_settings()
    check_timezone(timezone)
    where = _whereabouts(position, track)
    name = ssid or settings.city.ssid
    reports = [_begin("scan", path) for path in files]
    inventory = open_inventory(settings)
    try:
        heard = listen(s for r in reports for s in _heard(r.file, r, where, encoding, timezone))
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

    shown = safe(name.encode())
    read = sum(report.read for report in reports)
    click.echo(
        f"{read:,} readings in {len(reports)} files; {verdict.carriers:,} BSSIDs announce "
        f"{shown!r}, {verdict.ours:,} of them are ours"
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
