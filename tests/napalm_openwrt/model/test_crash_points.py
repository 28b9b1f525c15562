"""Every crash point of commit-confirm: before and after each change of a file, by whoever made it.

The driver's own scripts run on a pretend device; at one step the power goes, or the process that
makes the step is killed, or the flash is full. However a run ends, the device must have the old
config or the new one, run what its files say, wait for nobody, and take the next commit.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from napalm.base.exceptions import CommitError, ConnectionException, LockError

from napalm_openwrt import new_commit_id, transaction
from tests.napalm_openwrt.model.bench import (
    APPLY_S,
    PATIENCE_S,
    REVERT_S,
    Bench,
    Driven,
    Strike,
    commit,
    confirm,
    state_of,
    take_back,
)

FIRST, MINE = "00000000000001-00000001", "00000000000002-00000002"


@dataclass
class Told:
    """What the driver was told, which binds the device."""

    by: list[str]

    def take(self, what: str, step: Callable[[], object]) -> bool:
        """Do a step of the driver's; False where it ended in an exception."""
        try:
            step()
        except (ConnectionException, LockError, CommitError) as error:
            if isinstance(error, CommitError) and "old config is untouched" in str(error):
                self.by.append("untouched")
            return False
        self.by.append(what)
        return True


def confirmed(bench: Bench, told: Told) -> None:
    """A push that goes well."""
    if told.take("pending", lambda: commit(bench, MINE, "new", REVERT_S)):
        bench.pass_time(3)
        told.take("confirmed", lambda: confirm(bench, MINE))


def left_alone(bench: Bench, told: Told) -> None:
    """A push that nobody confirms."""
    told.take("pending", lambda: commit(bench, MINE, "new", REVERT_S))
    bench.pass_time(PATIENCE_S)


def at_once(bench: Bench, told: Told) -> None:
    """A commit without a window."""
    told.take("confirmed", lambda: commit(bench, MINE, "new", None))


def rolled_back(bench: Bench, told: Told) -> None:
    """A push that is taken back before its time."""
    if told.take("pending", lambda: commit(bench, MINE, "new", REVERT_S)):
        told.take("reverted", lambda: take_back(bench, MINE))


def undone(bench: Bench, told: Told) -> None:
    """A commit that is taken back after it was confirmed."""
    if told.take("confirmed", lambda: commit(bench, MINE, "new", None)):
        if told.take("reverted", lambda: take_back(bench, MINE)):
            told.by.remove("confirmed")
        elif "confirmed" in told.by:
            told.by.remove("confirmed")  # the rollback may have gone through


def driven(bench: Bench, told: Told) -> None:
    """A push that goes well, through the driver's own look, commit and confirmation; where the
    connection breaks it comes back by itself.
    """
    driver = Driven(bench)
    if told.take("pending", lambda: driver.look_and_commit(MINE, "new", REVERT_S)):
        bench.pass_time(3)
        told.take("confirmed", driver.confirm_commit)


RUNS = {
    run.__name__: run for run in (confirmed, left_alone, at_once, rolled_back, undone, driven)
}  # fmt: skip


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def benches(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch_module: pytest.MonkeyPatch
) -> Callable[[], Bench]:
    """Makes devices that have had one commit, each a copy of the same files."""
    folder = tmp_path_factory.mktemp("bench")
    first = Bench(folder / "first")
    commit(first, FIRST, "old", None)
    first.pass_time(PATIENCE_S)
    first.device.flash.sync()
    shutil.copytree(first.root, folder / "files", symlinks=True)
    first.close()
    made = 0
    # A commit whose script died without a window of its own need not be waited for that long.
    monkeypatch_module.setattr(transaction, "APPLY_S", APPLY_S)

    def make() -> Bench:
        nonlocal made
        made += 1
        home = folder / f"bench-{made}"
        shutil.copytree(folder / "files", home / "root", symlinks=True)
        return Bench(home)

    return make


def run_through(
    make: Callable[[], Bench], run: Callable[[Bench, Told], None], *strikes: Strike
) -> tuple[str, list[str], int]:
    """One run with its faults; asserts what must hold, and tells how it ended."""
    bench = make()
    try:
        old, told = bench.files(), Told([])
        bench.strikes = list(strikes)
        run(bench, told)
        bench.power_on()
        if any(s.what == "full" for s in strikes):
            bench.pass_time(PATIENCE_S)
            bench.device.flash.full = False  # somebody made room
        # Nobody comes by: the watcher is alone with it.
        bench.pass_time(PATIENCE_S)
        bench.power_on()
        # A watcher that is killed is started again; a script that is killed has nobody for that.
        killed = {bench.steps[s.number - 1].by for s in strikes if s.what == "kill"}
        assert killed - {"background"} or not bench.unfinished(), "it waits for somebody to come by"
        return assert_whole(bench, old, told), [s.told() for s in bench.steps], len(bench.steps)
    finally:
        bench.close()


def assert_whole(bench: Bench, old: dict[str, str], told: Told) -> str:
    """The device is in one piece; `old` or `new`."""
    bench.strikes.clear()
    state = state_of(bench, MINE)
    bench.pass_time(PATIENCE_S)
    state = state_of(bench, MINE)
    assert not bench.unfinished(), "it is still pending"
    assert state in {"confirmed", "reverted", "unknown"}
    files = bench.files()
    if state == "confirmed":
        assert "hostname 'new'" in files["system"]
        assert "option of 'new'" in files["network"]
    else:
        assert files == old
    if "confirmed" in told.by:
        assert state == "confirmed"
    if "reverted" in told.by or "untouched" in told.by:
        assert state != "confirmed"
    assert f"hostname '{bench.device.hostname}'" in files["system"], "it runs something else"
    commit(bench, new_commit_id(), "next", None)
    assert "hostname 'next'" in bench.files()["system"]
    hidden = [p.name for p in (bench.root / "etc" / "config").iterdir() if p.name[0] == "."]
    assert hidden == []
    return "new" if state == "confirmed" else "old"


@pytest.mark.parametrize("name", RUNS)
def test_without_a_fault_each_run_ends_as_it_should(
    name: str, benches: Callable[[], Bench]
) -> None:
    ended, _, _ = run_through(benches, RUNS[name])
    assert ended == ("new" if name in {"confirmed", "at_once", "driven"} else "old")


def crash_points(make: Callable[[], Bench], name: str, what: str) -> list[Strike]:
    """All points of a run at which a fault of the kind could strike."""
    bench = make()
    RUNS[name](bench, Told([]))
    # A step in memory matters to who is killed at it, and to nobody else.
    numbers = range(1, len(bench.steps) + 1) if what == "kill" else bench.lasting()
    bench.close()
    return [Strike(what, n, when) for n in numbers for when in ("before", "after")]  # type: ignore[arg-type]


def strike_all(make: Callable[[], Bench], name: str, points: list[Strike]) -> None:
    """Run once a point."""
    ends = set()
    for strike in points:
        try:
            ends.add(run_through(make, RUNS[name], strike)[0])
        except Exception as error:
            raise AssertionError(f"{strike}: {error}") from error
    assert "old" in ends
    assert name not in {"left_alone", "rolled_back"} or ends == {"old"}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("what", ["power", "kill", "full"])
def test_crash_points_here_and_there(name: str, what: str, benches: Callable[[], Bench]) -> None:
    points = crash_points(benches, name, what)
    assert len(points) > 60
    chance = random.Random(f"{name} {what}")
    strike_all(benches, name, chance.sample(points, 4))


@pytest.mark.soak
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("what", ["power", "kill", "full"])
def test_every_crash_point(name: str, what: str, benches: Callable[[], Bench]) -> None:
    strike_all(benches, name, crash_points(benches, name, what))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_pairs_of_crash_points(seed: int, benches: Callable[[], Bench]) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        name = chance.choice(sorted(RUNS))
        first = chance.randrange(1, 130)
        strikes = [
            Strike(
                chance.choice(["power", "kill", "full"]), number,
                chance.choice(["before", "after"]), chance.choice([None, chance.randrange(1000)]),
            )
            for number in (first, first + chance.randrange(1, 60))
        ]  # fmt: skip
        try:
            run_through(benches, RUNS[name], *strikes)
        except Exception as error:
            raise AssertionError(f"{name}, {strikes}: {error}") from error
