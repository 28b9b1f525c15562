"""Roll a frozen change out: wave after wave, each watched and judged before the next.

One wave is one batch of a playbook; Ansible only carries the work. Who is in a wave, when to stop,
and what a stop means are decided here. All is journaled, so a push that is killed goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from farola.errors import ProvisioningError
from farola.keys import Keyring
from farola.people import person
from inventory.db import Inventory
from provisioning.change import changes, journal, seal
from provisioning.change.changes import ChangeRecord
from provisioning.change.locks import alone
from provisioning.platforms.choosing import why
from provisioning.platforms.drivers import capabilities, platform_of
from provisioning.rollout.actions import action_of
from provisioning.rollout.fleet import read_fleet
from provisioning.rollout.policy import Policy
from provisioning.rollout.push import FORKS
from provisioning.rollout.watch import Watch, health_of, nothing
from provisioning.rollout.wave_run import Rollout
from provisioning.turn.resolve import resolve_change

ASK_AGAIN_S = 5.0
"""Between two questions to a device in doubt, at a push's end."""
REVERT_MARGIN_S = 15.0
"""What a device is given beyond its window to have reverted, and to be back."""


@dataclass(frozen=True)
class PushResult:
    """What a push did; `failed` names every device that does not run the change, and why, but for
    those that a push that is held leaves for later.
    """

    change: int
    pushed: int
    """By this push."""
    pushed_before: int
    """By an earlier push of the same change; these were left alone."""
    unchanged: int
    failed: tuple[tuple[str, str], ...]
    """(device, why)."""
    took_s: float
    status: str = ""
    """The change's own, afterwards."""
    halted_because: str = ""
    waves: int = 0
    """How many this push began."""
    told_to_wait: bool = False
    """Whether it was halted by a person or a gate, and not by what it did."""
    queued: tuple[str, ...] = ()
    """Those of `failed` that are offline and get it when they are back."""
    became: Mapping[str, str] = field(default_factory=dict)
    """Status of each device."""
    held: tuple[str, ...] = ()
    """Those that run it until a person confirms it, or their time is over."""
    waiting: tuple[str, ...] = ()
    """Those that come after what is held."""


def push_change(
    inventory: Inventory, change_id: int, policy: Policy, *, forks: int = FORKS,
    done: Callable[[int], None] = lambda _n: None, stop: threading.Event | None = None,
    watch: Watch | None = None, only: frozenset[str] = frozenset(), actor: str = "",
    tell: Callable[[str], None] = lambda _words: None,
) -> PushResult:  # fmt: skip
    """Roll change `change_id` out, or go on with it.

    Parameters
    ----------
    stop
        Set it to end after the devices under way.
    watch
        What is asked of a wave after its bake; by default the health checks, with `policy.checks`.
    tell
        Is told in words how it goes.
    only
        Devices to push to, of those that are still to get it; by default all.

    Raises
    ------
    ProvisioningError
        There is no such change; it was pushed already, is being pushed, waits for approval or is
        not as it was frozen; a device of it cannot be pushed to safely; or Ansible could not run.
    """
    started = time.monotonic()
    actor = actor or person()
    with inventory.session() as session:
        changes.row_of(session, change_id)
    with alone(inventory.settings, change_id):
        before = _begin(inventory, change_id, policy, actor, only)
        with inventory.session() as session:
            fleet = read_fleet(session, [device.device_id for device in before.devices])
        rollout = Rollout(
            inventory, change_id, policy, actor, fleet, action_of(before.kind),
            watch or (health_of(inventory) if policy.checks else nothing),
            forks=forks, done=done, tell=tell, stop=stop or threading.Event(), only=only,
        )  # fmt: skip
        try:
            rollout.run(before)
        except Exception as error:
            rollout.halt(f"it broke off: {why(error)}")
            raise
        finally:
            after = _end(inventory, change_id, actor, rollout.stop)
    return _result(before, after, rollout, time.monotonic() - started)


def _begin(
    inventory: Inventory, change_id: int, policy: Policy, actor: str, only: frozenset[str]
) -> ChangeRecord:
    """See that the change may be pushed, ask devices that are in doubt, and mark it as pushing."""
    keyring = Keyring(inventory.settings.home)
    with inventory.session() as session:
        row = changes.row_of(session, change_id)
        seal.check(keyring, row)
        journal.may_be_pushed(row)
    resolve_change(inventory, change_id, actor=actor)
    with inventory.session() as session:
        record = changes.load(session, change_id)
        if record.held and (held := record.of("unconfirmed")):
            raise ProvisioningError(
                f"change {change_id}: {held[0].device_id} waits to be confirmed: `farola provision "
                f"confirm {change_id}`, or `farola provision rollback {change_id}`, comes first"
            )
        open_ids = [device.device_id for device in record.of(*changes.OPEN)]
        fleet = read_fleet(session, open_ids)
        if not policy.allow_unconfirmed:
            unsafe = sorted(
                device.id for device in fleet.devices.values()
                if record.kind not in {"firmware", "reboot"}
                and not capabilities(platform_of(device)).confirm
            )  # fmt: skip
            if unsafe:
                raise ProvisioningError(
                    f"{', '.join(unsafe[:5])} cannot take a commit back by itself when it cuts us "
                    "off: push with --allow-unconfirmed if somebody is near to mend it"
                )
        journal.begin(session, change_id, policy, actor, only)
        return changes.load(session, change_id)


def _end(inventory: Inventory, change_id: int, actor: str, stop: threading.Event) -> ChangeRecord:
    """Ask whoever is in doubt until the last of them must have reverted, and account for all."""
    deadline: float | None = None
    while True:
        with inventory.session() as session:
            record = changes.load(session, change_id)
        # What is held waits for a person, not for us.
        doubtful = record.of("applying") if record.held else record.of(*changes.IN_DOUBT)
        if not doubtful:
            break
        if deadline is None:
            left = max((journal.seconds_to(d.reverts_at) for d in doubtful), default=0.0)
            deadline = time.monotonic() + left + REVERT_MARGIN_S
        statuses = resolve_change(inventory, change_id, actor=actor)
        if not {statuses.get(d.device_id) for d in doubtful} & changes.IN_DOUBT:
            break
        if time.monotonic() >= deadline or stop.wait(ASK_AGAIN_S):
            break
    with inventory.session() as session:
        journal.end(session, change_id, actor)
        return changes.load(session, change_id)


def _result(
    before: ChangeRecord, after: ChangeRecord, rollout: Rollout, took_s: float
) -> PushResult:
    earlier = {device.device_id for device in before.of("pushed")}
    pushed = {device.device_id for device in after.of("pushed")}
    held = after.of("unconfirmed") if after.held else []
    waiting = after.of("pending") if after.status == "held" else []
    as_asked = {device.device_id for device in [*held, *waiting]}
    return PushResult(
        after.id, len(pushed - earlier), len(pushed & earlier), len(after.of("unchanged")),
        tuple(
            (device.device_id, _why(device, rollout.reasons))
            for device in after.devices
            if (device.status not in changes.GOOD and device.device_id not in as_asked)
            or changes.faulty(device)
        ),
        round(took_s, 2), after.status, after.halted_because, rollout.waves, rollout.told_to_wait,
        tuple(device.device_id for device in after.of("queued")),
        {device.device_id: device.status for device in after.devices},
        tuple(device.device_id for device in held), tuple(device.device_id for device in waiting),
    )  # fmt: skip


def _why(device: changes.DeviceChange, reasons: dict[str, str]) -> str:
    """Why a device does not run the change, and for one that no push can help, what does."""
    if device.status == "unreachable":
        return (
            f"it could not be prepared for, so the change holds nothing for it: prepare a new one "
            f"for it ({device.message})"
        )
    if device.status == "queued":
        return f"offline, gets the change when it is back: {device.message}"
    if device.status in {"pending", "applying"}:
        return reasons.get(device.device_id) or device.message or "its turn did not come"
    return device.message or device.status
