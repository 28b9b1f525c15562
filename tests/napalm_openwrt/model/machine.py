"""A small state model of commit-confirm: the device's flash and memory, the driver, the watcher.

Each program is the list of changes of files that its script makes, in order, as a trace of the
real script has it (a test holds the two side by side), with the few other steps that matter put
between: `lock`, `arm`, `release`, `reload`, `tell`. A piece of the flash is the tuple of what it
was since it was last synced: after a power cut it may be any of these. `explore` goes through all
orders in which the programs can interleave, with a power cut or a kill at every point, two of them
in one run at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

C, S = "/etc/config", "/etc/napalm-openwrt"
PREPARE = (
    f"mkdir {S}/.ID", f"mkdir {S}/.ID/old",
    f"create {S}/.ID/old/network", f"write {S}/.ID/old/network", f"link {C}/.network.ID.old",
    f"create {C}/.network.ID.new", f"write {C}/.network.ID.new",
    f"truncate {C}/.network.ID.new", f"write {C}/.network.ID.new",
    f"create {S}/.ID/old/system", f"write {S}/.ID/old/system", f"link {C}/.system.ID.old",
    f"create {C}/.system.ID.new", f"write {C}/.system.ID.new",
    f"truncate {C}/.system.ID.new", f"write {C}/.system.ID.new",
    f"create {S}/.ID/applying", f"write {S}/.ID/applying",
)  # fmt: skip
SYNC = (
    f"sync {S}/.ID/old/network", f"sync {S}/.ID/old/system", f"sync {S}/.ID/applying",
    f"sync {S}/.ID/old", f"sync {S}/.ID", f"sync {C}/.network.ID.new", f"sync {C}/.network.ID.old",
    f"sync {C}/.system.ID.new", f"sync {C}/.system.ID.old", f"sync {C}",
)  # fmt: skip
PLACE = (
    f"rename {S}/ID", f"sync {S}", "arm", f"rename {C}/network", f"rename {C}/system", f"sync {C}",
    "release", "reload",
)  # fmt: skip
BACK = (
    f"rename {S}/ID/reverting", f"sync {S}/ID", f"rename {C}/network", f"rename {C}/system",
    f"sync {C}", "reload", f"rename {S}/ID/reverted", f"sync {S}/ID",
    f"remove {S}/ID/old/network", f"remove {S}/ID/old/system", f"rmdir {S}/ID/old",
)  # fmt: skip
PROGRAMS = {
    "commit": (
        "lock", *PREPARE, *SYNC, *PLACE, f"rename {S}/ID/pending", f"sync {S}/ID", "tell pending",
    ),
    "commit at once": (
        "lock", *PREPARE, *SYNC, *PLACE, f"rename {S}/ID/confirmed", f"sync {S}/ID",
        f"remove {C}/.network.ID.old", f"remove {C}/.system.ID.old", "tell confirmed",
    ),
    "confirm": (
        "not late", f"rename {S}/ID/confirmed", f"sync {S}/ID", f"remove {C}/.network.ID.old",
        f"remove {C}/.system.ID.old", "tell confirmed",
    ),
    "watch": ("late", "lock", *BACK, "release"),
    "boot": ("lock", *(step for step in BACK if step != "reload"), "release"),
    "look": ("see", "read network", "read system", "see"),
}  # fmt: skip
"""The driver's scripts on a device that has had a commit before, the watcher, the boot check, and
a reader of the config: `driver.look`, or whatever else reads it.
"""
UNFINISHED = frozenset({"applying", "pending", "reverting"})

PREDECESSORS = {
    "pending": {"applying"}, "confirmed": {"applying", "pending"},
    "reverting": {"applying", "pending", "reverting"}, "reverted": {"reverting"},
}  # fmt: skip
History = tuple[str, ...]


@dataclass(frozen=True)
class State:
    """Everything at one moment; pieces of flash as what they were since their last sync."""

    kept: History = ("none",)
    """Snapshot, new files and the word about them: none, torn or whole."""
    at: History = ("unknown",)
    """How the commit stands."""
    network: History = ("old",)
    system: History = ("old",)
    runs: tuple[str, str] = ("old", "old")
    """What the services run, of network and system."""
    lock: str = ""
    late: bool = False
    told: str = ""
    read: tuple[str, ...] = ()
    """What the reader saw: how the commit stands, network, system; or that it noticed a commit."""
    processes: tuple[tuple[str, int], ...] = ()
    """Who is alive, and at which step of its program."""
    dark: bool = False
    faults: int = 2


def start(commit: str, *, reader: bool = False) -> State:
    """A device on its old config, the driver's script about to begin; or with a reader, whom no
    fault makes see more.
    """
    if reader:
        return State(processes=((commit, 0), ("look", 0)), faults=0)
    return State(processes=((commit, 0),))


def explore(first: State) -> dict[State, set[State]]:
    """Every state that can be reached, and where each can go."""
    graph: dict[State, set[State]] = {}
    todo = [first]
    while todo:
        state = todo.pop()
        if state not in graph:
            graph[state] = set(_next(state))
            todo += graph[state]
    return graph


def ended(state: State) -> bool:
    """Nobody is at it and nothing will change any more but by faults."""
    return not state.dark and not state.processes and state.at[-1] in {
        "unknown", "confirmed", "reverted",
    }  # fmt: skip


def _next(state: State) -> Iterator[State]:
    if state.dark:
        for at, network, system, kept in product(state.at, state.network, state.system, state.kept):
            up = State((kept,), (at,), (network,), (system,), (network, system), told=state.told,
                       faults=state.faults, late=True)  # fmt: skip
            yield replace(up, processes=(("boot", 0),)) if at in UNFINISHED else up
        return
    for name, pc in state.processes:
        yield from _step(state, name, pc)
        if state.faults and name != "boot":
            yield replace(_without(state, name), faults=state.faults - 1)
    if state.faults:
        yield replace(state, processes=(), lock="", dark=True, faults=state.faults - 1)
    alive = {name for name, _ in state.processes}
    if "boot" in alive:
        return
    if state.at[-1] in UNFINISHED:
        if not state.late:
            yield replace(state, late=True)
        if "watch" not in alive:
            yield _with(state, "watch")  # somebody comes by, or starts the agent by hand
        if "confirm" not in alive and state.at[-1] == "pending" and state.told != "confirmed":
            yield _with(state, "confirm")


def _step(state: State, name: str, pc: int) -> Iterator[State]:
    program = PROGRAMS[name]
    if pc == len(program):
        # Services start after the boot check, and read what it left.
        started = (state.network[-1], state.system[-1]) if name == "boot" else state.runs
        yield replace(_without(state, name), runs=started)
        return
    step = program[pc]
    after = replace(state, processes=tuple((n, p + (n == name)) for n, p in state.processes))
    verb, _, what = step.partition(" ")
    if step == "lock":
        if state.lock in {"", name} or state.lock not in {n for n, _ in state.processes}:
            yield replace(after, lock=name)
    elif step == "release":
        yield replace(after, lock="")
    elif step == "late":
        if state.at[-1] in {"confirmed", "reverted", "unknown"}:
            yield _without(state, name)
        elif state.late or state.at[-1] == "reverting":
            yield after
    elif step == "not late":
        yield _without(state, name) if state.late else after
    elif step == "arm":
        yield _with(after, "watch")
    elif step == "reload":
        yield replace(after, runs=(state.network[-1], state.system[-1]))
    elif verb == "tell":
        yield replace(after, told=what)
    elif step == "see":
        yield replace(after, read=_seen(state) if state.read else state.at[-1:])
    elif verb == "read":
        yield replace(after, read=(*state.read, getattr(state, what)[-1]))
    else:
        yield from _file(state, after, name, step)


def _file(state: State, after: State, name: str, step: str) -> Iterator[State]:
    """A change of a file; where it stands otherwise than the program needs, that ends."""
    verb, path = step.split(" ")
    if step in PREPARE:
        word = "whole" if step == PREPARE[-1] else "torn"
        yield after if after.kept[-1] == word else replace(after, kept=(*after.kept, word))
    elif verb == "rename" and path == f"{S}/ID":
        yield replace(after, at=(*state.at, "applying"))
    elif verb == "rename" and path.startswith(f"{S}/ID/"):
        word = path.rpartition("/")[2]
        if state.at[-1] == word:
            yield after
        elif state.at[-1] in PREDECESSORS[word]:
            yield replace(after, at=(*state.at, word))
        else:
            yield _without(state, name)
    elif verb == "rename":
        goal = "new" if name.startswith("commit") else "old"
        if path == f"{C}/network":
            yield replace(after, network=_then(state.network, goal))
        else:
            yield replace(after, system=_then(state.system, goal))
    elif step == f"sync {C}":
        if step == SYNC[-1] and after.at[-1] == "unknown":
            after = replace(after, kept=after.kept[-1:])
        yield replace(after, network=after.network[-1:], system=after.system[-1:])
    elif step in {f"sync {S}", f"sync {S}/ID"}:
        yield replace(after, at=after.at[-1:])
    else:
        yield after  # a file by itself; a removal of what nobody needs


def _seen(state: State) -> tuple[str, ...]:
    """What a reader makes of it at its end."""
    stood = state.read[0]
    if {stood, state.at[-1]} & UNFINISHED or stood != state.at[-1]:
        return ("noticed",)
    return ("whole", *state.read)


def _then(before: History, goal: str) -> History:
    return before if before[-1] == goal else (*before, goal)


def _with(state: State, name: str) -> State:
    return replace(state, processes=tuple(sorted({**dict(state.processes), name: 0}.items())))


def _without(state: State, name: str) -> State:
    """`name` is gone; a lock whose holder is dead is nobody's."""
    return replace(
        state, processes=tuple((n, p) for n, p in state.processes if n != name),
        lock="" if state.lock == name else state.lock,
    )  # fmt: skip
