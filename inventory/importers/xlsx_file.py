"""Reads a sheet of an Excel workbook, row by row and without formulas."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

from farola.errors import InputError
from inventory.importers.contents import Options, Row, Source, check_rows, digest
from inventory.importers.names import did_you_mean

MAX_UNPACKED_BYTES = 1 << 30
"""A workbook that unpacks to more is refused: it would exhaust the machine's memory."""
_ZEROS = re.compile(r"0{2,}")


def read_xlsx(path: Path, options: Options) -> Source:
    """Rows of the sheet `options.sheet`, else of the first; its first row not blank is the header.

    A whole number shown with leading zeros (number format 0000) is read as it is shown.
    """
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    _check_size(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise InputError(
            f"{path}: the workbook cannot be read ({error}): open it and save it again"
        ) from None
    try:
        sheet, notes = _pick(path, book, options.sheet)
        sheet.reset_dimensions()  # some writers state a wrong size, and rows would be lost
        columns: tuple[str, ...] = ()
        rows: list[Row] = []
        for number, cells in enumerate(sheet.iter_rows(), start=1):
            values = [_value(cell) for cell in cells]
            if all(value is None for value in values):
                continue
            if not columns:
                while values and values[-1] is None:
                    values.pop()
                columns = tuple("" if v is None else str(v).strip() for v in values)
                continue
            values += [None] * (len(columns) - len(values))
            rows.append(Row(number, tuple(values[: len(columns)])))
    except (zipfile.BadZipFile, ValueError, KeyError, SyntaxError, OSError) as error:
        raise InputError(
            f"{path}: the workbook is broken ({error}): open it and save it again"
        ) from None
    finally:
        book.close()
    check_rows(path, columns, len(rows))
    return Source(path, columns, tuple(rows), digest(path), notes=notes)


def _value(cell: Any) -> object:
    value = cell.value
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int) and not isinstance(value, bool):
        style = cell.number_format
        if _ZEROS.fullmatch(style) and value >= 0:
            return str(value).zfill(len(style))
    return value


def _pick(path: Path, book: Any, wanted: str) -> tuple[Any, tuple[str, ...]]:
    names = [sheet.title for sheet in book.worksheets]
    if not names:
        raise InputError(f"{path}: the workbook has no sheet with cells")
    if not wanted:
        others = f" (of {len(names)}; choose another with --sheet)" if len(names) > 1 else ""
        return book.worksheets[0], (f"read sheet {names[0]!r}{others}",) if others else ()
    if wanted not in names:
        raise InputError(
            f"{path}: no sheet {wanted!r}; the sheets are {', '.join(map(repr, names))}"
            f"{did_you_mean(wanted, names)}"
        )
    return book.worksheets[names.index(wanted)], ()


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_UNPACKED_BYTES:
        raise InputError(
            f"{path}: unpacks to {size / 1e9:.1f} GB, more than any city's table: "
            "save it as CSV if it is genuine"
        )
