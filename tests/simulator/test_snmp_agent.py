"""The SNMP agent, asked by pysnmp and by Debian's snmp tools."""

from __future__ import annotations

import asyncio
import itertools
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import paramiko
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.device import Device
from simulator.fleet import Fleet, FleetDevice
from simulator.mib import EXTEND_TABLE, IF_X_ENTRY
from simulator.snmp_agent import Agent

Ssh = Callable[..., paramiko.SSHClient]
SYS_DESCR, SYS_UP_TIME, SYS_NAME = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.5.0"
HR_UPTIME = "1.3.6.1.2.1.25.1.1.0"


def extend(name: str, column: int = 1) -> str:
    return ".".join(map(str, (*EXTEND_TABLE, column, len(name), *name.encode())))


def ask(device: FleetDevice, *oids: str, community: str = "public", tries: int = 1) -> list[Any]:
    """One GET by pysnmp; an empty list where there is no answer."""
    from pysnmp.hlapi.v3arch.asyncio import (
        CommunityData,
        ContextData,
        ObjectIdentity,
        ObjectType,
        SnmpEngine,
        UdpTransportTarget,
        get_cmd,
    )

    async def main() -> list[Any]:
        target = await UdpTransportTarget.create(
            (device.address, device.snmp_port), timeout=1.0, retries=tries - 1
        )
        engine = SnmpEngine()
        objects = [ObjectType(ObjectIdentity(oid)) for oid in oids]
        error, status, _, pairs = await get_cmd(
            engine, CommunityData(community, mpModel=1), target, ContextData(), *objects
        )
        engine.close_dispatcher()
        return [] if error or status else [value for _, value in pairs]

    return asyncio.run(main())


def test_a_device_tells_what_it_is_and_how_its_radios_are(fleet: Fleet) -> None:
    device = fleet.device("ap-0001")
    descr, name, uptime, radios, frequency, clients, missing = ask(
        device, SYS_DESCR, SYS_NAME, HR_UPTIME, extend("interfaces", 2),
        extend("frequency-wlan0"), extend("clients-wlan"), extend("nothing"),
    )  # fmt: skip
    assert str(descr).startswith("Linux ap-0001 5.15")
    assert str(name) == "ap-0001"
    assert int(uptime) > 3600 * 100
    assert str(radios) == '"wlan0,wl-2.4G\nwlan1,wl-5G"'
    assert int(str(frequency)) in {2412, 2437, 2462}
    assert int(str(clients)) >= 0
    assert type(missing).__name__ == "NoSuchInstance"


def test_another_community_gets_no_answer(fleet: Fleet) -> None:
    assert ask(fleet.device("ap-0001"), SYS_NAME, community="private") == []


def test_silent_and_flaky_devices_are_so(fleet: Fleet) -> None:
    assert ask(fleet.device("ap-0003"), SYS_NAME) == []
    answers = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.05)
        request = get_request(1, (1, 3, 6, 1, 2, 1, 1, 5, 0))
        for _ in range(100):
            udp.sendto(request, (fleet.device("ap-0006").address, 1161))
            try:
                answers += bool(udp.recv(1500))
            except TimeoutError:
                continue
    assert 40 < answers < 90


def get_request(number: int, oid: tuple[int, ...], kind: str = "GetRequestPDU") -> bytes:
    from pyasn1.codec.ber import encoder
    from pysnmp.proto.api import v2c

    message, pdu = v2c.Message(), getattr(v2c, kind)()
    api = v2c.apiBulkPDU if kind == "GetBulkRequestPDU" else v2c.apiPDU
    api.set_defaults(pdu)
    api.set_request_id(pdu, number)
    if kind == "GetBulkRequestPDU":
        api.set_max_repetitions(pdu, 25)
    api.set_varbinds(pdu, [(oid, v2c.null)])
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, "public")
    v2c.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


def decoded(data: bytes) -> tuple[int, int, list[tuple[tuple[int, ...], Any]]]:
    """Request id, error status and pairs of a reply."""
    from pyasn1.codec.ber import decoder
    from pysnmp.proto.api import v2c

    message, _ = decoder.decode(data, asn1Spec=v2c.Message())
    pdu = v2c.apiMessage.get_pdu(message)
    pairs = [(tuple(oid), value) for oid, value in v2c.apiPDU.get_varbinds(pdu)]
    return int(v2c.apiPDU.get_request_id(pdu)), int(v2c.apiPDU.get_error_status(pdu)), pairs


@pytest.mark.parametrize("kind", ["GetNextRequestPDU", "GetBulkRequestPDU"])
def test_a_walk_visits_every_object_once_in_order_and_ends(device: Device, kind: str) -> None:
    agent = Agent(device)
    place: tuple[int, ...] = (1, 3)
    seen: list[tuple[int, ...]] = []
    for number in range(1, 2000):
        reply = agent.answer(get_request(number, place, kind))
        assert reply is not None
        assert len(reply) <= 1472  # one frame
        identity, error, pairs = decoded(reply)
        assert (identity, error) == (number, 0)
        found = [oid for oid, value in pairs if type(value).__name__ != "EndOfMibView"]
        seen += found
        if len(found) < len(pairs):
            break
        place = found[-1]
    assert seen == sorted(set(seen))
    assert len(seen) > 150


def test_a_write_is_refused(device: Device) -> None:
    reply = Agent(device).answer(get_request(1, (1, 3, 6, 1, 2, 1, 1, 5, 0), "SetRequestPDU"))
    assert reply is not None
    assert decoded(reply)[1] == 17  # notWritable


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None
)
@given(data=st.binary(max_size=80), cut=st.integers(0, 60), at=st.integers(0, 50))
def test_garbage_is_met_with_silence(device: Device, data: bytes, cut: int, at: int) -> None:
    agent = Agent(device)
    good = get_request(1, (1, 3, 6, 1, 2, 1, 1, 5, 0))
    agent.answer(data)
    agent.answer(good[:cut])
    agent.answer(good[:at] + data + good[at:])
    assert agent.answer(good) is not None


def test_counters_grow_with_demand_and_start_again_at_a_boot(device: Device) -> None:
    now = [1_790_000_000.0]
    device.clock = device.traffic.now = device.traffic.monotonic = lambda: now[0]
    device.traffic.reset()
    names = [network.interface for network in device.networks]
    totals = []
    for _ in range(12):
        now[0] += 7200
        counters = device.traffic.advance(device.networks)
        totals.append(counters["eth0"].rx)
        assert counters["eth0"].rx == pytest.approx(sum(counters[name].tx for name in names))
    steps = [b - a for a, b in itertools.pairwise(totals)]
    assert all(step > 0 for step in steps)
    assert max(steps) > 3 * min(steps)  # the day has a peak
    asyncio.run(device.boot())
    assert device.traffic.advance(device.networks).get("eth0") is None
    view_oid = (*IF_X_ENTRY, 6, 2)
    reply = Agent(device).answer(get_request(1, view_oid))
    assert reply is not None
    assert int(decoded(reply)[2][0][1]) == 0


def test_a_pushed_name_radio_and_community_show_after_a_reload(fleet: Fleet, ssh: Ssh) -> None:
    device = fleet.device("ap-0009")
    with ssh("ap-0009") as client:

        def run(command: str) -> None:
            out = client.exec_command(command)[1]
            out.read()
            assert out.channel.recv_exit_status() == 0, command

        run("uci set system.@system[0].hostname=renamed; uci commit")
        assert str(ask(device, SYS_NAME)[0]) == "ap-0009"  # nothing was reloaded yet
        run("/etc/init.d/system reload; uci set wireless.radio0.channel=11")
        run("uci set wireless.default_radio0.ssid='Café Lumora'; uci commit; wifi reload")
        name, frequency, ssid = ask(
            device, SYS_NAME, extend("frequency-wlan0"), extend("ssid-wlan0")
        )
        assert (str(name), str(frequency)) == ("renamed", "2462")
        assert bytes(ssid).decode() == "Café Lumora"
        run("uci set wireless.radio0.disabled=1; uci commit; wifi reload")
        assert type(ask(device, extend("frequency-wlan0"))[0]).__name__ == "NoSuchInstance"
        asked_at = int(ask(device, HR_UPTIME)[0])
        run("uci set snmpd.@com2sec[0].community=other; uci commit; /etc/init.d/snmpd restart")
        assert ask(device, SYS_NAME) == []
        agent_ticks, system_ticks = ask(device, SYS_UP_TIME, HR_UPTIME, community="other")
        # The agent began after it was told to, the device did not begin anew.
        assert int(system_ticks) - int(agent_ticks) >= asked_at


def test_traps_tell_of_a_reload(fleet: Fleet, ssh: Ssh) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(5)
        port = sink.getsockname()[1]
        with ssh("ap-0001") as client:
            client.exec_command(
                "uci set snmpd.t=trap2sink; uci set snmpd.t.host=127.0.0.1;"
                f"uci set snmpd.t.port={port}; uci commit; /etc/init.d/snmpd reload; wifi reload"
            )[1].read()
        kinds = []
        while len(kinds) < 6:
            data, source = sink.recvfrom(4096)
            assert source[0] == fleet.device("ap-0001").address
            kinds.append(tuple(decoded_trap(data)))
        client_kinds = [".".join(map(str, kind)) for kind in kinds]
    restart, down, up = "1.3.6.1.4.1.8072.4.0.3", "1.3.6.1.6.3.1.1.5.3", "1.3.6.1.6.3.1.1.5.4"
    assert client_kinds == [restart, down, down, up, up, restart]


def decoded_trap(data: bytes) -> tuple[int, ...]:
    from pyasn1.codec.ber import decoder
    from pysnmp.proto.api import v2c

    message, _ = decoder.decode(data, asn1Spec=v2c.Message())
    pairs = v2c.apiPDU.get_varbinds(v2c.apiMessage.get_pdu(message))
    assert tuple(pairs[0][0]) == (1, 3, 6, 1, 2, 1, 1, 3, 0)
    return tuple(pairs[1][1])


@pytest.mark.service
def test_debian_s_snmp_tools_read_a_device(
    fleet: Fleet, needs_program: Callable[[str, str], str]
) -> None:
    device = fleet.device("ap-0001")
    where = f"{device.address}:{device.snmp_port}"

    def run(program: str, *args: str) -> str:
        path = needs_program(program, "snmp")
        done = subprocess.run(
            [path, "-v2c", "-c", "public", "-On", where, *args],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    assert run("snmpget", SYS_NAME) == f'.{SYS_NAME} = STRING: "ap-0001"\n'
    assert "No Such Object" in run("snmpget", "1.3.6.1.2.1.99.1.0")
    assert "No Such Instance" in run("snmpget", "1.3.6.1.2.1.2.2.1.2.99")
    walked = run("snmpbulkwalk", "-Cr25", "1.3.6.1").splitlines()
    assert walked[-1].startswith(".1.3.6.1.4.1.8072.1.3.2.3.1.4.")
    assert len(walked) == len(run("snmpwalk", "1.3.6.1").splitlines()) > 150
    names = [
        line.split('"')[1] for line in run("snmpbulkwalk", "1.3.6.1.2.1.31.1.1.1.1").splitlines()
    ]
    assert names == ["lo", "eth0", "br-lan", "wlan0", "wlan1"]
    assert any(
        "Counter64" in line for line in run("snmpwalk", "1.3.6.1.2.1.31.1.1.1.6").splitlines()
    )
