"""Joins a table to polygons by key, and tells of both sides that found no partner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from farola.errors import InputError
from inventory.importers.contents import Row, Source
from inventory.importers.report import BadCellError, Fault, Repair, Report
from inventory.importers.rows import Reader
from inventory.importers.values import read_text


@dataclass(frozen=True)
class Joined:
    """The polygons with the table's columns beside theirs."""

    source: Source
    unmatched: frozenset[int]
    """Numbers of the features without a row."""
    shadowed: frozenset[str]
    """Columns that stand on both sides: the polygons' own are used."""
    table: Path | None = None
    added: frozenset[str] = frozenset()
    """Columns that come from `table`."""
    partners: Mapping[int, int] = field(default_factory=dict)
    """Number of the table's row for each feature that has one."""

    def blame(self, report: Report, repaired: int, rejected: int, warned: int) -> None:
        """Let what was told from those places of `report` on about the table's cells name the
        table and its row, where the cell can be found and mended.
        """
        if self.table is None:
            return
        name = self.table.name

        def partner(told: Repair | Fault) -> int:
            return self.partners.get(told.row, 0) if told.field in self.added else 0

        for i, repair in enumerate(report.repaired[repaired:], start=repaired):
            if row := partner(repair):
                report.repaired[i] = replace(repair, row=row, why=f"{repair.why} ({name})")
        for faults, start in ((report.rejected, rejected), (report.warnings, warned)):
            for i, fault in enumerate(faults[start:], start=start):
                if row := partner(fault):
                    why = f"row {row} of {name}: {fault.why}"
                    reason = f"{fault.reason} ({name})"
                    faults[i] = replace(fault, row=row, why=why, reason=reason, foreign=True)


def join(polygons: Source, id_column: str, table: Source, key: str, report: Report) -> Joined:
    """Put each row of `table` beside the polygon whose `id_column` equals its `key`.

    Keys are texts. Where leading zeros were lost (a spreadsheet did it) and the ids are all of one
    length they are put back, and told. Rows without a polygon and repeated keys are rejected by
    name.

    Raises
    ------
    InputError
        A column is not there, or nothing matches at all.
    """
    own = Reader(polygons, {"id": id_column}, report)
    ids = {read_text(own.cell(row, "id"))[0] or "" for row in polygons.rows} - {""}
    by_key = _rows_by_key(table, key, ids, report)
    if not ids & set(by_key):
        raise InputError(
            f"{table.path}: no {key!r} equals any {id_column!r} of {polygons.path}: for instance "
            f"{next(iter(by_key), '')!r} against {min(ids, default='')!r}; "
            "name the right columns with --id and --join-key"
        )
    for text, row in by_key.items():
        if text not in ids:
            report.reject(row.number, BadCellError(key, text, "no polygon has this id"), table.path)
    added = [i for i, name in enumerate(table.columns) if name not in polygons.columns]
    empty: tuple[object, ...] = (None,) * len(added)
    rows, unmatched, partners = [], set(), {}
    for row in polygons.rows:
        partner = by_key.get(read_text(own.cell(row, "id"))[0] or "")
        if partner is None:
            unmatched.add(row.number)
        else:
            partners[row.number] = partner.number
        cells = tuple(partner.cells[i] for i in added) if partner else empty
        rows.append(Row(row.number, row.cells + cells))
    report.extra["join"] = {
        "table": str(table.path),
        "read": table.read,
        "joined": len(rows) - len(unmatched),
        "polygons_without_row": len(unmatched),
        "rows_without_polygon": len(set(by_key) - ids),
    }
    columns = polygons.columns + tuple(table.columns[i] for i in added)
    return Joined(
        replace(polygons, columns=columns, rows=tuple(rows)),
        frozenset(unmatched),
        frozenset(polygons.columns) & frozenset(table.columns) - {key},
        table.path,
        frozenset(table.columns[i] for i in added),
        partners,
    )


def _rows_by_key(table: Source, key: str, ids: set[str], report: Report) -> dict[str, Row]:
    reader = Reader(table, {"join_key": key}, report)
    lengths = {len(text) for text in ids}
    width = lengths.pop() if len(lengths) == 1 else 0
    report.rejected += [
        replace(fault, why=f"row {fault.row} of {table.path.name}: {fault.why}", foreign=True)
        for fault in table.faults
    ]
    found: dict[str, Row] = {}
    for row in table.rows:
        try:
            text = reader.text(row, "join_key")
        except BadCellError as bad:
            report.reject(row.number, bad, table.path)
            continue
        if text is None:
            report.reject(row.number, BadCellError(key, "", "the key is missing"), table.path)
            continue
        if text not in ids and text.zfill(width) in ids:
            padded = text.zfill(width)
            report.repair(row.number, key, text, padded, f"lost leading zeros ({table.path.name})")
            text = padded
        if text in found:
            why = f"the key stands in row {found[text].number} already"
            error = BadCellError(key, text, why, "the key is a duplicate")
            report.reject(row.number, error, table.path)
            continue
        found[text] = row
    return found
