"""Opens a file as rows with named columns, whatever its format. Whole-file faults are raised here:
not what its ending says, wrong encoding, empty.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from farola.errors import InputError
from inventory.importers.contents import Options, Source
from inventory.importers.csv_file import read_csv
from inventory.importers.geojson_file import read_geojson
from inventory.importers.layer_file import read_layer
from inventory.importers.xlsx_file import read_xlsx

TABLES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".xlsm": "xlsx"}
LAYERS = {".geojson": "geojson", ".json": "geojson", ".shp": "shapefile", ".gpkg": "geopackage"}
NAMES = {
    "csv": "a text table (CSV)",
    "xlsx": "an Excel workbook (.xlsx)",
    "geojson": "JSON",
    "shapefile": "a shapefile",
    "geopackage": "a GeoPackage or another SQLite file",
}


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
        return read_csv(path, options)
    if kind == "xlsx":
        return read_xlsx(path, options)
    if kind == "geojson":
        return read_geojson(path, options)
    return read_layer(path, kind, options)


def check_kind(path: Path, encoding: str = "") -> str:
    """The kind of file that `path` is, by its ending and by its first bytes, which must agree.

    Text in a named `encoding` is taken at its word.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    kind = (TABLES | LAYERS).get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"{path}: cannot read files ending in {path.suffix!r}; use .csv, .tsv, .txt, .xlsx, "
            ".geojson, .json, .shp or .gpkg"
        )
    try:
        with path.open("rb") as file:
            head = file.read(4096)
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
