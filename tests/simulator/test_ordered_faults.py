"""Faults that are ordered to the step: they strike there, once, and the same each time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from simulator.faults import Fault
from simulator.fleet import Fleet
from tests.fleets import PASSWORD, Lone, lone_point

WRITES = "echo one > /etc/one; mv /etc/one /etc/two; rm /etc/two; echo end > /etc/end"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lone]:
    with lone_point(tmp_path_factory.mktemp("lone")) as running:
        yield running


@pytest.fixture
def point(shared: Lone) -> Lone:
    """The access point, sound, without orders and without what an earlier test left."""
    shared.strings.clear()
    shared.strings.run("rm -f /etc/one /etc/two /etc/end; sync")
    shared.strings.clear()
    return shared


def sign_in(point: Lone) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.load_host_keys(str(point.known_hosts))
    client.connect(point.address, point.port, "root", PASSWORD, timeout=10, allow_agent=False,
                   look_for_keys=False)  # fmt: skip
    return client


def say(point: Lone, command: str) -> tuple[int, bytes]:
    """Status and output of a command over SSH; status -1 where the connection ended."""
    with sign_in(point) as client:
        try:
            _, out, _ = client.exec_command(command, timeout=10)
            return out.channel.recv_exit_status(), out.read()
        except (OSError, EOFError, paramiko.SSHException):
            return -1, b""


def listens(point: Lone) -> bool:
    """Whether SSH takes connections within some seconds."""
    deadline = time.monotonic() + 5
    while not point.strings.state().listens and time.monotonic() < deadline:
        time.sleep(0.01)
    return point.strings.state().listens


def test_steps_are_traced_and_each_can_be_struck_before_and_after(point: Lone) -> None:
    strings = point.strings
    strings.run(WRITES)
    steps = strings.trace()
    assert [(s.kind, s.path, s.origin) for s in steps] == [
        (kind, f"/etc/{name}", "session")
        for kind, name in (("create", "one"), ("write", "one"), ("rename", "two"),
                           ("remove", "two"), ("create", "end"), ("write", "end"))
    ]  # fmt: skip
    seen = []
    for step in steps:
        for when in ("before", "after"):
            strings.run("rm -f /etc/one /etc/two /etc/end; sync")
            strings.clear()
            strings.order(Fault("kill", number=step.number, when=when))
            assert strings.run(WRITES).status == 137
            seen.append(strings.run("cd /etc; ls one two end 2>/dev/null | tr '\\n' ' '").out)
    assert seen == ["", "one ", "one ", "one ", "one ", "two ", "two ", "", "", "end ", "end ",
                    "end "]  # fmt: skip


def test_a_power_cut_at_a_step_ends_everything_there_and_it_boots_again(point: Lone) -> None:
    boots = point.strings.state().boots
    point.strings.run("(sleep 0.2; echo alive > /etc/one; sync) >/dev/null 2>&1 &")
    point.strings.order(Fault("power", number=2, when="after", steps=("create",)))
    status, said = say(point, "echo a > /etc/two; sync; echo b > /etc/end; echo not reached")
    assert (status, said) == (-1, b"")
    point.strings.wait_booted(boots + 1)
    time.sleep(0.3)
    assert point.strings.run("cd /etc; cat one two end").out == "a\n"
    assert len(point.strings.state().struck) == 1


def test_a_cut_in_the_middle_of_a_boot_is_followed_by_a_whole_one(point: Lone) -> None:
    script = "#!/bin/sh\\necho x >> /etc/one; sync; echo y >> /etc/two; sync"
    point.strings.run(f"printf '{script}' > /etc/init.d/early; chmod +x /etc/init.d/early;"
                      "ln -s ../init.d/early /etc/rc.d/S05early; sync")  # fmt: skip
    boots = point.strings.state().boots
    point.strings.order(Fault("power", origin="boot", path="/etc/two"))
    point.strings.power_cut()
    point.strings.run("rm /etc/rc.d/S05early /etc/init.d/early; sync")
    assert point.strings.state().boots == boots + 1  # the first did not come up
    assert point.strings.run("cat /etc/one /etc/two").out == "x\nx\ny\n"


def test_a_dropped_connection_leaves_the_script_running_until_it_writes(point: Lone) -> None:
    point.strings.order(Fault("drop", steps=("create",), path="/etc/one"))
    status, _ = say(point, "trap 'echo tidied > /etc/end' EXIT; trap 'exit 1' PIPE; "
                           "echo x > /etc/one; sleep 0.1; echo said; : > /etc/two")  # fmt: skip
    assert status == -1
    deadline = time.monotonic() + 5
    while "tidied" not in point.strings.run("cat /etc/end").out:
        assert time.monotonic() < deadline
    assert point.strings.run("ls /etc/one /etc/two").out == "/etc/one\n"


def test_a_full_flash_a_failing_step_and_a_command_whose_answer_is_lost(point: Lone) -> None:
    point.strings.order(Fault("full", number=2, steps=("write",)))
    assert say(point, "echo 1 > /etc/one; echo 2 > /etc/two; cat /etc/one /etc/two")[1] == b"1\n"
    point.strings.full(full=False)
    point.strings.order(Fault("error", steps=("rename",)))
    assert "Input/output error" in point.strings.run("mv /etc/one /etc/end").err
    point.strings.order(Fault("drop", at="exec", number=2, when="after", path="echo"))
    assert say(point, "echo 1 > /etc/end")[0] == 0
    assert say(point, "echo 2 > /etc/end")[0] == -1
    assert point.strings.run("cat /etc/end").out == "2\n"


def test_sessions_that_hang_and_sessions_that_answer_noise(point: Lone) -> None:
    point.strings.order(Fault("garbage", at="exec", seed=7))
    first = say(point, "echo hello")
    point.strings.order(Fault("garbage", at="exec", seed=7))
    assert say(point, "echo hello") == first != (0, b"hello\n")
    point.strings.order(Fault("hang", at="login"))
    with sign_in(point) as client:
        _, out, _ = client.exec_command("echo hello", timeout=0.5)
        with pytest.raises(TimeoutError):
            out.read()
    assert say(point, "echo hello") == (0, b"hello\n")


def test_who_sleeps_wakes_when_time_passes_and_not_when_the_date_jumps(point: Lone) -> None:
    run = point.strings.run
    run("(sleep 1000; echo woke > /tmp/woke) >/dev/null 2>&1 &")
    up, date = float(run("cut -d' ' -f1 /proc/uptime").out), int(run("date +%s").out)
    point.strings.jump(-86400 * 400)
    assert float(run("cut -d' ' -f1 /proc/uptime").out) < up + 900
    assert int(run("date +%s").out) < date - 86400 * 399
    assert run("ls /tmp/woke").status == 1
    point.strings.advance(1001)
    assert run("cat /tmp/woke").out == "woke\n"
    assert float(run("cut -d' ' -f1 /proc/uptime").out) >= up + 1001
    run("date -s '2026-05-01 10:00:00'")
    assert run("date +%F").out == "2026-05-01\n"


def test_counters_follow_the_time_that_passed_and_not_the_date(point: Lone) -> None:
    def carried() -> int:
        return int(point.strings.run("grep eth0: /proc/net/dev").out.split()[1])

    before = carried()
    point.strings.jump(86400 * 3650)
    jumped = carried()
    point.strings.advance(86400)
    assert carried() - jumped > 1000 * (jumped - before)


def test_watchers_and_daemons_are_killed_and_procd_brings_daemons_back(point: Lone) -> None:
    run = point.strings.run
    run("sh -c 'sleep 1000; : watcher' >/dev/null 2>&1 & sleep 0.1")
    assert point.strings.kill("watcher") == 1
    assert "watcher" not in run("ps").out
    assert point.strings.kill("rpcd") == 1
    assert run("ubus call iwinfo devices").status == 4
    point.strings.advance(6)
    assert run("ubus call iwinfo devices").status == 0


def test_a_network_without_a_way_in_takes_the_connection_away(point: Lone) -> None:
    run = point.strings.run
    assert say(point, "uci set network.lan.proto=none; uci commit network; "
                      "/etc/init.d/network reload; echo still here")[0] == -1  # fmt: skip
    with pytest.raises((OSError, paramiko.SSHException)):
        say(point, "true")
    run("uci set network.lan.proto=dhcp; uci commit network; /etc/init.d/network reload")
    assert listens(point)
    assert say(point, "echo back")[1] == b"back\n"
    run("/etc/init.d/dropbear stop")
    with pytest.raises((OSError, paramiko.SSHException)):
        say(point, "true")
    run("/etc/init.d/dropbear start")
    assert listens(point)
    assert say(point, "echo back")[1] == b"back\n"


def test_orders_that_could_never_strike_are_refused() -> None:
    with pytest.raises(ValueError, match="no fault 'hang' at a step"):
        Fault("hang", at="step")
    with pytest.raises(ValueError, match="number below 1"):
        Fault("power", number=0)


def test_the_strings_of_a_fleets_device_are_pulled_through_its_socket(fleet: Fleet) -> None:
    strings = fleet.device("ap-0009").strings
    assert strings.run("cat", stdin="é\n").out == "é\n"
    boots = strings.state().boots
    strings.run("echo lost > /etc/lost")
    strings.power_cut()
    assert strings.state().boots == boots + 1
    assert strings.run("ls /etc/lost").status == 1
    with pytest.raises(RuntimeError, match="no order 'nonsense'"):
        strings._ask("nonsense")


def test_a_device_can_be_built_without_a_program(tmp_path: Path) -> None:
    with lone_point(tmp_path, lacks=frozenset({"setsid"})) as bare:
        ran = bare.strings.run("command -v setsid; setsid true; command -v sleep")
    assert (ran.out, ran.err) == ("/bin/sleep\n", "sh: setsid: not found\n")
