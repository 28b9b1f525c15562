"""Audit: of each device what is meant for it against what it runs, its city's rules, and why it
differs. One sign-in a device serves the history too: what it runs is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from napalm.base.exceptions import NapalmException
from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import FarolaError, ProvisioningError
from farola.keys import Keyring
from farola.output import named, note
from inventory import events
from inventory.change_models import Change, ChangeDevice, Drift
from inventory.db import Inventory
from inventory.models import Device, utcnow
from inventory.records import DeviceRecord
from napalm_openwrt.uci_text import UciSyntaxError, parse
from provisioning.audit import rules as ruling
from provisioning.audit.drift import (
    FAILED_PUSH,
    INTENT,
    Before,
    Drifted,
    Pushed,
    compare,
    detail_of,
)
from provisioning.change.prepare import printable
from provisioning.history import fetch as fetching
from provisioning.history.configs import History, Kept
from provisioning.history.fetch import COMMIT_TOGETHER, Fetched, bounded
from provisioning.intent.context import Context, read_context, rendered_for
from provisioning.platforms.choosing import AT_ONCE, driver_for, for_each, why
from provisioning.platforms.drivers import capabilities, platform_of

UNDER_WAY = ("applying", "unconfirmed")
"""A device of a change in such a status is left alone: it is neither as before nor as meant."""
ARRIVED = ("pushed", "unchanged")
NOT_ARRIVED = ("failed", "rolled_back", "drifted", "queued", "pending")


STATES = ("clean", "drifted", "broken", "unreachable", "refused", "skipped")
"""`broken`: a file of its config is one that uci cannot read; `skipped`: a push is at it."""


@dataclass(frozen=True)
class Finding:
    """What the audit found of one device."""

    device_id: str
    state: str
    """One of `STATES`."""
    cause: str = ""
    message: str = ""
    drifted: Drifted = field(default_factory=Drifted)
    rules_failed: tuple[str, ...] = ()
    firmware: str = ""
    change: int | None = None
    """The change that the cause names, for a failed push."""
    candidate: str = field(default="", repr=False)
    """What brings it to what is meant, in the clear."""
    kept: Kept | None = None
    fetched: Fetched | None = None
    since: datetime | None = None

    @property
    def well(self) -> bool:
        """Whether it runs what is meant and all rules hold."""
        return self.state == "clean" and not self.rules_failed


@dataclass(frozen=True)
class _Asked:
    """All that is known of a device before it is asked."""

    pushed: Pushed
    before: Before
    busy: int | None = None
    """The change that is under way there."""


def audit(
    inventory: Inventory,
    devices: Sequence[DeviceRecord],
    *,
    author: str,
    cause: str = "audit",
    at_once: int = AT_ONCE,
    done: Callable[[int], None] = lambda _n: None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Finding]:
    """Audit `devices`, store what was found and keep what they run; findings as they are stored.

    Raises
    ------
    ProvisioningError
        The rules, an intent's file or the history cannot be read: nothing was audited.
    """
    keyring = Keyring(inventory.settings.home)
    history = History(inventory.settings.home, keyring)
    context = read_context(inventory, devices, keyring)
    rules = ruling.read_rules(inventory.settings.home)
    _tell_idle(inventory, rules)
    for start in range(0, len(devices), COMMIT_TOGETHER):
        some = devices[start : start + COMMIT_TOGETHER]
        with inventory.session() as session:
            asked = _asked(session, some, keyring)

        def one(device: DeviceRecord, asked: Mapping[str, _Asked] = asked) -> Finding | None:
            known = asked[device.id]
            if known.busy is not None:
                busy = f"change {known.busy} is under way there"
                return Finding(device.id, "skipped", message=busy)
            return None if stop() else look(device, context, rules, known)

        found = [f for f in for_each(some, one, done, at_once) if f is not None]
        kept = fetching.keep([f.kept for f in found if f.kept], history, author=author, cause=cause)
        by_id = {fetched.device_id: fetched for fetched in kept}
        found = [replace(f, fetched=by_id.get(f.device_id)) for f in found]
        with inventory.session() as session:  # it only reads, and may take its time
            found = [_explained(session, f, history) for f in found]
        with inventory.session() as session:
            stored = [store(session, f, author) for f in found]
        yield from stored
        if stop():
            return


def _tell_idle(inventory: Inventory, rules: ruling.Rules) -> None:
    with inventory.session() as session:
        roles = set(session.scalars(select(Device.role).distinct()))
    if idle := ruling.idle_parts(rules, roles):
        note(
            f"WARNING: {ruling.FILE}: {named(idle, 5)}: neither a platform nor the role of any "
            "device: its rules hold for none; correct the name, or take it out"
        )


def look(device: DeviceRecord, context: Context, rules: ruling.Rules, asked: _Asked) -> Finding:
    """Ask one device what it runs and hold that against what is meant; never raises for it."""
    platform, secrets = platform_of(device), context.of(device)[1]
    rendered, nothing_meant = None, ""
    try:
        rendered = rendered_for(context, device)
    except FarolaError as error:  # what it runs is kept all the same
        nothing_meant = why(error)
    try:
        able = capabilities(platform)
        driver = driver_for(device, secrets)
    except FarolaError as error:
        return Finding(device.id, "refused", message=why(error))
    kept, firmware = None, ""
    try:
        try:
            driver.open()
            running = str(driver.get_config(retrieve="running")["running"])
            kept = Kept(device.id, running, platform)
            with suppress(NotImplementedError):
                firmware = str(driver.get_facts().get("os_version") or "")
            wrong = ruling.check(driver, rules.of(device.role, platform))
            base = Finding(
                device.id, "clean", rules_failed=tuple(wrong), firmware=firmware, kept=kept
            )
            if nothing_meant:
                return replace(base, state="refused", message=nothing_meant)
            if platform == "openwrt":
                return _access_point(base, rendered, running, asked)
            return _switch(driver, base, rendered, able.diff)
        finally:
            driver.close()
    except UciSyntaxError as error:
        return Finding(device.id, "broken", message=f"it runs what uci cannot read: {error}")
    except (FarolaError, NapalmException, NotImplementedError, OSError, ValueError) as error:
        state = "broken" if isinstance(error.__cause__, UciSyntaxError) else "unreachable"
        return Finding(device.id, state, message=why(error), kept=kept, firmware=firmware)


def _access_point(base: Finding, rendered: Any, running: str, asked: _Asked) -> Finding:
    from provisioning.intent.render import candidate_text, fit

    config = parse(running)
    try:
        candidate = candidate_text(fit(rendered, config))
    except ProvisioningError as error:
        return replace(base, state="refused", message=why(error))
    found = compare(
        config, parse(candidate, keep_empty=True), asked.pushed, asked.before, base.firmware
    )
    if not found.diff:
        return base
    found = replace(found, diff=bounded(printable(found.diff)))
    change = asked.pushed.failed_change if found.cause == FAILED_PUSH else None
    return replace(
        base, state="drifted", cause=found.cause, drifted=found, candidate=candidate, change=change
    )


def _switch(driver: Any, base: Finding, rendered: Any, can_diff: bool) -> Finding:
    """A platform that tells itself what a candidate would change; nothing is committed."""
    if not isinstance(rendered, str) or not can_diff:
        why_not = (
            "no config can be meant for its platform: it is fetched, and its rules are checked"
        )
        return replace(base, state="refused", message=why_not)
    driver.load_merge_candidate(config=rendered)
    try:
        shown = str(driver.compare_config())
    finally:
        driver.discard_config()
    if not shown:
        return base
    hidden = f"{len(shown.splitlines())} lines differ; its diff is shown by `provision prepare`"
    return replace(
        base, state="drifted", cause=INTENT, candidate=rendered,
        drifted=Drifted(hidden, {"config": INTENT}),
    )  # fmt: skip


def _asked(
    session: Session, devices: Sequence[DeviceRecord], keyring: Keyring
) -> dict[str, _Asked]:
    """What our changes and the audit before tell of each device."""
    ids = [device.id for device in devices]
    rows: dict[str, list[Any]] = {device_id: [] for device_id in ids}
    for row in session.execute(
        select(
            ChangeDevice.device_id, ChangeDevice.change_id, ChangeDevice.status,
            ChangeDevice.candidate, ChangeDevice.replace, Change.status.label("of_change"),
        )
        .join(Change)
        .where(ChangeDevice.device_id.in_(ids), Change.status != "withdrawn")
        .order_by(ChangeDevice.change_id.desc())
    ):  # fmt: skip
        rows[row.device_id].append(row)
    drifts = {row.device_id: row for row in session.scalars(
        select(Drift).where(Drift.device_id.in_(ids)))}  # fmt: skip
    found = {}
    for device_id in ids:
        busy = next((r.change_id for r in rows[device_id] if r.status in UNDER_WAY), None)
        old = drifts.get(device_id)
        detail = old.detail if old else {}
        before = Before(str(detail.get("firmware") or ""), detail.get("keys") or {})
        found[device_id] = _Asked(_pushed(rows[device_id], keyring), before, busy)
    return found


def _pushed(rows: Sequence[Any], keyring: Keyring) -> Pushed:
    """`rows` of one device, the newest first."""
    last = next((r for r in rows if r.status in ARRIVED and r.candidate), None)
    failed = next(
        (r for r in rows
         if r.candidate and (last is None or r.change_id > last.change_id)
         and (r.status in NOT_ARRIVED and r.of_change not in {"prepared", "approved"})),
        None,
    )  # fmt: skip

    def config(row: Any) -> Any:
        return parse(keyring.decrypt(row.candidate), keep_empty=not row.replace)

    try:
        return Pushed(
            config(last) if last else None, bool(last and last.replace),
            last.change_id if last else None, config(failed) if failed else None,
            failed.change_id if failed else None,
        )  # fmt: skip
    except UciSyntaxError:  # a switch's
        return Pushed()


def store(session: Session, finding: Finding, author: str) -> Finding:
    """Keep a finding as the device's newest, and an event where its state changed; returns it with
    `since`.
    """
    if finding.state == "skipped":
        return finding
    now, row = utcnow(), session.get(Drift, finding.device_id)
    device = session.get(Device, finding.device_id)
    if device is not None and finding.firmware:
        device.firmware = finding.firmware
    if finding.fetched and finding.fetched.outcome in {"changed", "recorded"}:
        events.record(
            session, f"config.{finding.fetched.outcome}", fetching.in_words(finding.fetched),
            device_id=finding.device_id, actor=author, detail=fetching.in_detail(finding.fetched),
        )  # fmt: skip
    if row is None:
        row = Drift(device_id=finding.device_id)
        session.add(row)
    before = row.detail or {}
    known = before.get("known") or {"state": row.state or "", "cause": row.cause or ""}
    row.at, row.state, row.cause = now, finding.state, finding.cause
    row.diff = finding.drifted.diff
    row.detail = detail_of(
        finding.drifted, finding.firmware or str(before.get("firmware") or ""),
        {"rules_failed": list(finding.rules_failed), "why": finding.message,
         "change": finding.change},
    )  # fmt: skip
    if finding.state in {"broken", "unreachable", "refused"}:
        # What was known of it before holds until it can be asked again.
        row.detail = {**row.detail, "keys": before.get("keys") or {}, "known": known}
        return finding
    row.since = (row.since or now) if finding.state == "drifted" else None
    _event(session, finding, known["state"], known["cause"], author)
    return replace(finding, since=row.since)


def _explained(session: Session, finding: Finding, history: History) -> Finding:
    """With what explains a config that is new in the history, or why it is not there."""
    if finding.fetched is None:
        return finding
    fetched = fetching.explain(session, finding.fetched, history, utcnow())
    lost = fetched.message if fetched.outcome in {"unreachable", "refused"} else ""
    return replace(finding, fetched=fetched, message=finding.message or lost)


def _event(session: Session, finding: Finding, state: str, cause: str, author: str) -> None:
    if finding.state == "drifted" and (state, cause) != ("drifted", finding.cause):
        kind, text = "drift.found", f"does not run what is meant: {in_words(finding)}"
    elif finding.state == "clean" and state == "drifted":
        kind, text = "drift.ended", "runs what is meant again"
    else:
        return
    events.record(
        session, kind, text, device_id=finding.device_id, actor=author,
        detail={"cause": finding.cause, "causes": finding.drifted.counts(),
                "change": finding.change},
    )  # fmt: skip


def counted(findings: Iterable[Finding]) -> dict[str, list[str]]:
    """Ids of devices by what is said of them: their state, or `against-rules` of one that is clean
    but for the rules.
    """
    found: dict[str, list[str]] = {"clean": [], "against-rules": []}
    found |= {state: [] for state in STATES[1:]}
    for one in findings:
        broken = one.state == "clean" and one.rules_failed
        found["against-rules" if broken else one.state].append(one.device_id)
    return found


def in_words(finding: Finding) -> str:
    """What was found, in one line."""
    if finding.state == "drifted":
        counts = finding.drifted.counts().items()
        words = ", ".join(f"{count} {_one(count)} {cause}" for cause, count in counts)
        return words + (f" (change {finding.change})" if finding.change else "")
    return finding.message


def _one(count: int) -> str:
    return "option" if count == 1 else "options"
