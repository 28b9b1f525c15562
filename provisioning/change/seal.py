"""The seal of a frozen change: a keyed hash over everything that was frozen, device by device and
as a whole, so that an edited row is refused by name.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from farola.errors import ProvisioningError
from farola.keys import Keyring
from inventory.change_models import Change, ChangeDevice

SHOWN = 5


def of_device(keyring: Keyring, change_id: int, row: ChangeDevice) -> str:
    """The seal of one device's part: candidate, diff, base, goal, and how it is laid in."""
    return keyring.seal(
        _text([
            change_id, row.device_id, hashlib.sha256(row.candidate).hexdigest(), row.diff,
            row.base_hash, row.goal_hash, bool(row.replace), row.settle_s,
        ]),
        "change-device",
    )  # fmt: skip


def of_change(keyring: Keyring, change: Change, devices: dict[str, str]) -> str:
    """The seal of a whole change, over what its devices' seals should be."""
    return keyring.seal(
        _text([
            change.id, change.created_at.isoformat(timespec="microseconds"), change.author,
            change.reason, change.kind, bool(change.needs_approval), sorted(devices.items()),
        ]),
        "change",
    )  # fmt: skip


def put_on(keyring: Keyring, change: Change) -> None:
    """Seal `change` and its devices; its number must be known."""
    seals = {}
    for row in change.devices:
        row.seal = seals[row.device_id] = of_device(keyring, change.id, row)
    change.seal = of_change(keyring, change, seals)


def check(keyring: Keyring, change: Change) -> None:
    """Raise ProvisioningError, naming devices, unless `change` is as it was frozen."""
    if not change.seal:
        raise ProvisioningError(
            f"change {change.id} was prepared by an older Farola and has no seal: prepare it anew"
        )
    seals = {row.device_id: of_device(keyring, change.id, row) for row in change.devices}
    edited = [r.device_id for r in change.devices if not _same(r.seal, seals[r.device_id])]
    if edited:
        more = f" and {len(edited) - SHOWN} more" if len(edited) > SHOWN else ""
        raise ProvisioningError(
            f"change {change.id} is not as it was frozen: {', '.join(edited[:SHOWN])}{more} was "
            "edited since; nothing was pushed: find out who did, and prepare a new change"
        )
    check_whole(keyring, change, seals)


def check_whole(keyring: Keyring, change: Change, seals: dict[str, str]) -> None:
    """Raise ProvisioningError unless a change's own part is as it was frozen, by the `seals` that
    its devices carry: for one device's turn, which checks that device's.
    """
    if not _same(change.seal, of_change(keyring, change, seals)):
        raise ProvisioningError(
            f"change {change.id} is not as it was frozen: its author, reason, kind or the list of "
            "its devices was edited since; nothing was pushed: prepare a new change"
        )


def check_device(keyring: Keyring, change_id: int, row: ChangeDevice) -> None:
    """Raise ProvisioningError unless one device's part is as it was frozen."""
    if not _same(row.seal, of_device(keyring, change_id, row)):
        raise ProvisioningError(
            f"change {change_id} is not as it was frozen: {row.device_id} was edited since; "
            "nothing was pushed to it: prepare a new change"
        )


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _text(data: list[Any]) -> str:
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"))
