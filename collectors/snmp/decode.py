"""Turns what a device said into a reading, as its profile tells. Pure: no sockets, no clock.

A value that is missing, not a number, or outside what its field can be is None, never a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from collectors.snmp.fields import ACCESS_POINT, LIMITS, RADIO, SSID
from collectors.snmp.layout import Context
from collectors.snmp.model import (
    AccessPointReading,
    DeviceReading,
    Oid,
    Question,
    RadioReading,
    RawValue,
    Reply,
    SsidReading,
    Target,
)
from collectors.snmp.profile import AccessPoints, Profile
from collectors.snmp.sources import Sources, Things
from collectors.snmp.values import channel_of, line_of, name_of, number_of

T = TypeVar("T")
__all__ = ["LIMITS", "channel_of", "decode", "number_of", "varbinds"]

MOST = {"radios": 64, "networks": 256, "interfaces": 256}
"""What of one device is kept; more is no device but a mistake or an attack, and would fill the
store for everybody.
"""
MOST_OF_CONTROLLER = 10_000
"""So many access points of a controller, and so many of all else that it has itself."""
_FEW = min(MOST.values())
_NO_NAMES: frozenset[str] = frozenset()
_SYS_NAME = 3  # its place in IDENTITY
_RADIO_CLIENTS = list(RADIO).index("clients")
_SSID_CLIENTS = list(SSID).index("clients")
_MOST_CLIENTS = LIMITS["clients"][1]
_tuple = tuple.__new__
_AP_SLOTS = {name: slot for slot, name in enumerate(ACCESS_POINT)}


def decode(
    target: Target, profile: Profile, reply: Reply, address_index: int | None = None
) -> DeviceReading:
    """The reading of a device of `profile`'s family, of its reply to `profile.question`.

    `address_index` is the ifIndex of the interface that holds the management address, if known.
    """
    context = profile.opened(reply)
    reading = DeviceReading(
        target.device_id, True, None, reply.error, profile.family, profile.name,
        line_of(context.scalars[_SYS_NAME]),
    )  # fmt: skip
    for name, get in profile.device.items():
        setattr(reading, name, get(context, (), ()))
    left_out: Counter[str] | None = None
    radios: tuple[RadioReading, ...] = ()
    ssids: tuple[SsidReading, ...] = ()
    access_points: tuple[AccessPointReading, ...] = ()
    if profile.radios.sources:
        radios = _radios(_of_device(profile.radios, context), _broken(profile.radios, context))
        reading.radios = radios
    if profile.ssids.sources:
        ssids = _ssids(_of_device(profile.ssids, context), _broken(profile.ssids, context))
        reading.ssids = ssids
    if profile.access_points is not None:
        left_out = Counter()
        access_points = _access_points(profile.access_points, context, left_out)
        reading.access_points = access_points
    if reading.clients is None and (radios or ssids or access_points):
        for things in (radios, ssids, access_points):
            reading.clients = _total(things)
            if reading.clients is not None:
                break
    if reading.uptime_s is None:
        reading.uptime_s = reading.agent_uptime_s
    interfaces = reading.interfaces = profile.interfaces.read(
        context.tables,
        address_index,
        frozenset([radio.name for radio in radios]) if radios else _NO_NAMES,
    )
    # Sums over all of it are made by now.
    if left_out is not None or max(len(radios), len(ssids), len(interfaces)) > _FEW:
        _shorten(reading, Counter() if left_out is None else left_out)
    return reading


def _shorten(reading: DeviceReading, left_out: Counter[str]) -> None:
    """Leave out what of `reading` is too much to keep, and tell it with what `left_out` has."""
    most = dict.fromkeys(MOST, MOST_OF_CONTROLLER) if reading.access_points else MOST
    reading.radios = _cut(reading.radios, most["radios"], "radios", left_out)
    reading.ssids = _cut(reading.ssids, most["networks"], "networks", left_out)
    reading.interfaces = _cut(reading.interfaces, most["interfaces"], "interfaces", left_out)
    reading.access_points = _cut(
        reading.access_points, MOST_OF_CONTROLLER, "access points", left_out
    )
    reading.left_out = ", ".join(f"{count:,} {what}" for what, count in left_out.items())


def _cut(things: tuple[T, ...], most: int, what: str, left_out: Counter[str]) -> tuple[T, ...]:
    """The first `most` of `things`; how many more there are is counted in `left_out`."""
    if len(things) <= most:
        return things
    left_out[what] += len(things) - most
    return things[:most]


def varbinds(question: Question, reply: Reply) -> dict[Oid, RawValue]:
    """The scalars of a reply by OID."""
    return {
        oid: value
        for oid, value in zip(question.scalars, reply.scalars, strict=True)
        if value is not None
    }


def _of_device(sources: Sources, context: Context) -> Things:
    return sources.collect(context).get(None, {})


def _broken(sources: Sources, context: Context) -> bool:
    """Whether a table with clients in it broke off, so that no sum of them is right."""
    slot = _RADIO_CLIENTS if sources.size == len(RADIO) else _SSID_CLIENTS
    return sources.missing(context, slot)


def _total(
    things: Sequence[RadioReading] | Sequence[SsidReading] | Sequence[AccessPointReading],
) -> int | None:
    counted = [thing.clients for thing in things if thing.clients is not None]
    return sum(counted) if counted else None


def _limited(clients: int | None) -> int | None:
    """Clients added up of rows that each are possible."""
    return clients if clients is not None and clients <= _MOST_CLIENTS else None


def _radios(things: Things, broken: bool) -> tuple[RadioReading, ...]:
    radios = []
    for name, slots in things.items():
        clients, channel, mhz, band, busy, noise, power, _ = slots
        if mhz is not None and (channel is None or not band):
            of_mhz, band_of_mhz = channel_of(mhz)
            channel = of_mhz if channel is None else channel
            band = band or band_of_mhz
        if clients is not None and (broken or clients > _MOST_CLIENTS):
            clients = None
        # Half the time of RadioReading(…), in the order of its fields.
        radios.append(
            _tuple(RadioReading, (name, band or "", clients, channel, busy, noise, power))
        )
    return tuple(radios)


def _ssids(things: Things, broken: bool) -> tuple[SsidReading, ...]:
    return tuple(
        [
            _tuple(SsidReading, (name, None if broken else _limited(slots[_SSID_CLIENTS])))
            for name, slots in things.items()
        ]
    )


def _access_points(
    plan: AccessPoints, context: Context, left_out: Counter[str]
) -> tuple[AccessPointReading, ...]:
    own = _merged(plan, context)
    if not own:
        return ()
    radios, ssids = plan.radios.collect(context), plan.ssids.collect(context)
    no_radios, no_ssids = _broken(plan.radios, context), _broken(plan.ssids, context)
    found: dict[str, AccessPointReading] = {}
    for tie, slots in own.items():
        name, mac, serial, model, address, up, uptime, clients = (
            slots[slot] for slot in _AP_SLOTS.values()
        )
        key = mac or serial or name or name_of(tie)
        if not key or key in found:
            key = f"{key}#{name_of(tie)}"
        its_radios = _radios(radios.get(tie, {}), no_radios)
        its_ssids = _ssids(ssids.get(tie, {}), no_ssids)
        if clients is None and not no_radios:
            clients = _total(its_radios)
        if clients is None and not no_ssids:
            clients = _total(its_ssids)
        found[key] = AccessPointReading(
            key,
            name or "",
            mac or "",
            serial or "",
            model or "",
            address or "",
            up,
            uptime,
            clients,
            _cut(its_radios, MOST["radios"], "radios of access points", left_out),
            _cut(its_ssids, MOST["networks"], "networks of access points", left_out),
        )
    return tuple(found.values())


def _merged(plan: AccessPoints, context: Context) -> Mapping[Any, list[Any]]:
    """Fields of each access point by what ties its rows together; the first source that has any
    rows decides which there are.
    """
    merged: dict[Any, list[Any]] = {}
    for sources, tie in plan.own:
        decides = not merged
        for its, slots in sources.by_row(context, tie):
            if decides:
                merged.setdefault(its, slots)
            elif its in merged:
                known = merged[its]
                merged[its] = [a if a is not None else b for a, b in zip(known, slots, strict=True)]
    return merged
