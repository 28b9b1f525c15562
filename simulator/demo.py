"""`farola demo`: the whole loop on a pretend city, over real sockets, in a home of its own.

Each step is the command that a person would type, run as a child process; what it prints is what
they would see. Nothing here reaches into the other rooms.
"""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass
from typing import Any

import click

from farola.errors import FarolaError
from farola.output import json_option, print_json
from farola.ports import check_port
from simulator import demo_home


@dataclass
class Figures:
    """What the demo did; the keys are those that `farola demo --json` prints."""

    devices: int = 0
    pushed: int = 0
    failed: int = 0
    polled: int = 0
    points: int = 0
    usage_rows: int = 0
    plan_sites: int = 0
    took_s: float = 0.0
    traps: int = 0

    def shortfall(self, aps: int) -> str:
        """Which figure is not what the demo is made to reach; empty if the loop did close."""
        wanted = {"devices": aps, "pushed": aps - 1, "failed": 1}
        for name, value in wanted.items():
            if getattr(self, name) != value:
                return f"{name} is {getattr(self, name)}, not {value}"
        # A busy machine may lose an answer or two.
        at_least = {"polled": aps * 9 // 10, "traps": 1, "usage_rows": 1, "plan_sites": 1}
        for name, value in at_least.items():
            if getattr(self, name) < value:
                return f"{name} is {getattr(self, name)}, less than {value}"
        return ""


@click.command(epilog="The city, its access points and its residents are made up.")
@click.option(
    "--aps",
    default=60,
    show_default=True,
    type=click.IntRange(2, 2000),
    help="How many pretend access points.",
)
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Where the console is served.",
)
@click.option("--seed", default=7, show_default=True, type=int, help="Another seed, another city.")
@click.option("--once", is_flag=True, help="Do all but serving, then end.")
@json_option
def demo(aps: int, port: int, seed: int, once: bool, as_json: bool) -> int:  # fmt: skip
    """Run the whole loop on a pretend city and serve the console.

    A city is made up, its access points are started as processes that answer SNMP and SSH; they
    are adopted, provisioned (one fails and is named) and polled; usage is read, gaps are found, a
    plan is made. Ctrl-C ends it all. The home is FAROLA_HOME, else ./.farola-demo; a home that
    belongs to a real city is refused.
    """
    started = time.monotonic()
    if not once:
        check_port("127.0.0.1", port, "--port")
    home = demo_home.make_home()
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with demo_home.Loop(home, quiet=as_json) as loop:
        figures, failed = _run(loop, aps, seed)
        figures.took_s = round(time.monotonic() - started, 1)
        if as_json:
            print_json({**vars(figures), "failed_devices": failed, "simulated": True})
        short = figures.shortfall(aps)
        if short:
            raise FarolaError(f"the loop did not close: {short}; what failed is said above")
        if once:
            _summary(loop, figures, failed, None)
            return 0
        with contextlib.suppress(KeyboardInterrupt):
            password = loop.first_user()
            console = loop.serve(port)
            _summary(loop, figures, failed, (f"http://127.0.0.1:{port}", password))
            console.wait()
    return 0


def _run(loop: demo_home.Loop, aps: int, seed: int) -> tuple[Figures, list[str]]:
    figures = Figures()
    loop.say("1. A pretend city, and what its files say")
    files = loop.make_city(seed, aps)
    loop.store_credential()
    loop.farola("import", "neighbourhoods", files.neighbourhoods, "--id", "id", "--name", "name",
                "--borough", "borough", "--population", "population", "--grade", "grade",
                "--deprivation", "deprivation", "--deprivation-order", "high-is-worse")  # fmt: skip
    loop.farola("import", "access-points", files.access_points, "--id", "id", "--name", "name",
                "--programme", "programme", "--borough", "borough",
                "--management-address", "management_address",
                "--ssh-port", "ssh_port", "--snmp-port", "snmp_port", "--mac", "mac",
                "--serial", "serial", "--platform", "platform", "--credential", "credential",
                "--bssid", "bssid", "--lat", "lat", "--lon", "lon")  # fmt: skip
    loop.farola("import", "candidates", files.candidates,
                "--id", "id", "--name", "name", "--cost", "cost",
                "--lat", "lat", "--lon", "lon")  # fmt: skip

    loop.say("2. Its access points start, each a process with SNMP and SSH on a real socket")
    known_hosts = loop.start_fleet(files.access_points.parent, seed)

    loop.say("3. Adopted: host keys enrolled, identity checked by serial and MAC")
    adopted = loop.farola("device", "adopt", "--all", "--known-hosts", known_hosts, fails=True)
    figures.devices = len(adopted["adopted"])

    loop.say("4. A change is frozen: the diff of each device")
    change = loop.farola(
        "provision",
        "prepare",
        "--all",
        "--reason",
        "first configuration of the pretend city",
        fails=True,
    )
    _show_diffs(loop, change)
    loop.say("5. Pushed (one access point's flash is full: watch it fail, and be named)")
    with loop.collector():
        pushed = loop.farola("provision", "push", str(change["change"]), fails=True)
    figures.pushed = int(pushed["pushed"])
    failed = [f"{one['device']}: {one['why']}" for one in pushed["failed"]]
    figures.failed = len(failed)

    figures.traps = loop.traps()
    loop.say(f"   {figures.traps} traps came in meanwhile: services that were reloaded")
    loop.say("6. Polled over SNMP")
    polled = loop.farola("collect", "once")
    figures.polled = int(polled["answered"])
    figures.points = int(polled["points"])

    loop.say("7. A year of the portal's usage is read")
    usage = loop.farola("import", "usage", files.usage, "--site", "site", "--period", "month",
                        "--kind", "kind", "--users", "users", "--sessions", "sessions",
                        "--minutes", "minutes")  # fmt: skip
    figures.usage_rows = int(usage["imported"])

    loop.say("8. Who is covered, and where next")
    loop.show("coverage", "--model", "disc", "--radius", "80", "--by", "grade")
    plan = loop.farola("plan", "--sites", "10")
    for site in plan["sites"]:
        loop.say(f"   {site['rank']:2}. {site['why']}")
    figures.plan_sites = len(plan["sites"])
    return figures, failed


def _show_diffs(loop: demo_home.Loop, change: dict[str, Any]) -> None:
    """The first device's diff whole, the others by size: sixty would scroll away."""
    first, *others = change["devices"]
    loop.say(f"   {first['device']}:")
    for line in first["diff"].splitlines():
        loop.say(f"   {line}")
    sizes = [len(other["diff"].splitlines()) for other in others]
    loop.say(
        f"   … and {len(others)} more, {min(sizes)} to {max(sizes)} lines each: "
        f"FAROLA_HOME={loop.home} farola provision show {change['change']}"
    )


def _summary(
    loop: demo_home.Loop, figures: Figures, failed: list[str], served: tuple[str, str] | None
) -> None:
    lines = [
        "",
        f"The loop is closed, in {figures.took_s:.0f} s. Everything in it is made up.",
        f"  {figures.devices} access points adopted, {figures.pushed} provisioned,"
        f" {figures.failed} failed ({'; '.join(failed[:3]) or 'none'})",
        f"  {figures.polled} answered the poll: {figures.points} points; {figures.traps} traps;"
        f" {figures.usage_rows} rows of usage; {figures.plan_sites} sites proposed",
    ]
    if served:
        url, password = served
        lines += [
            "",
            f"  Sign in      {url}   as admin   with {password}",
            f"  The map      {url}/            gap × deprivation, sites, the proposed sites",
            f"  The plan     {url}/plan        each site and why",
            f"  Devices      {url}/devices     state, and a chart of the day",
            f"  Last push    {url}/changes     each diff, and the one that failed",
            f"  For citizens {url}/public      no sign-in, no script",
            "",
            "  Polled every 30 s. Ctrl-C ends it all.",
        ]
    else:
        lines.append(
            f"  The city's home is {loop.home}: try `FAROLA_HOME={loop.home} farola status`"
        )
    for line in lines:
        loop.say(line)
