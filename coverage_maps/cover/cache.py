"""Keeps computed coverage under FAROLA_HOME/cache: seconds of work on a real city, the same for
the command line and the console as long as neighbourhoods, sites and radius stay as they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import shapely
from shapely.errors import ShapelyError

from coverage_maps.cover.coverage import Coverage, cover, cover_emitters, of_emitters
from coverage_maps.cover.emitters import Emitter, checked
from coverage_maps.cover.footprint import check_radius, distinct
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats, Geometries
from farola.files import written_whole

FORMAT = "coverage 1"
KEPT_FILES, KEPT_DAYS = 20, 60
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
    that cannot be read is computed anew. Of more than twenty those that nobody read for longest
    are removed, and any that nobody read for sixty days.
    """
    if folder is None:
        return cover(ground, xy, radius, advance)
    xy = distinct(xy)
    path = folder / f"coverage-{_digest(ground, [xy.tobytes()], check_radius(radius))}.npz"
    kept = _kept(path, ground)
    if kept is not None:
        advance(len(ground.polygons))
        return Coverage(radius, xy, *kept)
    computed = cover(ground, xy, radius, advance)
    with contextlib.suppress(OSError):  # a full or read-only disk costs time, not the answer
        _store(path, computed)
    return computed


def cached_cover_emitters(
    ground: Ground,
    emitters: Sequence[Emitter],
    folder: Path | None,
    *,
    radius: float = 0.0,
    advance: Callable[[int], None] = lambda _n: None,
) -> Coverage:
    """`coverage.cover_emitters`, kept in the same way."""
    if folder is None:
        return cover_emitters(ground, emitters, radius=radius, advance=advance)
    sending = checked(emitters)
    path = folder / f"coverage-{_digest(ground, _told(sending), radius)}.npz"
    kept = _kept(path, ground)
    if kept is None:
        computed = cover_emitters(ground, sending, radius=radius, advance=advance)
        with contextlib.suppress(OSError):
            _store(path, computed)
        return computed
    advance(len(ground.polygons))
    return of_emitters(sending, radius, *kept)


def _told(emitters: Sequence[Emitter]) -> Iterator[bytes]:
    """All that decides what the emitters reach."""
    for one in emitters:
        yield f"{one.x!r} {one.y!r} {one.range_m!r} {one.ranges_m!r}".encode()
        if one.footprint is not None:
            yield shapely.to_wkb(one.footprint)


def _kept(path: Path, ground: Ground) -> tuple[Geometries, Floats] | None:
    """What is uncovered, and the shares, from the file; None where that is of no use."""
    with contextlib.suppress(*UNREADABLE):
        with np.load(path, allow_pickle=False) as stored:
            whole = shapely.from_wkb(stored["uncovered"].tobytes())
            uncovered, shares = shapely.get_parts(whole), stored["shares"]
        if len(uncovered) == len(shares) == len(ground.polygons):
            with contextlib.suppress(OSError):
                os.utime(path)
            return uncovered, shares
    return None


def _digest(ground: Ground, sites: Iterable[bytes], radius: float) -> str:
    digest = hashlib.sha256(f"{FORMAT} {radius!r} {ground.plane!r}".encode())
    for told in sites:
        digest.update(told)
    for wkb in shapely.to_wkb(ground.polygons):
        digest.update(wkb)
    return digest.hexdigest()[:32]


def _store(path: Path, coverage: Coverage) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wkb = shapely.to_wkb(shapely.geometrycollections(coverage.uncovered))
    with written_whole(path) as out:
        np.savez(out, shares=coverage.shares, uncovered=np.frombuffer(wkb, dtype=np.uint8))
    read = {file: file.stat().st_mtime for file in path.parent.glob("coverage-*.npz")}
    latest = sorted(read, key=lambda file: read[file])[-KEPT_FILES:]
    for file, at in read.items():
        if file not in latest or at < time.time() - KEPT_DAYS * 86_400:
            file.unlink(missing_ok=True)
