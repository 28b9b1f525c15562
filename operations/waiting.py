"""What waits on this machine's disk for the store's server, as `farola status` and `farola doctor`
tell it.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from farola.errors import StoreError
from farola.times import show_instant
from operations.examinations import Check
from timeseries.opening import open_spool

if TYPE_CHECKING:
    from farola.settings import Settings
    from timeseries.spool_file import Backlog


def read_backlog(settings: Settings) -> Backlog:
    """Look into the spool; nothing is made. StoreError where it cannot be read."""
    spool = open_spool(settings)
    try:
        return spool.backlog()
    finally:
        spool.close()


def spool_of(settings: Settings) -> dict[str, Any]:
    """The backlog as `farola status --json` has it, with `error` where it cannot be read."""
    try:
        return asdict(read_backlog(settings)) | {"error": ""}
    except StoreError as error:
        return {"error": str(error)}


def spool_line(spool: dict[str, Any], now: datetime) -> str:
    """One line for people; empty where there is nothing to tell."""
    if spool["error"]:
        return f"cannot be read: {spool['error']}"
    parts = []
    if spool["rows"]:
        age = now - datetime.fromtimestamp(spool["oldest_ms"] / 1000, UTC)
        minutes = max(0, int(age.total_seconds() // 60))
        parts.append(
            f"{spool['rows']:,} rows wait for the server ({spool['bytes'] / 1e6:,.1f} MB), "
            f"the oldest for {minutes:,} min"
        )
    if spool["fault"]:
        parts.append(f"when last tried: {spool['fault']}")
    if spool["dropped_rows"]:
        since = show_instant(
            datetime.fromtimestamp(spool["dropped_since_ms"] / 1000, UTC), ZoneInfo("UTC")
        )
        parts.append(
            f"{spool['dropped_rows']:,} rows were LOST since {since}: the spool was full, or they "
            "were older than the server keeps rows (`farola store quarantine --losses-known` "
            "takes note)"
        )
    if spool["quarantined"]:
        parts.append(f"{spool['quarantined']:,} refused: `farola store quarantine`")
    return "; ".join(parts)


def spool_check(settings: Settings) -> Check:
    """Whether all that was measured reached the server."""
    try:
        backlog = read_backlog(settings)
    except StoreError as error:
        return Check("spool", False, str(error))
    told = spool_line(asdict(backlog) | {"error": ""}, datetime.now(UTC))
    fine = not (backlog.fault or backlog.dropped_rows or backlog.quarantined)
    if settings.store.kind != "influx" and backlog.rows:
        fine, told = False, f"{told}, but [store] kind is {settings.store.kind}: nobody sends them"
    return Check(
        "spool", fine, told or "nothing waits",
        "docs/timeseries.md, When the server is away, says what to do", required=False,
    )  # fmt: skip
