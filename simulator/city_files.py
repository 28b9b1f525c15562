"""Writes a pretend city as the files that a real one would import."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.city import City, to_degrees

CREDENTIAL = "pretend-root"
"""Name of the credential that every pretend access point is signed in to with."""


@dataclass(frozen=True)
class CityFiles:
    """Where the parts of a city were written."""

    neighbourhoods: Path
    access_points: Path
    candidates: Path
    usage: Path


def write_city(city: City, folder: Path) -> CityFiles:
    """Write neighbourhoods.geojson, access-points.csv, candidates.csv and usage.csv (UTF-8)."""
    folder.mkdir(parents=True, exist_ok=True)
    files = CityFiles(
        neighbourhoods=folder / "neighbourhoods.geojson",
        access_points=folder / "access-points.csv",
        candidates=folder / "candidates.csv",
        usage=folder / "usage.csv",
    )
    boroughs = {home.id: home.borough for home in city.neighbourhoods}
    files.neighbourhoods.write_text(_geojson(city), encoding="utf-8")
    _table(
        files.access_points,
        "id name lat lon borough programme management_address ssh_port snmp_port mac serial"
        " platform credential bssid mean_clients fault simulated",
        (
            (p.id, p.name, p.lat, p.lon, boroughs[p.neighbourhood], f"pretend {p.kind}",
             p.management_address, p.ssh_port, p.snmp_port, p.mac, p.serial, "openwrt", CREDENTIAL,
             f"{p.bssid_2g};{p.bssid_5g}", f"{p.mean_clients:.2f}", "", "true")
            for p in city.access_points
        ),
    )  # fmt: skip
    _table(
        files.candidates,
        "id name kind lat lon cost simulated",
        ((c.id, c.name, c.kind, c.lat, c.lon, c.cost, "true") for c in city.candidates),
    )
    _table(
        files.usage,
        "site month kind users sessions minutes simulated",
        ((u.site, u.month, u.kind, u.users, u.sessions, u.minutes, "true") for u in city.usage),
    )
    return files


def _table(path: Path, columns: str, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns.split())
        writer.writerows(rows)


def _geojson(city: City) -> str:
    features = []
    for place in city.neighbourhoods:
        rings = [place.polygon.exterior, *place.polygon.interiors]
        coordinates = [
            [[round(lon, 6), round(lat, 6)] for lat, lon in (to_degrees(x, y) for x, y in r.coords)]
            for r in rings
        ]
        properties = {
            "id": place.id,
            "name": place.name,
            "borough": place.borough,
            "population": place.population,
            "deprivation": place.deprivation,
            "grade": place.grade,
            "simulated": True,
        }
        geometry = {"type": "Polygon", "coordinates": coordinates}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    collection = {
        "type": "FeatureCollection",
        "name": city.name,
        "simulated": True,
        "note": "A pretend city: every name and figure is invented.",
        "features": features,
    }
    return json.dumps(collection, ensure_ascii=False, separators=(",", ":"))
