"""Hours and days of devices, interfaces, radios and groups, made of raw rows' figures. Pure.

Sums, counts and maxima are kept, never means: so hours add up to days, and devices to groups.
docs/timeseries.md tells what each field is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from timeseries.base import COUNT, LAST, MOST, SCHEMA, SUM, Aggregate, Batch, Table, Value
from timeseries.tags import clean_tags

CITY = ("city", "city")
SUMMED = ("rtt_ms", "clients", "cpu_pct", "mem_pct", "utilization_pct", "noise_dbm")
"""Raw fields of which sum and count are kept, and the most where the rollup has it."""
TRAFFIC = ("rx_bytes", "tx_bytes", "interval_s")
RAW = ("device", "interface", "radio")


def _of_raw(measurement: str) -> dict[str, Aggregate]:
    """What is asked of the raw rows of an hour."""
    raw, rollup = SCHEMA[measurement].fields, SCHEMA[f"{measurement}_hour"].fields
    asked: dict[str, Aggregate] = {}
    for name in SUMMED:
        if name in raw:
            for how in (SUM, COUNT, MOST):
                if f"{name}_{how}" in rollup:
                    asked[f"{name}_{how}"] = Aggregate(name, how)
    if measurement == "device":
        asked |= {
            "polls": Aggregate("answered"),
            "answered": Aggregate("answered", COUNT, equals=True),
            "up": Aggregate("state", COUNT, equals="up"),
            "down": Aggregate("state", COUNT, equals="down"),
            "reboots": Aggregate("reboots", LAST),
        }
    if measurement == "interface":
        asked |= {name: Aggregate(name, SUM) for name in TRAFFIC}
        asked |= {
            "rows": Aggregate("rx_bytes_total"),
            "as_uplink": Aggregate("uplink", equals=True),
        }
    return asked


OF_RAW: dict[str, dict[str, Aggregate]] = {name: _of_raw(name) for name in RAW}
"""By measurement the figures of its raw rows that an hour's rollup is made of. One of `interface`
is no field: in how many rows it was the uplink."""


def of_hours(measurement: str) -> dict[str, Aggregate]:
    """What is asked of the hours of `device`, `interface`, `radio` or `group`, for a day."""
    return {name: Aggregate(name, _joined(name)) for name in SCHEMA[f"{measurement}_hour"].fields}


def _joined(name: str) -> str:
    """How a field of several hours, or devices, becomes one."""
    if name == "reboots":
        return LAST
    return MOST if name == "devices" or name.endswith("_max") else SUM


def uplinks_of(interfaces: Table) -> frozenset[tuple[str, str]]:
    """Of figures by device and interface those that were the uplink in any row: so late rows only
    ever add.
    """
    return frozenset(
        (device, name)
        for device, name, as_uplink in zip(
            interfaces.tags["device"],
            interfaces.tags["interface"],
            interfaces.fields["as_uplink"],
            strict=True,
        )
        if as_uplink
    )


def traffic_of(interfaces: Table, uplinks: Collection[tuple[str, str]]) -> Table:
    """The traffic of each device's uplinks, of figures by device and interface."""
    sums: dict[str, list[Value]] = {}
    columns = [interfaces.fields[name] for name in TRAFFIC]
    keys = zip(interfaces.tags["device"], interfaces.tags["interface"], strict=True)
    for row, key in enumerate(keys):
        if key not in uplinks:
            continue
        of_device = sums.setdefault(key[0], [None] * len(TRAFFIC))
        for place, column in enumerate(columns):
            if column[row] is not None:
                of_device[place] = _number(of_device[place]) + _number(column[row])
    return Table(
        [0] * len(sums),
        {"device": list(sums)},
        {name: [one[place] for one in sums.values()] for place, name in enumerate(TRAFFIC)},
    )


def joined(devices: Table, traffic: Table) -> Table:
    """The devices' figures with their traffic, where there is some."""
    places = {device: row for row, device in enumerate(traffic.tags["device"])}
    rows = [places.get(device) for device in devices.tags["device"]]
    fields = dict(devices.fields)
    for name, column in traffic.fields.items():
        fields[name] = [None if row is None else column[row] for row in rows]
    return Table(devices.times, devices.tags, fields)


def rows_of(measurement: str, at_ms: int, table: Table) -> Batch:
    """The rollup rows of one window: what of `table` are fields of `measurement`."""
    shape = SCHEMA[measurement]
    return Batch(
        measurement,
        [at_ms] * len(table),
        # Raw rows of before addresses were masked may still hold one.
        {tag: clean_tags(tag, table.tags[tag]) for tag in shape.tags},
        {name: column for name, column in table.fields.items() if name in shape.fields},
    )


GroupsOf = Callable[[str], Sequence[tuple[str, str]]]


@dataclass
class Groups:
    """Adds devices' figures up to their groups', those of the city included."""

    _names: dict[tuple[str, str], int] = field(default_factory=dict)
    _members: list[set[str]] = field(default_factory=list)
    _sums: dict[str, list[float | None]] = field(
        default_factory=lambda: {
            name: [] for name in SCHEMA["group_hour"].fields if name != "devices"
        }
    )

    def add(self, devices: Table, groups_of: GroupsOf, *, polled: bool = True) -> None:
        """Add rows by device: each counts for those of `groups_of` it, kind and id as tags. Those
        that were not `polled` are no more `devices`.
        """
        places: list[tuple[int, ...]] = [
            tuple(map(self._place, groups_of(device))) for device in devices.tags["device"]
        ]
        for device, own in zip(devices.tags["device"], places, strict=True) if polled else ():
            for place in own:
                self._members[place].add(device)
        for name, sums in self._sums.items():
            column = devices.fields.get(name)
            if column is None:
                continue
            if _joined(name) == MOST:
                for place, value in _told(places, column):
                    before = sums[place]
                    sums[place] = value if before is None or value > before else before
            else:
                for place, value in _told(places, column):
                    before = sums[place]
                    sums[place] = value if before is None else before + value

    def rows(self, at_ms: int) -> Batch:
        """The groups' rows of the hour."""
        fields: dict[str, list[Value]] = {name: [*sums] for name, sums in self._sums.items()}
        fields["devices"] = [*map(len, self._members)]
        return Batch(
            "group_hour",
            [at_ms] * len(self._names),
            {
                "kind": [kind for kind, _ in self._names],
                "group": [group for _, group in self._names],
            },
            fields,
        )

    def _place(self, name: tuple[str, str]) -> int:
        place = self._names.get(name)
        if place is None:
            place = self._names[name] = len(self._names)
            self._members.append(set())
            for sums in self._sums.values():
                sums.append(None)
        return place


def always(groups: Sequence[tuple[str, str]]) -> GroupsOf:
    """The same groups, whichever device it is."""
    return lambda _device: groups


def _told(
    places: Sequence[tuple[int, ...]], column: Sequence[Value]
) -> Iterator[tuple[int, float]]:
    for own, value in zip(places, column, strict=True):
        if value is not None:
            for place in own:
                yield place, value  # type: ignore[misc]  # figures are numbers


def _number(value: Value) -> float:
    return value if isinstance(value, int | float) else 0
