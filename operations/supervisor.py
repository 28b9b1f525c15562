"""`farola up`: collector, reactor, nightly audit and console as child processes, each started again
when it dies.

A process each, so that a console that hangs or is killed costs no measurement, and the other way
round.
"""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

import click

from collectors.commands import metrics_option, traps_option
from collectors.snmp.addresses import join_host_port
from farola.options import NumberRange
from farola.output import note
from farola.ports import check_port
from farola.settings import load_settings
from operations.reactor import quiet_option

COLLECTOR = "collector"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
STEADY_S = 60.0
"""A child that ran this long starts again after the shortest pause."""
GRACE_S = 20.0
"""Given to children to end by themselves: a poll under way is still written."""
_PR_SET_PDEATHSIG = 1


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The console's address.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Its TCP port."
)
@click.option(
    "--interval",
    "interval_s",
    type=NumberRange(1, 86_400),
    default=60.0,
    show_default=True,
    help="Seconds from the start of one poll to the start of the next.",
)
@traps_option
@metrics_option
@quiet_option
def up(
    *,
    host: str,
    port: int,
    interval_s: float,
    traps: tuple[str, int] | None,
    metrics: tuple[str, int] | None,
    quiet_s: float,
) -> int:
    """Run collector, reactor, nightly audit and console in one process tree until stopped.

    SIGTERM and Ctrl-C stop it. One that dies is started again, after a pause that grows to a
    minute while it keeps dying. SIGHUP lets the collector read the settings again. The exit code
    is 0 when all ended in time, 1 when one had to be killed.
    """
    settings = load_settings()
    check_port(host, port, "--port")
    collect = ["collect", "run", "--interval", f"{interval_s:g}"]
    heard = ""
    if traps:
        check_port(*traps, "--traps", socket.SOCK_DGRAM)
        collect += ["--traps", join_host_port(*traps)]
        heard = f", traps on {collect[-1]}"
    if metrics:
        check_port(*metrics, "--metrics")
        collect += ["--metrics", join_host_port(*metrics)]
        heard += f", metrics on {collect[-1]}"
    note(
        f"{settings.city.name}: collector every {interval_s:g} s{heard}, "
        f"console on http://{host}:{port}"
    )
    return Supervisor(
        [
            Child(COLLECTOR, farola(*collect)),
            Child("reactor", farola("reactor", "--quiet", f"{quiet_s:g}")),
            Child("nightly", farola("nightly")),
            Child("rollouts", farola("rollouts")),
            Child("console", farola("web", "--host", host, "--port", str(port))),
        ]
    ).run()


def farola(*arguments: str) -> list[str]:
    """The command line that runs `farola` with this interpreter."""
    return [sys.executable, "-c", "from farola.cli import main; main()", *arguments]


@dataclass
class Child:
    """One supervised command, and when it is due to be started."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = FIRST_PAUSE_S

    def ended(self, now: float) -> float:
        """Plan the next start; return the seconds until then. Pure but for this record."""
        self.process = None
        if now - self.started >= STEADY_S:
            self.pause = FIRST_PAUSE_S
        wait, self.pause = self.pause, min(self.pause * 2, LONGEST_PAUSE_S)
        self.due = now + wait
        return wait


@dataclass
class Supervisor:
    """Keeps children running until `stop`; `say` gets a line for each thing that happens."""

    children: list[Child]
    say: Callable[[str], None] = note
    grace_s: float = GRACE_S
    stopping: bool = field(default=False, init=False)

    def run(self) -> int:
        """Start all, start again what dies, until a signal; return the exit code."""
        old = {s: signal.signal(s, self._on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
        old[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._on_reload)
        try:
            while not self.stopping:
                self.tick(time.monotonic())
                time.sleep(0.1)
        finally:
            clean = self.stop()
            for number, handler in old.items():
                signal.signal(number, handler)
        return 0 if clean else 1

    def tick(self, now: float) -> None:
        """Look after each child once."""
        for child in self.children:
            if child.process is None:
                if now >= child.due:
                    # A group of its own: Ctrl-C reaches us alone, and we stop them in order.
                    child.process = subprocess.Popen(
                        child.command,
                        stdin=subprocess.DEVNULL,
                        start_new_session=True,
                        preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads run here
                    )
                    child.started = now
                continue
            code = child.process.poll()
            if code is not None:
                why = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
                self.say(f"{child.name} {why}; starting it again in {child.ended(now):g} s")

    def stop(self) -> bool:
        """End all children, by force after the grace; whether none had to be forced."""
        running = [child.process for child in self.children if child.process]
        for process in running:
            process.terminate()
        until = time.monotonic() + self.grace_s
        clean = True
        for child in self.children:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{child.name} did not end in {self.grace_s:g} s: killed")
                child.process.kill()
                child.process.wait()
                clean = False
            child.process = None
        return clean

    def _on_reload(self, number: int, _frame: FrameType | None) -> None:
        """The collector alone reads settings while it runs; another child would end by this."""
        for child in self.children:
            if child.name == COLLECTOR and child.process is not None:
                child.process.send_signal(number)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True


def _die_with_parent() -> None:
    """Linux ends the child when the supervisor is killed; else two collectors would poll."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
