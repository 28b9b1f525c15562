"""What a pretend access point tells over SNMP, as OpenWrt's snmpd with the extend scripts does.

A view is a sorted list of object identifiers with functions that give their values, computed
only when asked.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.kernel_files import MEMORY_KB, free_memory_kb, interfaces
from simulator.running import release
from simulator.stock_config import MODEL

if TYPE_CHECKING:
    from simulator.device import Device
    from simulator.running import Network

Oid = tuple[int, ...]

SYSTEM: Oid = (1, 3, 6, 1, 2, 1, 1)
IF_ENTRY: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1)
IF_X_ENTRY: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
HOST: Oid = (1, 3, 6, 1, 2, 1, 25)
UCD: Oid = (1, 3, 6, 1, 4, 1, 2021)
EXTEND_TABLE: Oid = (1, 3, 6, 1, 4, 1, 8072, 1, 3, 2, 3, 1)
"""nsExtendOutput1Table of NET-SNMP-EXTEND-MIB."""
NET_SNMP_LINUX: Oid = (1, 3, 6, 1, 4, 1, 8072, 3, 2, 10)


@dataclass(frozen=True)
class Value:
    """A value and its type: one of text, bytes, oid, integer, gauge, counter, counter64, ticks."""

    kind: str
    value: int | str | bytes | Oid


class View:
    """A device's objects at one moment."""

    def __init__(self, objects: dict[Oid, Callable[[], Value]]) -> None:
        self._objects = objects
        self._order = sorted(objects)
        self._known = {_object_of(oid) for oid in objects}

    def get(self, oid: Oid) -> Value | None:
        """The value of an object, None where there is none."""
        find = self._objects.get(oid)
        return find() if find is not None else None

    def has_object(self, oid: Oid) -> bool:
        """Whether there is such an object, if not in this instance (RFC 3416, 4.2.1)."""
        return any(oid[:size] in self._known for size in range(7, len(oid)))

    def after(self, oid: Oid) -> tuple[Oid, Value] | None:
        """The next object in order, None at the end."""
        at = bisect.bisect_right(self._order, oid)
        if at == len(self._order):
            return None
        found = self._order[at]
        return found, self._objects[found]()


def _object_of(oid: Oid) -> Oid:
    """The object that `oid` is an instance of: a column, or a scalar without its 0."""
    for table in (IF_ENTRY, IF_X_ENTRY, EXTEND_TABLE, (*HOST, 2, 3, 1)):
        if oid[: len(table)] == table:
            return oid[: len(table) + 1]
    return oid[:-1]


def make_view(device: Device, agent_uptime_s: Callable[[], float]) -> View:
    """The view of a device as it runs now. `agent_uptime_s` is that of its SNMP agent."""
    objects: dict[Oid, Callable[[], Value]] = {}
    _system(objects, device, agent_uptime_s)
    _interfaces(objects, device)
    _host(objects, device)
    _extend(objects, device)
    return View(objects)


def _ticks(seconds: float) -> Value:
    return Value("ticks", int(seconds * 100) % 2**32)


def _text(value: str) -> Callable[[], Value]:
    return lambda: Value("text", value)


def _whole(kind: str, value: int) -> Callable[[], Value]:
    return lambda: Value(kind, value)


def _system(
    objects: dict[Oid, Callable[[], Value]], device: Device, agent_uptime_s: Callable[[], float]
) -> None:
    description = f"Linux {device.hostname} 5.15.150 #0 Fri Mar 22 22:09:42 2024 mips"
    rows: list[Callable[[], Value]] = [
        _text(description),
        lambda: Value("oid", NET_SNMP_LINUX),
        lambda: _ticks(agent_uptime_s()),
        _text(device.snmp.contact),
        lambda: Value("text", device.hostname),
        _text(device.snmp.location),
        _whole("integer", 72),
    ]
    for number, row in enumerate(rows, 1):
        objects[(*SYSTEM, number, 0)] = row


def _interfaces(objects: dict[Oid, Callable[[], Value]], device: Device) -> None:
    known = interfaces(device)
    objects[(1, 3, 6, 1, 2, 1, 2, 1, 0)] = _whole("integer", len(known))

    def octets(name: str, side: str, bits: int) -> Callable[[], Value]:
        def now() -> Value:
            count = device.traffic.advance(device.networks).get(name)
            total = int(getattr(count, side)) if count is not None else 0
            return Value("counter64" if bits == 64 else "counter", total % 2**bits)

        return now

    def packets(name: str, side: str) -> Callable[[], Value]:
        inner = octets(name, side, 64)
        return lambda: Value("counter", int(inner().value) // 800 % 2**32)  # type: ignore[arg-type]  # a count

    for name, (index, up, mac) in known.items():
        speed = {"lo": 10_000_000, "eth0": 1_000_000_000, "br-lan": 1_000_000_000}.get(name, 0)
        kind = 24 if name == "lo" else 71 if name.startswith(("wlan", "phy")) else 6
        address = b"" if name == "lo" or not mac else bytes.fromhex(mac.replace(":", ""))
        columns: dict[int, Callable[[], Value]] = {
            1: _whole("integer", index),
            2: _text(name),
            3: _whole("integer", kind),
            4: _whole("integer", 65536 if name == "lo" else 1500),
            5: _whole("gauge", speed),
            6: _constant(Value("bytes", address)),
            7: _whole("integer", 1 if up else 2),
            8: _whole("integer", 1 if up else 2),
            9: _whole("ticks", 0),
            10: octets(name, "rx", 32),
            11: packets(name, "rx"),
            14: _whole("counter", 0),
            16: octets(name, "tx", 32),
            17: packets(name, "tx"),
            20: _whole("counter", 0),
        }
        for column, value in columns.items():
            objects[(*IF_ENTRY, column, index)] = value
        extended: dict[int, Callable[[], Value]] = {
            1: _text(name),
            6: octets(name, "rx", 64),
            10: octets(name, "tx", 64),
            15: _whole("gauge", speed // 1_000_000),
            18: _text(""),
            19: _whole("ticks", 0),
        }
        for column, value in extended.items():
            objects[(*IF_X_ENTRY, column, index)] = value


def _busy_pct(device: Device) -> int:
    clients = sum(device.traffic.clients(n, device.networks) for n in device.networks)
    return min(96, 3 + 2 * clients + len(device.processes.running))


def _host(objects: dict[Oid, Callable[[], Value]], device: Device) -> None:
    objects[(*HOST, 1, 1, 0)] = lambda: _ticks(device.uptime_s)
    objects[(*HOST, 1, 6, 0)] = lambda: Value("gauge", 38 + len(device.processes.running))
    objects[(*HOST, 2, 2, 0)] = _whole("integer", MEMORY_KB)
    _storage(objects, device)
    objects[(*HOST, 3, 3, 1, 2, 196608)] = lambda: Value("integer", _busy_pct(device))
    objects[(*UCD, 4, 3, 0)] = _whole("integer", 0)
    objects[(*UCD, 4, 4, 0)] = _whole("integer", 0)
    objects[(*UCD, 4, 5, 0)] = _whole("integer", MEMORY_KB)
    objects[(*UCD, 4, 6, 0)] = lambda: Value("integer", free_memory_kb(device))
    objects[(*UCD, 4, 11, 0)] = lambda: Value("integer", free_memory_kb(device))
    objects[(*UCD, 4, 14, 0)] = _whole("integer", 2000)
    objects[(*UCD, 4, 15, 0)] = _whole("integer", 6000)
    for number, load in enumerate(("0.08", "0.05", "0.01"), 1):
        objects[(*UCD, 10, 1, 3, number)] = _text(load)
    objects[(*UCD, 11, 9, 0)] = lambda: Value("integer", _busy_pct(device) * 2 // 3)
    objects[(*UCD, 11, 10, 0)] = lambda: Value("integer", _busy_pct(device) // 3)
    objects[(*UCD, 11, 11, 0)] = lambda: Value("integer", 100 - _busy_pct(device))


def _storage(objects: dict[Oid, Callable[[], Value]], device: Device) -> None:
    """hrStorageTable: memory in all (buffers and cache count as used, as net-snmp has it)."""
    ram: Oid = (*HOST, 2, 1, 2)
    other: Oid = (*HOST, 2, 1, 1)
    disk: Oid = (*HOST, 2, 1, 4)
    rows: list[tuple[int, str, Oid, int, Callable[[], int]]] = [
        (1, "Physical memory", ram, MEMORY_KB, lambda: MEMORY_KB - free_memory_kb(device)),
        (6, "Memory buffers", other, MEMORY_KB, lambda: 2000),
        (7, "Cached memory", other, 6000, lambda: 6000),
        (31, "/overlay", disk, 4096, lambda: 4096 if device.flash.full else 612),
    ]
    for index, name, kind, size, used in rows:
        entry = (*HOST, 2, 3, 1)
        objects[(*entry, 1, index)] = _whole("integer", index)
        objects[(*entry, 2, index)] = _constant(Value("oid", kind))
        objects[(*entry, 3, index)] = _text(name)
        objects[(*entry, 4, index)] = _whole("integer", 1024)
        objects[(*entry, 5, index)] = _whole("integer", size)
        objects[(*entry, 6, index)] = _counted(used)


def _constant(value: Value) -> Callable[[], Value]:
    return lambda: value


def _counted(count: Callable[[], int]) -> Callable[[], Value]:
    return lambda: Value("integer", count())


def _extend(objects: dict[Oid, Callable[[], Value]], device: Device) -> None:
    networks = device.networks
    lines: dict[str, Callable[[], str]] = {
        "distro": lambda: f"OpenWrt {release(device.flash)['RELEASE']}",
        "hardware": lambda: MODEL,
        # Quoted, as the script in the field prints it.
        "interfaces": lambda: '"' + "\n".join(f"{n.interface},{n.label}" for n in networks) + '"',
        "clients-wlan": lambda: str(sum(device.traffic.clients(n, networks) for n in networks)),
    }
    for network in networks:
        if not network.up:
            continue
        lines |= _radio_lines(device, network)
    for name, line in lines.items():
        index = (len(name), *name.encode())
        first, whole, count = _columns_of(line)
        objects[(*EXTEND_TABLE, 1, *index)] = first
        objects[(*EXTEND_TABLE, 2, *index)] = whole
        objects[(*EXTEND_TABLE, 3, *index)] = count
        objects[(*EXTEND_TABLE, 4, *index)] = _whole("integer", 0)


def _radio_lines(device: Device, network: Network) -> dict[str, Callable[[], str]]:
    name, traffic, networks = network.interface, device.traffic, device.networks
    return {
        f"clients-{name}": lambda: str(traffic.clients(network, networks)),
        f"frequency-{name}": lambda: str(network.frequency_mhz),
        f"noise-floor-{name}": lambda: str(traffic.noise_dbm(network)),
        f"txpower-{name}": lambda: str(network.tx_power_dbm),
        f"utilization-{name}": lambda: str(traffic.utilization_pct(network, networks)),
        f"ssid-{name}": lambda: network.ssid,
    }


def _columns_of(line: Callable[[], str]) -> tuple[Callable[[], Value], ...]:
    """nsExtendOutput1Line, nsExtendOutputFull and nsExtendOutNumLines of a script."""
    return (
        lambda: Value("text", line().split("\n")[0]),
        lambda: Value("text", line()),
        lambda: Value("integer", line().count("\n") + 1),
    )
