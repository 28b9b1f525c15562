"""What a file holds once it is opened: rows with named columns, whatever its format. The readers
of formats make it, the importers judge it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from farola.errors import InputError
from inventory.importers.names import did_you_mean
from inventory.importers.report import Fault, Report


@dataclass(frozen=True)
class Options:
    """How to open a file: text encoding, sheet of a workbook, layer of a GeoPackage."""

    encoding: str = ""
    sheet: str = ""
    layer: str = ""


@dataclass(frozen=True)
class Row:
    """One row with its number as a person sees it."""

    number: int
    cells: tuple[object, ...]


@dataclass(frozen=True)
class Source:
    """A file's rows. `geometries` (shapely, in `crs`) goes with `rows` where the file is a layer;
    `faults` are rows that could not even be read as rows.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sha256: str
    geometries: Any = None
    crs: str | None = None
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[Fault, ...] = field(default=())

    @property
    def read(self) -> int:
        """Rows that the file holds, broken ones too."""
        return len(self.rows) + len(self.faults)

    def begin(self, kind: str) -> Report:
        """A report on this file, with what is known from opening it."""
        return Report(
            kind, self.path, self.sha256, self.read,
            rejected=list(self.faults), warnings=list(self.warnings), notes=list(self.notes),
        )  # fmt: skip

    def index(self, name: str, option: str) -> int:
        """Position of the column `name` that `option` asked for.

        Raises
        ------
        InputError
            There is none, or there are two of that name.
        """
        name = name.strip()
        found = [i for i, column in enumerate(self.columns) if column == name]
        if len(found) == 1:
            return found[0]
        if found:
            places = " and ".join(str(i + 1) for i in found)
            raise InputError(
                f"{self.path}: column {name!r} ({option}) stands there more than once "
                f"(columns {places}): rename one"
            )
        below = next((row.number for row in self.rows[:20] if name in row.cells), 0)
        hint = f"; row {below} looks like the header: remove the rows above it" if below else ""
        raise InputError(
            f"{self.path}: no column {name!r} ({option}); the columns are "
            f"{', '.join(map(repr, self.columns)) or 'none'}"
            f"{did_you_mean(name, self.columns)}{hint}"
        )


def digest(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_rows(path: Path, columns: Sequence[str], count: int, what: str = "rows") -> None:
    """InputError unless there are columns and rows."""
    if not any(columns):
        raise InputError(f"{path} is empty: it has no header and no {what}: get the file again")
    if not count and what == "rows":
        raise InputError(
            f"{path} is empty: it has a header but no rows: get the file again, or name the right "
            "one"
        )
    if not count:
        raise InputError(f"{path} is empty: it has no {what}: get the file again")
