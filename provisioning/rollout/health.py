"""Post-checks of a wave: whether what was pushed serves its people as before. Asking comes first,
then pure functions decide.

Every check says yes, no, or that it cannot be told: where nothing polls, or nobody was ever there,
silence is no fault of the push.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from farola.errors import FarolaError
from inventory.records import DeviceRecord, Secrets
from napalm_openwrt.fetching import NOT_FOUND, fetch_command, read_answer
from provisioning.platforms.choosing import for_each, why
from provisioning.platforms.drivers import open_driver
from timeseries import Store, Table
from timeseries.base import Aggregate

WEEKS = 4
"""Weeks looked back for the same hour of the week."""
LEAST_WEEKS = 2
USUAL = 5.0
"""Clients at that hour from which on an empty access point tells something: where 5 are usual, none
by chance is 1 in 148 (Poisson), and the hour before counts too.
"""
WAVE_USUAL, WAVE_SHARE = 20.0, 0.3
"""Usual clients of a wave from which on it is judged whole, and the share that must be back."""
WATCHED = timedelta(hours=1)
"""A device that answered no poll in this time before its push is not watched."""
ONE_BY_ONE = 20
"""Devices up to which the store is asked for each alone."""
FETCH_S = 5


@dataclass(frozen=True)
class Check:
    """A post-check's answer; `ok` None is "cannot be told"."""

    ok: bool | None
    detail: str


@dataclass(frozen=True)
class Seen:
    """What the series hold of one device, before its push and since."""

    answered_before: int = 0
    polls_since: int = 0
    answered_since: int = 0
    clients_since: float | None = None
    """Most clients in a poll since; None where no poll told."""
    usual_clients: tuple[float, ...] = ()
    """Mean clients of the same hour in weeks before, of those weeks that have it."""


def check_wave(
    devices: Sequence[DeviceRecord],
    pushed_at: Mapping[str, datetime],
    *,
    store: Store | None,
    secrets: Mapping[str, Secrets],
    zone: ZoneInfo,
    portal_url: str = "",
    settled_at: datetime | None = None,
    now: datetime | None = None,
) -> dict[str, dict[str, Check]]:
    """Check each device of a wave: `ssh`, `poll`, `clients`, `portal`.

    Parameters
    ----------
    pushed_at
        When each device's push ended, UTC.
    store
        The time series; None where they cannot be read, and nothing is told from them.
    secrets
        Credentials in the clear, by name.
    settled_at
        When the wave's radios have listened for radar; clients before that do not count.

    Returns checks by device id and name. Never raises for a device or the store.
    """
    now = now or datetime.now(UTC)
    checks: dict[str, dict[str, Check]] = {}

    def one(device: DeviceRecord) -> tuple[str, dict[str, Check]]:
        return device.id, ask_device(device, secrets.get(device.credential_name or ""), portal_url)

    for device_id, found in for_each(devices, one, lambda _n: None):
        checks[device_id] = found
    since = max(pushed_at.values(), default=now)  # all of the wave have it since then
    try:
        seen = look(
            store, [d.id for d in devices], since, settled=settled_at or since, zone=zone, now=now
        )
    except FarolaError as error:
        told = Check(None, f"the time series cannot be read: {error}")
        for found in checks.values():
            found |= {"poll": told, "clients": told}
        return checks
    clients = judge_clients(seen)
    for device in devices:
        checks[device.id] |= {
            "poll": judge_poll(seen[device.id]), "clients": clients[device.id],
        }  # fmt: skip
    return checks


def ask_device(device: DeviceRecord, secrets: Secrets | None, portal_url: str) -> dict[str, Check]:
    """Sign in over a new connection, and fetch the portal's page from there; never raises."""
    from napalm.base.exceptions import NapalmException

    checks = {"portal": Check(None, "no [checks] portal_url in farola.toml")}
    try:
        driver = open_driver(device, secrets)
        driver.open()
        try:
            checks["ssh"] = Check(True, "signed in")
            session: Any = getattr(driver, "session", None)
            if portal_url and session is None:
                checks["portal"] = Check(None, "this platform cannot fetch a page")
            elif portal_url and session is not None:
                said = session.run(fetch_command(portal_url, FETCH_S), timeout=3 * FETCH_S)
                checks["portal"] = judge_page(said.status, said.stdout + said.stderr)
        finally:
            driver.close()
    except (FarolaError, NapalmException, OSError, ValueError) as error:
        checks.setdefault("ssh", Check(False, why(error)))
        if portal_url:
            checks["portal"] = Check(None, "not asked: the sign-in or the session failed")
    return checks


def look(
    store: Store | None, ids: Sequence[str], since: datetime, *, settled: datetime,
    zone: ZoneInfo, now: datetime,
) -> dict[str, Seen]:  # fmt: skip
    """Read the series for `ids`; StoreError where they cannot be read."""
    if store is None:
        return {device_id: Seen() for device_id in ids}
    polls = {"polls": Aggregate("answered"), "answered": Aggregate("answered", equals=True)}
    before = _figures(store, "device", polls, (since - WATCHED, since), ids)
    after = _figures(store, "device", polls, (since, now), ids)
    most_of = {"clients": Aggregate("clients", "max")}
    most = _figures(store, "device", most_of, (settled, now), ids)
    sums = {"sum": Aggregate("clients_sum", "sum"), "count": Aggregate("clients_count", "sum")}
    usual: dict[str, list[float]] = {}
    for start in same_hours(now, zone):
        hour = _figures(store, "device_hour", sums, (start, start + timedelta(hours=1)), ids)
        for device_id, told in hour.items():
            if told["count"]:
                usual.setdefault(device_id, []).append((told["sum"] or 0.0) / told["count"])
    nothing = {"polls": 0.0, "answered": 0.0}
    return {
        device_id: Seen(
            answered_before=int(before.get(device_id, nothing)["answered"] or 0),
            polls_since=int(after.get(device_id, nothing)["polls"] or 0),
            answered_since=int(after.get(device_id, nothing)["answered"] or 0),
            clients_since=most.get(device_id, {}).get("clients"),
            usual_clients=tuple(usual.get(device_id, ())),
        )
        for device_id in ids
    }


def same_hours(now: datetime, zone: ZoneInfo) -> list[datetime]:
    """The beginnings of this hour of the week in the weeks before, by the city's clock, as UTC."""
    hour = now.astimezone(zone).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    return [
        (hour - timedelta(weeks=back)).replace(tzinfo=zone).astimezone(UTC)
        for back in range(1, WEEKS + 1)
    ]


def _figures(
    store: Store, measurement: str, of: Mapping[str, Aggregate], span: tuple[datetime, datetime],
    ids: Sequence[str],
) -> dict[str, dict[str, float | None]]:  # fmt: skip
    """Figures by device, of `ids` at least."""
    start, end = span
    if end <= start:
        return {}
    if len(ids) > ONE_BY_ONE:
        tables = [store.aggregates(measurement, of, start, end, by=("device",))]
    else:
        tables = [
            store.aggregates(measurement, of, start, end, by=("device",), where={"device": one})
            for one in ids
        ]
    return {
        device_id: {name: _number(table, name, i) for name in of}
        for table in tables
        for i, device_id in enumerate(table.tags["device"])
    }


def _number(table: Table, name: str, i: int) -> float | None:
    value = table.fields[name][i]
    return float(value) if isinstance(value, int | float) else None


def judge_poll(seen: Seen) -> Check:
    """Whether a device that was watched before its push answers polls since."""
    if seen.answered_since:
        return Check(True, "answers polls")
    if not seen.answered_before:
        return Check(None, "it answered no poll in the hour before its push")
    if not seen.polls_since:
        return Check(None, "no poll since: does `farola collect run` run?")
    return Check(False, f"answered none of {seen.polls_since} polls since its push")


def judge_clients(wave: Mapping[str, Seen]) -> dict[str, Check]:
    """Whether clients are back, against the same hour of the week, where there usually are some."""
    usual = {
        device_id: median(seen.usual_clients)
        for device_id, seen in wave.items()
        if len(seen.usual_clients) >= LEAST_WEEKS
    }
    told = {d: seen.clients_since for d, seen in wave.items() if seen.clients_since is not None}
    both = usual.keys() & told.keys()
    expected, there = sum(usual[d] for d in both), sum(told[d] for d in both)
    low = expected >= WAVE_USUAL and there < WAVE_SHARE * expected
    return {
        device_id: _clients(usual.get(device_id), told.get(device_id), low and
                            f"; the wave has {there:.0f} where {expected:.0f} are usual")
        for device_id in wave
    }  # fmt: skip


def _clients(usual: float | None, there: float | None, wave: str | bool) -> Check:
    if usual is None:
        return Check(None, "not enough weeks to know what is usual at this hour")
    if there is None:
        return Check(None, "no poll since told of clients")
    words = f"{there:.0f} clients where {usual:.0f} are usual at this hour"
    if there == 0 and usual >= USUAL:
        return Check(False, words)
    if wave and usual >= 1 and there < WAVE_SHARE * usual:
        return Check(False, f"{words}{wave}")
    return Check(True, words)


def judge_page(status: int, text: str) -> Check:
    """Whether a page came, from what the program that fetched it said."""
    http, said = read_answer(status, text)
    if http > 0:
        return Check(http < 500, f"HTTP {http}")
    if http == 0:
        return Check(False, said)
    missing = status == NOT_FOUND or "not found" in text
    return Check(None, "the access point has nothing to fetch a page with" if missing else
                 f"the program that fetches ended with {status}")  # fmt: skip
