"""Writes a plan's sites for other programs: GeoJSON, GeoPackage, KML and CSV.

The same plan gives the same bytes: nothing in the files tells when they were written.
"""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coverage_maps.plan.plans import Plan, PlannedSite
from coverage_maps.telling.exports import plan_geojson
from coverage_maps.telling.messages import Language
from coverage_maps.telling.words import explain
from farola.errors import InputError

NO_DATE = "1970-01-01T00:00:00.000Z"
"""A GeoPackage must tell when a layer changed; the hour of writing would be another each time."""
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NOT_IN_NAMES = re.compile("[&<>\"']")
"""GDAL writes names of columns into KML as they are."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def check_writable(path: Path) -> None:
    """Raise InputError unless there is a folder to write `path` in."""
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.absolute().parent}")
    if path.is_dir():
        raise InputError(f"{path} cannot be written: it is a folder")


def geojson_bytes(plan: Plan, _say: Language) -> bytes:
    """Points with all that is known of each site (RFC 7946)."""
    return json.dumps(plan_geojson(plan), ensure_ascii=False).encode("utf-8", "backslashreplace")


def csv_bytes(plan: Plan, say: Language) -> bytes:
    """One row a site, UTF-8; a text that a spreadsheet would run as a formula gets a quote."""
    out = io.StringIO()
    rows = [_row(site, plan, say) for site in plan.sites]
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["rank"])
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {key: f"'{v}" if isinstance(v, str) and v.startswith(FORMULA) else v
             for key, v in row.items()}
        )  # fmt: skip
    return out.getvalue().encode("utf-8", "backslashreplace")


def gpkg_bytes(plan: Plan, say: Language) -> bytes:
    """A GeoPackage with the layer `sites`, points in WGS84."""
    return _by_gdal(plan, say, "GPKG", "sites.gpkg")


def kml_bytes(plan: Plan, say: Language) -> bytes:
    """A KML file: a pin a site, its reasons in the balloon."""
    return _by_gdal(plan, say, "LIBKML", "sites.kml")


WRITERS: dict[str, Callable[[Plan, Language], bytes]] = {
    "geojson": geojson_bytes, "gpkg": gpkg_bytes, "kml": kml_bytes, "csv": csv_bytes,
}  # fmt: skip


def _row(site: PlannedSite, plan: Plan, say: Language) -> dict[str, Any]:
    rival = site.runner_up
    each = None
    if site.cost is not None and site.newly_covered >= 0.5:
        each = round(site.cost / site.newly_covered, 2)
    row: dict[str, Any] = {
        "rank": site.rank, "site_id": site.site_id, "name": site.name, "kind": site.kind,
        "source": site.source, "lat": round(site.lat, 7), "lon": round(site.lon, 7),
        "neighbourhood": site.neighbourhood, "borough": site.borough or "",
        "newly_covered": round(site.newly_covered, 1),
    }  # fmt: skip
    if plan.groups != "neighbourhood":
        row |= {f"newly_covered {g}": round(site.by_grade[g], 1) for g in plan.group_names}
    row |= {
        "alone": _rounded(site.alone), "only": _rounded(site.only), "cost": site.cost,
        "cost_per_resident": each, "demand": _rounded(site.demand, 3),
        "survives": _rounded(site.survives, 3),
        "runner_up": "" if rival is None else rival.name,
        "runner_up_id": "" if rival is None else rival.site_id,
        "runner_up_m": None if rival is None else round(rival.distance),
        "runner_up_residents": None if rival is None else round(rival.residents, 1),
        "lost_by": "" if rival is None else rival.lost_by,
        "why": " ".join(explain(site, plan, say)),
    }  # fmt: skip
    return row


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)


def _by_gdal(plan: Plan, say: Language, driver: str, name: str) -> bytes:
    import numpy as np
    import pyogrio
    import shapely

    rows = [_row(site, plan, say) for site in plan.sites]
    renamed = {"name": "Name", "why": "description"} if driver == "LIBKML" else {}
    columns: dict[str, Any] = {}
    for key in rows[0] if rows else ():
        values = [
            NOT_IN_XML.sub("\ufffd", v) if isinstance(v := row[key], str) else v for row in rows
        ]
        if renamed.get(key) == "description":  # which a balloon shows as HTML
            values = [html.escape(value, quote=False) for value in values]
        if any(isinstance(value, str) for value in values):
            column: Any = np.array(values, dtype=object)
        elif all(isinstance(value, int) for value in values):
            column = np.array(values, dtype=np.int64)
        else:
            column = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
        columns[renamed.get(key, NOT_IN_NAMES.sub("_", key))] = column
    points = shapely.points([site.lon for site in plan.sites], [site.lat for site in plan.sites])
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": NO_DATE})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        pyogrio.raw.write(
            os.fspath(path), shapely.to_wkb(points), list(columns.values()), list(columns),
            layer="sites", driver=driver, geometry_type="Point", crs="EPSG:4326",
        )  # fmt: skip
        return path.read_bytes()
