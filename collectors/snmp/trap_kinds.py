"""What a notification means: its kind by OID (traps.yaml), the interface or access point it is
about, and the event it becomes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from collectors.snmp.book import SYS_UP_TIME, oid_of, text_of
from collectors.snmp.model import Oid, RawValue
from collectors.snmp.notification import Notification
from collectors.snmp.senders import Senders

IF_INDEX: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 1)
IF_DESCR: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 2)
IF_NAME: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1)
AP_KINDS = frozenset({"ap-down", "ap-up"})
NAME_CHARS = 64
_MAC = re.compile(r"(?<![0-9a-fA-F])([0-9a-fA-F]{2}([:-]?)(?:[0-9a-fA-F]{2}\2){4}[0-9a-fA-F]{2})"
                  r"(?![0-9a-fA-F])")  # fmt: skip


@dataclass(frozen=True)
class TrapKind:
    """A line of traps.yaml; `mac` and `name` say which access point it is about."""

    kind: str
    text: str
    mac: tuple[Oid, ...] = ()
    name: tuple[Oid, ...] = ()
    mib: str = ""
    heard: str = ""


OTHER = TrapKind("other", "trap of a kind not known here")


@dataclass(frozen=True)
class TrapEvent:
    """A notification that counts, as the inventory stores it."""

    kind: str
    text: str
    device_id: str | None
    detail: dict[str, Any]

    @property
    def about(self) -> str:
        """What else than its kind and sender tells it from others."""
        point = self.detail.get("access_point") or {}
        return str(self.detail.get("interface") or point.get("mac") or point.get("name") or "")


@lru_cache(maxsize=1)
def known_traps() -> dict[Oid, TrapKind]:
    """The lines of traps.yaml by the notification's OID."""
    import yaml

    rows = yaml.safe_load((Path(__file__).parent / "traps.yaml").read_text(encoding="utf-8"))
    return {
        oid_of(row["oid"]): TrapKind(
            row["kind"], row["text"], tuple(map(oid_of, row.get("mac", ()))),
            tuple(map(oid_of, row.get("name", ()))), row["mib"], row.get("heard", ""),
        )
        for row in rows
    }  # fmt: skip


def kind_of(oid: Oid) -> TrapKind:
    """The kind of a notification. One of v1 has a 0 before its last number (RFC 3584, 3.1), also
    where its MIB has none.
    """
    known = known_traps()
    return (
        known.get(oid) or (known.get((*oid[:-2], oid[-1])) if oid[-2:-1] == (0,) else None) or OTHER
    )


def describe(
    notification: Notification, sender: str | None, source: str, senders: Senders, *, inform: bool
) -> TrapEvent:
    """The event of a notification from the device `sender` (None where that is not known).

    Who is not known says nothing of access points: the event has no device then.
    Of its values only those known to be harmless are kept: a trap may carry a community
    (snmpTrapCommunity) or a client's address.
    """
    kind = kind_of(notification.oid)
    values, text = notification.values, kind.text
    detail: dict[str, Any] = {
        "oid": ".".join(map(str, notification.oid)),
        "source": source,
        "inform": inform,
    }
    uptime = values.get(SYS_UP_TIME)
    if isinstance(uptime, int):
        detail["agent_uptime_s"] = uptime / 100
    device = sender
    if kind.kind in AP_KINDS:
        point = access_point(kind, values)
        detail["access_point"], detail["controller"] = point, sender
        device = senders.access_point(point) if sender else None
        text = f"{text}: {point.get('name') or point.get('mac') or 'it does not say which'}"
    elif interface := _first(values, (IF_NAME, IF_DESCR, IF_INDEX)):
        detail["interface"] = _shown(interface)
        text = f"{text}: {detail['interface']}"
    if sender is None:
        text = f"{text} (from {source}, not to be told which device)"
    return TrapEvent(f"trap.{kind.kind}", text, device, detail)


def access_point(kind: TrapKind, values: Mapping[Oid, RawValue]) -> dict[str, str]:
    """`mac` (lower case, with colons) and `name` of the access point, as far as told. An object
    meant for its MAC may hold its name instead.
    """
    found: dict[str, str] = {}
    name = _first(values, kind.name)
    if name is not None and _shown(name):
        found["name"] = _shown(name)
    told = _first(values, kind.mac)
    if isinstance(told, bytes):
        mac = mac_of(told)
        if mac:
            found["mac"] = mac
        elif _shown(told):
            found.setdefault("name", _shown(told))
    return found


def mac_of(value: bytes) -> str:
    """The MAC address that six bytes are or a text holds; empty for none."""
    if len(value) == 6:
        return value.hex(":")
    match = _MAC.search(value.decode("ascii", "replace"))
    return bytes.fromhex(re.sub("[:-]", "", match[1])).hex(":") if match else ""


def _first(values: Mapping[Oid, RawValue], columns: Iterable[Oid]) -> RawValue | None:
    """The first value that one of `columns` (objects, or columns of a table) has."""
    for column in columns:
        for oid, value in values.items():
            if oid[: len(column)] == column:
                return value
    return None


def _shown(value: RawValue) -> str:
    text = text_of(value) or ("" if isinstance(value, bytes) else str(value))
    return "".join(c for c in text if c.isprintable())[:NAME_CHARS].strip()
