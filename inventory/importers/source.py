"""Opens a file as rows with named columns, whatever its format. Whole-file faults are raised here:
not what its ending says, wrong encoding, empty, a column that is not there.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from farola.errors import InputError
from inventory.importers.report import Fault, Report

TABLES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".xlsm": "xlsx"}
LAYERS = {".geojson": "geojson", ".json": "geojson", ".shp": "shapefile", ".gpkg": "geopackage"}
NAMES = {
    "csv": "a text table (CSV)",
    "xlsx": "an Excel workbook (.xlsx)",
    "geojson": "JSON",
    "shapefile": "a shapefile",
    "geopackage": "a GeoPackage or another SQLite file",
}
MAX_UNPACKED_BYTES = 1 << 30
"""A workbook that unpacks to more is refused: it would exhaust the machine's memory."""


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


def fold(text: str) -> str:
    """`text` without case, accents, punctuation and spaces: for comparing names."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[\W_]+", "", "".join(c for c in plain if not unicodedata.combining(c)))


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """ "; did you mean …?" where one of `names` is near, else nothing."""
    folded = {fold(other): other for other in names}
    near = difflib.get_close_matches(fold(name), list(folded), n=1, cutoff=0.6)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def open_source(path: Path, options: Options | None = None) -> Source:
    """Read the table or layer in `path`.

    Raises
    ------
    InputError
        A fault of the whole file, with what to do.
    """
    options = options or Options()
    kind = check_kind(path, options.encoding)
    if kind == "csv":
        from inventory.importers.csv_file import read_csv

        return read_csv(path, options)
    if kind == "xlsx":
        from inventory.importers.xlsx_file import read_xlsx

        return read_xlsx(path, options)
    if kind == "geojson":
        from inventory.importers.geojson_file import read_geojson

        return read_geojson(path, options)
    from inventory.importers.layer_file import read_layer

    return read_layer(path, kind, options)


def check_kind(path: Path, encoding: str = "") -> str:
    """The kind of file that `path` is, by its ending and by its first bytes, which must agree.

    Text in a named `encoding` is taken at its word.
    """
    kind = (TABLES | LAYERS).get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"{path}: cannot read files ending in {path.suffix!r}; use .csv, .tsv, .txt, .xlsx, "
            ".geojson, .json, .shp or .gpkg"
        )
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: name a file in it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if not head:
        raise InputError(f"{path} is empty (0 bytes): get the file again")
    if encoding and kind in {"csv", "geojson"}:
        head = head.replace(b"\0", b"")
    really, advice = _sniff(path, head, kind)
    if really != kind:
        raise InputError(
            f"{path} is not what its ending says: it ends in {path.suffix} but is "
            f"{NAMES.get(really, really)}; {advice}"
        )
    return kind


_BINARY = (
    (b"SQLite format 3\0", "geopackage", "rename it to end in .gpkg"),
    (b"\x00\x00\x27\x0a", "shapefile", "rename it to end in .shp"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "save it as .xlsx or CSV"),
    (b"%PDF", "a PDF", "ask the publisher for a table"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"PK\x03\x04", "a zip archive", "unpack it and import the file inside"),
)
_TEXT = (
    (b"<!doctype html", "a web page", "the download brought a page, not the file: get it again"),
    (b"<html", "a web page", "the download brought a page, not the file: get it again"),
    (b"<?xml", "XML", "convert it to CSV or GeoJSON"),
)


def _sniff(path: Path, head: bytes, kind: str) -> tuple[str, str]:
    """What the first bytes say: (kind or a name for it, what to do)."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    marked = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    if marked:  # UTF-16: its plain letters tell enough
        text = head[2:].replace(b"\0", b"").lstrip().lower()
    if head.startswith(b"PK\x03\x04") and _is_workbook(path):
        return "xlsx", "rename it to end in .xlsx"
    for known, start in ((_BINARY, head), (_TEXT, text)):
        for magic, name, advice in known:
            if start.startswith(magic):
                return name, advice
    if b"\0" in head[:64] and not marked:
        return "binary data, or UTF-16 without a byte order mark", (
            "name the right file; if it is text, give its --encoding, such as utf-16-le"
        )
    if text.startswith(b"{") and (kind == "geojson" or b'"type"' in text):
        return "geojson", "rename it to end in .geojson"
    if kind == "csv":
        return "csv", ""
    return "text or something else", "name the right file, or rename it after what it is"


def _is_workbook(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "xl/workbook.xml" in archive.namelist()


def digest(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_rows(path: Path, columns: Sequence[str], count: int, what: str = "rows") -> None:
    """InputError unless there are columns and rows."""
    if not any(columns):
        raise InputError(f"{path} is empty: it has no header and no {what}")
    if not count:
        raise InputError(f"{path} is empty: it has a header but no {what}")
