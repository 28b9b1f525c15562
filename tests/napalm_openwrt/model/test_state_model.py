"""The state model: what must hold in every state, and that its programs are the real scripts'."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from napalm_openwrt import transaction
from napalm_openwrt.session import Output
from napalm_openwrt.uci_text import format_config
from simulator.flash import in_memory
from tests.napalm_openwrt.model import machine
from tests.napalm_openwrt.model.bench import (
    PATIENCE_S,
    REVERT_S,
    Bench,
    Driven,
    candidate,
    commit,
    confirm,
)
from tests.napalm_openwrt.model.machine import PROGRAMS, C, S, State, ended, explore, start

FIRST, MINE = "00000000000001-00000001", "00000000000002-00000002"
COMMITS = ["commit", "commit at once"]


@pytest.mark.parametrize("name", COMMITS)
def test_every_end_is_the_old_config_or_the_new_and_what_was_told_holds(name: str) -> None:
    ends = [state for state in explore(start(name)) if ended(state)]
    assert {state.at[-1] for state in ends} == {"unknown", "confirmed", "reverted"}
    for state in ends:
        meant = "new" if state.at[-1] == "confirmed" else "old"
        assert (state.network[-1], state.system[-1]) == (meant, meant), state
        assert state.runs == (meant, meant), state
        assert state.told != "confirmed" or state.at[-1] == "confirmed", state


@pytest.mark.parametrize("name", COMMITS)
def test_what_is_taken_back_was_kept_whole(name: str) -> None:
    for state in explore(start(name)):
        if state.at[-1] in machine.UNFINISHED:
            assert set(state.kept) == {"whole"}, state


def looks(name: str) -> set[tuple[str, ...]]:
    """What a reader can come to while a commit of the kind goes on."""
    found = {state.read for state in explore(start(name, reader=True))}
    return {read for read in found if read[:1] in {("whole",), ("noticed",)}}


@pytest.mark.parametrize("name", COMMITS)
def test_a_reader_sees_one_config_whole_or_notices_the_commit(name: str) -> None:
    assert looks(name) == {
        ("whole", "unknown", "old", "old"), ("whole", "confirmed", "new", "new"),
        ("whole", "reverted", "old", "old"), ("noticed",),
    }  # fmt: skip


def test_a_reader_that_looked_for_unfinished_commits_alone_would_be_misled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def careless(state: State) -> tuple[str, ...]:
        both = {state.read[0], state.at[-1]}
        return ("noticed",) if both & machine.UNFINISHED else ("whole", *state.read)

    monkeypatch.setattr(machine, "_seen", careless)
    assert ("whole", "unknown", "old", "new") in looks("commit at once")


@pytest.mark.parametrize(
    ("name", "step"),
    [("commit", f"sync {S}"), ("commit at once", "reload"), ("commit at once", f"sync {C}"),
     ("confirm", f"sync {S}/ID"), ("watch", "reload")],
)  # fmt: skip
def test_without_a_step_that_matters_the_model_finds_a_bad_end(
    name: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = [s for s in PROGRAMS[name] if s != step]
    assert len(program) < len(PROGRAMS[name])
    monkeypatch.setitem(PROGRAMS, name, tuple(program))

    def bad() -> bool:
        try:
            for commit_name in COMMITS:
                test_every_end_is_the_old_config_or_the_new_and_what_was_told_holds(commit_name)
        except AssertionError:
            return True
        return False

    assert bad()


@pytest.mark.parametrize("name", COMMITS)
def test_from_every_state_an_end_is_reached_without_another_fault(name: str) -> None:
    graph = explore(start(name))
    before: dict[State, set[State]] = {}
    for state, others in graph.items():
        for other in others:
            if other.faults == state.faults:
                before.setdefault(other, set()).add(state)
    reached = {state for state in graph if ended(state)}
    todo = list(reached)
    while todo:
        for state in before.get(todo.pop(), set()) - reached:
            reached.add(state)
            todo.append(state)
    assert set(graph) == reached
    assert len(graph) > 500


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Bench]:
    """A device that has had a commit; its steps so far forgotten."""
    bench = Bench(tmp_path / "device")
    commit(bench, FIRST, "old", None)
    bench.pass_time(PATIENCE_S)
    bench.steps.clear()
    yield bench
    bench.close()


def lasting(bench: Bench) -> list[str]:
    """What was done to the flash; several writes to one file are one."""
    told = [s.told() for s in bench.steps if not in_memory(s.path)]
    return [t for n, t in enumerate(told) if n == 0 or t != told[n - 1] or "write" not in t]


def pushed(bench: Bench) -> None:
    commit(bench, MINE, "new", REVERT_S)


def at_once(bench: Bench) -> None:
    commit(bench, MINE, "new", None)


def then_confirmed(bench: Bench) -> None:
    pushed(bench)
    bench.steps.clear()
    confirm(bench, MINE)


def then_left_alone(bench: Bench) -> None:
    pushed(bench)
    bench.steps.clear()
    bench.pass_time(PATIENCE_S)


def then_off_and_on(bench: Bench) -> None:
    pushed(bench)
    bench.device.power_cut()
    bench.dark = True
    bench.steps.clear()
    bench.power_on()


def looked(bench: Bench) -> None:
    config, _ = candidate(bench, "new")
    Driven(bench).look(format_config(config), replace=True)


@pytest.mark.parametrize(
    ("program", "real"),
    [("look", looked), ("commit", pushed), ("commit at once", at_once), ("confirm", then_confirmed),
     ("watch", then_left_alone), ("boot", then_off_and_on)],
)  # fmt: skip
def test_the_programs_are_the_real_scripts(
    program: str, real: Callable[[Bench], None], device: Bench
) -> None:
    real(device)
    model = [step for step in PROGRAMS[program] if "/" in step]
    assert lasting(device) == model


def test_a_commit_that_came_and_went_while_the_config_was_read_is_told(device: Bench) -> None:
    class Slow:
        """A session whose reading takes as long as another's commit."""

        access = device.access

        def run(self, command: str) -> Output:
            begins = command.index("after=")
            between = f"mkdir {S}/{MINE}; : > {S}/{MINE}/confirmed\n"
            return device.run(command[:begins] + between + command[begins:])

    session: Any = device
    assert transaction.read_packages(session).unfinished == ""
    slow: Any = Slow()
    assert transaction.read_packages(slow).unfinished == MINE
    assert transaction.read_packages(session).unfinished == ""
