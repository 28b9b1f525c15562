"""Which commits a device remembers, and in which order, when the clock of who commits went back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from napalm_openwrt import confirming
from napalm_openwrt.scripts import KEEP
from tests.napalm_openwrt.model.bench import PATIENCE_S, REVERT_S, Bench, commit, confirm

LATER = [f"0001a2a0c8000{n:x}-00000000" for n in range(KEEP)]
"""By a clock that ran ahead."""
MINE = "0001a20000000f-00000001"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Bench]:
    """A device that remembers as many commits as it can, all of them later than ours."""
    bench = Bench(tmp_path / "device")
    for number, identity in enumerate(LATER):
        commit(bench, identity, f"h{number}", None)
        bench.pass_time(PATIENCE_S)
    yield bench
    bench.close()


def kept(bench: Bench) -> list[tuple[str, str]]:
    session: Any = bench
    return [(one.id, one.state) for one in confirming.status(session)]


def test_a_commit_by_a_clock_that_went_back_is_the_newest_and_goes_back_by_itself(
    device: Bench,
) -> None:
    before = device.files()
    commit(device, MINE, "bad", REVERT_S)
    assert device.files() != before
    assert kept(device) == [(MINE, "pending"), *((i, "confirmed") for i in LATER[:0:-1])]
    device.pass_time(PATIENCE_S)
    assert device.files() == before
    assert kept(device)[0] == (MINE, "reverted")


def test_it_is_confirmed_and_the_oldest_is_forgotten(device: Bench) -> None:
    commit(device, MINE, "good", REVERT_S)
    confirm(device, MINE)
    commit(device, f"{MINE[:-1]}0", "better", None)
    assert [identity for identity, _state in kept(device)] == [
        f"{MINE[:-1]}0", MINE, *LATER[:1:-1],
    ]  # fmt: skip
