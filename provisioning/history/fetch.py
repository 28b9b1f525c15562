"""Fetch what a device runs, keep it in the history, and tell what changed and whether a push of
ours explains it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from napalm.base.exceptions import NapalmException
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from farola.errors import DeviceError, FarolaError, ProvisioningError, SettingsError
from inventory.change_models import Change, ChangeDevice
from inventory.records import DeviceRecord, Secrets
from napalm_openwrt.uci_merge import diff, merge
from napalm_openwrt.uci_text import Config, UciSyntaxError, parse
from provisioning.change.prepare import printable
from provisioning.history import secret_references as references
from provisioning.history.configs import History, Kept, Version
from provisioning.platforms.choosing import AT_ONCE, driver_for, for_each, why
from provisioning.platforms.drivers import platform_of

DIFF_LINES, DIFF_CHARS = 400, 20_000
"""How much of a diff is told; the history has it whole."""
COMMIT_TOGETHER = 500
"""Configs that are held in memory for one commit."""
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
    device: DeviceRecord,
    secrets: Secrets | None,
    history: History,
    base: str | None = None,
    *,
    author: str = "farola",
    cause: str = "fetched",
) -> Fetched:
    """Fetch the config of `device` and keep it; never raises for a device.

    `base` is the mark of the version to compare with, by default the newest before.
    """
    found = read_running(device, secrets)
    if isinstance(found, Fetched):
        return found
    return _kept([found], history, {device.id: base or ""}, author, cause)[0]


def fetch_many(
    devices: Sequence[DeviceRecord],
    secrets: Mapping[str, Secrets],
    history: History,
    *,
    author: str = "farola",
    cause: str = "fetched",
    done: Callable[[int], None] = lambda _n: None,
    at_once: int = AT_ONCE,
) -> Iterator[Fetched]:
    """The same of many, `at_once` at a time, in few commits; those that failed come first."""
    for start in range(0, len(devices), COMMIT_TOGETHER):
        some = devices[start : start + COMMIT_TOGETHER]
        texts = []
        for found in for_each(
            some, lambda one: read_running(one, secrets.get(one.credential_name or "")), done,
            at_once,
        ):  # fmt: skip
            if isinstance(found, Fetched):
                yield found
            else:
                texts.append(found)
        yield from _kept(texts, history, {}, author, cause)


def read_running(device: DeviceRecord, secrets: Secrets | None) -> Kept | Fetched:
    """What `device` runs, or why that cannot be had; never raises for a device."""
    platform = platform_of(device)
    try:
        driver = driver_for(device, secrets)
    except (DeviceError, ProvisioningError) as error:
        return Fetched(device.id, "refused", why(error))
    try:
        try:
            driver.open()
            running = str(driver.get_config(retrieve="running")["running"])
        finally:
            driver.close()
        if platform == "openwrt":
            parse(running)
    except (FarolaError, NapalmException, OSError, ValueError, NotImplementedError) as error:
        return Fetched(device.id, "unreachable", why(error))
    return Kept(device.id, running, platform)


def keep(configs: Sequence[Kept], history: History, *, author: str, cause: str) -> list[Fetched]:
    """Keep configs that were read already, and compare each with the version before."""
    return _kept(configs, history, {}, author, cause) if configs else []


def _kept(
    configs: Sequence[Kept], history: History, bases: Mapping[str, str], author: str, cause: str
) -> list[Fetched]:
    """Keep configs and compare each with its base, or the version before."""
    known = {one.device_id: history.newest(one.device_id) for one in configs}
    for device_id, mark in bases.items():
        if mark:
            known[device_id] = history.marked(device_id, mark) or known[device_id]
    try:
        added = history.add_many(configs, author=author, cause=cause)
    except SettingsError as error:
        return [Fetched(one.device_id, "refused", why(error)) for one in configs]
    except FarolaError as error:
        return [Fetched(one.device_id, "unreachable", why(error)) for one in configs]
    found = []
    for one in configs:
        version, before = added[one.device_id][0], known[one.device_id]
        if before is None:
            found.append(Fetched(one.device_id, "recorded", version=version))
        elif before.mark == version.mark:
            found.append(Fetched(one.device_id, "unchanged", version=version))
        else:
            shown = bounded(printable(difference(history, before, version)))
            found.append(Fetched(one.device_id, "changed", diff=shown, version=version,
                                 before=before, by_hand=True))  # fmt: skip
    return found


def difference(
    history: History,
    before: Version | None,
    after: Version,
    names: tuple[str, str] = ("before", "now"),
) -> str:
    """Unified diff of two versions, secrets masked; of UCI package by package."""
    new = history.text(after)
    old = history.text(before) if before else ""
    try:
        return diff(parse(old), parse(new), mask_secrets=True, names=names)
    except UciSyntaxError:
        pass
    kept = [history.kept_text(one) if one else "" for one in (before, after)]
    if any(references.REFERENCE.fullmatch(one) for one in kept):
        return f"--- {names[0]}\n+++ {names[1]}\n(its secrets cannot be told: not shown)"
    # References tell a changed secret from another; who reads it sees a changed line alone.
    lines = difflib.unified_diff(kept[0].splitlines(), kept[1].splitlines(), *names, lineterm="")
    return references.masked("\n".join(lines))


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
    try:
        new = parse(history.text(fetched.version))
        old = parse(history.text(fetched.before)) if fetched.before else new
    except UciSyntaxError:  # another platform's: the newest of our pushes there has to do
        number = rows[-1].change_id if rows else None
        return replace(fetched, change=number, by_hand=fetched.by_hand and number is None)
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
