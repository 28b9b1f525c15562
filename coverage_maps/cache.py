"""Keeps computed coverage under FAROLA_HOME/cache: seconds of work on a real city, the same for
the command line and the console as long as neighbourhoods, sites and radius stay as they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely
from shapely.errors import ShapelyError

from coverage_maps.coverage import Coverage, cover
from coverage_maps.footprint import check_radius, distinct
from coverage_maps.ground import Ground
from coverage_maps.projection import Floats
from farola.files import written_whole

FORMAT = "coverage 1"
KEPT_FILES = 20
UNREADABLE = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, ShapelyError)


def cached_cover(
    ground: Ground,
    xy: Floats,
    radius: float,
    folder: Path | None,
    advance: Callable[[int], None] = lambda _n: None,
) -> Coverage:
    """`coverage.cover`, read from `folder` where it was computed before; None keeps nothing.

    The name of a file is a digest of all that went in, so it can be stale but never wrong. One
    that cannot be read is computed anew; the oldest of more than twenty are removed.
    """
    if folder is None:
        return cover(ground, xy, radius, advance)
    xy = distinct(xy)
    path = folder / f"coverage-{_digest(ground, xy, check_radius(radius))}.npz"
    with contextlib.suppress(*UNREADABLE):
        with np.load(path, allow_pickle=False) as stored:
            whole = shapely.from_wkb(stored["uncovered"].tobytes())
            uncovered, shares = shapely.get_parts(whole), stored["shares"]
        if len(uncovered) == len(shares) == len(ground.polygons):
            advance(len(shares))
            return Coverage(radius, xy, uncovered, shares)
    computed = cover(ground, xy, radius, advance)
    with contextlib.suppress(OSError):  # a full or read-only disk costs time, not the answer
        _store(path, computed)
    return computed


def _digest(ground: Ground, xy: Floats, radius: float) -> str:
    digest = hashlib.sha256(f"{FORMAT} {radius!r} {ground.plane!r}".encode())
    digest.update(xy.tobytes())
    for wkb in shapely.to_wkb(ground.polygons):
        digest.update(wkb)
    return digest.hexdigest()[:32]


def _store(path: Path, coverage: Coverage) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wkb = shapely.to_wkb(shapely.geometrycollections(coverage.uncovered))
    with written_whole(path) as out:
        np.savez(out, shares=coverage.shares, uncovered=np.frombuffer(wkb, dtype=np.uint8))
    files = sorted(path.parent.glob("coverage-*.npz"), key=lambda file: file.stat().st_mtime)
    for old in files[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
