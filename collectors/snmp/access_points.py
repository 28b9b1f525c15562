"""What controllers tell of their access points, as readings of devices of their own. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from collectors.snmp.model import AccessPointReading, DeviceReading

KEY_CHARS = 200


@dataclass(frozen=True)
class Told:
    """`readings` are those of the controllers' access points; `controllers` the controllers' own,
    without what their access points tell better; `unknown` the ids of access points that the
    inventory lacks; `told_by` who told of each device that is up or down.
    """

    readings: tuple[DeviceReading, ...] = ()
    controllers: Mapping[str, DeviceReading] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    told_by: Mapping[str, str] = field(default_factory=dict)


def told_of(
    readings: Iterable[DeviceReading],
    ids: Mapping[str, Mapping[str, str]],
    polled: Collection[str],
    looked_after: Mapping[str, Collection[str]],
    last_told_by: Mapping[str, str],
) -> Told:
    """The access points that the controllers among `readings` tell of.

    `ids` holds for each controller the inventory's device by `AccessPointReading.key`; the others
    are called after controller and key. A device that is `polled` itself has told more already,
    and where two controllers tell of one, who says that it is up is right.

    One that the inventory has under a controller (`looked_after`) and that this one, though it
    answered in full, does not tell of was missed, unless another told of it last
    (`last_told_by`). Of a silent controller's access points nothing is known.
    """
    found: dict[str, DeviceReading] = {}
    told_by: dict[str, str] = {}
    unknown: list[str] = []
    controllers: dict[str, DeviceReading] = {}
    complete: list[str] = []
    before = set(last_told_by.values())
    for reading in readings:
        controller = reading.device_id
        if not reading.answered or not (reading.access_points or controller in before):
            continue
        if not reading.error:
            complete.append(controller)
        known = ids.get(controller, {})
        own = None
        for one in reading.access_points:
            device = known.get(one.key)
            if device == controller:
                own = one
            if device in polled:
                continue
            if device is None:
                device = access_point_key(controller, one.key)
                unknown.append(device)
            if device not in found or not found[device].answered:
                found[device] = _reading(device, one, reading)
                told_by[device] = controller
        if reading.access_points:
            controllers[controller] = _without(reading, own)
    for controller in complete:
        for device in looked_after.get(controller, ()):
            mine = last_told_by.get(device, controller) == controller
            if mine and device not in found and device not in polled:
                found[device] = DeviceReading(device, False)
    return Told(tuple(found.values()), controllers, tuple(sorted(unknown)), told_by)


def _reading(device: str, one: AccessPointReading, controller: DeviceReading) -> DeviceReading:
    """What the controller says of one that is down is from before, and left out."""
    reading = DeviceReading(
        device, one.up is not False, family=controller.family, profile=controller.profile,
        sys_name=one.name or None,
    )  # fmt: skip
    if reading.answered:
        reading.uptime_s, reading.clients = one.uptime_s, one.clients
        reading.radios, reading.ssids = one.radios, one.ssids
    return reading


def _without(reading: DeviceReading, own: AccessPointReading | None) -> DeviceReading:
    """The controller's reading without what stands in its access points' rows, so that sums over
    devices count nobody twice. `own` is itself as one of them (Aruba Instant).
    """
    told: Sequence[AccessPointReading] = reading.access_points
    return replace(
        reading,
        clients=reading.clients if all(one.clients is None for one in told)
        else own.clients if own else None,
        radios=reading.radios if not any(one.radios for one in told)
        else own.radios if own else (),
        ssids=reading.ssids if not any(one.ssids for one in told) else own.ssids if own else (),
    )  # fmt: skip


def access_point_key(controller_id: str, key: str) -> str:
    """The proposal's key of a controller's access point, at most 200 characters."""
    whole = f"{controller_id}/{key}"
    if len(whole) <= KEY_CHARS:
        return whole
    digest = hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{whole[: KEY_CHARS - 17]}~{digest}"
