"""One push under way: the loop over waves, and what each wave goes through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from farola.errors import FarolaError, ProvisioningError
from farola.keys import Keyring
from inventory.db import Inventory
from provisioning.change import changes, journal
from provisioning.change.changes import ChangeRecord, DeviceChange
from provisioning.change.gates import may_push
from provisioning.platforms.drivers import capabilities, platform_of
from provisioning.rollout.actions import Action
from provisioning.rollout.carrier import AnsibleCarrier, Carrier, Host
from provisioning.rollout.fleet import Fleet, held_back
from provisioning.rollout.judge import FAILED, Counts, judge, tally
from provisioning.rollout.policy import Policy
from provisioning.rollout.watch import Watch, as_stored, faults
from provisioning.rollout.waves import leaves, next_wave
from provisioning.turn.apply import Means
from provisioning.turn.resolve import resolve_change
from provisioning.turn.undo import undo_devices

TICK_S = 0.5
"""How often it is looked whether a person stopped it."""
STOPPED = "a person stopped it"
MOST_AHEAD, MOST_DEVICES_AHEAD = 12, 4000
"""Waves, and about as many devices, that one run of Ansible foresees."""
WITHOUT_CONFIRM = 5
"""Most devices of a wave of such as cannot take a commit back by themselves."""


@dataclass
class Rollout:
    """One push under way; `run` returns when all had their turn, or it was halted."""

    inventory: Inventory
    change_id: int
    policy: Policy
    actor: str
    fleet: Fleet
    action: Action
    watch: Watch
    forks: int
    done: Callable[[int], None]
    tell: Callable[[str], None]
    stop: threading.Event
    only: frozenset[str] = frozenset()
    waves: int = 0
    halted: str = ""
    told_to_wait: bool = False
    """Whether it was halted by a person or a gate, and not by what it did."""
    counts: Counts = field(default_factory=Counts)
    reasons: dict[str, str] = field(default_factory=dict)
    """Of devices whose result could not be stored, or whose turn did not come."""
    _left: dict[str, str | None] = field(default_factory=dict)
    _late: set[str] = field(default_factory=set)
    """Devices that did not get it in an earlier push, and those that they hang on: they come last,
    so that one that fails for good keeps it from nobody else.
    """
    _good: dict[str, bool] = field(default_factory=dict)
    _heard_of: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self, record: ChangeRecord) -> None:
        """Roll out from where `record` says that it stands."""
        self._good = {d.device_id: d.status in changes.GOOD for d in record.devices}
        self._left = {
            d.device_id: self.fleet.devices[d.device_id].site_id
            for d in record.of("pending", "queued")
            if d.device_id in self.fleet.devices and (not self.only or d.device_id in self.only)
        }
        for tried in [d.device_id for d in record.devices if d.actor and d.device_id in self._left]:
            name: str | None = tried
            while name is not None and name not in self._late:
                self._late.add(name)
                name = self.fleet.parents.get(name)
        watcher = threading.Thread(target=self._obey, daemon=True)
        watcher.start()
        try:
            if record.bake_until is not None:  # cut off before its newest wave was judged
                self._watch_and_judge(record.wave, self._wave_rows(record.wave))
            step, number = 0, record.wave
            with self._carriage() as carrier:
                while not self.halted and (wave := self._choose(step)):
                    number += 1
                    if self._one_wave(number, wave, partial(self._ahead, wave, step), carrier):
                        step += 1
        finally:
            self._over.set()
            watcher.join()

    # Before a wave

    def _choose(self, step: int) -> tuple[str, ...]:
        """The next wave; empty where nobody is left, or nothing may be pushed now."""
        if self.stop.is_set():
            self.halt(STOPPED, told=True)
            return ()
        with self.inventory.session() as session:
            gate = may_push(
                session, self.inventory.settings, datetime.now(UTC), ignore_windows=self.policy.now
            )
        if not gate.open and self._left:
            self.halt(gate.why, told=True)
            return ()
        return self._pick(self._allowed(), step)

    def _pick(self, left: Mapping[str, str | None], step: int) -> tuple[str, ...]:
        """The wave out of `left`, devices and their sites; the canary is `step` 0."""
        policy = self.policy
        # Of all that are left, whichever platform they are of: a child comes before its parent.
        free = {name: left[name] for name in leaves(left, self.fleet.parents)}
        sure = {name: site for name, site in free.items() if self._confirms(name)}
        if free and not sure:
            policy = replace(policy, waves=tuple(min(s, WITHOUT_CONFIRM) for s in policy.waves))
        pool = sure or free
        first = {name: site for name, site in pool.items() if name not in self._late}
        return next_wave(first or pool, policy, self.fleet.parents, self.fleet.domains, step)

    def _allowed(self) -> dict[str, str | None]:
        """Who is left and need not wait for a child that did not get the change."""
        if self.policy.parents_anyway:
            return self._left
        held = held_back(self.fleet, self._good, self._left)
        for name, child in held.items():
            self.reasons[name] = (
                f"{child}, which hangs on it, did not get the change: this one must not have it "
                "before (or push with --parents-anyway)"
            )
        return {name: site for name, site in self._left.items() if name not in held}

    def _ahead(self, wave: tuple[str, ...], step: int) -> list[tuple[str, ...]]:
        """`wave`, and those that come after it if all goes well."""
        left, waves = dict(self._left), [wave]
        while len(waves) < MOST_AHEAD and sum(map(len, waves)) < MOST_DEVICES_AHEAD:
            left = {name: site for name, site in left.items() if name not in set(waves[-1])}
            step += 1
            if not (wave := self._pick(left, step)):
                break
            waves.append(wave)
        return waves

    def _carriage(self) -> AbstractContextManager[Carrier]:
        return AnsibleCarrier(
            Means.of(self.inventory, self.actor), self.change_id, self.fleet.devices,
            playbook=self.action.playbook, forks=self.forks, stopped=self.stop.is_set,
        )  # fmt: skip

    def _confirms(self, name: str) -> bool:
        return capabilities(platform_of(self.fleet.devices[name])).confirm

    # A wave

    def _one_wave(
        self, number: int, wave: Sequence[str], ahead: Callable[[], Sequence[Sequence[str]]],
        carrier: Carrier,
    ) -> bool:  # fmt: skip
        """Push to a wave, watch and judge it; whether it told enough to let the next one grow."""
        with self.inventory.session() as session:
            journal.put_in_wave(session, self.change_id, wave, number)
        self.waves += 1
        self.tell(f"wave {number}: {len(wave)} device{'s' if len(wave) > 1 else ''}")
        self._heard_of = {}
        size = len(wave)
        base = self.counts
        complaint = carrier.carry(wave, ahead, lambda host: self._heard(host, base, size))
        rows = self._account(number)
        if complaint and not self._heard_of and not self.stop.is_set():
            self.halt(f"Ansible did not run: {complaint}")
            raise ProvisioningError(
                f"change {self.change_id}: Ansible did not run, nothing was pushed to wave "
                f"{number}: {complaint}"
            )
        statuses = {row.device_id: self._status(row) for row in rows}
        self.counts = tally(statuses, base)
        for name, status in statuses.items():
            if status != "pending":
                self._left.pop(name, None)
                self._good[name] = status in changes.GOOD
        self._keep_history()
        self._watch_and_judge(number, rows)
        taken = sum(status in {"pushed", "unchanged", "held"} for status in statuses.values())
        return 2 * taken >= size

    def _heard(self, host: Host, base: Counts, size: int) -> None:
        """A host's end came in: stop in the middle of the wave where that is enough."""
        status = host.status or "failed"
        if self.policy.hold and status == "unconfirmed":
            status = "held"
        self._heard_of[host.device_id] = status
        if host.why and status != "held":
            self.reasons[host.device_id] = host.why
        if status == "pending":
            return
        self.done(1)
        verdict = judge(replace(tally(self._heard_of, base), wave=size), self.policy)
        if verdict.halt and verdict.kind == FAILED:
            self.halt(verdict.why)

    def _account(self, number: int) -> list[DeviceChange]:
        """The wave's devices, each with a stored result: those that broke off are asked."""
        with self.inventory.session() as session:
            for row in changes.load_devices(session, self.change_id, wave=number):
                broke_off = self._heard_of.get(row.device_id) == "failed"
                if broke_off and row.status in changes.OPEN - {"failed"}:
                    journal.record_result(
                        session, self.change_id, row.device_id, "failed",
                        self.reasons.get(row.device_id, ""), actor=self.actor,
                    )  # fmt: skip
        resolve_change(self.inventory, self.change_id, actor=self.actor)
        return self._wave_rows(number)

    def _wave_rows(self, number: int) -> list[DeviceChange]:
        with self.inventory.session() as session:
            return changes.load_devices(session, self.change_id, wave=number)

    def _status(self, row: DeviceChange) -> str:
        """A device's status, `held` where it waits for a person as it should."""
        return "held" if self.policy.hold and row.status == "unconfirmed" else row.status

    def _keep_history(self) -> None:
        """Commit what the wave's devices run now to the history; the push does not hang on it."""
        from provisioning.history.configs import History

        home = self.inventory.settings.home
        try:
            History(home, Keyring(home)).take_in(
                author=self.actor, cause=f"change {self.change_id}"
            )
        except FarolaError as error:
            self.tell(f"WARNING: what runs now could not be kept in the history: {error}")

    # After a wave

    def _watch_and_judge(self, number: int, rows: Sequence[DeviceChange]) -> None:
        """Wait out the wave's bake, examine it, and halt or roll back where it did badly."""
        verdict = judge(self.counts, self.policy)
        fresh = [row for row in rows if row.status == "pushed" and row.commit_id]
        if verdict.halt and verdict.kind == FAILED:
            self._fail(verdict.why, fresh)
            return
        if held := [row for row in rows if self._status(row) == "held"]:
            self.halt(self._until(held), told=True, held=True)
            return
        if fresh and not self._bake(number, fresh):
            return
        failing = self._examine(fresh) if fresh else {}
        if failing:
            self.counts = replace(
                self.counts, failed=self.counts.failed + len(failing),
                wave_failed=self.counts.wave_failed + len(failing), wave=len(rows),
            )  # fmt: skip
            verdict = judge(self.counts, self.policy)
            if verdict.halt and verdict.kind == FAILED:
                self._fail(f"{verdict.why} ({_some(failing)})", fresh)
                return
            self._undo([row for row in fresh if row.device_id in failing], "its checks failed")
        with self.inventory.session() as session:
            journal.judged(session, self.change_id)
        if verdict.halt and not self.halted:
            self.halt(verdict.why)

    def _until(self, held: Sequence[DeviceChange]) -> str:
        """What a person has to do about devices that are held, and until when."""
        ends = [row.reverts_at for row in held if row.reverts_at is not None]
        zone = self.inventory.settings.city.zone
        by = f" by {min(ends).replace(tzinfo=UTC).astimezone(zone):%H:%M:%S %Z}" if ends else ""
        many = f"{len(held)} devices run" if len(held) > 1 else f"{held[0].device_id} runs"
        return (
            f"{many} it unconfirmed: look, then `farola provision confirm {self.change_id}`{by} "
            f"keeps it; else it goes back by itself. `farola provision push {self.change_id}` then "
            "goes on with the rest"
        )

    def _bake(self, number: int, rows: Sequence[DeviceChange]) -> bool:
        """Wait out the bake and the radios' listening; False where the push was stopped."""
        seconds = self.policy.bake_s + (max(row.settle_s for row in rows) if self.policy.bake_s
                                        else 0)  # fmt: skip
        with self.inventory.session() as session:
            until = journal.baking(session, self.change_id, seconds)
        if seconds:
            self.tell(f"wave {number} is watched for {seconds} s")
        while (left := (until.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()) > 0:
            if self.stop.wait(min(left, TICK_S)):
                self.halt(STOPPED, told=True)
                return False
        return not self.stop.is_set()

    def _examine(self, rows: Sequence[DeviceChange]) -> dict[str, str]:
        """Ask the post-checks; store what they say, and return who failed, with why."""
        pushed_at = {row.device_id: row.at.replace(tzinfo=UTC) for row in rows}
        devices = [self.fleet.devices[row.device_id] for row in rows
                   if row.device_id in self.fleet.devices]  # fmt: skip
        settled = max(pushed_at[row.device_id] + timedelta(seconds=row.settle_s) for row in rows)
        answers = self.watch(devices, pushed_at, settled)
        failing = {name: why for name, found in answers.items() if (why := faults(found))}
        with self.inventory.session() as session:
            for name, found in answers.items():
                journal.checked(
                    session, self.change_id, name, as_stored(found), failing.get(name, "")
                )
        for name, why in failing.items():
            self._good[name] = False
            self.reasons[name] = f"after the push: {why}"
        return failing

    # Stopping

    def _fail(self, why: str, rows: Sequence[DeviceChange]) -> None:
        """Halt, and take the wave back."""
        self.halt(why)
        if self.policy.rollback:
            self._undo(rows, "its wave failed")
        with self.inventory.session() as session:
            journal.judged(session, self.change_id)

    def _undo(self, rows: Sequence[DeviceChange], because: str) -> None:
        names = [row.device_id for row in rows]
        if not names:
            return
        self.tell(f"taking it back from {len(names)} device{'s' if len(names) > 1 else ''}")
        for undone in undo_devices(
            self.inventory, self.change_id, names, because=because, actor=self.actor
        ):
            self._good[undone.device_id] = False

    def halt(self, why: str, *, told: bool = False, held: bool = False) -> None:
        """Stop, once: what Ansible has queued sees it in the inventory."""
        with self._lock:
            if self.halted:
                return
            self.halted, self.told_to_wait = why, told
            journal.patiently(
                self.inventory,
                lambda session: journal.halt(session, self.change_id, why, self.actor, held=held),
            )

    def _obey(self) -> None:
        """Halt as soon as a person says so, whatever Ansible is at."""
        while not self._over.is_set():
            if self.stop.wait(TICK_S):
                self.halt(STOPPED, told=True)
                return


def _some(failing: dict[str, str]) -> str:
    name, why = next(iter(sorted(failing.items())))
    more = f", and {len(failing) - 1} more" if len(failing) > 1 else ""
    return f"{name}: {why}{more}"
