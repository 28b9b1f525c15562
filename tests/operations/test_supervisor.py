"""`farola up`: real child processes, started again, stopped in time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.models import Device
from inventory.queries import events
from operations.supervisor import FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S, Child, Supervisor

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, lambda *_: None); print('ready', flush=True);"
    "[time.sleep(1) for _ in range(60)]",
]


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true answer of `condition`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail("waited in vain")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> dict[str, int]:
    """Child processes of `pid`: the farola command and its pid."""
    found = {}
    for task in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            words = Path(f"/proc/{task}/cmdline").read_bytes().decode().split("\0")
        except FileNotFoundError:
            continue  # it has just been killed and reaped
        if "collect" in words or "web" in words:
            found["collector" if "collect" in words else "console"] = int(task)
    return found


def test_the_pause_grows_and_starts_over_after_a_steady_run() -> None:
    child = Child("x", SLEEPER)
    pauses, now = [], 0.0
    for _ in range(8):
        child.started = now
        now += 1
        pauses.append(child.ended(now))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, LONGEST_PAUSE_S]
    child.started = now
    assert child.ended(now + STEADY_S) == FIRST_PAUSE_S


def test_one_that_dies_is_started_again_and_the_other_left_alone() -> None:
    said: list[str] = []
    steady, dying = Child("steady", SLEEPER), Child("dying", [sys.executable, "-c", "exit(3)"])
    supervisor = Supervisor([steady, dying], said.append)
    try:
        supervisor.tick(0.0)
        assert steady.process
        first = steady.process.pid
        wait_for(lambda: dying.process is None or dying.process.poll() is not None)
        supervisor.tick(0.5)
        assert said == ["dying ended with code 3; starting it again in 1 s"]
        supervisor.tick(1.4)
        assert dying.process is None
        supervisor.tick(1.6)
        assert dying.process is not None
        assert steady.process.pid == first
    finally:
        assert supervisor.stop()


def test_one_that_will_not_end_is_killed_after_the_grace() -> None:
    said: list[str] = []
    child = Child("stubborn", STUBBORN)
    supervisor = Supervisor([child, Child("meek", SLEEPER)], said.append, grace_s=0.5)
    supervisor.tick(0.0)
    assert child.process
    pid = child.process.pid
    handles = "0000000000004000"  # SIGTERM, in SigCgt of /proc
    wait_for(
        lambda: any(
            int(line.split()[1], 16) & int(handles, 16)
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("SigCgt")
        )
    )
    assert supervisor.stop() is False
    assert said == ["stubborn did not end in 0.5 s: killed"]
    assert not alive(pid)


def start_up(run: Any, port: int, *more: str) -> subprocess.Popen[str]:
    run("init")
    return subprocess.Popen(
        [sys.executable, "-c", "from farola.cli import main; main()", "up",
         "--port", str(port), "--interval", "1", *more],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def served(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_up_runs_both_replaces_one_that_is_killed_and_stops_both(
    run: Any, home: Path, unused_port: int, stop: signal.Signals
) -> None:
    process = start_up(run, unused_port)
    try:
        wait_for(lambda: served(unused_port))
        pair = wait_for(lambda: len(c := children(process.pid)) == 2 and c)
        os.kill(pair["console"], signal.SIGKILL)
        wait_for(lambda: children(process.pid).get("console", pair["console"]) != pair["console"])
        wait_for(lambda: served(unused_port))
        again = children(process.pid)
        assert again["collector"] == pair["collector"]
        process.send_signal(stop)
        _, told = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, told
    assert "console was killed by signal 9; starting it again in 1 s" in told
    assert "Traceback" not in told
    assert not any(alive(pid) for pid in (*pair.values(), *again.values()))


@pytest.mark.slow
def test_a_killed_supervisor_leaves_nothing_running(run: Any, unused_port: int) -> None:
    process = start_up(run, unused_port)
    pair = wait_for(lambda: len(c := children(process.pid)) == 2 and c)
    wait_for(lambda: served(unused_port))
    process.kill()
    process.wait()
    assert process.stderr
    process.stderr.close()
    wait_for(lambda: not any(alive(pid) for pid in pair.values()))


def test_a_port_in_use_is_told_at_once(run: Any) -> None:
    run("init")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = run("up", "--port", other.getsockname()[1], code=1)
    assert "cannot listen" in done.stderr
    assert "--port" in done.stderr


def test_a_trap_port_in_use_is_told_at_once(run: Any, unused_port: int) -> None:
    run("init")
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{other.getsockname()[1]}"
        done = run("up", "--port", unused_port, "--traps", where, code=1)
    assert done.stderr.count("\n") == 1
    assert f"cannot listen on {where}" in done.stderr
    assert "--traps" in done.stderr


@pytest.mark.slow
@pytest.mark.service
def test_a_trap_sent_to_up_becomes_an_event(
    run: Any, home: Path, unused_port: int, needs_program: Callable[[str, str], str]
) -> None:
    inform = needs_program("snmpinform", "snmp")
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        traps = f"127.0.0.1:{probe.getsockname()[1]}"
    process = start_up(run, unused_port, "--traps", traps)
    try:
        # A live device, so that its community is one of the city's.
        inventory = open_inventory(load_settings(home))
        with inventory.session() as session:
            session.add(Device(id="ap-1", name="ap-1", management_address="127.0.0.1", snmp_port=9))
        # Ends with 0 only when acknowledged, which happens after its event is stored.
        sent = [inform, "-v", "2c", "-c", "public", "-t", "1", "-r", "0", traps, "",
                "1.3.6.1.6.3.1.1.5.1"]  # fmt: skip
        wait_for(lambda: subprocess.run(sent, check=False, capture_output=True).returncode == 0)
        with inventory.session() as session:
            (event,) = (one for one in events(session) if one.kind.startswith("trap."))
        inventory.close()
        assert (event.kind, event.device_id) == ("trap.cold-start", "ap-1")
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_without_a_city_nothing_is_started(run: Any) -> None:
    assert "farola init" in run("up", code=1).stderr
