"""The trap receiver on a real socket and a real inventory: what is acknowledged is stored."""

from __future__ import annotations

import asyncio
import socket
import sqlite3

import pytest
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api

from collectors.snmp.model import Target
from collectors.snmp.notification import TRAP_OID
from collectors.snmp.sweep.sockets import granted, open_socket
from collectors.snmp.trap_receiver import TrapReceiver
from collectors.snmp.trap_refusals import AGAIN_S, NAMED, REFUSED, STRANGERS, Refusals
from collectors.targets import Targets
from farola.errors import SettingsError
from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.queries import events
from tests.collectors.snmp.test_traps import packet

v2c = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]
KNOWN = Targets(polled=(Target("ap-1", "127.0.0.1"),), skipped=(), notes=(), names={})
COLD_START, WARM_START, LINK_DOWN = "trap.cold-start", "trap.warm-start", "trap.link-down"
NUMBERS = {COLD_START: 1, WARM_START: 2, LINK_DOWN: 3}


def inform(kind: str) -> bytes:
    """An inform whose request-id is its kind's number."""
    pdu = v2c.InformRequestPDU()
    v2c.apiTrapPDU.set_defaults(pdu)
    v2c.apiPDU.set_request_id(pdu, NUMBERS[kind])
    oid = (1, 3, 6, 1, 6, 3, 1, 1, 5, NUMBERS[kind])
    v2c.apiTrapPDU.set_varbinds(
        pdu,
        [((1, 3, 6, 1, 2, 1, 1, 3, 0), v2c.TimeTicks(1)), (TRAP_OID, v2c.ObjectIdentifier(oid))],
    )
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, "public")
    v2c.apiMessage.set_pdu(message, pdu)
    return encoder.encode(message)


class Sender(asyncio.DatagramProtocol):
    """Sends informs and keeps the kinds that were acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: asyncio.Queue[str] = asyncio.Queue()

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, _addr) -> None:
        message, _ = decoder.decode(data, asn1Spec=v2c.Message())
        number = int(v2c.apiPDU.get_request_id(v2c.apiMessage.get_pdu(message)))
        self.acknowledged.put_nowait({n: kind for kind, n in NUMBERS.items()}[number])


@pytest.fixture
def inventory(run, home):
    run("init")
    opened = open_inventory(load_settings())
    yield opened
    opened.close()


def stored(inventory, limit=100) -> list[str]:
    with inventory.session() as session:
        return [one.kind for one in events(session, limit=limit) if one.kind.startswith("trap.")]


def talk(inventory, port, tell, **options):
    """Run `tell(receiver, sender)` beside a receiver on `port`; return its counts."""

    async def main():
        receiver = TrapReceiver(inventory, **options)
        receiver.know(KNOWN)
        await receiver.listen("127.0.0.1", port)
        transport, sender = await asyncio.get_running_loop().create_datagram_endpoint(
            Sender, remote_addr=("127.0.0.1", port)
        )
        try:
            await asyncio.wait_for(tell(receiver, sender), 60)
        finally:
            transport.close()
            await receiver.close()
        return receiver.counts.as_json()

    return asyncio.run(main())


async def received(receiver, count) -> None:
    while receiver.counts.as_json()["received"] < count:
        await asyncio.sleep(0.01)


def test_without_room_an_inform_is_not_acknowledged_and_its_repeat_is_stored(inventory, trap_port):
    async def tell(receiver, sender):
        async with receiver._writing:  # the inventory is busy: nothing is stored meanwhile
            for kind in (COLD_START, WARM_START):
                sender.transport.sendto(inform(kind))
            await received(receiver, 2)
        assert await sender.acknowledged.get() == COLD_START
        assert stored(inventory) == [COLD_START]
        sender.transport.sendto(inform(WARM_START))
        assert await sender.acknowledged.get() == WARM_START
        assert sender.acknowledged.empty()

    counts = talk(inventory, trap_port, tell, most_waiting=1)
    assert sorted(stored(inventory)) == [COLD_START, WARM_START]
    assert (counts["received"], counts["stored"], counts["dropped"]) == (3, 2, 1)
    assert counts["duplicate"] == 0


def test_an_event_that_cannot_be_stored_costs_the_others_nothing(inventory, trap_port, capsys):
    database = sqlite3.connect(inventory.engine.url.database)
    database.execute(
        f"CREATE TRIGGER refuse BEFORE INSERT ON event WHEN new.kind = '{WARM_START}' "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    database.close()

    async def tell(receiver, sender):
        async with receiver._writing:
            for kind in (COLD_START, WARM_START):
                sender.transport.sendto(inform(kind))
            await received(receiver, 2)
        assert await sender.acknowledged.get() == COLD_START
        sender.transport.sendto(inform(LINK_DOWN))
        assert await sender.acknowledged.get() == LINK_DOWN

    counts = talk(inventory, trap_port, tell)
    assert sorted(stored(inventory)) == [COLD_START, LINK_DOWN]
    assert (counts["stored"], counts["dropped"]) == (2, 1)
    assert "a trap cannot be stored: IntegrityError" in capsys.readouterr().err


def test_what_an_inventory_does_not_take_is_kept_and_stored_later(inventory, trap_port, capsys):
    def rename(old: str, new: str) -> None:
        database = sqlite3.connect(inventory.engine.url.database)
        database.execute(f"ALTER TABLE {old} RENAME TO {new}")
        database.close()

    async def tell(receiver, sender):
        rename("event", "gone")
        sender.transport.sendto(inform(COLD_START))
        while not receiver._failed:
            await asyncio.sleep(0.01)
        assert receiver.counts.as_json()["stored"] == 0
        rename("gone", "event")
        assert await sender.acknowledged.get() == COLD_START

    counts = talk(inventory, trap_port, tell)
    assert stored(inventory) == [COLD_START]
    assert counts["stored"] == 1
    assert capsys.readouterr().err.count("traps not stored yet") == 1


@pytest.fixture
def district():
    """A district loses power: its controller tells of 3,000 access points at once, while the
    collector is busy and reads nothing.
    """
    mac = b"\x02\0\0\0\xfe\xfe"
    more = [((1, 3, 6, 1, 4, 1, 14179, 2, 6, 2, 20, 0), v2c.OctetString(mac))]
    first = packet((1, 3, 6, 1, 4, 1, 14179, 2, 6, 3, 8), "public", more=more)
    packets = [first.replace(mac, mac[:4] + n.to_bytes(2)) for n in range(3000)]

    def send(port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller:
            for one in packets:
                controller.sendto(one, ("127.0.0.1", port))

    return send


async def settled(receiver) -> dict[str, int]:
    """Counts, once every packet of the district is in one of them."""
    while True:
        counts = receiver.counts.as_json()
        if sum(counts.values()) - counts["received"] >= 3000:
            return counts
        await asyncio.sleep(0.05)


def test_no_trap_of_a_district_that_loses_power_is_lost(inventory, trap_port, district):
    with open_socket(socket.AF_INET) as probe:
        if granted(probe) < 3000 * 1280:
            pytest.skip("the kernel grants no buffer for 3,000 packets: see `farola doctor`")

    async def tell(receiver, _sender):
        district(trap_port)  # in the loop: until it ends the kernel holds them all
        await settled(receiver)

    counts = talk(inventory, trap_port, tell)
    assert (counts["received"], counts["stored"], counts["kernel_drops"]) == (3000, 3000, 0)
    assert sum(one == "trap.ap-down" for one in stored(inventory, 5000)) == 3000


def test_what_the_kernel_drops_is_counted_and_told(inventory, trap_port, district, capsys):
    async def tell(receiver, _sender):
        district(trap_port)
        await settled(receiver)

    counts = talk(inventory, trap_port, tell, buffer_bytes=64 * 1024)
    assert counts["kernel_drops"] > 0
    assert counts["received"] + counts["kernel_drops"] == 3000
    assert counts["stored"] == counts["received"]
    told = capsys.readouterr().err
    assert told.count("traps: `farola doctor` tells how") == 1


def test_a_refused_stranger_is_told_as_one_and_hides_no_device(capsys):
    refusals = Refusals()
    for n in range(100):
        refusals.tell("wrong_community", f"198.51.100.{n}", 10.0, known=False)
    for _ in range(2):
        refusals.tell("wrong_community", "192.0.2.1", 20.0, known=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == NAMED + 1
    assert "198.51.100.0 are refused: no device has this address, and no credential" in lines[0]
    assert "192.0.2.1 are refused: its community is not that of the device's" in lines[-1]
    refusals.tell("wrong_community", "192.0.2.1", 20.0 + AGAIN_S, known=True)
    assert "192.0.2.1" in capsys.readouterr().err
    assert STRANGERS.keys() == REFUSED.keys()


def test_a_stranger_is_told_as_one(inventory, trap_port, capsys):
    async def tell(receiver, sender):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", 0))
            stranger.sendto(packet(community="wrong"), ("127.0.0.1", trap_port))
        sender.transport.sendto(packet(community="wrong"))
        await received(receiver, 2)

    assert talk(inventory, trap_port, tell)["wrong_community"] == 2
    told = capsys.readouterr().err
    assert "127.0.0.2 are refused: no device has this address" in told
    assert "127.0.0.1 are refused: its community is not" in told


def test_a_port_that_is_taken_is_one_clear_line(inventory, trap_port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", trap_port))
        with pytest.raises(SettingsError, match="cannot listen for traps on 127"):
            talk(inventory, trap_port, None)
