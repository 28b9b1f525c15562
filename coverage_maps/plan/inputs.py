"""Fingerprints of what a plan was made from, so that two reports can be told to be of the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import shapely

from coverage_maps.plan.plans import PlanRequest
from farola import __version__
from inventory.records import NeighbourhoodRecord, SiteRecord, UsageRecord


def fingerprints(
    neighbourhoods: Sequence[NeighbourhoodRecord],
    sites: Sequence[SiteRecord],
    usage: Sequence[UsageRecord],
    request: PlanRequest,
    uptime: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """SHA-256, in hex, of each kind of input and of the request."""
    places = (
        {**vars(record), "geometry": shapely.to_wkb(record.geometry, hex=True, byte_order=1)}
        for record in neighbourhoods
    )
    told = {
        "neighbourhoods": _digest(places),
        "sites": _digest(vars(site) for site in sites),
        "usage": _digest(vars(row) for row in usage),
        "request": _digest([asdict(request) | {"farola": __version__}]),
    }
    if uptime:
        told["uptime"] = _digest([{"site": site, "up": up} for site, up in uptime.items()])
    return told


def _digest(rows: Iterable[dict[str, object]]) -> str:
    """Whatever the order of `rows`."""
    lines = sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
