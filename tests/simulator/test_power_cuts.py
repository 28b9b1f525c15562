"""What a power cut leaves: exactly what was synced, or with it what chance kept of the rest."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.flash import Flash

NAMES = st.sampled_from(["/etc/a", "/etc/b", "/etc/d", "/etc/d/a", "/etc/d/b", "/tmp/a"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NAMES, st.binary(max_size=3)),
        st.tuples(st.just("rename"), NAMES, NAMES),
        st.tuples(st.sampled_from(["remove", "rmdir", "mkdir", "chmod", "link"]), NAMES, NAMES),
        st.tuples(st.just("sync"), st.just(""), st.just("")),
    ),
    max_size=25,
)


@pytest.fixture
def flash(tmp_path: Path) -> Flash:
    return new_flash(tmp_path / "root")


def new_flash(root: Path) -> Flash:
    for folder in ("etc/config", "tmp"):
        (root / folder).mkdir(parents=True)
    return Flash(root)


def tree(flash: Flash) -> dict[str, bytes | None]:
    """All files of /etc with their contents, folders as None."""
    etc = flash.root / "etc"
    return {
        str(path.relative_to(etc)): path.read_bytes() if path.is_file() else None
        for path in sorted(etc.rglob("*"))
    }


def take(flash: Flash, step: tuple[str, str, bytes | str]) -> None:
    """Make a step; what cannot be done is not."""
    word, path, other = step
    try:
        match word:
            case "write":
                assert isinstance(other, bytes)
                flash.write(path, other)
            case "rename" | "link":
                assert isinstance(other, str)
                getattr(flash, word)(path, other)
            case "chmod":
                flash.chmod(path, 0o700)
            case "sync":
                flash.sync()
            case _:
                getattr(flash, word)(path)
    except OSError:
        pass


@settings(max_examples=100, deadline=None)
@given(steps=STEPS)
def test_nothing_that_was_not_synced_survives_the_worst_cut(
    steps: list[tuple[str, str, bytes | str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        flash = new_flash(Path(folder, "root"))
        safe = tree(flash)
        for step in steps:
            take(flash, step)
            if step[0] == "sync":
                safe = tree(flash)
        flash.lose(None)
        assert tree(flash) == safe
        assert list((flash.root / "tmp").iterdir()) == []
        # And it goes on as a file system from there.
        for step in steps:
            take(flash, step)
        flash.sync()
        after = tree(flash)
        flash.lose(random.Random(0))
        assert tree(flash) == after


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**32))
def test_chance_keeps_only_what_was_once_written_and_repeats_by_its_seed(
    steps: list[tuple[str, str, bytes | str]], seed: int
) -> None:
    written = {b""} | {one[:n] for _, _, one in steps if isinstance(one, bytes) for n in range(4)}
    left = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            flash = new_flash(Path(folder, "root"))
            for step in steps:
                take(flash, step)
            flash.lose(random.Random(seed))
            left.append(tree(flash))
    assert left[0] == left[1]
    assert {content for content in left[0].values() if content is not None} <= written


def test_a_file_is_safe_when_it_and_its_folder_were_synced(flash: Flash) -> None:
    flash.write("/etc/both", b"x")
    flash.write("/etc/name-only", b"x")
    flash.sync("/etc/both")
    flash.sync("/etc")
    flash.write("/etc/content-only", b"x")
    flash.sync("/etc/content-only")
    flash.write("/etc/both", b"longer")
    flash.lose(None)
    assert tree(flash) == {"config": None, "both": b"x", "name-only": b""}


def test_a_rename_happens_whole_or_not_at_all(flash: Flash) -> None:
    flash.write("/etc/config/system", b"old")
    flash.sync()
    outcomes = set()
    for seed in range(40):
        flash.write("/etc/config/.system.new", b"new")
        flash.sync("/etc/config/.system.new")
        flash.sync("/etc/config")
        flash.rename("/etc/config/.system.new", "/etc/config/system")
        flash.lose(random.Random(seed))
        outcomes.add(tuple(tree(flash).items()))
        flash.write("/etc/config/system", b"old")
        if flash.exists("/etc/config/.system.new"):
            flash.remove("/etc/config/.system.new")
        flash.sync()
    assert outcomes == {
        (("config", None), ("config/system", b"new")),
        (("config", None), ("config/.system.new", b"new"), ("config/system", b"old")),
    }


def test_memory_and_flash_are_two_file_systems(flash: Flash) -> None:
    flash.write("/tmp/x", b"x")
    with pytest.raises(OSError, match="cross-device"):
        flash.rename("/tmp/x", "/etc/x")
