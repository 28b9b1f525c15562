"""Whose answer a packet is: it counts only with the request-id, address, port, version and
community of a request that is open. All else is counted and dropped.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

from collectors.snmp.sweep.ber import decode_response
from collectors.snmp.sweep.device import Device
from collectors.snmp.sweep.fast import open_envelope
from collectors.snmp.sweep.figures import Counters
from collectors.snmp.sweep.sockets import SocketAddress

Match = tuple[Device, bytes, Any]
"""The device, the request-id, and the reading of its answer (a `Message` if it is no plain one)."""
_ENVELOPES = 4096
_Envelope = tuple[bytes, bytes, int, int, bytes]
"""What stands before the request-id, what between it and the varbinds, where these two places are,
and version and community."""


class Inbox:
    """Matches packets with the open requests in `pending`, by request-id."""

    def __init__(self, pending: Mapping[bytes, Device], counters: Counters) -> None:
        self._pending = pending
        self._counters = counters
        self._envelopes: dict[int, _Envelope] = {}

    def read(
        self, sock: socket.socket, most: int, take: Callable[[Device, bytes, Any], None]
    ) -> tuple[int, bool]:
        """Read up to `most` packets and give the matches among them to `take`; returns how many
        were read, and whether none is left.
        """
        receive, known, open_request = sock.recvfrom, self._envelopes.get, self._pending.get
        for count in range(most):
            try:
                data, address = receive(65535)
            except BlockingIOError:
                self._counters.received += count
                return count, True
            except OSError:  # an ICMP error about an earlier packet: nothing was read
                self._counters.received -= 1
                continue
            # Packets of one length from a fleet with one community differ in the request-id alone.
            envelope = known(len(data))
            if envelope is not None:
                before, between, at, begin, head = envelope
                request_id = data[at : at + 4]
                if data[:at] == before and data[at + 4 : begin] == between:
                    device = open_request(request_id)
                    if device is not None and device.address == address and device.head == head:
                        found = device.request.read(data, begin)
                        if found is not None:
                            take(device, request_id, found)
                            continue
            match = self._match(data, address)
            if match is not None:
                take(*match)
        self._counters.received += most
        return most, False

    def _match(self, data: bytes, address: SocketAddress) -> Match | None:
        """Whose answer this is; None if nobody's."""
        envelope = open_envelope(data)
        if envelope is None:
            return self._look_closer(data, address)
        head, request_id, begin = envelope
        device = self._pending.get(request_id)
        if device is None:
            self._counters.unmatched += 1
            return None
        if device.address != address or device.head != head:
            return self._look_closer(data, address)
        found = device.request.read(data, begin)
        if found is None:
            return self._look_closer(data, address)
        if len(self._envelopes) >= _ENVELOPES:
            self._envelopes.clear()
        at = _request_id_at(data)
        self._envelopes[len(data)] = data[:at], data[at + 4 : begin], at, begin, head
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


def _request_id_at(data: bytes) -> int:
    """Where the request-id's octets begin, in a packet that `open_envelope` has read."""
    at = 2 if data[1] < 0x80 else data[1] - 0x7E
    pdu = at + 5 + data[at + 4]
    return (pdu + 2 if data[pdu + 1] < 0x80 else pdu + data[pdu + 1] - 0x7E) + 2
