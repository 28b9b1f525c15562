"""The demo's home and its child processes: every step is the command that a person would type."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from farola.errors import FarolaError
from farola.output import note
from farola.settings import FILE_NAME, ProvisioningSettings, load_settings, write_settings
from simulator.city_files import CREDENTIAL, CityFiles
from simulator.fleet import Fleet, root_password
from simulator.spawn import DIE_WITH_PARENT

COMMUNITY = "public"
SNMP_PORT = 1161
BROKEN = "ap-0002"
"""This one's flash is full: a push to it must fail, be named, and leave it as it was."""

MARK = "DEMO"
"""A file in the home: this city is pretend and may be thrown away."""


def make_home() -> Path:
    """FAROLA_HOME, else ./.farola-demo: emptied if it was a demo's, refused if it is a city's."""
    home = Path(os.environ.get("FAROLA_HOME") or ".farola-demo").absolute()
    if (home / MARK).exists():
        shutil.rmtree(home)
    elif home.exists() and any(home.iterdir()):
        what = "belongs to a city" if (home / FILE_NAME).exists() else "is not empty"
        raise FarolaError(
            f"{home} {what}; the demo will not touch it: "
            "unset FAROLA_HOME or name a folder that does not exist"
        )
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / MARK).write_text("A pretend city. `farola demo` removes this folder when it starts.\n")
    return home


def reserve_network(seed: int) -> tuple[str, socket.socket]:
    """First two numbers of loopback addresses that nobody uses, and a socket that keeps them.

    Two demos that start at once both look before either fleet listens: the socket, held while the
    demo runs, is what tells them apart.
    """
    for step in range(200):
        network = f"127.{16 + (seed + step) % 200}"
        held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            held.bind((f"{network}.255.254", SNMP_PORT))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((f"{network}.1.1", SNMP_PORT))
        except OSError:
            held.close()
            continue
        return network, held
    raise FarolaError("200 pretend cities are running on this machine: end one")


def free_udp_port() -> int:
    """A UDP port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    """A demo that is killed leaves nothing behind: its children are asked to stop."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)


class Loop:
    """Child processes on one home; all of them end with it."""

    def __init__(self, home: Path, quiet: bool) -> None:
        self.home = home
        self.quiet = quiet
        self.env = {**os.environ, "FAROLA_HOME": str(home)}
        self.children: list[subprocess.Popen[Any]] = []
        self.fleet: Fleet | None = None
        self.reserved: socket.socket | None = None
        self.trap_address = f"127.0.0.1:{free_udp_port()}"

    def __enter__(self) -> Loop:
        """Nothing is running yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every child, newest first, then the access points."""
        for child in reversed(self.children):
            child.terminate()
        for child in reversed(self.children):
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self.fleet:
            self.fleet.stop()
        if self.reserved:
            self.reserved.close()

    def say(self, text: str) -> None:
        """Tell the person at the terminal; on stderr when stdout is for JSON."""
        if self.quiet:
            note(text)
        else:
            print(text, flush=True)

    def farola(self, *words: object, fails: bool = False) -> dict[str, Any]:
        """Run `farola WORDS --json` and return what it printed.

        With `fails` an exit code above 0 is expected where single devices fail.
        """
        done = subprocess.run(
            [sys.executable, "-m", "farola", *map(str, words), "--json"],
            env=self.env, stdout=subprocess.PIPE, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode and not (fails and done.stdout):
            raise FarolaError(
                f"`farola {' '.join(map(str, words))}` ended with {done.returncode}; "
                f"what it said stands above; the home is {self.home}"
            )
        result = json.loads(done.stdout)
        assert isinstance(result, dict)  # noqa: S101 - our own commands print objects
        return result

    def show(self, *words: object) -> None:
        """Run a command that changes nothing, so that the person sees its answer in words."""
        if not self.quiet:
            subprocess.run(
                [sys.executable, "-m", "farola", *map(str, words)], env=self.env, check=False
            )

    def make_city(self, seed: int, aps: int) -> CityFiles:
        """Write the pretend city's files, make its home, and mark it as simulated."""
        from datetime import UTC, datetime

        from inventory.db import open_inventory
        from inventory.queries import set_fact
        from simulator.city import make_city
        from simulator.city_files import write_city
        from simulator.history import past_day
        from timeseries import open_store

        network, self.reserved = reserve_network(seed)
        city = make_city(seed, aps, network=network, snmp_port=SNMP_PORT)
        files = write_city(city, self.home / "city")
        self.farola("init", "--name", city.name, "--timezone", city.timezone,
                    "--ssid", "Pretend Free WiFi")  # fmt: skip
        # Small waves, and no long look at each; the one that fails shall not halt the rest.
        rollout = ProvisioningSettings(
            waves="2, 10, 100", stop_sample=2, stop_share=0.6, bake_s=0, linger_s=0, confirm_s=60
        )
        write_settings(replace(load_settings(self.home), provisioning=rollout))
        inventory = open_inventory(load_settings(self.home))
        with inventory.session() as session:
            set_fact(session, "simulated", {"seed": seed, "access_points": aps})
        inventory.close()
        store = open_store(load_settings(self.home))
        store.write(past_day(city, datetime.now(UTC)))
        store.close()
        return files

    def store_credential(self) -> None:
        """Store what every pretend access point is signed in to with; secrets go by stdin."""
        for field, secret in (("password", root_password()), ("snmp_community", COMMUNITY)):
            subprocess.run(
                [sys.executable, "-m", "farola", "device", "credential", CREDENTIAL,
                 "--username", "root", "--field", field, "--json"],
                env=self.env, input=secret, text=True, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip

    def start_fleet(self, folder: Path, seed: int) -> Path:
        """Start the access points of `folder`; return the file of their true host keys."""
        fleet = Fleet(folder, seed=seed, faults={BROKEN: "flash-full"}, trap_to=self.trap_address)
        self.fleet = fleet.start()
        return folder / "known_hosts"

    @contextmanager
    def collector(self) -> Iterator[None]:
        """A collector that polls once and receives traps for the time of a `with` block."""
        child = subprocess.Popen(
            [sys.executable, "-m", "farola", "collect", "run", "--interval", "3600",
             "--traps", self.trap_address],
            env=self.env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - the demo has one thread
        )  # fmt: skip
        self.children.append(child)
        try:
            self._wait_for_listener(child)
            yield
        finally:
            self.children.remove(child)
            child.terminate()
            child.wait(30)

    def _wait_for_listener(self, child: subprocess.Popen[Any]) -> None:
        """Return when somebody listens for traps: what is sent before is heard by nobody."""
        host, _, port = self.trap_address.partition(":")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and child.poll() is None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                try:
                    one.bind((host, int(port)))
                except OSError:
                    return
            time.sleep(0.05)
        raise FarolaError(f"no collector listens for traps on {self.trap_address}")

    def traps(self) -> int:
        """How many traps became events."""
        from inventory.db import open_inventory
        from inventory.queries import events

        with open_inventory(load_settings(self.home)).session() as session:
            return sum(event.kind.startswith("trap.") for event in events(session, limit=10_000))

    def first_user(self) -> str:
        """Make the first user of the console; return the password."""
        made = self.farola("user", "add", "admin", "--role", "admin", "--generate")
        return str(made["password"])

    def serve(self, port: int) -> subprocess.Popen[Any]:
        """Start collector and console; return when the console answers."""
        child = subprocess.Popen(
            [sys.executable, "-m", "farola", "up", "--port", str(port), "--interval", "30",
             "--traps", self.trap_address],
            env=self.env, text=True, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - the demo has one thread
        )  # fmt: skip
        self.children.append(child)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and child.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                    return child
            except OSError:
                time.sleep(0.2)
        raise FarolaError(f"the console did not come up on port {port}; its reason stands above")
