"""Carries waves to their devices: Ansible brings each wave, and the turns of its devices are taken
here, on threads, with one open inventory, key and history for all.

A worker of Ansible's for each host would open, compile and import all of that anew after its fork:
two thirds of what a push costs. What is journaled, and when, is the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from farola.errors import FarolaError
from provisioning.rollout.push import FORKS, AnsibleRun
from provisioning.turn.apply import Means, take_turn

if TYPE_CHECKING:
    from inventory.records import DeviceRecord

SWITCH_S = 0.05


@dataclass(frozen=True)
class Host:
    """What became of one host; `why` is empty unless it failed."""

    device_id: str
    status: str
    """As of the change's device; empty where its turn broke off."""
    why: str = ""


class Carrier(Protocol):
    """What brings a wave to its devices."""

    def carry(
        self, wave: Sequence[str], ahead: Callable[[], Sequence[Sequence[str]]],
        on_host: Callable[[Host], None],
    ) -> str:  # fmt: skip
        """Take the turns of `wave`, and tell each device's end as it comes.

        `ahead` foresees the waves from this one on. Returns what is wrong where nobody's turn was
        taken because the wave could not be carried at all, else "".
        """
        ...


class AnsibleCarrier:
    """Carries by Ansible. One run serves wave after wave, as long as they come as foreseen."""

    def __init__(
        self, means: Means, change_id: int, devices: Mapping[str, DeviceRecord], *,
        playbook: str = "push.yml", forks: int = FORKS,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """`devices` are those of the change, by id; `forks` turns are taken at a time."""
        self._means, self._change, self._devices = means, change_id, devices
        self._playbook, self._forks, self._stopped = playbook, forks, stopped
        self._run: AnsibleRun | None = None
        self._statuses: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Nothing runs before the first wave."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """End Ansible."""
        self._end()

    def carry(
        self, wave: Sequence[str], ahead: Callable[[], Sequence[Sequence[str]]],
        on_host: Callable[[Host], None],
    ) -> str:  # fmt: skip
        """As `Carrier` says."""
        if self._run is not None:
            self._run.go_on(self._statuses)
        run = self._run
        brought: tuple[str, ...] = ()
        if run is not None and run.foresees(wave):
            brought = run.bring()  # none where Ansible was ended meanwhile, by whomever
        if run is None or not set(brought) & set(wave):
            self._end()
            run = self._run = AnsibleRun(
                self._means.settings.home, self._change, ahead(), self._devices,
                playbook=self._playbook, forks=self._forks, actor=self._means.actor,
                stopped=self._stopped,
            )  # fmt: skip
            brought = run.bring()
        faults = run.faults
        if not brought and not faults:
            return run.complaint()
        self._statuses = {}
        for name in [name for name in wave if name not in brought]:
            on_host(Host(name, "", faults.get(name, "Ansible left it out")))
        self.take([name for name in brought if name in wave], on_host)
        return ""

    def take(self, names: Sequence[str], on_host: Callable[[Host], None]) -> None:
        """Take the turns of `names`, some at a time."""
        with ThreadPoolExecutor(self._forks, "farola-turn") as pool, _seldom_switching():
            turns = [pool.submit(self._turn, name) for name in names]
            try:
                for turn in as_completed(turns):
                    host = turn.result()
                    self._statuses[host.device_id] = host.status or "failed"
                    on_host(host)
            except BaseException:  # nobody judges any more: only turns under way end
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _turn(self, name: str) -> Host:
        try:
            applied = take_turn(self._means, self._change, name)
        except FarolaError as error:
            return Host(name, "", str(error)[:400])
        except Exception as error:
            # A fault of ours: it is this device's end, and not the wave's.
            return Host(name, "", f"{type(error).__name__}: {error}"[:400])
        good = applied.status in {"pushed", "unchanged"}
        return Host(name, applied.status, "" if good else applied.message or applied.status)

    def _end(self) -> None:
        if self._run is not None:
            self._run.go_on(self._statuses)
            self._run.close()
            self._run = None


@contextmanager
def _seldom_switching() -> Iterator[None]:
    """Many threads of short steps: handing the interpreter round seldom saves a tenth of it all."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
