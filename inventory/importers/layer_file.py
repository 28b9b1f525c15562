"""Reads shapefiles and GeoPackages through GDAL (pyogrio)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from farola.errors import InputError
from inventory.importers.contents import Options, Row, Source, check_rows, digest
from inventory.importers.names import did_you_mean

MAX_NOTES = 5
"""GDAL's own remarks on a file that are passed on."""


def read_layer(path: Path, kind: str, options: Options) -> Source:
    """Features of the layer `options.layer`, else of the only one; numbered from 1.

    Heights are dropped. A feature without a readable geometry has None.
    """
    import numpy as np
    import pyogrio
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError, FieldError

    if kind == "shapefile":
        _check_parts(path)
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = [(str(name), shape) for name, shape in pyogrio.list_layers(path)]
            layers = [name for name, shape in found if shape] or [name for name, _ in found]
            layer = _pick(path, layers, options.layer)
            named = options.encoding and kind == "shapefile"
            extra = {"encoding": options.encoding} if named else {}
            meta, _, geometry, fields = pyogrio.raw.read(path, layer=layer, force_2d=True, **extra)
    except (DataSourceError, DataLayerError, FieldError, UnicodeError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {_first_line(error)}") from None
    notes = tuple(dict.fromkeys(str(warning.message) for warning in caught))[:MAX_NOTES]
    columns = tuple(str(name).strip() for name in meta["fields"])
    if geometry is None:
        raise InputError(f"{path}: layer {layer!r} has no geometry; choose another with --layer")
    check_rows(path, ("geometry",), len(geometry), "features")
    lists = [_cells(column) for column in fields]
    rows = tuple(
        Row(number, cells)
        for number, cells in enumerate(
            zip(*lists, strict=True) if lists else ((),) * len(geometry), start=1
        )
    )
    with np.errstate(invalid="ignore"):  # a vertex that is no number: its row will be rejected
        shapes = shapely.from_wkb(geometry, on_invalid="ignore")
    return Source(
        path, columns, rows, digest(path), shapes, meta["crs"], notes=notes,
    )  # fmt: skip


def _cells(column: Any) -> list[object]:
    """A column's cells as plain Python; what GDAL gives as NaN was null."""
    if column.dtype.kind == "M":
        return [None if text == "NaT" else text for text in column.astype(str).tolist()]
    cells = column.tolist()
    return [None if isinstance(cell, float) and cell != cell else cell for cell in cells]  # noqa: PLR0124 - NaN


def _pick(path: Path, layers: list[str], wanted: str) -> str:
    if not layers:
        raise InputError(f"{path} is empty: it has no layer")
    listed = ", ".join(map(repr, layers))
    if wanted and wanted not in layers:
        raise InputError(
            f"{path}: no layer {wanted!r}; the layers are {listed}{did_you_mean(wanted, layers)}"
        )
    if len(layers) > 1 and not wanted:
        raise InputError(f"{path}: has {len(layers)} layers: choose one with --layer: {listed}")
    return wanted or layers[0]


def _check_parts(path: Path) -> None:
    beside = {other.name.lower() for other in path.parent.iterdir()}
    for ending in (".shx", ".dbf"):
        if path.with_suffix(ending).name.lower() not in beside:
            raise InputError(
                f"{path}: {path.stem}{ending} is missing beside it: a shapefile is at least the "
                "files .shp, .shx and .dbf together"
            )


def _first_line(error: Exception) -> str:
    return str(error).split("; use")[0].splitlines()[0]
