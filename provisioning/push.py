"""Push a frozen change: runs `playbooks/push.yml` through ansible-runner and accounts for all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farola.errors import ProvisioningError
from inventory.db import Inventory
from provisioning import changes

ROOT = Path(__file__).resolve().parent.parent
PLAYBOOKS = ROOT / "playbooks"
"""Found by path, never by import: it lies beside this room in a checkout and in a wheel."""
FORKS = 20


@dataclass(frozen=True)
class PushResult:
    """What a push did; `failed` also names what drifted or was never reached."""

    change: int
    pushed: int
    """By this push."""
    pushed_before: int
    """By an earlier push of the same change; these were left alone."""
    unchanged: int
    failed: tuple[tuple[str, str], ...]
    """(device, why)."""
    took_s: float


def push_change(
    inventory: Inventory,
    change_id: int,
    *,
    forks: int = FORKS,
    done: Callable[[int], None] = lambda _n: None,
) -> PushResult:
    """Apply change `change_id` to each of its devices; a device that fails stops no other.

    Raises
    ------
    ProvisioningError
        There is no such change, it was pushed already or is being pushed, or Ansible could not
        run at all.
    """
    with inventory.session() as session:
        changes.load(session, change_id)
    with _alone(inventory.settings.home, change_id):
        return _push(inventory, change_id, forks, done)


@contextlib.contextmanager
def _alone(home: Path, change_id: int) -> Iterator[None]:
    """Keep other processes from pushing the same change; the kernel frees it whatever happens."""
    path = home / "locks" / f"change-{change_id}"
    try:
        path.parent.mkdir(exist_ok=True)
        lock = path.open("w", encoding="utf-8")
    except OSError as error:
        raise ProvisioningError(f"{path}: cannot be written: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProvisioningError(
                f"change {change_id} is being pushed by another process: wait for its end, and "
                f"look with `farola provision status {change_id}`"
            ) from None
        yield


def _push(
    inventory: Inventory, change_id: int, forks: int, done: Callable[[int], None]
) -> PushResult:
    started = time.monotonic()
    with inventory.session() as session:
        record = changes.load(session, change_id)
        changes.begin_push(session, change_id)
    todo = record.of(*changes.OPEN)
    complaint, reasons = (
        _run_playbook(inventory.settings.home, change_id, forks, done) if todo else ("", {})
    )
    with inventory.session() as session:
        after = changes.load(session, change_id)
        untouched = [d for d in after.of("pending") if d.device_id in {t.device_id for t in todo}]
        if complaint and len(untouched) == len(todo):
            raise ProvisioningError(
                f"change {change_id}: Ansible did not run, nothing was pushed: {complaint}"
            )
        after = changes.end_push(session, change_id, reasons)
    before = len(record.of("pushed"))
    return PushResult(
        change_id,
        len(after.of("pushed")) - before,
        before,
        len(after.of("unchanged")),
        tuple(
            (device.device_id, _why(device))
            for device in after.devices
            if device.status not in changes.GOOD
        ),
        round(time.monotonic() - started, 2),
    )


def _why(device: changes.DeviceChange) -> str:
    """Why a device does not run the change, and for one that no push can help, what does."""
    if device.status == "unreachable":
        return (
            f"not reached when the change was prepared, so the change holds nothing for it: "
            f"prepare a new one for it ({device.message})"
        )
    return device.message or device.status


def _run_playbook(
    home: Path, change_id: int, forks: int, done: Callable[[int], None]
) -> tuple[str, dict[str, str]]:
    """Run the playbook in a private folder that is gone afterwards. Returns what Ansible said
    if it failed as a whole, and of each host that failed what it said.
    """
    import ansible_runner

    said: list[str] = []
    reasons: dict[str, str] = {}
    hosts = 0

    def on_event(event: dict[str, Any]) -> bool:
        nonlocal hosts
        if event.get("event") in {"runner_on_ok", "runner_on_failed", "runner_on_unreachable"}:
            hosts += 1
            done(1)
            if event["event"] != "runner_on_ok":
                reasons.update(_reason(event.get("event_data") or {}))
        elif event.get("event") in {"verbose", "error", "warning"} and len(said) < 50:
            said.append(str(event.get("stdout", "")))
        # Nothing of it is kept on disk.
        return False

    private = Path(tempfile.mkdtemp(prefix="farola-push-"))
    try:
        run = ansible_runner.run(
            private_data_dir=str(private), playbook=str(PLAYBOOKS / "push.yml"),
            inventory=str(PLAYBOOKS / "farola.yml"), extravars={"change": change_id},
            envvars=_environment(home, change_id), forks=forks, event_handler=on_event, quiet=True,
            suppress_env_files=True, settings={"suppress_output_file": True},
        )  # fmt: skip
    finally:
        shutil.rmtree(private, ignore_errors=True)
    if hosts:  # whatever the status: a host that failed has its reason stored
        return "", reasons
    text = " ".join(" ".join(said).split())
    return text[-400:] or f"it ended with status {run.rc} ({run.status})", reasons


def _reason(data: dict[str, Any]) -> dict[str, str]:
    """The host of an event, and why it failed in one line; a fault of ours shows its last line."""
    result = data.get("res") or {}
    fault = str(result.get("exception") or "").strip().splitlines()[-1:]
    text = " ".join(" ".join([str(result.get("msg") or "it gave no reason"), *fault]).split())
    return {str(data.get("host") or ""): text[:400]}


def _environment(home: Path, change_id: int) -> dict[str, str]:
    """What the playbook's process needs to find this Farola; no secret is in it."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return {
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "FAROLA_HOME": str(home),
        "FAROLA_CHANGE": str(change_id),
        "PATH": os.pathsep.join((str(_ansible_playbook().parent), os.environ.get("PATH", ""))),
        "PYTHONPATH": path,
        # Ansible refuses to start under a locale that is not UTF-8.
        "LC_ALL": "C.UTF-8",
    }


def _ansible_playbook() -> Path:
    """The `ansible-playbook` of this Python's environment, else the one on the PATH."""
    beside = Path(sys.executable).parent / "ansible-playbook"
    found = str(beside) if beside.exists() else shutil.which("ansible-playbook")
    if not found:
        raise ProvisioningError("ansible-playbook is missing: reinstall Farola with ansible-core")
    return Path(found)
