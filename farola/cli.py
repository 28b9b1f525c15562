"""The `farola` command. It names each room's commands as strings and imports a room only when
its command runs, so `farola --help` answers at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from farola import __version__
from farola.errors import FarolaError
from farola.options import refuse_empty, said_plainly
from farola.output import flush_output, plain


class LazyGroup(click.Group):
    """A click group whose commands are `module:attribute` strings, or nested groups of them."""

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        """`lazy` maps a command's name to (`module:attribute`, one line of help)."""
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the loop."""
        return [*super().list_commands(ctx), *self.lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the room and return its command."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a slip in the table below
        refuse_empty(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing one."""
        rows = [(name, self.lazy[name][1]) for name in self.lazy]
        for name in super().list_commands(ctx):
            command = super().get_command(ctx, name)
            if command is not None:
                rows.append((name, command.get_short_help_str(80)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


ROOT: dict[str, tuple[str, str]] = {
    "init": ("inventory.commands.setup:init", "Make a home for a city."),
    "doctor": ("operations.doctor:doctor", "Tell what is missing on this machine."),
    "status": ("operations.status:status", "Show what is known of the city now."),
    "plan": ("coverage_maps.commands.plan:plan", "Propose where to deploy next, and say why."),
    "coverage": ("coverage_maps.commands.coverage:coverage", "Show who is covered, by group."),
    "demand": (
        "coverage_maps.commands.demand:demand",
        "Tell where the portal would be used more with more coverage.",
    ),
    "backup": ("operations.backup_command:backup", "Write all of a city into one file."),
    "restore": ("operations.backup_command:restore", "Make a city's home from such a file."),
    "up": ("operations.supervisor:up", "Run collector, reactor and console in one process tree."),
    "web": ("web.commands:web", "Serve the console alone."),
    "reactor": ("operations.reactor:reactor", "Fetch configs that traps say have changed."),
    "rollouts": (
        "operations.rollouts:rollouts",
        "Push to devices that were offline and are back.",
    ),
    "nightly": ("operations.nightly:nightly", "Fetch and audit all configs each night."),
    "demo": ("simulator.demo:demo", "Run the whole loop on a pretend city."),
}

GROUPS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "import": (
        "Read neighbourhoods, access points, candidate sites and portal usage.",
        {
            "neighbourhoods": (
                "inventory.commands.imports:neighbourhoods",
                "Polygons with population and deprivation.",
            ),
            "access-points": (
                "inventory.commands.imports:access_points",
                "Access points: one site per coordinate, one device per row.",
            ),
            "candidates": ("inventory.commands.imports:candidates", "Places one could build at."),
            "sites": ("inventory.commands.imports:sites", "Places that are live already."),
            "buildings": (
                "inventory.commands.imports:buildings",
                "Building outlines, for the street model.",
            ),
            "usage": (
                "collectors.portal.commands:usage",
                "Portal use, by place and period.",
            ),
            "netbox": ("inventory.commands.netbox:netbox", "Sites and devices from NetBox."),
        },
    ),
    "scenario": (
        "Plans kept under a name, to compare.",
        {
            "list": ("coverage_maps.commands.scenario:list_scenarios", "List the scenarios."),
            "show": ("coverage_maps.commands.scenario:show", "Show one and what it brings."),
            "compare": ("coverage_maps.commands.scenario:compare", "Hold some side by side."),
            "delete": ("coverage_maps.commands.scenario:delete", "Forget one; its plan stays."),
        },
    ),
    "deployments": (
        "Accept a plan's sites, and follow them until they are measured.",
        {
            "list": (
                "coverage_maps.commands.deployments:list_deployments",
                "List the deployments, and how far each is.",
            ),
            "accept": (
                "coverage_maps.commands.deployments:accept",
                "Make deployments of a plan's sites.",
            ),
            "provisioned": (
                "coverage_maps.commands.deployments:provisioned",
                "Say that devices hang there and have their config.",
            ),
            "live": (
                "coverage_maps.commands.deployments:live",
                "Say that sites serve people now.",
            ),
            "withdraw": (
                "coverage_maps.commands.deployments:withdraw",
                "Give deployments up before they are live.",
            ),
            "impact": (
                "coverage_maps.commands.deployments:impact",
                "Hold those that are live against their forecast.",
            ),
        },
    ),
    "provision": (
        "Prepare, review and push configuration.",
        {
            "render": (
                "provisioning.commands.render:render",
                "Show the config meant for a device.",
            ),
            "prepare": (
                "provisioning.commands.changes:prepare",
                "Freeze a change and show its diffs.",
            ),
            "show": ("provisioning.commands.changes:show", "Show a frozen change."),
            "approve": ("provisioning.commands.pushing:approve", "Approve what another prepared."),
            "push": ("provisioning.commands.pushing:push", "Roll a frozen change out in waves."),
            "confirm": ("provisioning.commands.pushing:confirm", "Keep what a push left waiting."),
            "rollback": ("provisioning.commands.pushing:rollback", "Take back what was pushed."),
            "pause": ("provisioning.commands.gates:pause", "Pause every push."),
            "resume": ("provisioning.commands.gates:resume", "Allow pushes again."),
            "freeze": ("provisioning.commands.gates:freeze", "Times in which nothing is pushed."),
            "withdraw": ("provisioning.commands.pushing:withdraw", "Give a change up."),
            "status": (
                "provisioning.commands.pushing:status",
                "Account for each device of a change.",
            ),
            "fetch": ("provisioning.commands.history:fetch", "Keep what devices run now."),
            "history": ("provisioning.commands.history:history", "Show what a device ran."),
            "audit": ("provisioning.commands.audit:audit", "Tell what differs from what is meant."),
            "restore": ("provisioning.commands.restore:restore", "Put back what a device ran."),
            "firmware": (
                "provisioning.commands.restarts:firmware",
                "Freeze a change that brings another firmware.",
            ),
            "reboot": ("provisioning.commands.restarts:reboot", "Freeze a change that reboots."),
            "log": ("provisioning.commands.log:log", "Show who did what, and verify the log."),
        },
    ),
    "collect": (
        "Poll the access points over SNMP.",
        {
            "once": ("collectors.commands:once", "Poll every device once."),
            "run": ("collectors.commands:run", "Poll every device at an interval."),
            "check": (
                "collectors.checks.commands:check",
                "Check address, name and portal as a client gets them.",
            ),
            "availability": (
                "collectors.availability_commands:availability",
                "Which share of the polls was answered, and who is to blame for the others.",
            ),
            "discover": (
                "collectors.discovery.commands:discover",
                "Find SNMP agents in a range of addresses.",
            ),
            "neighbours": (
                "collectors.discovery.commands:neighbours",
                "Learn which switch port each device hangs on.",
            ),
        },
    ),
    "snmp": (
        "Look at one device over SNMP.",
        {
            "probe": ("collectors.snmp.commands:probe", "Show what a device says of itself."),
            "walk": (
                "collectors.snmp.names_command:walk",
                "Show what a device says below a MIB name.",
            ),
        },
    ),
    "device": (
        "Adopt access points and look at them.",
        {
            "list": ("inventory.commands.devices:list_devices", "List the devices."),
            "show": ("inventory.commands.devices:show", "Show what is held of a device."),
            "adopt": (
                "provisioning.life.adopt:adopt",
                "Enrol a device: its host key and credential.",
            ),
            "voucher": (
                "provisioning.commands.life:voucher",
                "Let a factory-new device prove its host key.",
            ),
            "swap": ("provisioning.commands.life:swap", "Put new hardware in a device's place."),
            "retire": ("provisioning.commands.life:retire", "Take a device out of service."),
            "group": ("provisioning.commands.life:group", "Show or change groups of devices."),
            "credential": ("inventory.commands.credentials:credential", "Store a credential."),
            "wireguard": (
                "provisioning.intent.wireguard:wireguard",
                "Make the keys of the management tunnel.",
            ),
            "rotate": (
                "provisioning.commands.life:rotate",
                "Give a credential's devices a new password or key.",
            ),
            "discovered": (
                "collectors.discovery.device_commands:discovered",
                "List what was found and is proposed.",
            ),
            "accept": (
                "collectors.discovery.device_commands:accept",
                "Take proposals into the inventory.",
            ),
            "ignore": (
                "collectors.discovery.device_commands:ignore",
                "Never propose these again.",
            ),
            "uplink": (
                "collectors.discovery.device_commands:uplink",
                "Say or show which switch port a device hangs on.",
            ),
        },
    ),
    "maintenance": (
        "Times in which devices may be down.",
        {
            "add": ("inventory.commands.maintenance:add", "Announce maintenance."),
            "list": (
                "inventory.commands.maintenance:list_windows",
                "List what goes on or is to come.",
            ),
            "end": ("inventory.commands.maintenance:end", "End maintenance now."),
        },
    ),
    "user": (
        "People who sign in to the console.",
        {"add": ("web.commands:user_add", "Add a person, or set a new password and role.")},
    ),
    "store": (
        "The time series store.",
        {
            "check": ("timeseries.check_command:check", "Look whether what was kept is whole."),
            "copy": ("timeseries.copy_command:copy", "Copy all rows to another store."),
            "export": ("timeseries.export_command:export", "Write rows as a CSV file."),
            "prepare": ("timeseries.commands:prepare", "Make the database on an InfluxDB server."),
            "quarantine": (
                "timeseries.quarantine_command:quarantine",
                "List the rows that the server refused, and why.",
            ),
            "rollup": ("timeseries.rollup_command:rollup", "Make the hours and days that are due."),
        },
    ),
    "survey": (
        "Walked surveys of the air.",
        {
            "import": (
                "collectors.airwaves.survey_commands:survey_import",
                "Read pcap or WiGLE files.",
            ),
            "calibrate": (
                "coverage_maps.commands.calibrate:calibrate",
                "Fit the street model to what walks measured.",
            ),
        },
    ),
    "airwaves": (
        "Look for impostors.",
        {
            "scan": (
                "collectors.airwaves.scan_commands:scan",
                "Name access points that pose as ours.",
            )
        },
    ),
}


@click.group(cls=LazyGroup, lazy=ROOT, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="farola")
def farola() -> None:
    """Plan, provision and watch a city's free public Wi-Fi, poorer neighbourhoods first."""


for _name, (_help, _commands) in GROUPS.items():
    farola.add_command(LazyGroup(name=_name, help=_help, lazy=_commands))


def main() -> NoReturn:
    """Run the command line; a user's mistake ends in one line on stderr and a code above 0, and so
    does output that nobody takes.
    """
    # numpy's threads for sums of a city wait for each other on a busy machine: ten times the CPU.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    if sys.stdout is None:
        click.echo(
            "farola: the output is closed: send it somewhere, such as to /dev/null", err=True
        )
        sys.exit(1)
    try:
        try:
            code = _run()
        except OSError as error:
            if not (fault := flush_output(error)):
                raise
        else:
            fault = flush_output()
    except BrokenPipeError:
        sys.exit(1)
    if fault:
        click.echo(f"farola: {fault}", err=True)
        sys.exit(1)
    sys.exit(code)


def _run() -> int | str | None:
    """Run one command; its exit code."""
    code: int | str | None
    try:
        code = farola.main(prog_name="farola", standalone_mode=False)
    except SystemExit as end:
        code = end.code
    except click.exceptions.Abort:
        click.echo("farola: stopped", err=True)
        code = 130
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.UsageError as error:
        words = error.ctx.command_path if error.ctx else "farola"
        click.echo(f"farola: {said_plainly(error)}; `{words} --help` lists what there is", err=True)
        code = error.exit_code
    except click.ClickException as error:
        click.echo(f"farola: {' '.join(error.format_message().split())}", err=True)
        code = error.exit_code
    except FarolaError as error:
        click.echo(f"farola: {plain(str(error))}", err=True)
        code = 1
    else:
        code = code if isinstance(code, int) else 0
    return code
