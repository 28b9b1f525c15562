"""pysnmp's message dispatcher, hardened for a network that anyone can send packets on: a reply
counts only if it came from the address that was asked, and rubbish is dropped.
"""

from __future__ import annotations

from typing import Any

from pyasn1.codec.ber import decoder  # type: ignore[import-untyped]  # publishes no types
from pysnmp.hlapi.v1arch.asyncio import SnmpDispatcher
from pysnmp.proto import api

from collectors.snmp.pysnmp_values import NOT_SNMP, plain_pairs

V2C = 1
_messages = api.PROTOCOL_MODULES[V2C]


class CheckedDispatcher(SnmpDispatcher):  # type: ignore[misc]  # pysnmp publishes no types
    """One socket for all devices; packets that answer no question of ours are dropped.

    pysnmp itself matches a reply by its request-id alone and lets a malformed packet raise in the
    event loop; both matter on an open network.
    """

    def _recv_callback(self, _dispatcher: Any, _domain: Any, address: Any, packet: bytes) -> None:
        request_id, pdu = decode_response(packet) or (None, None)
        pending = self._pendingReqs.get(request_id)
        asked = pending["transportTarget"].transport_address if pending else None
        if pending is None or asked is None or tuple(asked)[:2] != tuple(address)[:2]:
            return
        del self._pendingReqs[request_id]
        self.transport_dispatcher.job_finished(id(self))
        pending["cbFun"](self, request_id, None, pdu, pending["cbCtx"])

    def close(self) -> None:
        """Close the socket; requests still under way are forgotten."""
        self._pendingReqs.clear()
        super().close()


def decode_response(packet: bytes) -> tuple[int, Any] | None:
    """Request-id and PDU of a v2c response; None for any other bytes."""
    try:
        if api.decodeMessageVersion(packet) != V2C:
            return None
        message, rest = decoder.decode(packet, asn1Spec=_messages.Message())
        pdu = _messages.apiMessage.get_pdu(message)
        if rest or pdu.tagSet != _messages.GetResponsePDU.tagSet:
            return None
        # Read now, where it may fail, what pysnmp's callback will read in the event loop.
        plain_pairs(_messages.apiPDU.get_varbinds(pdu))
        int(_messages.apiPDU.get_error_status(pdu)), int(_messages.apiPDU.get_error_index(pdu))
        return int(_messages.apiPDU.get_request_id(pdu)), pdu
    except NOT_SNMP:
        return None
