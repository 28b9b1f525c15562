"""What a trap or inform says and whether it counts: decoding, community, duplicates, rate. Pure:
bytes and a clock's reading in, a verdict out; nothing that arrives can raise.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from collectors.snmp.book import SYS_NAME, SYS_UP_TIME, oid_of, text_of
from collectors.snmp.model import Oid, Target
from collectors.snmp.notification import Notification, decode_notification

TRAP_ADDRESS: Oid = (1, 3, 6, 1, 6, 3, 18, 1, 3, 0)
"""snmpTrapAddress: who sent a trap that came through a proxy."""
IF_INDEX: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 1)
IF_DESCR: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 2)
IF_NAME: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1)

SAME_FOR_S = 10.0
"""The same notification from the same device within this time is one."""
PER_DEVICE = (1.0, 20.0)
"""Notifications a second, and how many at once, from one device."""
IN_ALL = (500.0, 2000.0)
"""Packets a second, and how many at once, that are looked at at all."""
REMEMBERED = 50_000
"""Devices and notifications kept in mind; the oldest make room, so that a flood costs no memory."""


@dataclass(frozen=True)
class TrapEvent:
    """A notification that counts, as the inventory stores it."""

    kind: str
    text: str
    device_id: str | None
    detail: dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What becomes of a packet: `stored`, `duplicate`, `rate_limited`, `wrong_community`,
    `malformed` or `dropped`; with the event to store and the acknowledgement to send after that.
    """

    outcome: str
    event: TrapEvent | None = None
    reply: bytes | None = None


@dataclass(frozen=True)
class Senders:
    """Who may send: devices by address and by name, and their communities."""

    by_address: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_name: Mapping[str, str] = field(default_factory=dict)
    communities: Mapping[str, frozenset[bytes]] = field(default_factory=dict, repr=False)
    """By address; the empty address holds all of them."""

    @classmethod
    def of(cls, targets: Iterable[Target], by_name: Mapping[str, str]) -> Senders:
        """The senders that the devices of a poll are."""
        ids: dict[str, list[str]] = {}
        communities: dict[str, set[bytes]] = {"": set()}
        for target in targets:
            ids.setdefault(target.address, []).append(target.device_id)
            for address in ("", target.address):
                communities.setdefault(address, set()).add(target.community.encode())
        return cls(
            {address: tuple(found) for address, found in ids.items()},
            dict(by_name),
            {address: frozenset(found) for address, found in communities.items()},
        )

    def trusts(self, notification: Notification, source: str) -> bool:
        """Whether the community is one that the device at `source` (or, if none, any) has."""
        known = self.communities.get(source) or self.communities.get("", frozenset())
        return notification.community in known

    def device_of(self, notification: Notification, source: str) -> str | None:
        """The device that sent it: by address, else by sysName or the address it names itself."""
        here = self.by_address.get(source, ())
        if len(here) == 1:
            return here[0]
        named = self.by_name.get(text_of(notification.values.get(SYS_NAME)) or "")
        if named is not None and (not here or named in here):
            return named
        told = notification.values.get(TRAP_ADDRESS)
        if isinstance(told, bytes) and len(told) == 4:
            there = self.by_address.get(".".join(map(str, told)), ())
            if len(there) == 1:
                return there[0]
        return None


class TrapFilter:
    """Judges packets one by one; remembers only what duplicates and rates need."""

    def __init__(self, senders: Senders | None = None) -> None:
        self.senders = senders or Senders()
        self._seen: OrderedDict[object, float] = OrderedDict()
        self._buckets: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def judge(self, packet: bytes, source: str, now_s: float, *, room: bool = True) -> Verdict:
        """What to do with `packet` from the address `source` at `now_s` (any steady clock).

        Without `room` for one more event it is dropped and not remembered: when its sender
        repeats it, it is no duplicate.
        """
        if not self._allowed("", now_s, IN_ALL):
            return Verdict("rate_limited")
        notification = decode_notification(packet)
        if notification is None:
            return Verdict("malformed")
        if not self.senders.trusts(notification, source):
            return Verdict("wrong_community")
        device_id = self.senders.device_of(notification, source)
        event = describe(notification, device_id, source)
        key = (device_id or source, notification.oid, event.detail.get("interface"))
        before = self._seen.get(key)
        if before is not None and now_s - before < SAME_FOR_S:
            return Verdict("duplicate", reply=notification.reply)
        allowed = self._allowed(device_id or source, now_s, PER_DEVICE)
        if not (allowed and room):
            return Verdict("dropped" if allowed else "rate_limited")
        self._seen[key] = now_s
        self._seen.move_to_end(key)
        _trim(self._seen)
        return Verdict("stored", event, notification.reply)

    def _allowed(self, who: str, now_s: float, limit: tuple[float, float]) -> bool:
        """A token bucket for each sender."""
        per_s, burst = limit
        left, at = self._buckets.get(who, (burst, now_s))
        left = min(burst, left + max(0.0, now_s - at) * per_s)
        self._buckets[who] = (left - 1 if left >= 1 else left, now_s)
        self._buckets.move_to_end(who)
        _trim(self._buckets)
        return left >= 1


def _trim(table: OrderedDict[Any, Any]) -> None:
    while len(table) > REMEMBERED:
        table.popitem(last=False)


def describe(notification: Notification, device_id: str | None, source: str) -> TrapEvent:
    """The event of a notification. Of its values only those known to be harmless are kept: a
    trap may carry a community (snmpTrapCommunity).
    """
    kind, text = known_traps().get(notification.oid, ("other", "trap of a kind not known here"))
    values = notification.values
    detail: dict[str, Any] = {
        "oid": ".".join(map(str, notification.oid)),
        "source": source,
        "inform": notification.reply is not None,
    }
    uptime = values.get(SYS_UP_TIME)
    if isinstance(uptime, int):
        detail["agent_uptime_s"] = uptime / 100
    for column in (IF_NAME, IF_DESCR, IF_INDEX):
        found = [value for oid, value in values.items() if oid[: len(column)] == column]
        if found:
            name = text_of(found[0]) or str(found[0])
            detail["interface"] = "".join(c for c in name if c.isprintable())[:64]
            text = f"{text}: {detail['interface']}"
            break
    if device_id is None:
        text = f"{text} (from {source}, not to be told which device)"
    return TrapEvent(f"trap.{kind}", text, device_id, detail)


@lru_cache(maxsize=1)
def known_traps() -> dict[Oid, tuple[str, str]]:
    """Kind and text by the notification's OID (traps.yaml)."""
    import yaml

    rows = yaml.safe_load((Path(__file__).parent / "traps.yaml").read_text(encoding="utf-8"))
    return {oid_of(row["oid"]): (row["kind"], row["text"]) for row in rows}


class TrapCounts:
    """How many packets came, and what became of them; those in no count are still waiting."""

    NAMES = (
        "received", "stored", "duplicate", "rate_limited", "wrong_community", "malformed",
        "dropped",
    )  # fmt: skip

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, packets: int = 1) -> None:
        """Count packets under one of `NAMES`."""
        self._counts[name] += packets

    def as_json(self) -> dict[str, int]:
        """All counts by name."""
        return {name: self._counts[name] for name in self.NAMES}
