"""Whether a trap or inform counts: community or user, duplicates, rate. Bytes and a clock's reading
in, a verdict out; nothing that arrives can raise.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field, replace

from collectors.snmp.notification import Notification, decode_notification, version_of
from collectors.snmp.notification_v3 import Heard, V3Ear
from collectors.snmp.recent import remember
from collectors.snmp.senders import Senders
from collectors.snmp.trap_kinds import AP_KINDS, TrapEvent, describe

SAME_FOR_S = 10.0
"""The same notification from the same device within this time is one."""
PER_DEVICE = (1.0, 20.0)
"""Notifications a second, and how many at once, from one device."""
PER_CONTROLLER = (20.0, 3000.0)
"""Those of a controller about its access points: a district that loses power says so at once."""
IN_ALL = (500.0, 2000.0)
"""Packets a second, and how many at once, that are looked at at all, from devices' addresses."""
STRANGERS = (100.0, 500.0)
"""The same of all addresses together that are no device's: they cannot crowd out the devices."""
SIGNED = (20.0, 3000.0)
"""Packets of v3 from the address of a device that are looked at: each costs a digest."""
REMEMBERED = 50_000
"""Devices and notifications kept in mind; the oldest make room, so that a flood costs no memory."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a packet: `outcome` is one of `TrapCounts.NAMES`; with the event to store
    and the answer to send after that.
    """

    outcome: str
    event: TrapEvent | None = None
    reply: bytes | None = field(default=None, repr=False)


class TrapFilter:
    """Judges packets one by one; remembers only what duplicates, rates and replays need. Without
    an ear for it, v3 is `malformed`.
    """

    def __init__(self, senders: Senders | None = None, ear: V3Ear | None = None) -> None:
        self.senders = senders or Senders()
        self.ear = ear
        self._seen: OrderedDict[object, float] = OrderedDict()
        self._buckets: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def judge(
        self, packet: bytes, source: str, now_s: float, *, room: bool = True, wall_s: float = 0.0
    ) -> Verdict:
        """What to do with `packet` from the address `source` at `now_s` (any steady clock, s) and
        `wall_s` (time of day, s, by which the clocks of v3 engines are followed).

        Without `room` for one more event it is dropped and not remembered: when its sender
        repeats it, it is no duplicate.
        """
        known = source in self.senders.by_address
        if not self._allowed(("all", known), now_s, IN_ALL if known else STRANGERS):
            return Verdict("rate_limited")
        if version_of(packet) == 3:
            heard = self._heard(packet, source, now_s, wall_s, room=room)
            return self._weighed(heard, source, now_s)
        notification = decode_notification(packet)
        if notification is None:
            return Verdict("malformed")
        if not self.senders.trusts(notification, source):
            return Verdict("wrong_community")
        return self._weighed(Heard("", notification, notification.reply), source, now_s, room=room)

    def _heard(
        self, packet: bytes, source: str, now_s: float, wall_s: float, *, room: bool
    ) -> Heard:
        """What a message of v3 is; as many as `SIGNED` says cost a digest."""
        if self.ear is None:
            return Heard("malformed")
        if source in self.senders.by_address and not self._allowed(("v3", source), now_s, SIGNED):
            return Heard("rate_limited")
        if not room:  # before it is remembered as heard: its repeat is no replay
            return Heard("dropped")
        return self.ear.hear(packet, self.senders.users_at(source), now_s, wall_s)

    def _weighed(self, heard: Heard, source: str, now_s: float, *, room: bool = True) -> Verdict:
        """Whether what is believed is new and not too much."""
        notification: Notification | None = heard.notification
        if notification is None:
            return Verdict(heard.outcome, reply=heard.reply)
        sender = self.senders.device_of(notification, source)
        event = describe(notification, sender, source, self.senders, inform=heard.reply is not None)
        if notification.user:
            event = replace(event, detail=event.detail | {"version": "3"})
        key = (sender or source, notification.oid, event.about)
        before = self._seen.get(key)
        if before is not None and now_s - before < SAME_FOR_S:
            return Verdict("duplicate", reply=heard.reply)
        points = event.kind.removeprefix("trap.") in AP_KINDS
        allowed = self._allowed(
            (sender or source, points), now_s, PER_CONTROLLER if points else PER_DEVICE
        )
        if not (allowed and room):
            return Verdict("dropped" if allowed else "rate_limited")
        remember(self._seen, key, now_s, REMEMBERED)
        return Verdict("stored", event, heard.reply)

    def _allowed(self, who: object, now_s: float, limit: tuple[float, float]) -> bool:
        """A token bucket for each sender."""
        per_s, burst = limit
        left, at = self._buckets.get(who, (burst, now_s))
        left = min(burst, left + max(0.0, now_s - at) * per_s)
        remember(self._buckets, who, (left - 1 if left >= 1 else left, now_s), REMEMBERED)
        return left >= 1


class TrapCounts:
    """How many packets came, and what became of them; those in no count are still waiting."""

    NAMES = (
        "received", "stored", "duplicate", "rate_limited", "wrong_community", "wrong_user",
        "wrong_key", "weak_level", "not_in_window", "replayed", "discovery", "malformed", "dropped",
    )  # fmt: skip

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, packets: int = 1) -> None:
        """Count packets under one of `NAMES`."""
        self._counts[name] += packets

    def as_json(self) -> dict[str, int]:
        """All counts by name."""
        return {name: self._counts[name] for name in self.NAMES}
