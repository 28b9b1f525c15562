"""Reads text tables: finds the encoding by its mark, the delimiter by what fits, and says which
line is broken.
"""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path

from farola.errors import InputError
from inventory.importers.contents import Options, Row, Source, check_rows, digest
from inventory.importers.report import Fault, shown

DELIMITERS = ",;\t|"
MAX_CELL_CHARS = 16 << 20
"""Longer cells are refused; outlines of polygons written into a cell stay well below."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_csv(path: Path, options: Options) -> Source:
    """Rows of the text table in `path`; the first row that is not blank is the header."""
    text, notes = decode(path, path.read_bytes(), options.encoding)
    delimiter, skip = find_delimiter(text)
    csv.field_size_limit(MAX_CELL_CHARS)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: tuple[str, ...] = ()
    rows: list[Row] = []
    faults: list[Fault] = []
    warnings: list[Fault] = []
    number = 0
    while True:
        begins = reader.line_num + 1
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise InputError(
                    f"{path}: a quote opened in row {number} (line {begins}) is never closed: "
                    "close it"
                ) from None
            why = f"cannot be read as a row (line {begins}): {error}"
            faults.append(Fault(number, "", "", why, "cannot be read as a row"))
            continue
        if number <= skip or not any(cell.strip() for cell in cells):
            continue
        if not columns:
            columns = tuple(cell.strip() for cell in cells)
            continue
        extra = len(cells) - len(columns)
        if extra > 0 and any(cell.strip() for cell in cells[len(columns) :]):
            why = (
                f"has {len(cells)} cells where the header has {len(columns)}: quote the cell "
                f"that holds a {delimiter!r}"
            )
            value = shown(delimiter.join(cells))
            faults.append(Fault(number, "", value, why, "too many cells", cells=tuple(cells)))
            continue
        if extra < 0:
            why = f"has {len(cells)} cells of {len(columns)}: the missing ones are read as empty"
            warnings.append(Fault(number, columns[len(cells)], "", why, "too few cells"))
        cells += [""] * -extra
        rows.append(Row(number, tuple(cell or None for cell in cells[: len(columns)])))
    check_rows(path, columns, len(rows) + len(faults))
    return Source(
        path, columns, tuple(rows), digest(path),
        faults=tuple(faults), notes=notes, warnings=tuple(warnings),
    )  # fmt: skip


def decode(path: Path, data: bytes, encoding: str) -> tuple[str, tuple[str, ...]]:
    """The file's text, and what to tell about its encoding.

    Raises
    ------
    InputError
        It is not in `encoding` (default UTF-8, or what its byte order mark says): names the
        first byte and line that do not fit, and the remedy.
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    notes: tuple[str, ...] = ()
    if not encoding:
        encoding = marked or "utf-8"
        if encoding not in {"utf-8", "utf-8-sig"}:
            notes = (f"read as {encoding.upper()}, as its byte order mark says",)
    elif marked and codecs_equal(encoding, "utf-8"):
        encoding = marked
    try:
        text = data.decode(encoding)
    except LookupError:
        raise InputError(
            f"--encoding {encoding}: no such encoding; use utf-8, latin-1, cp1252, utf-16 …"
        ) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        remedy = (
            "if it was written in Latin-1 or Windows-1252, give `--encoding latin-1` (or cp1252)"
            if encoding.startswith("utf-8")
            else "give the right --encoding"
        )
        raise InputError(
            f"{path}: line {line} is not {encoding.upper()} (byte 0x{byte:02x} at offset "
            f"{error.start}): {remedy}"
        ) from None
    except UnicodeError as error:  # such as punycode's
        raise InputError(f"{path}: is not {encoding}: {error}: give the right --encoding") from None
    if "\0" in text[:4096]:
        raise InputError(f"{path}: holds NUL characters: if it is UTF-16, give --encoding utf-16")
    return text.removeprefix("\ufeff"), notes


def codecs_equal(one: str, other: str) -> bool:
    """Whether two names mean the same encoding."""
    try:
        return codecs.lookup(one).name == codecs.lookup(other).name
    except LookupError:
        return False


def find_delimiter(text: str) -> tuple[str, int]:
    """The delimiter under which the first rows have most cells and agree best, and how many
    leading rows to skip (Excel's `sep=` line).
    """
    if text[:4].lower() == "sep=" and text[4:5] in DELIMITERS:
        return text[4], 1
    sample = text[: 1 << 16]

    def fit(delimiter: str) -> tuple[float, int]:
        widths: list[int] = []
        try:
            for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
                if cells:
                    widths.append(len(cells))
                if len(widths) == 60:
                    break
        except csv.Error:
            return 0.0, 0
        if not widths or widths[0] == 1:
            return 0.0, 0
        whole = widths[:-1] if len(sample) < len(text) and len(widths) < 60 else widths
        agree = sum(width == widths[0] for width in whole) / max(len(whole), 1)
        return round(agree, 1), widths[0]

    best = max(DELIMITERS, key=fit)
    return (best if fit(best)[1] else ","), 0
