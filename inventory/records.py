"""Frozen records that other rooms get from the inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a tenth of a second that most commands have no use for
    from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True)
class NeighbourhoodRecord:
    """A polygon (WGS84) with its residents and deprivation; None is unknown."""

    id: str
    name: str
    borough: str | None
    geometry: BaseGeometry
    population: float | None
    deprivation: float | None
    high_is_worse: bool
    grade: str | None
    no_internet: float | None = None
    """Share of residents without Internet at home, 0..100 %."""

    @property
    def badness(self) -> float | None:
        """Deprivation turned so that higher is always worse."""
        if self.deprivation is None:
            return None
        return self.deprivation if self.high_is_worse else -self.deprivation


@dataclass(frozen=True)
class SiteRecord:
    """A site; `lat` and `lon` in WGS84 degrees, `cost` in the city's currency."""

    id: str
    name: str
    lat: float
    lon: float
    kind: str
    status: str
    programme: str | None
    borough: str | None
    cost: float | None
    source: str
    height_m: float | None = None
    indoor: bool = False
    cost_parts: Mapping[str, float] = field(default_factory=dict, hash=False)
    """What `cost` is made of: `hardware`, `power`, `backhaul`, `fee`, as far as known."""
    timetable: Sequence[Mapping[str, str]] = field(default=(), hash=False)
    """Of a mobile site: `days`, `from`, `to`."""

    @property
    def stands(self) -> bool:
        """Whether it is live, and there all week: the stop of a van is not."""
        return self.status == "live" and self.kind != "mobile"


@dataclass(frozen=True)
class RadioRecord:
    """A radio and the site that its device is at now; None is unknown."""

    device_id: str
    site_id: str | None
    name: str
    band: str
    channel: int | None
    power_dbm: float | None
    antenna_dbi: float | None
    azimuth_deg: float | None
    beamwidth_deg: float | None
    tilt_deg: float | None


@dataclass(frozen=True)
class BuildingRecord:
    """An outline (WGS84), its height in metres and what its walls are of."""

    id: str
    geometry: BaseGeometry
    height_m: float | None
    wall: str


@dataclass(frozen=True)
class DeviceRecord:
    """A device and the site it is at now."""

    id: str
    name: str
    role: str
    platform: str | None
    management_address: str | None
    ssh_port: int
    snmp_port: int
    mac: str | None
    serial: str | None
    credential_name: str | None
    host_key: str | None
    status: str
    source: str
    site_id: str | None
    snmp_answers_from: str = ""
    controller_id: str | None = None


@dataclass(frozen=True, repr=False)
class Secrets:
    """A credential in the clear. Its repr shows the name only: it must never reach a log."""

    name: str
    username: str
    values: dict[str, str]

    def __repr__(self) -> str:
        """Name only."""
        return f"Secrets({self.name!r}, •••)"


@dataclass(frozen=True)
class UsageRecord:
    """Use of the portal at a place from `start` to the day before `end`."""

    scope: str
    place: str
    kind: str
    start: date
    end: date
    users: float | None
    sessions: float | None
    minutes: float | None
    source: str


@dataclass(frozen=True)
class EventRecord:
    """Something that happened, `at` in UTC."""

    id: int
    at: datetime
    kind: str
    device_id: str | None
    site_id: str | None
    actor: str
    text: str
    detail: dict[str, Any]
