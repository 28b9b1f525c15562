"""What befalls a writer, its server and their disks, at moments that a seed chooses."""

from __future__ import annotations

import signal
from collections.abc import Callable

from tests.timeseries.faults.servers import PASSWORD, fill, unfill
from tests.timeseries.faults.stage import DIRECT, EMBEDDED, PROXIED, Stage

NARROW = 400
"""Bytes: less than most batches."""


def writer_killed(stage: Stage) -> None:
    stage.begin()
    for _ in range(4):
        stage.wait(0.05, 0.35)
        stage.kill_writer()
        stage.start_writer()
    stage.wait(0.05, 0.2)


def server_killed(stage: Stage) -> None:
    stage.begin()
    for _ in range(2):
        stage.wait(0.1, 0.4)
        stage.kill_server()
        if stage.chance.random() < 0.7:
            stage.until_it_hurts()
        stage.influxd.start()
    stage.wait(0.05, 0.2)


def both_killed(stage: Stage) -> None:
    stage.begin()
    for _ in range(2):
        stage.wait(0.1, 0.4)
        first, second = stage.chance.sample([stage.kill_server, stage.kill_writer], 2)
        first()
        stage.wait(0, 0.1)
        second()
        if stage.chance.random() < 0.5:
            stage.start_writer()
            stage.wait(0.05, 0.2)
            stage.kill_writer()
        stage.influxd.start()
        stage.start_writer()
    stage.wait(0.05, 0.2)


def outage(stage: Stage) -> None:
    """Connections are refused, and those under way are cut."""
    stage.begin(gated=True)
    assert stage.gate is not None
    for _ in range(2):
        stage.wait(0.1, 0.3)
        stage.gate.shut()
        stage.until_it_hurts()
        stage.wait(0, 0.1)
        stage.perhaps_kill_writer()
        stage.gate.open()
    stage.wait(0.1, 0.3)


def answers_lost(stage: Stage) -> None:
    """The server has the rows and nobody is told."""
    stage.begin(gated=True)
    assert stage.gate is not None
    for _ in range(2):
        stage.wait(0.1, 0.3)
        stage.gate.deaf = True
        stage.until_it_hurts()
        stage.wait(0, 0.1)
        stage.perhaps_kill_writer()
        stage.gate.deaf = False
    stage.wait(0.1, 0.3)


def slow(stage: Stage) -> None:
    stage.begin(gated=True)
    assert stage.gate is not None
    stage.wait(0.1, 0.3)
    stage.gate.pause_s = stage.chance.choice([0.005, 0.02, 0.1])
    stage.wait(0.3, 0.8)
    stage.perhaps_kill_writer()
    stage.gate.pause_s = 0
    stage.wait(0.1, 0.3)


def hangs(stage: Stage) -> None:
    """The server takes connections and says nothing, longer than anyone waits."""
    stage.begin()
    stage.wait(0.1, 0.4)
    stage.influxd.send(signal.SIGSTOP)
    stage.until_it_hurts()
    stage.wait(0, 0.2)
    stage.perhaps_kill_writer()
    stage.influxd.send(signal.SIGCONT)
    stage.wait(0.1, 0.3)


def shut_out(stage: Stage) -> None:
    """401: the password was changed."""
    stage.begin(auth=True)
    stage.wait(0.1, 0.4)
    stage.influxd.set_password("another")
    stage.until_it_hurts()
    stage.wait(0, 0.2)
    stage.perhaps_kill_writer()
    stage.influxd.set_password(PASSWORD)
    stage.wait(0.1, 0.3)


def narrow(stage: Stage) -> None:
    """413: less is taken at once."""
    stage.begin()
    stage.wait(0.1, 0.4)
    stage.front(most=NARROW)
    stage.until(lambda account: account.faults["413"] > 0)
    stage.wait(0, 0.2)
    stage.perhaps_kill_writer()
    stage.front(most=25_000_000)
    stage.wait(0.1, 0.3)


def times_out(stage: Stage) -> None:
    """500: the server gives up waiting for its own disk, and may have kept the rows."""
    stage.begin()
    stage.wait(0.1, 0.3)
    stage.influxd.start(write_timeout=stage.chance.choice(["1ns", "50us", "200us"]))
    stage.until(lambda account: account.faults["500"] > 1)
    stage.wait(0, 0.2)
    stage.perhaps_kill_writer()
    stage.influxd.start()
    stage.wait(0.1, 0.3)


def server_disk_full(stage: Stage) -> None:
    stage.on_small_disk(of_server=True)
    stage.begin()
    stage.wait(0.1, 0.4)
    fill(stage.disk, stage.chance.randrange(0, 1 << 17))
    stage.until_it_hurts()
    stage.wait(0, 0.5)
    stage.perhaps_kill_writer()
    unfill(stage.disk)
    stage.wait(0, 0.3)
    stage.kill_server()
    stage.influxd.start()
    stage.wait(0.1, 0.3)


def own_disk_full(stage: Stage) -> None:
    """The disk of the home: the spool, or the embedded store itself."""
    stage.on_small_disk(of_server=False)
    stage.begin(gated=stage.path != EMBEDDED)
    for _ in range(2):
        stage.wait(0.1, 0.4)
        away = stage.gate if stage.chance.random() < 0.5 else None
        if away:
            away.shut()
        fill(stage.disk, stage.chance.randrange(0, 1 << 16))
        before = sum(stage.account().refused.values())
        stage.until(lambda account, before=before: sum(account.refused.values()) > before, 1)
        stage.perhaps_kill_writer()
        stage.wait(0, 0.3)
        if away:
            away.open()
        stage.wait(0, 0.2)
        unfill(stage.disk)
    stage.wait(0.1, 0.3)


def storm(stage: Stage) -> None:
    """One thing after the other, or two at once."""
    stage.begin(gated=True)
    gate, influxd = stage.gate, stage.influxd
    assert gate is not None
    for _ in range(5):
        stage.wait(0, 0.3)
        befalls = set(stage.chance.sample(["kill", "restart", "shut", "deaf", "slow", "stop"], 2))
        if "kill" in befalls:
            stage.kill_writer()
            stage.start_writer()
        if "shut" in befalls:
            gate.shut()
        gate.deaf, gate.pause_s = "deaf" in befalls, 0.005 if "slow" in befalls else 0
        if "restart" in befalls:
            stage.kill_server()
            stage.wait(0, 0.2)
            influxd.start(write_timeout=stage.chance.choice(["10s", "50us"]))
        elif "stop" in befalls:
            influxd.send(signal.SIGSTOP)
        stage.wait(0, 0.3)
        if "stop" in befalls and "restart" not in befalls:
            influxd.send(signal.SIGCONT)
        if "shut" in befalls:
            gate.open()
    gate.deaf, gate.pause_s = False, 0
    influxd.start()


Play = Callable[[Stage], None]
_ON_SERVERS: tuple[Play, ...] = (
    writer_killed, server_killed, both_killed, outage, answers_lost, slow, hangs, shut_out, narrow,
    times_out, server_disk_full, own_disk_full, storm,
)  # fmt: skip
PLAYS: tuple[tuple[str, Play], ...] = (
    *((path, play) for path in (DIRECT, PROXIED) for play in _ON_SERVERS),
    (EMBEDDED, writer_killed),
    (EMBEDDED, own_disk_full),
    (EMBEDDED, writer_killed),
    (EMBEDDED, own_disk_full),
)
"""What a seed plays is the one at its remainder."""
