"""What passes between the poller, the decoder and the store: frozen records, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Oid = tuple[int, ...]
RawValue = int | bytes | Oid
"""INTEGER, counters, gauges and ticks as int; strings and addresses as bytes; OIDs as tuples."""
VarBinds = Mapping[Oid, RawValue]


@dataclass(frozen=True)
class Target:
    """A device to ask: SNMP v2c at `address`:`port`. The community never shows in its repr."""

    device_id: str
    address: str
    port: int = 161
    community: str = field(default="public", repr=False)
    timeout_s: float = 1.0
    retries: int = 1
    deadline_s: float = 20.0
    """For all its answers together: a device that dawdles holds up no city's poll."""


@dataclass(frozen=True)
class Question:
    """One round of asking: `scalars` by GET, and the columns of each table by GETBULK."""

    scalars: tuple[Oid, ...] = ()
    tables: tuple[tuple[Oid, ...], ...] = ()


@dataclass(frozen=True)
class Answer:
    """All that a device said in one poll.

    A table that could not be walked to its end is left out whole: a sum over half of its rows
    would be a wrong value. `error` says what went wrong, also where something was answered.
    """

    target: Target
    answered: bool
    rtt_ms: float | None = None
    values: VarBinds = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class RadioReading:
    """A radio: noise and power in dBm, utilization in percent of air time, band in GHz or empty."""

    name: str
    band: str = ""
    clients: int | None = None
    channel: int | None = None
    utilization_pct: float | None = None
    noise_dbm: float | None = None
    tx_power_dbm: float | None = None


@dataclass(frozen=True)
class SsidReading:
    """A network that the device announces, with its clients on all radios."""

    name: str
    clients: int | None = None


@dataclass(frozen=True)
class InterfaceReading:
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


@dataclass(frozen=True)
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
    cpu_pct: float | None = None
    mem_pct: float | None = None
    clients: int | None = None
    radios: tuple[RadioReading, ...] = ()
    ssids: tuple[SsidReading, ...] = ()
    interfaces: tuple[InterfaceReading, ...] = ()
