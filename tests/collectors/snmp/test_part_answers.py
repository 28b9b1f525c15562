"""Devices that say only part of what they are asked: slowly, or with a table that breaks off."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager

import pytest
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import univ
from pysnmp.proto import api

from collectors.snmp.book import SYS_DESCR, SYS_NAME, SYS_OBJECT_ID, SYS_UP_TIME
from collectors.snmp.model import Question, Target
from collectors.snmp.sweep import SweepPoller
from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.models import Device
from timeseries.opening import open_store

v2c = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]
SCALARS = {
    SYS_DESCR: v2c.OctetString(b"an agent"),
    SYS_OBJECT_ID: v2c.ObjectIdentifier((1, 3, 6, 1, 4, 1, 55555)),
    SYS_UP_TIME: v2c.TimeTicks(4200),
    SYS_NAME: v2c.OctetString(b"slow"),
}
ROWS = 60
"""Of the slow agent's table: read to its end it would be complete."""


class Agent(asyncio.DatagramProtocol):
    """Answers GET at once; GETBULK with one row after `delay_s`, or with one that makes no
    progress, at which a table breaks off.
    """

    def __init__(self, delay_s: float, broken: bool) -> None:
        self.delay_s, self.broken = delay_s, broken

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, addr) -> None:
        request, _ = decoder.decode(data, asn1Spec=v2c.Message())
        pdu = v2c.apiMessage.get_pdu(request)
        asked = [tuple(oid) for oid, _ in v2c.apiPDU.get_varbinds(pdu)]
        message = v2c.apiMessage.get_response(request)
        bulk = pdu.tagSet == v2c.GetBulkRequestPDU.tagSet
        pairs = [
            self.next(oid) if bulk else (oid, SCALARS.get(oid, univ.Null(""))) for oid in asked
        ]
        v2c.apiPDU.set_varbinds(v2c.apiMessage.get_pdu(message), pairs)
        packet = encoder.encode(message)
        asyncio.get_running_loop().call_later(
            self.delay_s if bulk else 0, self.transport.sendto, packet, addr
        )

    def next(self, oid):
        row = oid[-1] if len(oid) > 10 else 0
        if self.broken:
            return oid, v2c.Integer32(1)
        if row >= ROWS:
            return (2, 9), v2c.Integer32(1)
        return (*oid[:10], row + 1), v2c.Integer32(row)


@contextmanager
def agent(*addresses: str, delay_s: float = 0.0, broken: bool = False):
    """The agent in a thread of its own at each of `addresses`; yields their common port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen(address, port):
        return await loop.create_datagram_endpoint(
            lambda: Agent(delay_s, broken), local_addr=(address, port)
        )

    port, transports = 0, []
    try:
        for address in addresses:
            made = asyncio.run_coroutine_threadsafe(listen(address, port), loop).result(10)
            transports.append(made[0])
            port = transports[0].get_extra_info("sockname")[1]
        yield port
    finally:
        for transport in transports:
            loop.call_soon_threadsafe(transport.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


COLUMN = (1, 3, 6, 1, 2, 1, 2, 2, 1, 10)
QUESTION = Question((SYS_NAME,), ((COLUMN,),))


def poll(targets):
    def converse(_target):
        return (yield QUESTION)

    async def collect():
        return [answer async for answer in SweepPoller().ask(targets, converse)]

    return asyncio.run(collect())


def test_one_that_answers_just_in_time_for_ever_is_given_up_and_what_it_said_is_kept():
    with agent("127.0.0.1", delay_s=0.1) as slow, agent("127.0.0.1") as quick:
        targets = [
            *(Target(f"slow-{n}", "127.0.0.1", slow, deadline_s=2.0) for n in range(2)),
            *(Target(f"quick-{n}", "127.0.0.1", quick) for n in range(3)),
        ]
        answers = poll(targets)
    assert "".join(answer.target.device_id[0] for answer in answers) == "qqqss"
    for answer in answers:
        assert answer.answered
        assert answer.result.scalars == [b"slow"]
        if answer.target.device_id.startswith("slow"):
            assert answer.result.tables == [None]  # half a table is none
            assert answer.error == "given up after 2 s, at table 1.3.6.1.2.1.2.2.1"
        else:
            assert len(answer.result.tables[0][0]) == ROWS
            assert answer.error == ""


@pytest.mark.parametrize("command", ["once", "run"])
def test_one_that_answers_only_in_part_is_counted_and_named(run, home, command):
    run("init")
    inventory = open_inventory(load_settings())
    with agent("127.8.0.1", broken=True) as broken, agent("127.8.0.2") as sound:
        with inventory.session() as session:
            for number, port in enumerate((broken, sound, 9), 1):
                name, address = f"ap-{number}", f"127.8.0.{number}"
                session.add(Device(id=name, name=name, management_address=address, snmp_port=port))
        inventory.close()
        words = ["--json"] if command == "once" else ["--count", 1]
        done = run("collect", command, *words)
    said = [line for line in done.stderr.splitlines() if "in part" in line]
    assert len(said) == 1
    assert "ap-1" in said[0]
    assert "ap-2" not in said[0]
    if command == "once":
        summary = json.loads(done.stdout)
        assert (summary["answered"], summary["partial"]) == (2, ["ap-1"])
        assert summary["not_answered"] == ["ap-3"]
    store = open_store(load_settings())
    table = store.latest("device", ("answered", "agent_uptime_s"))
    store.close()
    rows = dict(zip(table.tags["device"], zip(*table.fields.values(), strict=True), strict=True))
    assert rows["ap-1"] == (True, 42)
