"""Turns what a device said into a reading, as its profile tells. Pure: no sockets, no clock.

A value that is missing, not a number, or outside what its field can be is None, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from collectors.snmp.book import SYS_NAME, Field, Named, Profile, Rows, oid_of, oids_of, text_of
from collectors.snmp.interfaces import read_interfaces
from collectors.snmp.model import (
    DeviceReading,
    Oid,
    Question,
    RadioReading,
    RawValue,
    Reply,
    SsidReading,
    Target,
    VarBinds,
)

Table = dict[object, dict[str, RawValue]]
"""Rows by index (a tuple, or text for named tables), each with its columns."""

LIMITS: Mapping[str, tuple[float, float]] = {
    "clients": (0, 100_000),
    "channel": (1, 253),
    "utilization_pct": (0, 100),
    "noise_dbm": (-130, 0),
    "tx_power_dbm": (-40, 60),
    "cpu_pct": (0, 100),
    "mem_pct": (0, 100),
    "uptime_s": (0, 2**32),
    "agent_uptime_s": (0, 2**32),
}
MAX_NAME = 64


def decode(
    target: Target, profile: Profile, reply: Reply, address_index: int | None = None
) -> DeviceReading:
    """The reading of a device of `profile`'s family, of its reply to `profile.question`.

    `address_index` is the ifIndex of the interface that holds the management address, if known.
    """
    values = varbinds(profile.question, reply)
    tables = _tables(values, profile)
    radios = _radios(tables, profile)
    ssids = tuple(
        SsidReading(name, _whole(fields.get("clients")))
        for name, fields in _things(tables, profile.ssids).items()
    )
    device = {
        name: _device_field(name, spec, values, tables) for name, spec in profile.device.items()
    }
    agent_uptime = device.get("agent_uptime_s")
    counted = [radio.clients for radio in radios if radio.clients is not None]
    if not counted:
        counted = [ssid.clients for ssid in ssids if ssid.clients is not None]
    return DeviceReading(
        device_id=target.device_id,
        answered=True,
        error=reply.error,
        family=profile.family,
        profile=profile.name,
        sys_name=text_of(values.get(SYS_NAME)),
        uptime_s=agent_uptime if device.get("uptime_s") is None else device.get("uptime_s"),
        agent_uptime_s=agent_uptime,
        cpu_pct=device.get("cpu_pct"),
        mem_pct=device.get("mem_pct"),
        clients=sum(counted) if counted else None,
        radios=radios,
        ssids=ssids,
        interfaces=read_interfaces(
            tables.get("interfaces", {}), profile, address_index, {radio.name for radio in radios}
        ),
    )  # fmt: skip


def varbinds(question: Question, reply: Reply) -> dict[Oid, RawValue]:
    """All values of a reply by OID."""
    found = {
        oid: value
        for oid, value in zip(question.scalars, reply.scalars, strict=True)
        if value is not None
    }
    for columns, table in zip(question.tables, reply.tables, strict=True):
        for column, cells in zip(columns, table or (), strict=False):
            found |= {(*column, *index): value for index, value in cells.items()}
    return found


def _tables(values: VarBinds, profile: Profile) -> dict[str, Table]:
    columns: dict[Oid, tuple[str, str]] = {
        oid: (table, column)
        for table, spec in profile.tables.items()
        for column, oid in spec.items()
    }
    named = {spec.column: name for name, spec in profile.named.items()}
    lengths = sorted({len(oid) for oid in (*columns, *named)})
    tables: dict[str, Table] = {name: {} for name in (*profile.tables, *profile.named)}
    for oid, value in values.items():
        for length in lengths:
            prefix, index = oid[:length], oid[length:]
            if prefix in columns:
                table, column = columns[prefix]
                tables[table].setdefault(index, {})[column] = value
            elif prefix in named:
                _add_named(tables[named[prefix]], profile.named[named[prefix]], index, value)
    for name, spec in profile.named.items():
        tables[name] = _rows_that_count(tables[name], spec, values)
    return tables


def _add_named(table: Table, spec: Named, index: Oid, value: RawValue) -> None:
    """Put `value` where its counted-string index says, for instance row wlan0, column clients."""
    if not index or index[0] != len(index) - 1 or any(code > 0x7F for code in index):
        return
    match = spec.split.match("".join(map(chr, index[1:])))
    if match:
        table.setdefault(match["row"], {})[match["column"]] = value


def _rows_that_count(table: Table, spec: Named, values: VarBinds) -> Table:
    listing = text_of(values.get(spec.listing)) if spec.listing else None
    if listing:
        names = {line.split(",")[0].strip(" \t\"'") for line in listing.splitlines()}
        return {row: columns for row, columns in table.items() if row in names}
    if spec.require:
        return {row: columns for row, columns in table.items() if spec.require in columns}
    return table


def _things(tables: Mapping[str, Table], sources: Iterable[Rows]) -> dict[str, dict[str, Any]]:
    """Radios or networks by name, in the order in which they appear, with raw fields."""
    things: dict[str, dict[str, list[float | str]]] = {}
    specs: dict[str, Field] = {}
    for source in sources:
        specs |= source.fields
        for index, row in tables.get(source.table, {}).items():
            name = _name(row.get(source.key) if source.key else index)
            if not name:
                continue
            thing = things.setdefault(name, {})
            for field, spec in source.fields.items():
                value = _converted(spec, row.get(spec.column))
                if value is not None:
                    thing.setdefault(field, []).append(value)
    return {
        name: {field: _combined(specs[field], items) for field, items in thing.items()}
        for name, thing in things.items()
    }


def _radios(tables: Mapping[str, Table], profile: Profile) -> tuple[RadioReading, ...]:
    radios = []
    for name, fields in _things(tables, profile.radios).items():
        channel, band = fields.get("channel"), str(fields.get("band", ""))
        mhz = profile_uses_mhz(profile) and channel is not None
        if mhz:
            channel, band = channel_of(float(channel))  # type: ignore[arg-type]  # not None here
        checked = {key: _checked(key, value) for key, value in fields.items() if key in LIMITS}
        radios.append(
            RadioReading(
                name=name,
                band=band,
                clients=_whole(checked.get("clients")),
                channel=_whole(_checked("channel", channel)),
                utilization_pct=checked.get("utilization_pct"),
                noise_dbm=checked.get("noise_dbm"),
                tx_power_dbm=checked.get("tx_power_dbm"),
            )
        )
    return tuple(radios)


def profile_uses_mhz(profile: Profile) -> bool:
    """Whether the family reports a radio's channel as its centre frequency."""
    return any(
        rows.fields["channel"].convert == "mhz"
        for rows in profile.radios
        if "channel" in rows.fields
    )


def channel_of(mhz: float) -> tuple[int | None, str]:
    """Channel and band of a centre frequency in MHz (IEEE 802.11-2020, annex E)."""
    if mhz == 2484:
        return 14, "2.4"
    for low, high, start, band in (
        (2412, 2472, 2407, "2.4"), (5160, 5885, 5000, "5"), (5955, 7115, 5950, "6")
    ):  # fmt: skip
        if low <= mhz <= high:
            return round((mhz - start) / 5), band
    return None, ""


def _device_field(
    name: str, spec: Mapping[str, Any], values: VarBinds, tables: Mapping[str, Table]
) -> float | None:
    if "oid" in spec:
        value = number_of(values.get(oid_of(spec["oid"])))
        return None if value is None else _checked(name, value * spec.get("scale", 1))
    if "mean" in spec:
        table, _, column = spec["mean"].partition(".")
        items = [number_of(row.get(column)) for row in tables.get(table, {}).values()]
        known = [item for item in items if item is not None]
        return _checked(name, sum(known) / len(known)) if known else None
    if "storage" in spec:
        in_use = _memory_of_storage(tables.get(spec["storage"], {}))
        if in_use is not None or "total" not in spec:
            return _checked(name, in_use)
    total = number_of(values.get(oid_of(spec["total"])))
    free = [number_of(values.get(oid)) for oid in oids_of(spec["free"])]
    if not total or free[0] is None:
        return None
    return _checked(name, 100 * (total - sum(part or 0 for part in free)) / total)


def _memory_of_storage(table: Table) -> float | None:
    """Percent of memory in use, of net-snmp's rows in hrStorageTable: physical memory without
    what the kernel gives back at once (buffers and cache).
    """
    rows = {text_of(row.get("name")): row for row in table.values()}
    physical = rows.get("Physical memory", {})
    size, used = number_of(physical.get("size")), number_of(physical.get("used"))
    if not size or used is None:
        return None
    given_back = sum(
        number_of(rows.get(name, {}).get("used")) or 0
        for name in ("Memory buffers", "Cached memory")
    )
    return 100 * (used - given_back) / size


def number_of(value: RawValue | None) -> float | None:
    """A number from an integer, or from text that starts with one, such as `20.00 dBm`."""
    if isinstance(value, int):
        return value
    match = re.match(r"[-+]?\d+(\.\d+)?(?![\w.])", text_of(value) or "", re.ASCII)
    return float(match[0]) if match else None


def _converted(spec: Field, value: RawValue | None) -> float | str | None:
    if spec.map:
        return spec.map.get(text_of(value) or str(value))
    number = number_of(value)
    return None if number is None else number * spec.scale


def _combined(spec: Field, items: list[float | str]) -> float | str:
    numbers = [item for item in items if isinstance(item, int | float)]
    if spec.combine == "first" or len(numbers) < len(items):
        return items[0]
    return sum(numbers) / (len(numbers) if spec.combine == "mean" else 1)


def _name(value: object) -> str:
    """A name fit to be a tag: printable and short."""
    if isinstance(value, tuple):
        value = ".".join(map(str, value))
    text = value if isinstance(value, str) else text_of(value) or ""
    return "".join(c for c in text if c.isprintable())[:MAX_NAME].strip()


def _checked(name: str, value: Any) -> float | None:
    if value is None:
        return None
    low, high = LIMITS[name]
    return float(value) if low <= float(value) <= high else None


def _whole(value: Any) -> int | None:
    return None if value is None else round(float(value))
