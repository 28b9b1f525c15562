"""Runs one of the playbooks over the waves of a change through ansible-runner: one run for as many
waves as are foreseen. Each wave is a batch of the play (`serial`), which Ansible brings to the desk
and goes on from when it is told so.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any

from farola.errors import ProvisioningError
from provisioning.rollout.desk import Desk
from provisioning.rollout.handout import DESK

if TYPE_CHECKING:
    from inventory.records import DeviceRecord

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = ROOT / "playbooks"
"""Found by path, never by import: it lies beside this room in a checkout and in a wheel."""
FORKS = 20
PREFIX = "farola-push-"
SILENT_S = 1800.0
"""How long Ansible is waited for until it comes with a batch, and after the last one until it ends:
then it hangs, and is ended.
"""
STALE_S = 3600
"""Age in seconds at which the folder of a push that is gone is removed."""
WAVES = "FAROLA_WAVES"
"""Sizes of the batches, as the playbooks read them."""
BAD = frozenset({"runner_on_failed", "runner_on_unreachable"})
MOST_SAID = 50


class AnsibleRun:
    """One run under way, on a thread, in a private folder that is gone afterwards.

    Parameters
    ----------
    waves
        Foreseen, in order; a later one may turn out otherwise, and then another run takes over.
    devices
        All of `waves`, by id.
    stopped
        Whether a person has asked for an end: Ansible, which holds nothing, is soon ended then.

    Raises
    ------
    ProvisioningError
        The temporary folder cannot be used, or Ansible is missing.
    """

    def __init__(
        self, home: Path, change_id: int, waves: Sequence[Sequence[str]],
        devices: Mapping[str, DeviceRecord], *, playbook: str = "push.yml", forks: int = FORKS,
        actor: str = "", stopped: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Begin."""
        self.faults: dict[str, str] = {}
        """Hosts that Ansible gave up, for instance in a task that an engineer added, and why."""
        self._coming = [tuple(wave) for wave in waves]
        self._said: list[str] = []
        self._over = threading.Event()
        self._stopped = stopped
        environment = _environment(home, change_id, actor)
        try:
            sweep(Path(tempfile.gettempdir()))
            self._private = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        except OSError as error:
            # Where none is left, `gettempdir` itself fails.
            where = error.filename or "temporary folder"
            raise ProvisioningError(f"{where}: cannot be written: {error.strerror}") from None
        try:
            self._desk = Desk(self._private / "desk", change_id)
            chosen = [devices[name] for wave in waves for name in wave]
            inventory = _write_hosts(self._private, change_id, chosen)
        except ProvisioningError:
            shutil.rmtree(self._private, ignore_errors=True)
            raise
        environment |= {
            DESK: str(self._desk.path), "ANSIBLE_INVENTORY_ENABLED": "farola_wave",
            WAVES: ",".join(str(len(wave)) for wave in waves),
        }  # fmt: skip
        arguments = {
            "private_data_dir": str(self._private), "playbook": str(PLAYBOOKS / playbook),
            "inventory": str(inventory), "extravars": {"change": change_id},
            "envvars": environment, "forks": forks, "event_handler": self._event, "quiet": True,
            "suppress_env_files": True, "settings": {"suppress_output_file": True},
            "cancel_callback": lambda: self._over.is_set() or self._stopped(),
        }  # fmt: skip
        self._thread = threading.Thread(target=self._run, args=(arguments,), name="farola-ansible")
        self._thread.start()

    def _run(self, arguments: dict[str, Any]) -> None:
        import ansible_runner

        try:
            run = ansible_runner.run(**arguments)
            self._said.append(f"it ended with status {run.rc} ({run.status})")
        except Exception as error:
            self._said.append(f"{type(error).__name__}: {error}")

    def _event(self, event: dict[str, Any]) -> bool:
        kind, data = event.get("event"), event.get("event_data") or {}
        if kind in BAD and not data.get("ignore_errors"):
            result = data.get("res") or {}
            why = " ".join(str(result.get("msg") or "it gave no reason").split())
            task = data.get("task") or "a task"
            self.faults[str(data.get("host") or "")] = f"Ansible's task {task!r}: {why}"[:400]
        elif kind in {"verbose", "error", "warning"} and len(self._said) < MOST_SAID:
            self._said.append(str(event.get("stdout", "")))
        # Nothing of it is kept on disk.
        return False

    def foresees(self, wave: Sequence[str]) -> bool:
        """Whether the next batch of this run is `wave`, and it still runs."""
        return bool(self._coming) and self._coming[0] == tuple(wave) and self._thread.is_alive()

    def bring(self) -> tuple[str, ...]:
        """Wait until Ansible comes with the next batch: its devices but for those in `faults`; none
        where it ended instead, or hangs.
        """
        until = time.monotonic() + SILENT_S
        brought = self._desk.wait(lambda: self._thread.is_alive() and time.monotonic() < until)
        if self._coming:
            del self._coming[0]
        if not brought:
            self._over.set()
        return brought

    def go_on(self, statuses: Mapping[str, str]) -> None:
        """Let Ansible go on to the next batch."""
        self._desk.answer(statuses)

    def complaint(self) -> str:
        """What Ansible said, of a run that ended too early."""
        *said, last = [*self._said, "it does not answer"] if self._thread.is_alive() else self._said
        text = " ".join(" ".join(said).split())
        return text[-400:] or last

    def close(self) -> None:
        """End it: where it has batches left at once, else when its last tasks are done."""
        if self._coming:
            self._over.set()
        self._desk.close()
        self._thread.join(SILENT_S)
        self._over.set()
        self._thread.join()
        shutil.rmtree(self._private, ignore_errors=True)


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


def _write_hosts(folder: Path, change_id: int, devices: Sequence[DeviceRecord]) -> Path:
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


def _environment(home: Path, change_id: int, actor: str = "") -> dict[str, str]:
    """What the playbook's process needs to find this Farola; no secret is in it."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return {
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "FAROLA_HOME": str(home),
        "FAROLA_CHANGE": str(change_id),
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
