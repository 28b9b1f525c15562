"""A file is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat

import pytest

from farola.files import written_whole


def test_a_file_takes_its_place_only_when_it_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "notes.txt"
    with written_whole(path) as out:
        out.write(b"one")
        assert not path.exists()
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"one", 0o600)
    with contextlib.suppress(KeyboardInterrupt), written_whole(path) as out:
        out.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"one"
    with written_whole(path, 0o644) as out:
        out.write(b"two")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two", 0o644)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), written_whole(path) as out:
        out.write(b"three")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path], "no draft is left"


def test_a_name_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("é" * 127)
    with written_whole(path) as out:
        out.write(b"1")
    assert path.read_bytes() == b"1"
