"""The devices as the NOC sees them: the inventory joined with the newest sample of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from farola.errors import FarolaError
from inventory import queries
from inventory.records import DeviceRecord, SiteRecord

if TYPE_CHECKING:
    from inventory.db import Inventory
    from timeseries.base import Store, Table

STATES = ("down", "unknown", "up")
"""Worst first, as the list is sorted."""
STALE_MS = 15 * 60_000
"""A device whose newest sample is this much older than the city's newest is unknown."""

LOOK_BACK = timedelta(days=7)
"""What is older says nothing about the present."""


@dataclass(frozen=True)
class Row:
    """A device with its site and its newest sample; `sampled` in UTC milliseconds."""

    id: str
    name: str
    address: str | None
    mac: str | None
    serial: str | None
    platform: str | None
    site_id: str | None
    site: str
    borough: str
    state: str = "unknown"
    answered: bool = False
    clients: int | None = None
    rtt_ms: float | None = None
    sampled: int | None = None


@dataclass(frozen=True)
class Fleet:
    """All devices at one moment. `trouble` says why states are missing, where they are."""

    rows: tuple[Row, ...]
    newest: int | None
    """The city's newest sample, UTC milliseconds."""
    read_at: datetime
    trouble: str = ""

    @property
    def by_state(self) -> Counter[str]:
        """How many devices are in each state."""
        return Counter(row.state for row in self.rows)

    @property
    def clients(self) -> int:
        """People connected now, by the newest samples of devices that are up."""
        return sum(row.clients or 0 for row in self.rows if row.state == "up")


def load_fleet(inventory: Inventory, store: Callable[[], Store]) -> Fleet:
    """Read inventory and store; a store that is down leaves states unknown and says so.

    `store` is called in this thread, as SQLite's connections are not shared.
    """
    with inventory.session() as session:
        devices = queries.devices(session)
        sites = {site.id: site for site in queries.sites(session)}
    rows = [_row(device, sites.get(device.site_id or "")) for device in devices]
    since = datetime.now(UTC) - LOOK_BACK
    try:
        latest = store().latest("device", ("state", "answered", "clients", "rtt_ms"), since)
    except FarolaError as error:
        return Fleet(tuple(rows), None, datetime.now(UTC), str(error))
    return Fleet(tuple(join(rows, latest)), max(latest.times, default=None), datetime.now(UTC))


def _row(device: DeviceRecord, site: SiteRecord | None) -> Row:
    return Row(
        device.id, device.name, device.management_address, device.mac, device.serial,
        device.platform, device.site_id, site.name if site else "",
        (site.borough or "") if site else "",
    )  # fmt: skip


def join(rows: Iterable[Row], latest: Table) -> list[Row]:
    """Give each row its newest sample; one much older than the city's newest tells nothing."""
    newest = max(latest.times, default=0)
    sample = dict(zip(latest.tags.get("device", []), range(len(latest)), strict=True))
    joined = []
    for row in rows:
        at = sample.get(row.id)
        if at is None:
            joined.append(row)
            continue
        time = latest.times[at]
        fresh = newest - time <= STALE_MS
        state = _value(latest, "state", at)
        joined.append(
            replace(
                row,
                state=str(state) if fresh and state in STATES else "unknown",
                answered=bool(_value(latest, "answered", at)),
                clients=_number(_value(latest, "clients", at)) if fresh else None,
                rtt_ms=_value(latest, "rtt_ms", at),
                sampled=time,
            )
        )
    return joined


def _value(table: Table, field: str, at: int) -> Any:
    column = table.fields.get(field)
    return column[at] if column else None


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


SORTS: dict[str, Callable[[Row], Any]] = {
    "state": lambda row: (STATES.index(row.state), row.name),
    "name": lambda row: row.name.casefold(),
    "site": lambda row: (row.site.casefold(), row.name),
    "borough": lambda row: (row.borough.casefold(), row.name),
    "clients": lambda row: -1 if row.clients is None else row.clients,
    "address": lambda row: row.address or "",
    "sampled": lambda row: row.sampled or 0,
}


def choose(
    rows: Sequence[Row], text: str = "", state: str = "", sort: str = "state", down: bool = False
) -> list[Row]:
    """Rows whose name, id, address, MAC, serial or site holds `text`, in the order asked for."""
    wanted = text.strip().casefold()
    bare = wanted.replace(":", "").replace("-", "")
    found = [
        row
        for row in rows
        if (not state or row.state == state) and (not wanted or _matches(row, wanted, bare))
    ]
    return sorted(found, key=SORTS.get(sort, SORTS["state"]), reverse=down)


def _matches(row: Row, wanted: str, bare: str) -> bool:
    if bare and row.mac and bare in row.mac.casefold().replace(":", "").replace("-", ""):
        return True
    fields = (row.name, row.id, row.address, row.serial, row.site, row.borough)
    return any(field and wanted in field.casefold() for field in fields)
