"""`farola demo`: the loop closes over real sockets, and it keeps its hands off a real city."""

from __future__ import annotations

import json
import socket

import pytest

from simulator.demo_home import reserve_network

KEYS = {"devices", "pushed", "failed", "polled", "points", "usage_rows", "plan_sites", "took_s"}


@pytest.mark.slow
def test_the_loop_closes_and_the_device_that_fails_is_named(run, run_process, home):
    done = run_process("demo", "--once", "--json", "--aps", "8", timeout=280)
    figures = json.loads(done.stdout)
    assert set(figures) >= KEYS
    assert (figures["devices"], figures["pushed"], figures["failed"]) == (8, 7, 1)
    assert figures["failed_devices"][0].startswith("ap-0002: ")
    assert "No space left" in figures["failed_devices"][0]
    assert figures["polled"] == 8
    assert figures["points"] > 8
    assert figures["usage_rows"] == 8 * 12
    assert figures["plan_sites"] == 10
    assert figures["traps"] > 0
    status = json.loads(run("status", "--json").stdout)
    assert status["simulated"]
    assert not (home / "city" / "fleet.json").exists(), "the access points outlived the demo"

    again = run("provision", "status", "--json")
    states = {one["device"]: one["status"] for one in json.loads(again.stdout)["devices"]}
    assert states.pop("ap-0002") == "failed"
    assert set(states.values()) == {"pushed"}


def test_a_real_citys_home_is_refused_and_left_as_it_is(run, home):
    run("init", "--name", "A real city")
    before = sorted(path.name for path in home.iterdir())
    done = run("demo", "--once", code=1)
    assert "belongs to a city" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(path.name for path in home.iterdir()) == before


def test_a_port_in_use_is_told_before_anything_starts(run, home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("demo", "--port", taken.getsockname()[1], code=1)
    assert "--port" in done.stderr
    assert not home.exists()


def test_two_demos_that_start_at_once_take_different_networks():
    first, held = reserve_network(3)
    second, other = reserve_network(3)
    assert first != second
    held.close()
    assert reserve_network(3)[0] == first
    other.close()
