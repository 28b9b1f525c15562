"""`farola survey import`: readings of walked surveys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collectors.airwaves.inputs import heard_in, recordings, whereabouts
from farola.output import json_option, print_json

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from collectors.airwaves.sighting import Sighting
    from collectors.airwaves.survey import Reading
    from farola.settings import Settings
    from inventory.importers.report import Report


@click.command("import")
@recordings
@click.option("--survey", default="", help="Name to keep the readings under (default: the file's).")
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
    from inventory.importers.report import Report, write_reject_file

    settings = load_settings()
    check_timezone(timezone)
    where = whereabouts(position, track)
    reports = [Report("survey", path) for path in files]
    inventory = open_inventory(settings)
    try:
        # One transaction for all files: a fault of any of them imports nothing.
        with inventory.session() as session:
            for report in reports:
                heard = heard_in(report.file, report, where, encoding, timezone)
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
