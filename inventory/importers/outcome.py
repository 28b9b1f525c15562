"""Closes an import: its event, its reject file, and what is said of it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from farola.errors import InputError
from farola.output import note, plain, print_json
from inventory import events
from inventory.importers.contents import Source
from inventory.importers.names import counted
from inventory.importers.report import Report, printable, summary, write_reject_file
from inventory.importers.write import Stored


def refused(report: Report, strict: bool) -> bool:
    """Whether nothing may be stored: `strict` and a row rejected."""
    return strict and bool(report.rejected)


def record_import(session: Session, report: Report, stored: Stored, accepted: int) -> None:
    """Count what was stored and record the import's event, in the import's own transaction."""
    report.imported = accepted
    report.extra |= vars(stored)
    events.record(
        session,
        f"import.{report.kind.replace(' ', '-')}",
        f"{printable(report.file.name)}: {report.read:,} rows read, {report.imported:,} imported, "
        f"{len(report.rejected):,} rejected",
        detail=report.event_detail(),
    )


def finish(
    report: Report,
    source: Source,
    home: Path,
    *,
    strict: bool,
    as_json: bool,
    table: Source | None = None,
) -> None:
    """Write the reject file and print the report, as JSON or for a person. `table` is one that was
    joined to `source`.

    Raises
    ------
    InputError
        Rows were rejected and `strict` is asked for.
    """
    report.sort()
    rows = {row.number: row.cells for row in source.rows}
    columns, joined = source.columns, {}
    if table is not None:
        columns += tuple(name for name in table.columns if name not in source.columns)
        for row in table.rows:
            cells = dict(zip(table.columns, row.cells, strict=True))
            joined[row.number] = [cells.get(name) for name in columns]
    write_reject_file(report, home / "rejects", columns, rows, joined)
    for text in report.notes:
        note(text)
    if as_json:
        print_json(report.as_dict())
    else:
        for line in summary(report):
            print(plain(line))
    if refused(report, strict):
        first = report.rejected[0]
        raise InputError(
            f"{report.file}: {counted(len(report.rejected), 'row')} rejected and --strict given: "
            "nothing was "
            f"imported; the first is row {first.row}, {first.field} {first.value!r}: {first.why}"
        )
    if not report.imported:
        note(f"nothing was imported from {report.file}: every row was rejected")
