"""Whose answer a packet is: it counts only with the request-id, address, port, version and
community of a request that is open. All else is counted and dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collectors.snmp.sweep.ber import decode_response
from collectors.snmp.sweep.device import Device
from collectors.snmp.sweep.fast import open_envelope
from collectors.snmp.sweep.figures import Counters
from collectors.snmp.sweep.sockets import SocketAddress

Match = tuple[Device, bytes, Any]
"""The device, the request-id, and the reading of its answer (a `Message` if it is no plain one)."""


class Inbox:
    """Matches packets with the open requests in `pending`, by request-id."""

    def __init__(self, pending: Mapping[bytes, Device], counters: Counters) -> None:
        self._pending = pending
        self._counters = counters

    def match(self, data: bytes, address: SocketAddress) -> Match | None:
        """Whose answer this is; None if nobody's."""
        counters = self._counters
        counters.received += 1
        envelope = open_envelope(data)
        if envelope is None:
            return self._look_closer(data, address)
        head, request_id, begin = envelope
        device = self._pending.get(request_id)
        if device is None:
            counters.unmatched += 1
            return None
        if device.address != address or device.head != head:
            return self._look_closer(data, address)
        found = device.request.read(data, begin)
        if found is None:
            return self._look_closer(data, address)
        return device, request_id, found

    def _look_closer(self, data: bytes, address: SocketAddress) -> Match | None:
        """At an error, an unusual encoding, rubbish or a forgery."""
        counters = self._counters
        message = decode_response(data)
        if message is None:
            counters.malformed += 1
            return None
        number = message.request_id
        request_id = number.to_bytes(4, "big") if number >= 0 else b""
        device = self._pending.get(request_id)
        if device is None or message.community != device.target.community.encode():
            counters.unmatched += 1
        elif message.version != device.head[2] or len(message.pairs) > device.request.most_pairs:
            counters.malformed += 1
        elif address == device.address or (device.also is not None and address in device.also):
            return device, request_id, message
        else:
            counters.unmatched += 1
            if address[0] != device.address[0]:
                counters.elsewhere[device.target.device_id] = None
        return None
