"""Engines that send SNMPv3 traps: whose clock is whose, what is old; and our own engine."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from collectors.snmp.model import Usm
from collectors.snmp.peers import ENGINE_FILE, PEERS_FILE, PLACES, Peers, Sender, start_engine

USER = Usm("noc", "sha256", "signing-secret", "aes128", "sealing-secret")


def test_our_engine_keeps_its_id_and_boots_grow_with_every_start(tmp_path):
    first, second = (start_engine(tmp_path, 0.0) for _ in range(2))
    assert first.id == second.id
    assert (first.boots, second.boots) == (1, 2)
    assert first.id[0] & 0x80
    assert (tmp_path / ENGINE_FILE).stat().st_mode & 0o077 == 0
    (tmp_path / ENGINE_FILE).write_text("{damaged")
    other = start_engine(tmp_path, 0.0)
    assert (other.id != first.id, other.boots) == (True, 1)
    stale = {"engine_id": first.id.hex(), "boots": 2**31 - 2}
    (tmp_path / ENGINE_FILE).write_text(json.dumps(stale))
    assert start_engine(tmp_path, 0.0).id != first.id


def test_clocks_of_engines_follow_rfc_3414():
    peers, engine = Peers(), Sender(b"engine", USER, "ap-1")
    assert peers.in_window(engine, 3, 1000, 0.0)
    assert peers.in_window(engine, 3, 900, 10.0)
    assert not peers.in_window(engine, 3, 859, 10.0)
    assert not peers.in_window(engine, 2, 5000, 10.0)
    assert peers.in_window(engine, 4, 1, 10.0)
    assert not peers.in_window(engine, 3, 1001, 10.0)
    assert not peers.in_window(engine, 2**31 - 1, 1, 10.0)


@pytest.mark.parametrize("place", ["ap-9", ""])
def test_from_elsewhere_an_engine_is_not_put_forward_nor_heard_of_old(place):
    """A user that all devices share, used from another device's address, or from nobody's."""
    peers = Peers()
    at_home, elsewhere = (Sender(b"engine", USER, one) for one in ("ap-1", place))
    assert peers.in_window(at_home, 3, 1000, 0.0)
    assert not peers.in_window(elsewhere, 3, 800, 0.0)
    assert not peers.in_window(elsewhere, 2, 5000, 0.0)
    assert peers.in_window(elsewhere, 2**31 - 2, 5, 1.0)
    assert peers.in_window(at_home, 3, 1010, 10.0)
    assert peers.in_window(at_home, 4, 1, 20.0)
    # The clock that it set elsewhere is that place's, which follows it.
    assert not peers.in_window(elsewhere, 4, 5000, 1000.0)


def test_an_engine_heard_from_nobody_s_address_first_belongs_to_the_device_that_has_it():
    peers = Peers()
    assert peers.in_window(Sender(b"engine", USER, ""), 2**31 - 2, 5, 0.0)
    assert peers.in_window(Sender(b"engine", USER, "ap-1"), 3, 1000, 0.0)
    assert peers.in_window(Sender(b"engine", USER, "ap-1"), 3, 1010, 10.0)
    assert not peers.in_window(Sender(b"engine", USER, ""), 3, 800, 10.0)


@pytest.mark.parametrize("place", ["ap-1", "ap-2", ""])
def test_a_clock_is_that_of_the_credential_that_signed(place):
    """Also where the thief of another one was heard first, or sends from the same address."""
    peers, stolen = Peers(), replace(USER, auth_password="the-stolen-one")
    assert peers.in_window(Sender(b"engine", stolen, place), 2**31 - 2, 5, 0.0)
    assert peers.in_window(Sender(b"engine", USER, "ap-2"), 7, 1000, 1.0)


def test_an_engine_is_remembered_at_few_places():
    peers = Peers()
    for n in range(100):
        assert peers.in_window(Sender(b"engine", USER, f"ap-{n}"), 3, 1000 + n, float(n))
    ((_, _, home, clocks),) = peers.rows()
    assert (home, len(clocks)) == ("ap-0", PLACES)
    assert {"ap-0", "ap-99"} <= set(clocks)


def test_a_file_of_clocks_that_is_damaged_is_forgotten(tmp_path):
    for text in ("{", "[1]", '{"80": [1, 2, 3]}', '[["zz", "m", "", {"": [1, 2, 3]}]]', "[[]]"):
        (tmp_path / PEERS_FILE).write_text(text)
        peers = Peers()
        peers.load(tmp_path)
        assert peers.rows() == []
