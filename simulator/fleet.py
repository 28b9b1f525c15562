"""A fleet of pretend access points, each a process of its own on its own loopback address.

`python -m simulator.fleet --folder DIR` reads DIR/access-points.csv, starts them all, writes
DIR/fleet.json and DIR/known_hosts, prints one line when every one answers, and ends them when
it is told to stop. `Fleet` does the same as a context manager.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from farola.errors import FarolaError
from simulator.control import Strings, strings

PASSWORD_VARIABLE = "FAROLA_SIMULATOR_PASSWORD"  # noqa: S105 - the name of a variable
DEFAULT_PASSWORD = "pretend-lamp-post"  # noqa: S105 - of pretend devices that hold no secret
READY_SECONDS = 120.0


class FleetError(FarolaError):
    """The fleet cannot be started as asked."""


def root_password() -> str:
    """Root's password on pretend devices: from the environment, else the well-known one."""
    return os.environ.get(PASSWORD_VARIABLE) or DEFAULT_PASSWORD


@dataclass(frozen=True)
class FleetDevice:
    """A device of a running fleet, as fleet.json tells of it."""

    id: str
    address: str
    ssh_port: int
    snmp_port: int
    pid: int
    host_key: str
    """As it stands in a known_hosts file after the host: `ssh-ed25519 AAAA…`."""
    known_hosts: str
    folder: Path
    faults: tuple[str, ...]

    @property
    def root(self) -> Path:
        """The folder of this machine that the device sees as its `/`."""
        return self.folder / "root"

    @property
    def strings(self) -> Strings:
        """What makes it suffer, and tells what it did."""
        return strings(self.folder)


def read_fleet(folder: Path) -> tuple[FleetDevice, ...]:
    """Read fleet.json; FleetError where there is none."""
    path = folder / "fleet.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FleetError(f"{path}: no running fleet: {error}; start one first") from None
    return tuple(
        FleetDevice(**{**row, "folder": Path(row["folder"]), "faults": tuple(row["faults"])})
        for row in data["devices"]
    )


class Fleet:
    """Starts a fleet for the time of a `with` block.

    `folder` holds access-points.csv (see simulator.city_files) and gets the devices' files.
    `faults` maps a device's id to the faults it is to have. The fleet also ends when the
    process that started it does.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int = 1,
        faults: dict[str, str] | None = None,
        trap_to: str | None = None,
        password: str | None = None,
        boot_seconds: float = 1.0,
        only: int | None = None,
        time_rate: float = 1.0,
        radar_factor: float = 1.0,
    ) -> None:
        self.folder = folder
        self._password = password
        self._argv = [sys.executable, "-m", "simulator.fleet", "--folder", str(folder),
                      "--seed", str(seed), "--boot-seconds", str(boot_seconds),
                      "--time-rate", str(time_rate), "--radar-factor", str(radar_factor),
                      "--until-stdin-closes"]  # fmt: skip
        for device, names in (faults or {}).items():
            self._argv += ["--fault", f"{device}={names}"]
        if trap_to is not None:
            self._argv += ["--trap-to", trap_to]
        if only is not None:
            self._argv += ["--only", str(only)]
        self._process: subprocess.Popen[str] | None = None
        self.devices: tuple[FleetDevice, ...] = ()

    def start(self) -> Self:
        """Start and wait until every device answers; FleetError tells what went wrong."""
        environment = dict(os.environ)
        root = Path(__file__).resolve().parent.parent
        paths = [str(root), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        if self._password is not None:
            environment[PASSWORD_VARIABLE] = self._password
        log = self.folder / "fleet.log"
        with log.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                text=True, env=environment, start_new_session=True,
            )  # fmt: skip
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        line = self._process.stdout.readline()
        if not line.startswith("ready"):
            self.stop()
            lines = log.read_text(encoding="utf-8").strip().splitlines() or ["it ended at once"]
            raise FleetError(lines[-1].removeprefix("farola: "))
        self.devices = read_fleet(self.folder)
        return self

    def stop(self) -> None:
        """End every device and wait until they are gone."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def device(self, identifier: str) -> FleetDevice:
        """The device of that id."""
        return next(device for device in self.devices if device.id == identifier)

    def power_cut(self, identifier: str) -> None:
        """Cut a device's power for a moment: it boots again."""
        os.kill(self.device(identifier).pid, signal.SIGHUP)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()


# --- the parent of the fleet -------------------------------------------------------------------


@click.command()
@click.option(
    "--folder", type=click.Path(path_type=Path), required=True, help="Holds access-points.csv."
)
@click.option("--seed", type=int, default=1, help="The same seed gives the same devices.")
@click.option("--fault", "faults", multiple=True, metavar="ID=FAULT[,FAULT]", help="Make one fail.")
@click.option("--trap-to", metavar="HOST:PORT", help="Where every device sends its traps.")
@click.option("--boot-seconds", type=float, default=1.0, help="How long a reboot takes.")
@click.option("--time-rate", type=float, default=1.0, help="Seconds of theirs in one of ours.")
@click.option("--radar-factor", type=float, default=1.0, help="Share of the radar listening.")
@click.option("--only", type=int, help="Start the first N of the file.")
@click.option("--until-stdin-closes", is_flag=True, help="End when standard input does.")
def main(
    *,
    folder: Path,
    seed: int,
    faults: Sequence[str],
    trap_to: str | None,
    boot_seconds: float,
    time_rate: float,
    radar_factor: float,
    only: int | None,
    until_stdin_closes: bool,
) -> None:
    """Start the pretend access points of a folder and keep them running."""
    from simulator.roster import read_roster

    try:
        roster = read_roster(
            folder,
            seed=seed,
            faults=faults,
            trap_to=trap_to,
            boot_seconds=boot_seconds,
            time_rate=time_rate,
            radar_factor=radar_factor,
            only=only,
            password=root_password(),
        )
        _Parent(folder, roster, until_stdin_closes).run()
    except FarolaError as error:
        click.echo(f"farola: {error}", err=True)
        sys.exit(1)


class _Parent:
    def __init__(self, folder: Path, roster: Sequence[Any], until_stdin_closes: bool) -> None:
        self.folder = folder
        self.roster = roster
        self.until_stdin_closes = until_stdin_closes
        self.pids: dict[int, Any] = {}
        self.stopping = False

    def run(self) -> None:
        from simulator.spawn import preload, spawn

        started = time.monotonic()
        (self.folder / "fleet.json").unlink(missing_ok=True)
        preload()
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        waiting: dict[int, Any] = {}
        try:
            for settings in self.roster:
                pid, pipe = spawn(settings, close=[wake_read, wake_write, *waiting])
                self.pids[pid] = settings
                waiting[pipe] = settings
            self._wait_ready(waiting, started + READY_SECONDS)
            if not self.stopping:
                self._announce(time.monotonic() - started)
                self._watch(wake_read)
        finally:
            signal.set_wakeup_fd(-1)
            self._end_all()
            (self.folder / "fleet.json").unlink(missing_ok=True)

    def _ask_to_stop(self, number: int, frame: object) -> None:
        del number, frame
        self.stopping = True

    def _wait_ready(self, waiting: dict[int, Any], deadline: float) -> None:
        while waiting and not self.stopping:
            left = deadline - time.monotonic()
            readable, _, _ = select.select(list(waiting), [], [], min(1.0, max(0.0, left)))
            for pipe in readable:
                settings = waiting.pop(pipe)
                word = os.read(pipe, 4096).decode("utf-8", "replace")
                os.close(pipe)
                if word != "ready":
                    raise FleetError(
                        f"{settings.identity.id}: {word or 'it died while it started'}"
                    )
            if left <= 0:
                names = ", ".join(s.identity.id for s in list(waiting.values())[:5])
                raise FleetError(f"not up after {READY_SECONDS:.0f} s: {names}")

    def _announce(self, seconds: float) -> None:
        from simulator.ssh_server import public_key

        rows = []
        for pid, settings in self.pids.items():
            key = public_key(settings.seed)
            rows.append({
                "id": settings.identity.id, "address": settings.address,
                "ssh_port": settings.ssh_port, "snmp_port": settings.snmp_port, "pid": pid,
                "host_key": key, "known_hosts": f"[{settings.address}]:{settings.ssh_port} {key}",
                "folder": str(settings.folder), "faults": sorted(settings.faults),
            })  # fmt: skip
        known = "".join(row["known_hosts"] + "\n" for row in rows)
        (self.folder / "known_hosts").write_text(known, encoding="utf-8")
        draft = self.folder / ".fleet.json.draft"
        draft.write_text(
            json.dumps({"simulated": True, "pid": os.getpid(), "devices": rows}, indent=1)
        )
        draft.rename(self.folder / "fleet.json")
        print(f"ready: {len(rows)} pretend access points in {seconds:.1f} s: "
              f"{self.folder / 'fleet.json'}", flush=True)  # fmt: skip

    def _watch(self, wake: int) -> None:
        """Sleep until told to stop; say which devices died on their own."""
        inputs = [wake, *([0] if self.until_stdin_closes else [])]
        while not self.stopping:
            readable, _, _ = select.select(inputs, [], [], 60)
            if wake in readable:
                os.read(wake, 512)
            if 0 in readable and not os.read(0, 512):
                return
            self._reap()
            if not self.pids:
                raise FleetError("every device died")

    def _reap(self) -> None:
        while self.pids:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            settings = self.pids.pop(pid, None)
            if settings is not None and not self.stopping:
                click.echo(f"farola: {settings.identity.id} died ({status})", err=True)

    def _end_all(self) -> None:
        self.stopping = True
        for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            for pid in self.pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + seconds
            while self.pids and time.monotonic() < deadline:
                self._reap()
                time.sleep(0.02)


if __name__ == "__main__":
    main()
