"""Which device of the inventory a found thing is. Pure: records in, a verdict out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from inventory.records import DeviceRecord

K = TypeVar("K")


@dataclass(frozen=True)
class Found:
    """A thing on the network that answered, or that a controller told of."""

    key: str
    """`address:port`, or `controller id/access point key`: it lasts from one search to the next."""
    address: str = ""
    port: int = 161
    family: str = ""
    name: str = ""
    mac: str = ""
    """Lower case, with colons; empty if not told."""
    macs: frozenset[str] = frozenset()
    """All addresses of its own interfaces, `mac` among them."""
    serial: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)
    credential_name: str | None = None
    controller_id: str | None = None


@dataclass(frozen=True)
class Match:
    """The inventory's device that a found thing is, and by what it was recognised (`address`,
    `MAC address`, `serial number` or `name`). `remark` says what the inventory has otherwise;
    `ignored` that a person said never to propose it.
    """

    device_id: str | None = None
    by: str = ""
    remark: str = ""
    ignored: bool = False

    @property
    def unknown(self) -> bool:
        """Whether it waits for a person: the inventory lacks it, and nobody ignored it."""
        return self.device_id is None and not self.ignored


class Known:
    """The inventory's devices by everything that tells them apart."""

    def __init__(
        self, devices: Iterable[DeviceRecord], more_macs: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        """`more_macs` are further MAC addresses of devices, by their ids, as they told them."""
        self._devices = {one.id: one for one in devices}
        macs: dict[str, set[str]] = defaultdict(set)
        serials: dict[str, set[str]] = defaultdict(set)
        names: dict[str, set[str]] = defaultdict(set)
        addresses: dict[tuple[str, int], set[str]] = defaultdict(set)
        hosts: dict[str, set[str]] = defaultdict(set)
        for one in self._devices.values():
            if one.mac:
                macs[one.mac.lower()].add(one.id)
            if one.serial:
                serials[one.serial.casefold()].add(one.id)
            for name in {one.name.casefold(), one.id.casefold()}:
                names[name].add(one.id)
            if one.management_address:
                addresses[one.management_address.lower(), one.snmp_port].add(one.id)
                hosts[one.management_address.lower()].add(one.id)
        for device_id, told in (more_macs or {}).items():
            for mac in told:
                if device_id in self._devices:
                    macs[mac.lower()].add(device_id)
        self._macs, self._serials = _only(macs), _only(serials)
        self._names, self._addresses = _only(names), _only(addresses)
        self._hosts = _only(hosts)

    def record(self, device_id: str) -> DeviceRecord | None:
        """The device `device_id`, or None."""
        return self._devices.get(device_id)

    def at(self, address: str, port: int) -> str | None:
        """The one device that the inventory has at `address`:`port`."""
        return self._addresses.get((address.lower(), port))

    def at_host(self, address: str) -> str | None:
        """The one device that the inventory has at `address`, on any port."""
        return self._hosts.get(address.lower())

    def with_mac(self, mac: str) -> str | None:
        """The one device with this MAC address."""
        return self._macs.get(mac.lower())

    def named(self, name: str) -> str | None:
        """The one device of this name or id; domains after the host's own name are passed over."""
        whole = name.casefold().rstrip(".")
        return self._names.get(whole) or self._names.get(whole.split(".")[0])

    def match(self, found: Found, name_is_unique: bool = True) -> Match:
        """The device that `found` is: by address and port, MAC address, serial number, then name.

        A MAC address or serial number that is another device's than the address says goes before
        it: addresses are handed out anew. What two devices of the inventory share tells nothing,
        and no more does a name that several found things have (`name_is_unique` is false then).
        """
        here = self.at(found.address, found.port) if found.address else None
        hardware = [
            (self.with_mac(mac), "MAC address")
            for mac in (found.mac, *sorted(found.macs - {found.mac}))
            if mac
        ]
        if found.serial:
            hardware.append((self._serials.get(found.serial.casefold()), "serial number"))
        told = [(device, by) for device, by in hardware if device]
        if here and (not told or any(device == here for device, _ in told)):
            return Match(here, "address", self._contradiction(here, found))
        if told:
            return self._elsewhere(*told[0], found)
        if name_is_unique and found.name and (named := self.named(found.name)):
            return self._elsewhere(named, "name", found)
        return Match()

    def _elsewhere(self, device_id: str, by: str, found: Found) -> Match:
        """A device recognised by something else than its address."""
        said = self._devices[device_id]
        remark = ""
        if found.address and said.management_address and not said.controller_id:
            remark = (
                f"the inventory has it at {said.management_address}, SNMP port {said.snmp_port}"
            )
        return Match(device_id, by, remark)

    def _contradiction(self, device_id: str, found: Found) -> str:
        said = self._devices[device_id]
        macs = found.macs | ({found.mac} if found.mac else frozenset())
        if said.serial and found.serial and said.serial.casefold() != found.serial.casefold():
            return f"serial number {found.serial}, the inventory says {said.serial}: replaced?"
        if said.mac and macs and said.mac.lower() not in macs:
            return f"MAC address {found.mac}, the inventory says {said.mac}: replaced?"
        return ""


def _only(groups: Mapping[K, set[str]]) -> dict[K, str]:
    """What belongs to one device alone."""
    return {key: next(iter(ids)) for key, ids in groups.items() if len(ids) == 1}
