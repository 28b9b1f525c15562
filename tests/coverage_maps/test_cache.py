"""Coverage kept on disk: the same answer, never a wrong one."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import shapely

from coverage_maps.cover import cache
from coverage_maps.cover.cache import cached_cover, cached_cover_emitters
from coverage_maps.cover.coverage import cover_emitters
from coverage_maps.cover.emitters import from_sites
from coverage_maps.cover.ground import lay_out, positions


def test_what_was_stored_is_what_was_computed(city, tmp_path, monkeypatch):
    ground = lay_out([city.square(0, 0, 300, "a"), city.square(0, 0, 50, "inside a disc")])
    xy = positions(ground, city.sites([(20, 20), (200, 200)]))
    first = cached_cover(ground, xy, 80.0, tmp_path)
    monkeypatch.setattr(cache, "cover", lambda *_: 1 / 0)
    again = cached_cover(ground, xy, 80.0, tmp_path)
    assert again.shares.tolist() == first.shares.tolist()
    assert shapely.equals_exact(again.uncovered, first.uncovered).all()


def test_other_sites_radius_or_ground_are_another_file(city, tmp_path):
    ground = lay_out([city.square(0, 0, 300)])
    other = lay_out([city.square(0, 0, 301)])
    xy = positions(ground, city.sites([(20, 20)]))
    for place, radius, where in ((ground, 80.0, xy), (ground, 81.0, xy), (other, 80.0, xy),
                                 (ground, 80.0, xy + 1)):  # fmt: skip
        cached_cover(place, where, radius, tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 4
    assert not list(tmp_path.glob(".*"))


def test_a_broken_file_is_computed_anew(city, tmp_path):
    ground = lay_out([city.square(0, 0, 300)])
    xy = positions(ground, city.sites([(20, 20)]))
    good = cached_cover(ground, xy, 80.0, tmp_path)
    (stored,) = tmp_path.glob("*.npz")
    whole = stored.read_bytes()
    for broken in (b"", b"not a zip", whole[: len(whole) // 2], whole[:200] + b"x" + whole[201:]):
        stored.write_bytes(broken)
        assert cached_cover(ground, xy, 80.0, tmp_path).shares.tolist() == good.shares.tolist()


def test_a_folder_that_cannot_be_written_costs_only_time(city, tmp_path):
    (tmp_path / "cache").write_text("a file stands where the folder should")
    ground = lay_out([city.square(0, 0, 300)])
    xy = positions(ground, city.sites([(20, 20)]))
    assert cached_cover(ground, xy, 80.0, tmp_path / "cache").shares[0] > 0


def test_the_oldest_files_are_removed(city, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "KEPT_FILES", 3)
    ground = lay_out([city.square(0, 0, 300)])
    xy = positions(ground, city.sites([(20, 20)]))
    for radius in range(10, 60, 10):
        cached_cover(ground, xy, float(radius), tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 3


def test_what_is_still_read_stays_and_what_nobody_reads_goes(city, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "KEPT_FILES", 2)
    ground = lay_out([city.square(0, 0, 300)])
    xy = positions(ground, city.sites([(20, 20)]))
    cached_cover(ground, xy, 10.0, tmp_path)
    (daily,) = tmp_path.glob("*.npz")
    os.utime(daily, (0, 0))
    cached_cover(ground, xy, 20.0, tmp_path)
    assert not daily.exists()  # of 1970
    cached_cover(ground, xy, 10.0, tmp_path)
    for file in tmp_path.glob("*.npz"):
        os.utime(file, (time.time() - 1000, time.time() - 1000))
    cached_cover(ground, xy, 10.0, tmp_path)
    cached_cover(ground, xy, 30.0, tmp_path)
    assert daily.exists()
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_emitters_are_kept_by_all_that_decides_what_they_reach(city, tmp_path, monkeypatch):
    ground = lay_out([city.square(0, 0, 300)])
    (one,) = from_sites(ground, city.sites([(20, 20)]), 50.0)
    others = [
        replace(one, x=one.x + 1), replace(one, range_m=51.0), replace(one, ranges_m=(50.0,) * 8),
        replace(one, footprint=shapely.box(0, 0, 9, 9)),
        replace(one, footprint=shapely.box(0, 0, 9, 8)),
    ]  # fmt: skip
    for emitter in (one, *others):
        cached_cover_emitters(ground, [emitter], tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 6
    first = cover_emitters(ground, others[1:2], radius=70.0)
    cached_cover_emitters(ground, others[1:2], tmp_path, radius=70.0)
    monkeypatch.setattr(cache, "cover_emitters", lambda *_, **__: 1 / 0)
    again = cached_cover_emitters(ground, others[1:2], tmp_path, radius=70.0)
    assert again.shares.tolist() == first.shares.tolist()
    assert again.positions.tolist() == first.positions.tolist()
    assert again.extents.tolist() == first.extents.tolist()
    assert (again.radius, again.emitters) == (70.0, first.emitters)
