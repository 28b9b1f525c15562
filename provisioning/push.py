"""Runs one of the playbooks on one wave of a change through ansible-runner."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any

from farola.errors import ProvisioningError
from provisioning.handout import DESK

if TYPE_CHECKING:
    from inventory.records import DeviceRecord
    from provisioning.apply import Means

ROOT = Path(__file__).resolve().parent.parent
PLAYBOOKS = ROOT / "playbooks"
"""Found by path, never by import: it lies beside this room in a checkout and in a wheel."""
FORKS = 20
PREFIX = "farola-push-"
STALE_S = 3600
"""Age in seconds at which the folder of a push that is gone is removed."""
MOST_WORKERS = 30
"""Of Ansible that wait for their turn: it looks for a free one 10,000 times a second, at a cost of
its own, so a wave goes in batches in which each host has one (some 9 MB each).
"""
ENDS = frozenset({"runner_on_ok", "runner_on_failed", "runner_on_unreachable"})


@dataclass(frozen=True)
class Host:
    """What Ansible told of one host; `why` is empty unless it failed."""

    device_id: str
    status: str
    """What the action plugin said became of it; empty where it broke off."""
    why: str = ""


def run_playbook(
    home: Path, change_id: int, wave: int, *, playbook: str = "push.yml", forks: int = FORKS,
    actor: str = "", on_host: Callable[[Host], None] = lambda _h: None,
    means: Means | None = None, devices: Sequence[DeviceRecord] = (),
) -> str:  # fmt: skip
    """Run a playbook on the devices of a wave, in a private folder that is gone afterwards.

    Returns what Ansible said if it failed as a whole, else "". `on_host` is called as each host's
    end comes in.

    With `means`, and the `devices` of the wave, Ansible's workers hand each device's turn to this
    process (`provisioning.desk`) instead of taking it themselves.
    """
    import ansible_runner

    from provisioning.desk import open_desk

    said: list[str] = []
    hosts = 0

    def on_event(event: dict[str, Any]) -> bool:
        nonlocal hosts
        if event.get("event") in ENDS:
            hosts += 1
            on_host(_host(event))
        elif event.get("event") in {"verbose", "error", "warning"} and len(said) < 50:
            said.append(str(event.get("stdout", "")))
        # Nothing of it is kept on disk.
        return False

    try:
        sweep(Path(tempfile.gettempdir()))
        private = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    except OSError as error:
        raise ProvisioningError(
            f"{tempfile.gettempdir()}: cannot be written: {error.strerror}"
        ) from None
    environment = _environment(home, change_id, wave, actor)
    inventory, workers = PLAYBOOKS / "farola.yml", forks
    try:
        with ExitStack() as stack:
            if means is not None:
                desk = stack.enter_context(open_desk(private / "desk", means, change_id, forks))
                if desk:
                    inventory = _write_wave(private, change_id, devices)
                    workers = max(forks, min(len(devices), MOST_WORKERS))
                    environment |= {
                        DESK: desk, "ANSIBLE_INVENTORY_ENABLED": "farola_wave",
                        "FAROLA_BATCH": str(workers),
                    }  # fmt: skip
            run = ansible_runner.run(
                private_data_dir=str(private), playbook=str(PLAYBOOKS / playbook),
                inventory=str(inventory), extravars={"change": change_id},
                envvars=environment, forks=workers, event_handler=on_event, quiet=True,
                suppress_env_files=True, settings={"suppress_output_file": True},
            )  # fmt: skip
    finally:
        shutil.rmtree(private, ignore_errors=True)
    if hosts:  # whatever the status: a host that failed has its reason
        return ""
    text = " ".join(" ".join(said).split())
    return text[-400:] or f"it ended with status {run.rc} ({run.status})"


def sweep(folder: Path) -> None:
    """Remove what pushes killed long ago left in `folder`; Ansible outlives them a little."""
    for path in folder.glob(f"{PREFIX}*-*"):
        pid = path.name.removeprefix(PREFIX).partition("-")[0]
        with suppress(OSError):
            found = path.lstat()
            ours = S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            if ours and found.st_mtime < time.time() - STALE_S and not _lives(pid):
                shutil.rmtree(path, ignore_errors=True)


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


def _write_wave(folder: Path, change_id: int, devices: Sequence[DeviceRecord]) -> Path:
    """The inventory of this one run, for `playbooks/inventory_plugins/farola_wave.py`."""
    path = folder / "hosts.wave.json"
    hosts = {
        one.id: {"farola_address": one.management_address, "farola_site": one.site_id}
        for one in devices
    }
    try:
        path.write_text(json.dumps({"group": f"change_{change_id}", "hosts": hosts}), "utf-8")
    except OSError as error:
        raise ProvisioningError(f"{folder}: cannot be written: {error.strerror}") from None
    return path


def _host(event: dict[str, Any]) -> Host:
    """The host of an event, and why it failed in one line; a fault of ours shows its last line."""
    data = event.get("event_data") or {}
    result = data.get("res") or {}
    why, status = "", str(result.get("status") or "")
    if event["event"] != "runner_on_ok" or status not in {"pushed", "unchanged"}:
        fault = str(result.get("exception") or "").strip().splitlines()[-1:]
        why = " ".join(" ".join([str(result.get("msg") or "it gave no reason"), *fault]).split())
    return Host(str(data.get("host") or ""), status, why[:400])


def _environment(home: Path, change_id: int, wave: int = 0, actor: str = "") -> dict[str, str]:
    """What the playbook's process needs to find this Farola; no secret is in it."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return {
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "FAROLA_HOME": str(home),
        "FAROLA_CHANGE": str(change_id),
        **({"FAROLA_WAVE": str(wave)} if wave else {}),
        **({"FAROLA_USER": actor} if actor else {}),
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
