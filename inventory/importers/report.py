"""What became of every row of an import: accepted, repaired, warned about or rejected."""

from __future__ import annotations

import csv
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

SHOWN_CHARS = 200
"""Longer values are cut in reports, so that one huge cell does not bury the rest."""


@dataclass(frozen=True)
class Repair:
    """A cell that was read as something else than what stands there, and why."""

    row: int
    field: str
    was: str
    became: str
    why: str


@dataclass(frozen=True)
class Fault:
    """A cell that a row was rejected or warned for; `reason` is `why` without the row's own data.

    Row 0 is the file as a whole. `foreign` is a row of a joined table, not of the file itself;
    `cells` are those of a row that could not be read as one.
    """

    row: int
    field: str
    value: str
    why: str
    reason: str = ""
    foreign: bool = False
    cells: tuple[object, ...] = ()


class BadCellError(Exception):
    """A cell that cannot be used: its row is rejected."""

    def __init__(self, field: str, value: object, why: str, reason: str = "") -> None:
        super().__init__(why)
        self.field, self.value, self.why, self.reason = field, value, why, reason or why

    def of(self, label: str) -> BadCellError:
        """The same, naming whose cell it is (`label`, "" for nobody's)."""
        if label:
            self.why = f"{self.why} ({label})"
        return self

    def at(self, row: int) -> Fault:
        """The fault as it stands in the report, for `row`."""
        return Fault(row, self.field, shown(self.value), self.why, self.reason)


def printable(text: str) -> str:
    """`text` as UTF-8 can hold it: lone surrogates, which JSON and file names may hold, escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def shown(value: object) -> str:
    """`value` as text, short enough to print."""
    text = "" if value is None else printable(str(value))
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"


@dataclass
class Report:
    """An import's outcome. Rows are numbered as a person sees them: a table's header is row 1,
    a layer's features count from 1.
    """

    kind: str
    file: Path
    sha256: str = ""
    read: int = 0
    imported: int = 0
    repaired: list[Repair] = field(default_factory=list)
    rejected: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was assumed or guessed about the whole file."""
    reject_file: Path | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    rejected_ids: set[str] = field(default_factory=set)
    """Ids that the file holds, in rows that were rejected."""

    def reject(self, row: int, error: BadCellError, table: Path | None = None) -> None:
        """Reject `row` of the file, or of the joined `table`, which is then named."""
        fault = error.at(row)
        if table is not None:
            why = f"row {row} of {table.name}: {fault.why}"
            fault = replace(fault, why=why, foreign=True)
        self.rejected.append(fault)

    def warn(self, row: int, field: str, value: object, why: str, reason: str = "") -> None:
        """Accept `row`, with a warning."""
        self.warnings.append(Fault(row, field, shown(value), why, reason or why))

    def repair(self, row: int, field: str, was: object, became: object, why: str) -> None:
        """Accept `row`, with a cell read as something else."""
        self.repaired.append(Repair(row, field, shown(was), shown(became), why))

    def sort(self) -> None:
        """Put all lists in the order of the file."""
        self.repaired.sort(key=lambda r: (r.row, r.field))
        self.rejected.sort(key=lambda f: (f.row, f.field))
        self.warnings.sort(key=lambda f: (f.row, f.field))

    def as_dict(self) -> dict[str, Any]:
        """The report in the form that `--json` prints."""
        return {
            "kind": self.kind,
            "file": str(self.file),
            "sha256": self.sha256,
            "read": self.read,
            "imported": self.imported,
            "repaired": [vars(repair) for repair in self.repaired],
            "rejected": [_public(fault) for fault in self.rejected],
            "warnings": [_public(fault) for fault in self.warnings],
            "notes": self.notes,
            "reject_file": str(self.reject_file) if self.reject_file else None,
            **self.extra,
        }

    def event_detail(self) -> dict[str, Any]:
        """Counts and the file's digest, for the stored event; no row's content."""
        return {
            "file": printable(self.file.name),
            "sha256": self.sha256,
            "read": self.read,
            "imported": self.imported,
            "repaired": len(self.repaired),
            "rejected": len(self.rejected),
            "warnings": len(self.warnings),
            **{key: value for key, value in self.extra.items() if not isinstance(value, list)},
        }


def _public(fault: Fault) -> dict[str, Any]:
    return {"row": fault.row, "field": fault.field, "value": fault.value, "why": fault.why}


def summary(report: Report, few: int = 3) -> Iterator[str]:
    """Lines for a person: counts, then for each reason how often and the first `few` rows."""
    counts = ", ".join(
        f"{report.extra[key]:,} {word}"
        for key, word in (("created", "new"), ("updated", "changed"), ("unchanged", "unchanged"))
        if key in report.extra
    )
    yield (
        f"{report.kind} from {report.file.name}: {report.read:,} read, {report.imported:,} imported"
        + (f" ({counts})" if counts else "")
    )
    repairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for r in report.repaired:
        repairs[r.field, r.why].append(f"row {r.row} {r.was!r} → {r.became!r}")
    yield from _grouped("repaired", repairs, few)
    for title, faults in (("warnings", report.warnings), ("rejected", report.rejected)):
        groups: dict[tuple[str, str], list[str]] = defaultdict(list)
        for f in faults:
            tail = f" ({f.why})" if f.why != f.reason else ""
            where = f"row {f.row}" if f.row else "the file"
            groups[f.field, f.reason].append(f"{where} {f.value!r}{tail}")
        yield from _grouped(title, groups, few)
    if report.reject_file:
        yield f"rejected rows are in {report.reject_file}"


def _grouped(title: str, groups: Mapping[tuple[str, str], list[str]], few: int) -> Iterator[str]:
    if not groups:
        return
    yield f"{title}: {sum(map(len, groups.values())):,}"
    for (name, reason), lines in sorted(groups.items(), key=lambda item: -len(item[1])):
        yield f"  {len(lines):,} × {name}: {reason}"
        yield from (f"      {line}" for line in lines[:few])
        if len(lines) > few:
            yield f"      … and {len(lines) - few:,} more (all of them with --json)"


def write_reject_file(
    report: Report,
    folder: Path,
    columns: Sequence[str],
    rows: Mapping[int, Sequence[object]],
    joined: Mapping[int, Sequence[object]] | None = None,
) -> None:
    """Write the rejected rows as CSV under `folder`: their own cells (`rows` by number, `joined`
    those of a joined table, both under `columns`), then the row's number, the field and why.
    """
    if not report.rejected:
        return
    folder.mkdir(parents=True, exist_ok=True)
    tag = hashlib.sha256(os.fsencode(report.file.absolute())).hexdigest()[:8]
    path = folder / f"{report.kind.replace(' ', '-')}-{report.file.stem}-{tag}.rejects.csv"
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as out:
        writer = csv.writer(out)
        writer.writerow([*columns, "farola_row", "farola_field", "farola_value", "farola_why"])
        for fault in report.rejected:
            known = (joined or {}) if fault.foreign else rows
            own = fault.cells or known.get(fault.row, ())
            cells = ["" if cell is None else cell for cell in own]
            cells += [""] * (len(columns) - len(cells))
            writer.writerow([*cells, fault.row, fault.field, fault.value, fault.why])
    path.chmod(0o600)
    report.reject_file = path
