"""One device read on demand, and its reading in the form that `farola snmp probe` prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from collectors.snmp.book import ProfileBook
from collectors.snmp.model import (
    AccessPointReading,
    DeviceReading,
    RadioReading,
    SsidReading,
    Target,
)
from collectors.snmp.poller import Poller
from collectors.snmp.read import Reader

MOST_TIMEOUT_S = 60.0


async def read_one(
    poller: Poller, target: Target, book: ProfileBook | None = None
) -> DeviceReading:
    """Read `target` now, by the families of `book`, those of Farola unless given."""
    readings = [reading async for reading in Reader(poller, book).read([target])]
    return readings[0]


def what_lacks(reading: DeviceReading, timeout_s: float) -> str:
    """What a reading lacks and what may help; empty if it is complete. It was asked with
    `timeout_s`.
    """
    if not reading.error:
        return ""
    said = f"read only in part: {reading.error}"
    if "no answer" in said or "given up" in said:
        said += f"; try it with --timeout {min(MOST_TIMEOUT_S, 5 * timeout_s):g}"
    return said


def probe_json(reading: DeviceReading, lacks: str = "") -> dict[str, Any]:
    """The keys that docs/collecting.md names; `lacks` is what `what_lacks` says."""
    return {
        "complete": not reading.error,
        "error": lacks or reading.error,
        "family": reading.family,
        "profile": reading.profile,
        "sys_name": reading.sys_name,
        "uptime_s": reading.uptime_s,
        "agent_uptime_s": reading.agent_uptime_s,
        "clients": reading.clients,
        "cpu_pct": reading.cpu_pct,
        "mem_pct": reading.mem_pct,
        "radios": _radios(reading.radios),
        "ssids": _ssids(reading.ssids),
        "interfaces": [
            {
                "name": interface.name,
                "role": interface.role,
                "rx_bytes_total": interface.rx_bytes_total,
                "tx_bytes_total": interface.tx_bytes_total,
            }
            for interface in reading.interfaces
        ],
        "access_points": [_access_point(one) for one in reading.access_points],
    }


def access_point_rows(access_points: Iterable[AccessPointReading]) -> list[list[object]]:
    """Access points as a person reads them: name, key, model, address, up, channels, clients."""
    return [
        [
            one.name,
            one.key,
            one.model,
            one.address,
            "–" if one.up is None else "yes" if one.up else "no",
            " ".join(str(radio.channel) for radio in one.radios if radio.channel is not None),
            "–" if one.clients is None else one.clients,
        ]
        for one in access_points
    ]


def _radios(radios: Iterable[RadioReading]) -> list[dict[str, Any]]:
    keys = (
        "name", "band", "channel", "clients", "utilization_pct", "noise_dbm", "tx_power_dbm"
    )  # fmt: skip
    return [{key: getattr(radio, key) for key in keys} for radio in radios]


def _ssids(ssids: Iterable[SsidReading]) -> list[dict[str, Any]]:
    return [{"name": ssid.name, "clients": ssid.clients} for ssid in ssids]


def _access_point(one: AccessPointReading) -> dict[str, Any]:
    return asdict(one) | {"radios": _radios(one.radios), "ssids": _ssids(one.ssids)}
