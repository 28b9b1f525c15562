"""One device at a time, for the playbooks: what `provision fetch` and `provision audit` do to many.

`farola provision fetch` and `audit` themselves read through a pool of threads, at a third of the
CPU; the playbooks are for an engineer who builds on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farola.errors import FarolaError, InventoryError
from farola.keys import Keyring
from farola.people import person
from farola.settings import default_home, load_settings
from inventory import events, queries
from inventory.db import Inventory, open_inventory
from inventory.models import utcnow
from inventory.records import DeviceRecord
from provisioning.history import fetch as fetching
from provisioning.history.configs import History
from provisioning.platforms.choosing import credentials


@dataclass(frozen=True)
class Looked:
    """What was found; `failed` where the device could not be asked or is not as it should be."""

    status: str
    message: str
    diff: str = ""
    failed: bool = False


def fetch_one(home: Path, device_id: str) -> Looked:
    """Fetch and keep the config of one device; FarolaError where nothing could be tried."""
    with _opened(home, device_id) as (inventory, device):
        history = History(home, Keyring(home))
        with inventory.session() as session:
            secrets = credentials(session, [device], history.keyring)
        found = fetching.fetch(
            device, secrets.get(device.credential_name or ""), history, author=person(),
            cause="playbook",
        )  # fmt: skip
        with inventory.session() as session:
            found = fetching.explain(session, found, history, utcnow())
            if found.outcome in {"changed", "recorded"}:
                events.record(
                    session, f"config.{found.outcome}", fetching.in_words(found),
                    device_id=device_id, actor=person(), detail=fetching.in_detail(found),
                )  # fmt: skip
        failed = found.outcome in {"unreachable", "refused"}
        return Looked(found.outcome, fetching.in_words(found), found.diff, failed)


def audit_one(home: Path, device_id: str) -> Looked:
    """Hold one device against what is meant for it; FarolaError where nothing could be tried."""
    from provisioning.audit import comparing as auditing

    with _opened(home, device_id) as (inventory, device):
        (found,) = auditing.audit(inventory, [device], author=person(), cause="playbook")
        return Looked(
            found.state, found.message or auditing.in_words(found), found.drifted.diff,
            not found.well,
        )  # fmt: skip


def told_to_ansible(look: Callable[[Path, str], Looked], task: Any, host: str) -> dict[str, Any]:
    """What the action plugin of `look` returns for `host`; `task` is Ansible's own."""
    try:
        found = look(Path(task.args.get("home") or default_home()), host)
    except FarolaError as error:
        return {"failed": True, "msg": str(error)}
    result = {"status": found.status, "msg": found.message, "failed": found.failed}
    if task.diff and found.diff:
        # Ansible shows no `diff` of a host that failed, and one that drifted has.
        shown = found.diff.splitlines()
        result |= {"drift": shown} if found.failed else {"diff": {"prepared": found.diff}}
    return result


@contextmanager
def _opened(home: Path, device_id: str) -> Iterator[tuple[Inventory, DeviceRecord]]:
    inventory = open_inventory(load_settings(home))
    try:
        with inventory.session() as session:
            found = queries.devices(session, [device_id])
        if not found:
            raise InventoryError(f"no device {device_id!r} in the inventory")
        yield inventory, found[0]
    finally:
        inventory.close()
