"""What hangs on what: a person's word, LLDP's, moves and circles."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola.errors import InventoryError
from farola.settings import Settings
from inventory import uplinks
from inventory.db import Inventory, upgrade
from inventory.models import Device, Event, Uplink


@pytest.fixture
def session(cli, db):
    cli("init", "--name", "Test")
    with db() as opened:
        opened.add_all(
            [
                Device(id="ap", name="ap"), Device(id="sw1", name="sw1", role="switch"),
                Device(id="sw2", name="sw2", role="switch"),
                Device(id="core", name="core", role="router"),
            ]
        )  # fmt: skip
        opened.flush()
        yield opened


def moves(session) -> list[str]:
    return [one.text for one in session.query(Event).where(Event.kind == "uplink.moved")]


def test_lldp_finds_sees_again_and_tells_a_move(session):
    assert uplinks.learn(session, [("ap", "sw1", "gi1")])["new"] == ["ap"]
    assert uplinks.learn(session, [("ap", "sw1", "gi1")])["seen"] == ["ap"]
    assert moves(session) == []
    assert uplinks.learn(session, [("ap", "sw2", "gi7")])["moved"] == ["ap"]
    assert moves(session) == ["ap hangs on sw2 port gi7, no longer on sw1 port gi1"]
    assert uplinks.upstream_of(session)["ap"].upstream_port == "gi7"


def test_lldp_never_overwrites_a_person(session):
    uplinks.learn(session, [("ap", "sw1", "gi1")])
    assert uplinks.set_by_hand(session, "ap", "sw2", "gi9")
    assert not uplinks.set_by_hand(session, "ap", "sw2", "gi9")
    assert uplinks.learn(session, [("ap", "sw1", "gi1")])["manual"] == ["ap"]
    own = uplinks.upstream_of(session)["ap"]
    assert (own.upstream_id, own.upstream_port, own.source) == ("sw2", "gi9", "manual")
    assert uplinks.remove(session, "ap")
    assert not uplinks.remove(session, "ap")
    assert uplinks.learn(session, [("ap", "sw1", "gi1")])["new"] == ["ap"]


def test_nothing_may_hang_on_itself(session):
    uplinks.set_by_hand(session, "ap", "sw1")
    uplinks.set_by_hand(session, "sw1", "sw2")
    known = uplinks.upstream_of(session)
    assert uplinks.path_up(known, "ap") == ["sw1", "sw2"]
    for device, upstream in (("sw2", "ap"), ("sw2", "sw1"), ("sw1", "sw1")):
        with pytest.raises(InventoryError, match="cannot hang on"):
            uplinks.set_by_hand(session, device, upstream)
    became = uplinks.learn(session, [("sw2", "ap", "eth0"), ("sw2", "core", "ge1")])
    assert (became["circle"], became["new"]) == (["sw2"], ["sw2"])
    both = uplinks.learn(session, [("core", "ap", "x")])
    assert both["circle"] == ["core"]


def test_devices_that_change_places_are_believed_in_one_round(session):
    for one, up in (("sw1", "core"), ("sw2", "sw1"), ("ap", "sw2")):
        uplinks.learn(session, [(one, up, "1")])
    for up, down in (("sw2", "sw1"), ("sw1", "sw2")):  # the lower one first
        became = uplinks.learn(session, [(down, up, "1"), (up, "core", "1"), ("ap", down, "1")])
        assert (became["moved"], became["circle"]) == ([down, up, "ap"], [])
        assert uplinks.path_up(uplinks.upstream_of(session), "ap") == [down, up, "core"]


NAMES = "abcdef"


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[str, str, str]]:
    """Each device but the first hangs on one before it."""
    order = ["a", *draw(st.permutations(NAMES[1:]))]
    links = [(order[n], order[draw(st.integers(0, n - 1))], "1") for n in range(1, len(order))]
    return draw(st.permutations(links))


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Iterator[Inventory]:
    inventory = Inventory(Settings(tmp_path_factory.mktemp("bare")))
    upgrade(inventory.engine)
    with inventory.session() as opened:
        opened.add_all([Device(id=name, name=name) for name in NAMES])
    yield inventory
    inventory.close()


@hypothesis.settings(max_examples=40, deadline=None)
@given(trees(), trees())
def test_the_order_in_which_links_are_told_decides_nothing(bare, before, now):
    with bare.session() as session:
        uplinks.learn(session, before)
        assert uplinks.learn(session, now)["circle"] == []
        known = uplinks.upstream_of(session).values()
        assert {(one.device_id, one.upstream_id, "1") for one in known} == set(now)
        session.rollback()


pairs = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.just("1")), max_size=9
)


@hypothesis.settings(max_examples=40, deadline=None)
@given(st.lists(pairs, max_size=3), st.lists(st.sampled_from(NAMES), max_size=2))
def test_whatever_is_told_nothing_comes_to_hang_on_itself(bare, rounds, by_hand):
    with bare.session() as session:
        for links in rounds:
            uplinks.learn(session, links)
            for one in by_hand:
                if row := session.get(Uplink, one):
                    row.source = uplinks.MANUAL
            session.flush()
            known = uplinks.upstream_of(session)
            for one in known:
                path = [one, *uplinks.path_up(known, one)]
                assert path[-1] not in known, path
        session.rollback()


def test_retired_devices_hold_nobody_up(session):
    uplinks.learn(session, [("ap", "sw1", "gi1")])
    session.get(Device, "sw1").status = "retired"
    session.flush()
    assert uplinks.upstream_of(session) == {}
    with pytest.raises(InventoryError, match="no device 'sw1'"):
        uplinks.set_by_hand(session, "ap", "sw1")


def test_the_command_says_shows_and_forgets(cli, db):
    cli("init", "--name", "Test")
    with db() as session:
        session.add_all([Device(id="ap", name="ap"), Device(id="sw", name="sw", role="switch")])
    assert "nobody said" in cli("device", "uplink", "ap").out
    said = cli("device", "uplink", "ap", "sw", "gi1/0/12", "--json").json
    assert (said["uplink"]["port"], said["path"], said["changed"]) == ("gi1/0/12", ["sw"], True)
    assert "port gi1/0/12 of sw (manual)" in cli("device", "uplink", "ap").out
    assert "itself" in cli("device", "uplink", "ap", "ap", code=1).err
    assert "no device 'nope'" in cli("device", "uplink", "ap", "nope", code=1).err
    assert "no device 'nope'" in cli("device", "uplink", "nope", code=1).err
    assert cli("device", "uplink", "ap", "--remove", "--json").json["uplink"] is None
