"""The SNMP v2c agent of a pretend access point: GET, GETNEXT, GETBULK, and its traps.

Messages are coded by pysnmp, which the collectors of Farola do not share with it.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, cast

from simulator.mib import Oid, Value, View, make_view

if TYPE_CHECKING:
    from simulator.device import Device

SNMP_TRAP_OID: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)
SYS_UP_TIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
COLD_START: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 5, 1)
LINK_DOWN: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 5, 3)
LINK_UP: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 5, 4)
AGENT_SHUTDOWN: Oid = (1, 3, 6, 1, 4, 1, 8072, 4, 0, 2)
AGENT_RESTART: Oid = (1, 3, 6, 1, 4, 1, 8072, 4, 0, 3)
"""nsNotifyRestart: sent when the agent took over a changed configuration."""

_DATAGRAM = 1400
"""An answer to GETBULK stays below this many bytes: what does not fit is left for the next."""
_ANSWERS = 0.65
"""Share of requests that a flaky device answers."""


class Agent(asyncio.DatagramProtocol):
    """Answers for one device."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._transport: asyncio.DatagramTransport | None = None
        self._started = 0.0
        self._shift = 0.0
        self._view: View | None = None
        self._known: tuple[object, ...] = ()
        self._noise = random.Random(f"flaky {device.settings.seed}")  # noqa: S311 - repeatable

    # --- life --------------------------------------------------------------------------------

    async def start(self, *, already_up_s: float = 0.0) -> None:
        """Listen; OSError where the address is taken. Tells the trap sinks of a cold start."""
        settings = self.device.settings
        self._started, self._shift = time.monotonic(), already_up_s
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(
            lambda: self, local_addr=(settings.address, settings.snmp_port)
        )
        self.trap(COLD_START)

    def stop(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket to answer on."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    @property
    def uptime_s(self) -> float:
        """Seconds since the agent (not the device) started: sysUpTime."""
        return time.monotonic() - self._started + self._shift

    def on_service(self, service: str, action: str) -> None:
        """A service took its configuration over; the trap sinks are told."""
        if service in {"wifi", "network"} and action in {"reload", "restart", "up", "down"}:
            for trap in (LINK_DOWN, LINK_UP):
                self._link_traps(trap)
        if service == "snmpd" and action == "restart":
            self.trap(AGENT_SHUTDOWN)
            self._started, self._shift = time.monotonic(), 0.0
            self.trap(COLD_START)
        elif action in {"reload", "restart"}:
            self.trap(AGENT_RESTART)

    # --- answering ---------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a request, if it is one we understand and its community is ours."""
        if "flaky" in self.device.settings.faults and self._noise.random() > _ANSWERS:
            return
        reply = self.answer(data)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)

    def answer(self, data: bytes) -> bytes | None:
        """The reply to a message; None where a real agent stays silent."""
        from pyasn1.codec.ber import decoder  # type: ignore[import-untyped]  # publishes none
        from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]  # publishes none
        from pysnmp.proto.api import v2c

        try:
            message, rest = decoder.decode(data, asn1Spec=v2c.Message())
            pdu = v2c.apiMessage.get_pdu(message)
            community = bytes(v2c.apiMessage.get_community(message)).decode("utf-8", "replace")
            known = int(v2c.apiMessage.get_version(message)) == 1
            allowed = known and not rest and community in self.device.snmp.communities
        except (PyAsn1Error, IndexError, ValueError):
            return None
        if not allowed:
            return None
        if pdu.isSameTypeWith(v2c.SetRequestPDU()):
            pairs = [(tuple(oid), value) for oid, value in v2c.apiPDU.get_varbinds(pdu)]
            return self._reply(message, pairs, error=(17, 1))  # notWritable
        found = self._pairs(pdu)
        if found is None:
            return None
        pairs = found
        reply = self._reply(message, pairs)
        bulk = pdu.isSameTypeWith(v2c.GetBulkRequestPDU())
        while len(reply) > _DATAGRAM and bulk and len(pairs) > 1:
            pairs = pairs[: max(1, len(pairs) * _DATAGRAM // len(reply))]
            reply = self._reply(message, pairs)
        return reply

    def _reply(
        self, message: Any, pairs: list[tuple[Oid, Any]], error: tuple[int, int] = (0, 0)
    ) -> bytes:
        from pyasn1.codec.ber import encoder
        from pysnmp.proto.api import v2c

        reply = v2c.apiMessage.get_response(message)
        pdu = v2c.apiMessage.get_pdu(reply)
        v2c.apiPDU.set_varbinds(pdu, pairs)
        if error[0]:
            v2c.apiPDU.set_error_status(pdu, error[0])
            v2c.apiPDU.set_error_index(pdu, error[1])
        return bytes(encoder.encode(reply))

    def _pairs(self, pdu: Any) -> list[tuple[Oid, Any]] | None:
        from pysnmp.proto import rfc1905
        from pysnmp.proto.api import v2c

        view = self._current_view()
        asked = [tuple(oid) for oid, _ in v2c.apiPDU.get_varbinds(pdu)]
        if pdu.isSameTypeWith(v2c.GetRequestPDU()):
            return [(oid, _exact(view, oid)) for oid in asked]
        if pdu.isSameTypeWith(v2c.GetNextRequestPDU()):
            return [_next(view, oid) for oid in asked]
        if not pdu.isSameTypeWith(v2c.GetBulkRequestPDU()):
            return None
        single = max(0, int(v2c.apiBulkPDU.get_non_repeaters(pdu)))
        rows = max(0, min(100, int(v2c.apiBulkPDU.get_max_repetitions(pdu))))
        pairs = [_next(view, oid) for oid in asked[:single]]
        places = asked[single:]
        for _ in range(rows if places else 0):
            step = [_next(view, oid) for oid in places]
            pairs += step
            places = [oid for oid, _ in step]
            if all(value is rfc1905.endOfMibView for _, value in step):
                break
        return pairs

    def _current_view(self) -> View:
        """The view; made anew only where the running configuration changed."""
        device = self.device
        now = (device.hostname, device.networks, device.snmp)
        if self._view is None or now != self._known:
            self._known, self._view = now, make_view(device, lambda: self.uptime_s)
        return self._view

    # --- traps -------------------------------------------------------------------------------

    def _link_traps(self, trap: Oid) -> None:
        from simulator.kernel_files import interfaces
        from simulator.mib import IF_ENTRY

        for name, (index, up, _) in interfaces(self.device).items():
            if any(network.interface == name for network in self.device.networks):
                if trap == LINK_UP and not up:
                    continue
                state = Value("integer", 1 if trap == LINK_UP else 2)
                self.trap(trap, [
                    ((*IF_ENTRY, 1, index), Value("integer", index)),
                    ((*IF_ENTRY, 7, index), Value("integer", 1 if up else 2)),
                    ((*IF_ENTRY, 8, index), state),
                ])  # fmt: skip

    def trap(self, oid: Oid, extra: list[tuple[Oid, Value]] | None = None) -> None:
        """Send a notification to every sink, from the device's own address."""
        sinks = (*self.device.settings.trap_to, *self.device.snmp.trap_sinks)
        if not sinks or self._transport is None:
            return
        data = encode_trap(self.device.snmp.trap_community, self.uptime_s, oid, extra or [])
        for host, port in sinks:
            if host.startswith("127."):  # nothing pretended leaves this machine
                self._transport.sendto(data, (host, port))


def encode_trap(community: str, uptime_s: float, oid: Oid, extra: list[tuple[Oid, Value]]) -> bytes:
    """A v2c notification (RFC 3416, 4.2.6): uptime and kind first, then `extra`."""
    from pyasn1.codec.ber import encoder
    from pysnmp.proto.api import v2c

    pdu = v2c.SNMPv2TrapPDU()
    v2c.apiTrapPDU.set_defaults(pdu)
    ticks = Value("ticks", int(uptime_s * 100) % 2**32)
    pairs = [(SYS_UP_TIME, ticks), (SNMP_TRAP_OID, Value("oid", oid)), *extra]
    v2c.apiTrapPDU.set_varbinds(pdu, [(name, _coded(value)) for name, value in pairs])
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, community)
    v2c.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


def _coded(value: Value) -> Any:
    from pysnmp.proto.api import v2c

    if value.kind == "text":
        return v2c.OctetString(str(value.value).encode("utf-8", "surrogateescape"))
    kinds = {
        "bytes": v2c.OctetString, "oid": v2c.ObjectIdentifier, "integer": v2c.Integer32,
        "gauge": v2c.Gauge32, "counter": v2c.Counter32, "counter64": v2c.Counter64,
        "ticks": v2c.TimeTicks,
    }  # fmt: skip
    return kinds[value.kind](value.value)


def _exact(view: View, oid: Oid) -> Any:
    from pysnmp.proto import rfc1905

    value = view.get(oid)
    if value is not None:
        return _coded(value)
    return rfc1905.noSuchInstance if view.has_object(oid) else rfc1905.noSuchObject


def _next(view: View, oid: Oid) -> tuple[Oid, Any]:
    from pysnmp.proto import rfc1905

    found = view.after(oid)
    if found is None:
        return oid, rfc1905.endOfMibView
    return found[0], _coded(found[1])
