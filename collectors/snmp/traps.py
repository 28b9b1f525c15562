"""Whether a trap or inform counts: community or user, duplicates, rate. Bytes and a clock's reading
in, a verdict out; nothing that arrives can raise.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from collectors.snmp.model import Oid
from collectors.snmp.notification import V3, Notification, decode_notification, envelope_of
from collectors.snmp.notification_v3 import Heard, V3Ear
from collectors.snmp.recent import remember
from collectors.snmp.senders import Senders
from collectors.snmp.trap_kinds import AP_KINDS, TrapEvent, describe

SAME_FOR_S = 10.0
"""The same notification from the same device within this time is one, unless another state was
told in between.
"""
CHANGES = {"config-changed": 1.0, "agent-restart": 4.0, "cold-start": 4.0}
"""The same time for those that follow a change of the config: shorter than the reactor waits
before it looks (5 s), so that the last of several changes is looked at too.
"""
STATES = {"link-down": "link", "link-up": "link", "ap-down": "ap", "ap-up": "ap",
          "agent-shutdown": "agent", "agent-start": "agent", "cold-start": "agent",
          "warm-start": "agent"}  # fmt: skip
"""Kinds that tell what something is by now: of those of one name the last counts."""
INFORM_FOR_S = 60.0
"""An inform with the same request-id and the same in it is a repeated one for so long, whatever
came in between.
"""
PER_DEVICE = (1.0, 20.0)
"""Notifications a second, and how many at once, from one device; those of `CHANGES` beside it."""
PER_CONTROLLER = (20.0, 3000.0)
"""Those of a controller about its access points: a district that loses power says so at once."""
PER_ADDRESS = (100.0, 4000.0)
"""Packets a second, and how many at once, that are looked at at all, from a device's address."""
IN_ALL = (500.0, 8000.0)
"""The same of all devices' addresses together."""
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
        self._informs: OrderedDict[object, float] = OrderedDict()
        self._last: OrderedDict[object, tuple[Oid, float]] = OrderedDict()
        self._buckets: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def judge(
        self, packet: bytes, source: str, now_s: float, *, room: bool = True, wall_s: float = 0.0
    ) -> Verdict:
        """What to do with `packet` from the address `source` at `now_s` (any steady clock, s) and
        `wall_s` (time of day, s, by which the clocks of v3 engines are followed).

        Without `room` for one more event it is dropped and not remembered: when its sender
        repeats it, it is no duplicate.
        """
        if not self._looked_at(source, now_s):
            return Verdict("rate_limited")
        envelope = envelope_of(packet)
        if envelope is None:
            return Verdict("malformed")
        if envelope.version == V3:
            heard = self._heard(packet, source, now_s, wall_s, room=room)
            return self._weighed(heard, source, now_s)
        # Before the rest is read: what is not believed costs the less.
        if not self.senders.trusts(envelope.community, source):
            return Verdict("wrong_community")
        notification = decode_notification(packet, envelope)
        if notification is None:
            return Verdict("malformed")
        return self._weighed(Heard("", notification, notification.reply), source, now_s, room=room)

    def _looked_at(self, source: str, now_s: float) -> bool:
        if source not in self.senders.by_address:
            return self._allowed("strangers", now_s, STRANGERS)
        return self._allowed(("from", source), now_s, PER_ADDRESS) and self._allowed(
            "devices", now_s, IN_ALL
        )

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
        place = self.senders.place(source)
        return self.ear.hear(packet, self.senders.users_at(source), now_s, wall_s, place)

    def _weighed(self, heard: Heard, source: str, now_s: float, *, room: bool = True) -> Verdict:
        """Whether what is believed is new and not too much."""
        notification: Notification | None = heard.notification
        if notification is None:
            return Verdict(heard.outcome, reply=heard.reply)
        sender = self.senders.device_of(notification, source)
        event = describe(notification, sender, source, self.senders, inform=heard.reply is not None)
        if notification.usm is not None:
            event = replace(event, detail=event.detail | {"version": "3"})
        kind, who = event.kind.removeprefix("trap."), sender or source
        inform = None if heard.reply is None else (who, blake2b(notification.pdu).digest()[:16])
        topic = (who, STATES.get(kind, notification.oid), event.about)
        if self._repeated(inform, topic, notification.oid, CHANGES.get(kind, SAME_FOR_S), now_s):
            return Verdict("duplicate", reply=heard.reply)
        group = "points" if kind in AP_KINDS else "changes" if kind in CHANGES else "others"
        limit = PER_CONTROLLER if kind in AP_KINDS else PER_DEVICE
        allowed = self._allowed((who, group), now_s, limit)
        if not (allowed and room):
            return Verdict("dropped" if allowed else "rate_limited")
        remember(self._last, topic, (notification.oid, now_s), REMEMBERED)
        if inform:
            remember(self._informs, inform, now_s, REMEMBERED)
        return Verdict("stored", event, heard.reply)

    def _repeated(
        self, inform: object, topic: object, oid: Oid, same_for_s: float, now_s: float
    ) -> bool:
        """Whether this inform came before, or the last that was told on its topic is the same."""
        before = self._informs.get(inform)
        if before is not None and now_s - before < INFORM_FOR_S:
            return True
        last, at = self._last.get(topic, (None, 0.0))
        return last == oid and now_s - at < same_for_s

    def _allowed(self, who: object, now_s: float, limit: tuple[float, float]) -> bool:
        """A token bucket for each sender."""
        per_s, burst = limit
        left, at = self._buckets.get(who, (burst, now_s))
        left = min(burst, left + max(0.0, now_s - at) * per_s)
        remember(self._buckets, who, (left - 1 if left >= 1 else left, now_s), REMEMBERED)
        return left >= 1


class TrapCounts:
    """How many packets came, and what became of them; those in no count are still waiting.

    `kernel_drops` never came: the socket's buffer was full.
    """

    NAMES = (
        "received", "stored", "duplicate", "rate_limited", "wrong_community", "wrong_user",
        "wrong_key", "weak_level", "not_in_window", "replayed", "discovery", "malformed", "dropped",
        "kernel_drops",
    )  # fmt: skip

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, packets: int = 1) -> None:
        """Count packets under one of `NAMES`."""
        self._counts[name] += packets

    def as_json(self) -> dict[str, int]:
        """All counts by name."""
        return {name: self._counts[name] for name in self.NAMES}
