"""`farola doctor`: what is missing on this machine, and how to get it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from farola.errors import FarolaError
from farola.output import json_option, print_json, print_table
from operations import examinations as e
from operations.examinations import Check
from operations.keeping import rollups_check, room_check
from operations.waiting import spool_check
from timeseries.opening import spool_folder


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Tell what is missing on this machine, and how to get it.

    Exit code 1 where something that Farola needs is missing; advice alone leaves it 0.
    """
    from farola.settings import default_home

    checks = examine(default_home())
    missing = [check for check in checks if check.required and not check.ok]
    if as_json:
        print_json({"ok": not missing, "checks": [asdict(check) for check in checks]})
        return 1 if missing else 0
    print_table("farola doctor", ("", "", ""), [_row(check) for check in checks])
    click.echo(
        f"{len(missing)} missing: {', '.join(check.name for check in missing)}"
        if missing
        else "nothing that Farola needs is missing"
    )
    return 1 if missing else 0


def examine(home: Path) -> list[Check]:
    """Look at the machine and at the city in `home`; never raises."""
    checks = [
        _looked(name, look)
        for name, look in (
            ("python", e.python),
            ("packages", e.packages),
            ("ansible", e.ansible),
            ("git", e.git),
            ("playbooks", e.playbooks),
            ("front end", e.front_end),
            ("open files", e.open_files),
            ("receive buffer", e.receive_buffer),
            ("trap port", e.trap_port),
            ("ICMP echo", e.echo),
        )
    ]
    try:
        settings = e.settings_of(home)
    except FarolaError as error:
        return [*checks, Check("home", False, str(error), "farola init")]
    inventory = _looked("inventory", lambda: e.inventory(settings))
    looks = [("key", e.key), ("disk", e.disk), ("profiles", e.profiles), ("rollups", rollups_check)]
    if settings.store.kind == "influx" or spool_folder(settings).exists():
        looks.append(("spool", spool_check))
    if inventory.ok or not settings.store.credential:
        looks.append(("store", e.store))
    if inventory.ok:  # to open one that is missing would make an empty one
        looks += [("store size", e.store_size), ("room", room_check)]
    checks += [Check("home", True, f"{settings.city.name} in {home}"), inventory]
    return checks + [_looked(name, partial(look, settings)) for name, look in looks]


def _looked(name: str, look: Callable[[], Check]) -> Check:
    """One check; a fault in it is its result, as the others must still be told."""
    try:
        return look()
    except FarolaError as error:
        return Check(name, False, str(error))
    except Exception as error:
        return Check(
            name, False, f"could not be looked at: {type(error).__name__}: {error}".split("\n")[0]
        )


def _row(check: Check) -> tuple[str, str, str]:
    mark = "ok" if check.ok else "MISSING" if check.required else "advice"
    remedy = f"; {check.remedy}" if check.remedy and not check.ok else ""
    return mark, check.name, check.detail + remedy
