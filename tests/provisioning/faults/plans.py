"""What befalls a pretend access point and Farola in one run: a seed says it all."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from simulator.faults import Action, Event, Fault

Candidate = Literal["good", "adds", "cuts off"]
"""good: two packages change · adds: and a package comes that was not there · cuts off: the network
it leaves lets nobody in."""
Deed = Literal["farola dies", "watcher dies", "guard dies", "daemons die", "second push"]
"""farola dies: SIGKILL to the process that pushes · watcher dies: SIGKILL to it on the device ·
guard dies: SIGKILL to the one that starts the watcher again · daemons die: SIGKILL to rpcd and
netifd · second push: somebody else commits too."""
CANDIDATES: dict[Candidate, str] = {
    "good": (
        "package system\n\nconfig system\n\toption hostname 'new'\n\n"
        "package network\n\nconfig globals 'globals'\n\toption mark 'new'\n"
    ),
    "adds": (
        "package system\n\nconfig system\n\toption hostname 'new'\n\n"
        "package pole\n\nconfig lamp 'lamp'\n\toption watts '40'\n"
    ),
    "cuts off": (
        "package system\n\nconfig system\n\toption hostname 'new'\n\n"
        "package network\n\nconfig interface 'lan'\n\toption proto 'none'\n"
    ),
}
MOST: dict[Event, int] = {"step": 115, "exec": 7, "login": 3}
"""Some more than a push makes: what comes later strikes while it is asked what became of it."""
STRIKES: tuple[tuple[Action, Event], ...] = (
    *((action, "step") for action in ("power", "power", "power", "kill", "kill", "drop", "drop",
                                      "full", "full", "error", "reboot", "jump")),
    *((action, "exec") for action in ("power", "kill", "drop", "hang", "garbage", "reboot")),
    *((action, "login") for action in ("power", "drop", "hang")),
)  # fmt: skip
DEEDS: tuple[Deed, ...] = (
    "farola dies", "farola dies", "farola dies", "watcher dies", "watcher dies", "guard dies",
    "daemons die", "second push", "second push",
)  # fmt: skip
YEARS_S = (-10 * 365 * 86_400.0, -3600.0, 3600.0, 10 * 365 * 86_400.0)


@dataclass(frozen=True)
class Plan:
    """One run: what is pushed, on which disk, and what happens meanwhile."""

    seed: int
    candidate: Candidate
    worn: bool
    """Whether the device has had a commit of ours before; else it is as from the factory."""
    faults: tuple[Fault, ...]
    deeds: tuple[tuple[Deed, Fault], ...]
    """What a process does, and the place (a jump of the date by nothing) at which it does it."""

    def words(self) -> list[str]:
        """What was planned, one word each, for the ledger."""
        return [f.action for f in self.faults] + [deed for deed, _ in self.deeds]


def plan_of(seed: int) -> Plan:
    """The plan of `seed`: one thing that goes wrong, or two."""
    chance = random.Random(f"push {seed}")
    faults: list[Fault] = []
    deeds: list[tuple[Deed, Fault]] = []
    at: Event
    for _ in range(chance.choice((1, 1, 2))):
        if chance.random() < 0.35:
            deed = chance.choice(DEEDS)
            at = chance.choice(("step", "step", "exec")) if deed == "farola dies" else "step"
            deeds.append((deed, _place(chance, "jump", at, 0.0)))
        else:
            faults.append(_place(chance, *chance.choice(STRIKES), chance.choice(YEARS_S)))
    return Plan(
        seed, chance.choice(("good", "good", "adds", "cuts off")), chance.random() < 0.5,
        tuple(dict.fromkeys(faults)), tuple(deeds),
    )  # fmt: skip


def _place(chance: random.Random, action: Action, at: Event, seconds: float) -> Fault:
    chosen = chance.choice(("before", "after"))
    return Fault(
        action, at, chance.randint(1, MOST[at]),
        "before" if action in {"error", "hang", "garbage"} else chosen,  # type: ignore[arg-type]
        seed=None if chance.random() < 0.5 else chance.randrange(1000),
        seconds=seconds if action == "jump" else 0.0,
    )  # fmt: skip
