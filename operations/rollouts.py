"""`farola rollouts`: goes on with what pushes left. `farola up` runs it.

Devices that were offline at their turn get their change when they are back, and devices in doubt
after a push that was killed are asked. What is done is `provisioning.rollout.queue`.
"""

from __future__ import annotations

import signal
import threading
from dataclasses import asdict
from types import FrameType

import click

from farola.output import json_option, note, print_json
from farola.settings import Settings, load_settings

LOOK_EVERY_S = 30.0
LEASE, LEASE_S = "rollouts", 900.0
"""Longer than a wave's bake and its radios' listening take."""


@click.command()
@click.option("--once", is_flag=True, help="Look once, and end.")
@json_option
def rollouts(once: bool, as_json: bool) -> None:
    """Push to devices that were offline at their turn and are back; `farola up` runs this.

    Also asks devices that a push left in doubt. Looks twice a minute until it is stopped (SIGTERM,
    Ctrl-C), and then ends after the devices under way.
    """
    from inventory.db import open_inventory
    from provisioning.rollout.queue import go_on

    settings = load_settings()
    if once:
        inventory = open_inventory(settings)
        found = go_on(inventory, tell=note)
        inventory.close()
        if as_json:
            print_json([asdict(one) for one in found])
        else:
            for one in found:
                click.echo(one.in_words())
        return
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    note("farola: rollouts: looks after devices that were offline or are in doubt")
    look_after(settings, stop)


def look_after(settings: Settings, stop: threading.Event) -> None:
    """Look until `stop`; of several machines that share an inventory, one does."""
    from inventory.db import open_inventory
    from operations.leased import again_and_again
    from provisioning.rollout.queue import go_on

    inventory = open_inventory(settings)

    def look(_renew: object) -> None:
        for one in go_on(inventory, stop=stop):
            note(f"farola: rollouts: {one.in_words()}")

    again_and_again(inventory, LEASE, look, stop, lease_s=LEASE_S, every_s=LOOK_EVERY_S)
    inventory.close()
