"""What passes between the poller, the decoder and the store: frozen records, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

Oid = tuple[int, ...]
RawValue = int | bytes | Oid
"""INTEGER, counters, gauges and ticks as int; strings and addresses as bytes; OIDs as tuples."""
VarBinds = Mapping[Oid, RawValue]
Column = Mapping[Oid, RawValue]
"""A table's column: value by row index (what follows the column's OID)."""
T_co = TypeVar("T_co", covariant=True)

V1, V2C, V3 = "1", "2c", "3"
DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Usm:
    """An SNMPv3 user (RFC 3414). Protocols are empty for none, else `md5`, `sha1`, `sha224`,
    `sha256`, `sha384`, `sha512`, and `des`, `aes128`, `aes192`, `aes256`. No key shows in its repr.
    """

    user: str
    auth_protocol: str = ""
    auth_password: str = field(default="", repr=False)
    priv_protocol: str = ""
    priv_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """A device to ask at `address`:`port`. The community never shows in its repr."""

    device_id: str
    address: str
    port: int = 161
    community: str = field(default="public", repr=False)
    timeout_s: float = 1.0
    retries: int = 1
    deadline_s: float = DEADLINE_S
    """For all its answers together: a device that dawdles holds up no city's poll."""
    version: str = V2C
    usm: Usm | None = None
    """The user of SNMPv3; None for v1 and v2c."""
    answers_from: frozenset[str] = frozenset()
    """Other addresses that it may answer from: a device with several, by its owner's choice."""


@dataclass(frozen=True, eq=False)
class Question:
    """One round of asking: `scalars` by GET, and the columns of each table by GETBULK (GETNEXT in
    v1). Requests are built once for each Question object: share it between devices of a family.
    """

    scalars: tuple[Oid, ...] = ()
    tables: tuple[tuple[Oid, ...], ...] = ()


@dataclass(slots=True)
class Reply:
    """What a device said to one Question, aligned with it.

    `scalars[i]` answers `question.scalars[i]`, None where the agent lacks it. `tables[t][c]` is
    the column `question.tables[t][c]`; a table that could not be walked to its end is None whole:
    a sum over half of its rows would be a wrong value. `error` says what went wrong, also where
    something was answered; empty if nothing did.
    """

    scalars: Sequence[RawValue | None]
    tables: Sequence[Sequence[Column] | None] = ()
    error: str = ""


@dataclass(slots=True)
class Answer(Generic[T_co]):
    """How the conversation with a device ended.

    `answered` if anything of it arrived in time. `result` is what the conversation returned; None
    if the device never answered or the conversation did not end by itself. `rtt_ms` is that of
    the first answer, `took_s` from the first request to the end.
    """

    target: Target
    answered: bool
    rtt_ms: float | None = None
    result: T_co | None = None
    error: str = ""
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SweepFigures:
    """What went over the wire in one sweep: packets, not devices."""

    sent: int = 0
    received: int = 0
    retried: int = 0
    kernel_drops: int = 0
    """Replies that the kernel threw away because the socket's buffer was full."""
    malformed: int = 0
    """Not SNMP, cut short, oversized, or of another version than asked."""
    unmatched: int = 0
    """Replies to nothing that was open: late, replayed, forged, or from another address."""
    other_address: tuple[str, ...] = ()
    """Ids of devices that answered from an address that `answers_from` does not allow."""


class RadioReading(NamedTuple):
    """A radio: noise and power in dBm, utilization in percent of air time, band in GHz or empty."""

    name: str
    band: str = ""
    clients: int | None = None
    channel: int | None = None
    utilization_pct: float | None = None
    noise_dbm: float | None = None
    tx_power_dbm: float | None = None


class SsidReading(NamedTuple):
    """A network that the device announces, with its clients on all radios."""

    name: str
    clients: int | None = None


class InterfaceReading(NamedTuple):
    """Raw octet counters of an interface that is worth keeping.

    `bits` is 64 or 32; `discontinuity_s` is the agent's uptime when its counters last broke off
    (ifCounterDiscontinuityTime), 0 or None for never.
    """

    name: str
    role: str
    rx_bytes_total: int
    tx_bytes_total: int
    bits: int = 64
    discontinuity_s: float | None = None


@dataclass(frozen=True, slots=True)
class AccessPointReading:
    """An access point as its controller tells of it. `key` is unique under that controller and
    lasts: its MAC where told, else its serial number, else its name. `up` is what the controller
    says.
    """

    key: str
    name: str = ""
    mac: str = ""
    """Lower case, with colons; empty if not told."""
    serial: str = ""
    model: str = ""
    address: str = ""
    up: bool | None = None
    uptime_s: float | None = None
    clients: int | None = None
    radios: tuple[RadioReading, ...] = ()
    ssids: tuple[SsidReading, ...] = ()


@dataclass(slots=True)
class DeviceReading:
    """What one poll found out about a device. Uptimes in seconds."""

    device_id: str
    answered: bool
    rtt_ms: float | None = None
    error: str = ""
    family: str = ""
    profile: str = ""
    sys_name: str | None = None
    uptime_s: float | None = None
    """Since the device started (hrSystemUptime), else since its agent did."""
    agent_uptime_s: float | None = None
    engine_boots: int | None = None
    engine_s: float | None = None
    """snmpEngineBoots and snmpEngineTime (RFC 3411), where the agent tells them."""
    cpu_pct: float | None = None
    mem_pct: float | None = None
    clients: int | None = None
    radios: tuple[RadioReading, ...] = ()
    ssids: tuple[SsidReading, ...] = ()
    interfaces: tuple[InterfaceReading, ...] = ()
    access_points: tuple[AccessPointReading, ...] = ()
    """Those that this controller looks after."""
    left_out: str = ""
    """What of it was too much to keep, for people."""
    took_s: float = 0.0
