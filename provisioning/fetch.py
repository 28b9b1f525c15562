"""Fetch what a device runs, keep it in the history, and tell what changed and whether a push of
ours explains it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from napalm.base.exceptions import NapalmException
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from farola.errors import DeviceError, FarolaError, SettingsError
from inventory.change_models import Change, ChangeDevice
from inventory.records import DeviceRecord, Secrets
from napalm_openwrt.uci_merge import diff, merge
from napalm_openwrt.uci_text import Config, parse
from provisioning.devices import driver_for, why
from provisioning.history import History, Version
from provisioning.prepare import printable

DIFF_LINES, DIFF_CHARS = 400, 20_000
"""How much of a diff is told; the history has it whole."""
PUSH_WITHIN = timedelta(minutes=15)
"""A push that ended this long before a trap may still be what it tells of."""


@dataclass(frozen=True)
class Fetched:
    """What a device runs, against the version `before`.

    `outcome` is `recorded` (nothing to compare with), `changed`, `unchanged`, `unreachable` (worth
    another try) or `refused` (it is not: something is missing here).
    """

    device_id: str
    outcome: str
    message: str = ""
    diff: str = ""
    """Masked and bounded; empty unless `changed`."""
    version: Version | None = None
    before: Version | None = None
    """What it is compared with."""
    change: int | None = None
    """The number of our own change that explains it."""
    by_hand: bool = False
    """Whether something changed that no push of ours explains."""


def fetch(
    device: DeviceRecord, secrets: Secrets | None, history: History, base: str | None = None
) -> Fetched:
    """Fetch the config of `device` and keep it; never raises for a device.

    `base` is the mark of the version to compare with, by default the newest before.
    """
    try:
        driver = driver_for(device, secrets)
    except DeviceError as error:
        return Fetched(device.id, "refused", why(error))
    known = history.marked(device.id, base) if base else history.newest(device.id)
    try:
        driver.open()
        try:
            running = str(driver.get_config(retrieve="running")["running"])
        finally:
            driver.close()
        parse(running)
        version, _new = history.add(device.id, running)
        if known is None:
            return Fetched(device.id, "recorded", version=version)
        if known.mark == version.mark:
            return Fetched(device.id, "unchanged", version=version)
        shown = diff(parse(history.text(known)), parse(running), mask_secrets=True,
                     names=("before", "now"))  # fmt: skip
        return Fetched(device.id, "changed", diff=bounded(printable(shown)), version=version,
                       before=known, by_hand=True)  # fmt: skip
    except SettingsError as error:
        return Fetched(device.id, "refused", why(error))
    except (FarolaError, NapalmException, OSError, ValueError) as error:
        return Fetched(device.id, "unreachable", why(error))


def explain(session: Session, fetched: Fetched, history: History, since: datetime) -> Fetched:
    """`fetched` with the number of the newest push of ours, `since` then less `PUSH_WITHIN`, that
    is part of what changed, and whether it leaves something unexplained.
    """
    if fetched.version is None or fetched.outcome not in {"changed", "recorded"}:
        return fetched
    rows = session.execute(
        select(ChangeDevice.change_id, ChangeDevice.candidate, ChangeDevice.status)
        .join(Change)
        .where(
            ChangeDevice.device_id == fetched.device_id,
            or_(
                and_(ChangeDevice.status == "pushed", ChangeDevice.at >= since - PUSH_WITHIN),
                and_(ChangeDevice.status == "pending", Change.status == "pushing"),
            ),
        )
        .order_by(ChangeDevice.change_id)
    ).all()
    new = parse(history.text(fetched.version))
    old = parse(history.text(fetched.before)) if fetched.before else new
    number = None
    for change_id, token, status in rows:
        candidate = parse(history.keyring.decrypt(token), keep_empty=True) if token else {}
        pushed = _with(old, candidate)
        in_place = diff(new, _with(new, candidate)) == ""
        explains = diff(old, pushed) != "" if fetched.before else in_place
        # One that is under way counts once the device has it.
        if candidate and explains and (status == "pushed" or in_place):
            number, old = change_id, pushed
    return replace(fetched, change=number, by_hand=diff(old, new) != "")


def _with(config: Config, candidate: Config) -> Config:
    """`config` once a candidate is laid over it; a merge gives only the packages it names."""
    return {**config, **merge(config, candidate)}


def bounded(text: str) -> str:
    """The beginning of a diff that is long, and how much was left out."""
    lines = text.splitlines()
    kept: list[str] = []
    room = DIFF_CHARS
    for line in lines[:DIFF_LINES]:
        if len(line) + 1 > room:
            break
        kept.append(line)
        room -= len(line) + 1
    left = len(lines) - len(kept)
    return "\n".join([*kept, f"… {left} lines more"] if left else kept)


def in_words(fetched: Fetched) -> str:
    """What was found, in one line."""
    ours = "" if fetched.change is None else f"change {fetched.change}"
    if fetched.outcome == "recorded":
        text = "config kept for the first time: nothing to compare with"
        return text + (f"; {ours} is in place" if ours else "")
    if fetched.outcome == "unchanged":
        return "config looked at: unchanged"
    if fetched.outcome == "changed":
        if not ours:
            return "config changed, not by a push of ours"
        return f"config changed by our {ours}" + (", and more by others" if fetched.by_hand else "")
    return f"config not fetched: {fetched.message}"


def in_detail(fetched: Fetched) -> dict[str, Any]:
    """What an event tells beside it; secrets in the diff are masked."""
    detail: dict[str, Any] = {}
    if fetched.version:
        detail["version"] = fetched.version.mark
    if fetched.change is not None:
        detail["change"] = fetched.change
    if fetched.outcome == "changed":
        detail |= {"diff": fetched.diff, "by_hand": fetched.by_hand}
    return detail
