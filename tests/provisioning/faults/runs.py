"""One fault run: a push that is struck, then all time passes, then Farola asks what it came to."""

from __future__ import annotations

import contextlib
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napalm.base.exceptions import NapalmException

from napalm_openwrt import new_commit_id
from provisioning.change.changes import IN_DOUBT
from tests.provisioning.faults.plans import CANDIDATES, Deed, Plan, plan_of
from tests.provisioning.faults.stage import LONG_S, Scenery, Stage, driver_to, staged

ENDS = {"pushed": "new", "pending": "old", "failed": "old", "queued": "old", "drifted": "old"}
"""What a device runs of which Farola says so."""
HUNG_S = 120.0
SECOND = "package system\n\nconfig system\n\toption description 'second'\n"


@dataclass(frozen=True)
class Run:
    """What one run came to; `faults` is what was wrong, and empty where all held."""

    plan: Plan
    struck: tuple[str, ...]
    """What happened of what was planned."""
    ended: str
    """`old`, `new`, or what it runs instead."""
    status: str
    told: str
    """Of the push itself; `died` where it was killed."""
    night: bool
    """Whether nobody got in until the power went."""
    took_s: float
    cpu_s: float
    faults: tuple[str, ...]


def one_run(seed: int, folder: Path, scenery: Scenery) -> Run:
    """Play what belongs to `seed`."""
    plan, started, cpu = plan_of(seed), time.monotonic(), _cpu_s()
    with staged(scenery, folder, plan.candidate, plan.worn) as stage:
        told, spent, done = _push(stage, plan)
        struck = tuple(f.action for f in stage.point.strings.state().struck if f in plan.faults)
        night = _pass_all_time(stage)
        _settle(stage)
        ended, (status, message) = stage.runs(CANDIDATES[plan.candidate]), stage.status()
        faults = what_is_wrong(stage, plan, done, told, ended, status, message)
        if night:
            faults.append("nobody got in until its power was cut")
    return Run(
        plan, (*struck, *done), ended, status, told, night, round(time.monotonic() - started, 2),
        round(_cpu_s() - cpu + spent, 2), tuple(faults),
    )  # fmt: skip


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _push(stage: Stage, plan: Plan) -> tuple[str, float, list[Deed]]:
    """The push with all that befalls it: what it said, its CPU, and the deeds that were done."""
    strings = stage.point.strings
    strings.clear()
    strings.order(*plan.faults, *(place for _, place in plan.deeds))
    waiting, done = list(plan.deeds), []
    process, heard = stage.pusher()
    told, spent = "died", 0.0
    deadline = time.monotonic() + HUNG_S
    try:
        while process.is_alive() and time.monotonic() < deadline:
            if not waiting:
                process.join(0.2)
                continue
            process.join(0.003)
            struck = strings.state().struck
            for deed, place in [one for one in waiting if one[1] in struck]:
                waiting.remove((deed, place))
                done.append(deed)
                _do(deed, stage, process)
        if process.is_alive():
            process.kill()
            told = "hung"
        process.join()
        with contextlib.suppress(EOFError):
            if heard.poll():
                told, _, spent = heard.recv()
    finally:
        heard.close()
        process.close()
    if told == "died" and "farola dies" not in done:
        told = "broke off"
    return told, spent, done


def _do(deed: Deed, stage: Stage, process: Any) -> None:
    strings = stage.point.strings
    match deed:
        case "farola dies":
            process.kill()
        case "watcher dies":
            strings.kill("napalm-openwrt watch")
        case "guard dies":
            strings.kill("napalm-openwrt guard")
        case "daemons die":
            strings.kill("rpcd|netifd")
        case "second push":
            with contextlib.suppress(NapalmException), driver_to(stage.point) as driver:
                driver.next_commit_id = new_commit_id()
                driver.load_merge_candidate(config=SECOND)
                driver.commit_config(message="another", revert_in=60)


def _pass_all_time(stage: Stage) -> bool:
    """Until the device has ended what it ends by itself; whether only a power cut let us in."""
    strings = stage.point.strings
    time.sleep(0.15)  # an orderly reboot begins after a moment
    stage.let_pass(LONG_S)
    strings.clear()
    stage.let_pass(60)  # somebody made room on a full flash
    if strings.state().listens:
        return False
    strings.power_cut()
    stage.let_pass(20)
    return True


def _settle(stage: Stage) -> None:
    """Ask until nothing is in doubt."""
    for _ in range(3):
        if stage.status()[0] not in IN_DOUBT and not stage.unfinished():
            return
        stage.resolve()
        with contextlib.suppress(NapalmException), driver_to(stage.point) as driver:
            driver.has_pending_commit()  # as the next push asks: it starts a watcher that died
        stage.let_pass(60)


def what_is_wrong(
    stage: Stage, plan: Plan, done: list[Deed], told: str, ended: str, status: str, message: str
) -> list[str]:
    """What does not hold, in words."""
    said = f"{status}: {message}"
    wrong = []
    if ended not in {"old", "new"}:
        wrong.append(f"it runs {ended}")
    if left := stage.unfinished():
        wrong.append(f"pending: {left}")
    if ENDS.get(status) != ended or (status == "drifted" and "second push" not in done):
        wrong.append(f"Farola says {said!r}; it runs {ended}")
    if told == "pushed" and ended != "new":
        wrong.append(f"it was told to be pushed and runs {ended}")
    if told in {"hung", "broke off"}:
        wrong.append(f"the push {told}")
    if plan.candidate == "cuts off" and ended == "new":
        wrong.append("a config that cuts us off was confirmed")
    name = stage.live_name()
    if name is None:
        wrong.append("nobody gets in")
    elif f"hostname '{name}'".encode() not in stage.files()["system"]:
        wrong.append(f"it goes by {name!r}, which its files do not say")
    if not stage.logged():
        wrong.append("the audit log is broken")
    return wrong
