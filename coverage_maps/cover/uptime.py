"""How much of the time each site was up, window by window, from what the store keeps of devices.

A window is an hour of the city's clock, or a day where hours are gone or too many to read. In it a
device was up for up / (up + down) of its polls; a lost answer is neither. Whatever was to blame
(its own fault, a switch, the power), who stands there has no Wi-Fi: that is what counts here, and
what sets it apart from `farola collect availability`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from coverage_maps.cover.projection import Floats
from timeseries.base import COUNT, SUM, Aggregate, Store, Table
from timeseries.windows import day_of, hour_of

HOUR, DAY = "hour", "day"
READ_BY_HOUR = 2000
"""Devices that were ever down: with more of them their days are read, not their hours."""
FEWEST_FOR_NETWORK = 5
Stay = tuple[datetime, datetime | None, str]
"""From, to (None is still), site."""
Windows = dict[int, tuple[float, float]]
"""By the window's start (milliseconds since 1970): polls that were up and down."""
Counts = dict[str, Windows]
"""The same by device."""
CITY = {"kind": "city", "group": "city"}
FIELDS = ("up", "down")
DAY_MS = 86_400_000

_RAW = {
    "up": Aggregate("state", COUNT, equals="up"), "down": Aggregate("state", COUNT, equals="down"),
}  # fmt: skip
_KEPT = {"up": Aggregate("up", SUM), "down": Aggregate("down", SUM)}


@dataclass(frozen=True, eq=False)
class Uptime:
    """What is known of the sites between `start` and `end`."""

    start: datetime
    end: datetime
    every: str = HOUR
    """Length of a window: `hour` or `day`."""
    windows: int = 0
    """Windows in which something is known of the city; only they count."""
    left_out: int = 0
    """Hours left out because most of the city fell silent at once: the collector's own network."""
    always: frozenset[str] = frozenset()
    """Sites that were up whenever anything was known of them."""
    sometimes: Mapping[str, Floats] = field(default_factory=dict)
    """Of the other measured sites the share up, 0..1, in each window, shape (windows,)."""

    def mean(self, site: str) -> float | None:
        """Share of the time that `site` was up, 0..1; None where nothing is known of it."""
        if site in self.always:
            return 1.0
        return float(self.sometimes[site].mean()) if site in self.sometimes else None


def period(days: int, zone: ZoneInfo, now: datetime | None = None) -> tuple[datetime, datetime]:
    """From the midnight (of the city) `days` days ago until now."""
    end = now or datetime.now(UTC)
    first = day_of(_ms(end - timedelta(days=days)), zone)
    return first.begins, end


def read_uptime(
    store: Store, stays: Mapping[str, Sequence[Stay]], sites: Collection[str],
    span: tuple[datetime, datetime], zone: ZoneInfo,
    *, advance: Callable[[int], None] = lambda _n: None,
) -> Uptime:  # fmt: skip
    """The uptime of `sites` (ids) in the time `span`. `stays` tells where each device ever was
    (those of `inventory.maintenance.placements`); its first stay counts from always.

    Rollups are read where they are made, raw rows after them. StoreError.
    """
    start, end = span
    every, city, counts = _read(store, start, end, zone, advance)
    times = sorted(at for at, (up, down) in city.items() if up + down > 0)
    now = hour_of(_ms(end), zone) if every == HOUR else day_of(_ms(end), zone)
    if len(times) > 1 and times[-1] >= now.start:
        times.pop()  # it is not over
    silent = _silent(times, city) if every == HOUR and len(counts) >= FEWEST_FOR_NETWORK else set()
    times = [at for at in times if at not in silent]
    always, sometimes = _by_site(counts, stays, set(sites), np.array(times, dtype=np.int64))
    return Uptime(start, end, every, len(times), len(silent), always, sometimes)


def _read(
    store: Store, start: datetime, end: datetime, zone: ZoneInfo, advance: Callable[[int], None]
) -> tuple[str, Windows, Counts]:
    """The kind of window, the city's windows, and the devices'. A device that was never down has
    one window for all the time that it was known: what it was in each does not matter.
    """
    days = _windows(store.series("group_day", CITY, start, end, FIELDS))
    hours = _windows(store.series("group_hour", CITY, start, end, FIELDS))
    if days and (not hours or min(hours) > min(days) + 2 * DAY_MS):
        return DAY, days, _by_device(store.series("device_day", {}, start, end, FIELDS))
    rest = hour_of(max(hours), zone).ends if hours else start
    newest = _by_device(store.aggregates("device", _RAW, rest, end, by=("device",), every_s=3600))
    for of_device in newest.values():
        for at, (up, down) in of_device.items():
            before = hours.get(at, (0.0, 0.0))
            hours[at] = before[0] + up, before[1] + down
    if rest == start:
        return HOUR, hours, newest
    whole = day_of(max(days), zone).ends if days else start
    known: dict[str, tuple[float, float]] = {}
    for measurement, since, until in (("device_day", start, whole), ("device_hour", whole, rest)):
        if since < until:
            of = store.aggregates(measurement, _KEPT, since, until, by=("device",))
            for device, _, up, down in _rows(of):
                before = known.get(device, (0.0, 0.0))
                known[device] = before[0] + up, before[1] + down
    down_once = {device for device, (_, down) in known.items() if down}
    down_once |= {d for d, rows in newest.items() if any(down for _, down in rows.values())}
    if len(down_once) > READ_BY_HOUR and len(days) > 1:
        return DAY, days, _by_device(store.series("device_day", {}, start, end, FIELDS))
    counts: Counts = {
        device: {min(hours): (up, down)} for device, (up, down) in known.items() if up + down
    }
    for device in sorted(down_once):
        table = store.series("device_hour", {"device": device}, start, rest, FIELDS)
        counts[device] = _by_device(table).get(device, {})
        advance(1)
    for device, rows in newest.items():
        counts.setdefault(device, {}).update(rows)
    return HOUR, hours, counts


def _by_device(table: Table) -> Counts:
    counts: Counts = defaultdict(dict)
    for device, at, up, down in _rows(table):
        if up + down:
            counts[device][at] = up, down
    return dict(counts)


def _windows(table: Table) -> Windows:
    columns = table.times, table.fields.get("up", []), table.fields.get("down", [])
    return {at: (_number(up), _number(down)) for at, up, down in zip(*columns, strict=True)}


def _rows(table: Table) -> Iterator[tuple[str, int, float, float]]:
    if not len(table):
        return
    columns = table.tags["device"], table.times, table.fields["up"], table.fields["down"]
    for device, at, up, down in zip(*columns, strict=True):
        yield device, at, _number(up), _number(down)


def _silent(times: Sequence[int], city: Windows) -> set[int]:
    """The first hour of each time in which more than half of the city was down: as nobody
    believes that. Later ones count, for a fault that lasts must not hide.
    """
    found, before = set(), False
    for at in times:
        up, down = city[at]
        most = down > up
        if most and not before:
            found.add(at)
        before = most
    return found


def _by_site(
    counts: Counts, stays: Mapping[str, Sequence[Stay]], sites: set[str],
    times: NDArray[np.int64],
) -> tuple[frozenset[str], dict[str, Floats]]:  # fmt: skip
    """Sites that were always up, and the others' share in each window.

    Devices of one site are taken to fail together: it is up as much as the best of them. A window
    in which nothing is known of a site has the mean of its others.
    """
    always: set[str] = set()
    best: dict[str, Floats] = {}
    for device, windows in counts.items():
        of_device = stays.get(device, ())
        own = [stay for stay in of_device if stay[2] in sites]
        if not own or not windows:
            continue
        faultless = not any(down for _, down in windows.values())
        if faultless and len(of_device) == 1:
            always.add(own[0][2])
            continue
        up = np.full(len(times), np.nan)
        for at, (answered, down) in windows.items():
            place = int(np.searchsorted(times, at))
            if place < len(times) and times[place] == at and answered + down:
                up[place] = answered / (answered + down)
        if faultless:
            up[:] = 1.0
        for since, until, site in own:
            first = since == of_device[0][0]
            here = (first | (times >= _ms(since))) & (times < (_ms(until) if until else np.inf))
            share = np.where(here, up, np.nan)
            best[site] = np.fmax(best[site], share) if site in best else share
    known = {
        site: np.where(np.isnan(share), np.nanmean(share), share)
        for site, share in best.items()
        if site not in always and not np.isnan(share).all()
    }
    always |= {site for site, share in known.items() if (share == 1.0).all()}
    return frozenset(always), {s: share for s, share in known.items() if s not in always}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
