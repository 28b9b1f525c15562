"""The order in which a change is taken back: whoever got it last goes back first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola.people import person
from inventory import queries
from inventory.change_models import ChangeDevice
from inventory.db import open_inventory
from inventory.uplinks import set_upstream
from provisioning import changes, undo
from provisioning.changes import Prepared
from provisioning.fleet import MESH, Fleet
from provisioning.undo import Undone, go_first, rollback_change
from provisioning.waves import Domains

LEAVES = [f"ap{n}" for n in (1, 2, 3)]


def fleet(parents: dict[str, str], *, retired: str = "") -> Fleet:
    names = {*parents, *parents.values()} - {retired}
    return Fleet(
        dict.fromkeys(names), parents, Domains(), frozenset(parents.values()),  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_parent_that_got_it_after_its_child_goes_back_before_it() -> None:
    chain = fleet({"leaf": "middle", "middle": "root"})
    assert go_first({"leaf": 1, "middle": 2, "root": 3}, chain) == {
        "leaf": {"middle"}, "middle": {"root"}, "root": set(),
    }  # fmt: skip
    assert go_first({"leaf": 5, "middle": 2}, chain) == {"leaf": set(), "middle": {"leaf"}}


def test_one_that_is_retired_holds_nobody_up() -> None:
    assert go_first({"leaf": 1, "root": 2}, fleet({"leaf": "root"}, retired="root")) == {
        "leaf": set(), "root": set(),
    }  # fmt: skip


class Air:
    """Who speaks to whom: a child is reached where its config and its parent's met before."""

    def __init__(self, parents: dict[str, str], order: list[str]) -> None:
        self.parents, self.new = parents, set[str]()
        self.met = {self.pair(name) for name in parents}
        for name in order:
            self.new.add(name)
            self.met |= {self.pair(child) for child in parents}

    def pair(self, child: str) -> tuple[str, bool, bool]:
        return child, child in self.new, self.parents[child] in self.new

    def all_reached(self) -> bool:
        return all(self.pair(child) in self.met for child in self.parents)


@given(
    order=st.permutations(["root", "middle", "a", "b"]),
    stuck=st.sets(st.sampled_from(["root", "middle", "a", "b"])),
)
def test_no_pair_of_configs_meets_that_had_not_met_in_the_rollout(
    order: list[str], stuck: set[str]
) -> None:
    parents = {"a": "middle", "b": "middle", "middle": "root"}
    air, waves = Air(parents, order), {name: n for n, name in enumerate(order, 1)}
    first, keep = go_first(waves, fleet(parents)), set(stuck)
    for name in reversed(order):
        if first[name] & keep:
            keep.add(name)
        if name not in keep:
            air.new.remove(name)
        assert air.all_reached()
    assert air.new == keep


@pytest.fixture
def pushed(city: Any) -> Iterator[Any]:
    """A change that three devices run: ap1 and ap2, then ap3 on which both hang by radio."""
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        for name in LEAVES[:2]:
            set_upstream(session, name, "ap3")
        assert {d.role for d in queries.devices(session, LEAVES)} == {MESH}
        number = changes.freeze(
            session, [Prepared(name, "pending", "package 'x'\n", "+x", "") for name in LEAVES],
            undo.Keyring(city.settings.home), author="a", reason="", kind="config",
            needs_approval=False,
        )  # fmt: skip
        for name, wave in (("ap1", 1), ("ap2", 2), ("ap3", 3)):
            row = session.get(ChangeDevice, (number, name))
            assert row is not None
            row.status, row.wave, row.commit_id = "pushed", wave, f"{name}'s"
    yield inventory, number
    inventory.close()


@pytest.fixture
def took(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose turn came, in order; `ap3` answers as its entry in `answers` says."""
    turns: list[str] = []

    def one(device: Any, _secrets: Any, _mine: Any) -> Undone:
        turns.append(device.id)
        return Undone(device.id, True)

    monkeypatch.setattr(undo, "undo_device", one)
    return turns
