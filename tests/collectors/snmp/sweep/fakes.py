"""Agents on real sockets that misbehave as told, their messages made by pysnmp."""

from __future__ import annotations

import asyncio
import bisect
import socket
import threading
import time
from contextlib import contextmanager
from typing import NamedTuple

from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api
from pysnmp.proto.rfc1905 import endOfMibView

from collectors.snmp.model import Question, Target
from collectors.snmp.sweep import SweepPoller

MODULES = (
    api.PROTOCOL_MODULES[api.SNMP_VERSION_1],
    api.PROTOCOL_MODULES[api.SNMP_VERSION_2C],
)
V1, V2C = MODULES
NAME = (1, 3, 6, 1, 2, 1, 1, 5, 0)
DESCR = (1, 3, 6, 1, 2, 1, 1, 1, 0)


class Request(NamedTuple):
    """What was asked: `repetitions` of GETBULK, 0 for GET, None for GETNEXT; the first `once`
    OIDs are not repeated.
    """

    module: object
    message: object
    oids: list
    repetitions: int | None
    once: int = 0

    def answer(self, pairs=(), status=0, place=0, change=lambda _message, _pdu: None) -> bytes:
        """A response; values are bytes or int, or pysnmp's own."""
        module = self.module
        message = module.apiMessage.get_response(self.message)
        pdu = module.apiMessage.get_pdu(message)
        kinds = {bytes: module.OctetString, int: module.Integer}
        pairs = [(o, kinds[type(v)](v) if type(v) in kinds else v) for o, v in pairs]
        if status:
            module.apiPDU.set_error_status(pdu, status)
        module.apiPDU.set_varbinds(pdu, pairs)
        if place:
            pdu.setComponentByPosition(2, place)
        change(message, pdu)
        return encoder.encode(message)


def decode(packet: bytes) -> Request:
    module = MODULES[int(api.decodeMessageVersion(packet))]
    message, _ = decoder.decode(packet, asn1Spec=module.Message())
    pdu = module.apiMessage.get_pdu(message)
    oids = [tuple(oid) for oid, _ in module.apiPDU.get_varbinds(pdu)]
    repetitions, once = None if pdu.tagSet == module.GetNextRequestPDU.tagSet else 0, 0
    if module is V2C and pdu.tagSet == V2C.GetBulkRequestPDU.tagSet:
        repetitions = int(V2C.apiBulkPDU.get_max_repetitions(pdu))
        once = int(V2C.apiBulkPDU.get_non_repeaters(pdu))
    return Request(module, message, oids, repetitions, once)


@contextmanager
def fake(*handlers, host="127.0.0.1", other="127.0.0.2"):
    """An agent: each handler is given a Request and returns a packet, several, or None; a pair
    (True, packet) is sent from another address. Yields its port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.socket(family, socket.SOCK_DGRAM) as own,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere,
    ):
        own.bind((host, 0))
        port = own.getsockname()[1]
        elsewhere.bind((other, port))
        own.settimeout(0.05)
        stop = threading.Event()

        def serve():
            while not stop.is_set():
                try:
                    packet, sender = own.recvfrom(65535)
                except TimeoutError:
                    continue
                for handler in handlers:
                    made = handler(decode(packet))
                    for one in made if isinstance(made, list) else [made]:
                        if isinstance(one, tuple):
                            elsewhere.sendto(one[1], sender)
                        elif one is not None:
                            own.sendto(one, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port
        finally:
            stop.set()
            thread.join()


def table_agent(table, limit=10_000, delay_s=0.0):
    """A sound agent over `table` (OID to value) that cuts GETBULK at `limit` varbinds."""
    oids = sorted(table)

    def after(oid):
        place = bisect.bisect_right(oids, oid)
        return oids[place] if place < len(oids) else None

    def handle(request):
        time.sleep(delay_s)
        if request.repetitions == 0:
            return request.answer([(oid, table.get(oid, endOfMibView)) for oid in request.oids])
        pairs, last = [], list(request.oids[request.once :])
        for oid in request.oids[: request.once]:
            found = after(oid)
            pairs.append((found or oid, table[found] if found else endOfMibView))
        for _ in range(request.repetitions or 1):
            for place, oid in enumerate(last):
                found = after(oid)
                if found is None and request.module is V1:
                    return request.answer([], status=2, place=place + 1)
                pairs.append((found or oid, table[found] if found else endOfMibView))
                last[place] = found or oid
        return request.answer(pairs[:limit])

    return handle


def poll(targets, *questions, poller=None):
    """Answers as they came; the result is the list of replies, and the poller."""

    def converse(_target):
        replies = []
        for question in questions or (Question((NAME,)),):
            replies.append((yield question))
        return replies

    poller = poller or SweepPoller()

    async def collect():
        return [answer async for answer in poller.ask(targets, converse)]

    return asyncio.run(collect()), poller.figures


def one(port, *asked, questions=(), poller=None, **how):
    """The answer of the agent at `port`, and the figures."""
    how = {"timeout_s": 0.3, "retries": 0, "address": "127.0.0.1"} | how
    (answer,), figures = poll([Target("a", port=port, **how)], *asked, *questions, poller=poller)
    return answer, figures
