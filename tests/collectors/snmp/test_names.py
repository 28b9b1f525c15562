"""`farola snmp walk`: names of the packages' MIBs, values as people read them, odd agents."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api, rfc1902

from collectors.snmp.names import Names
from collectors.snmp.names_compile import compile_modules, modules_defining, text_modules
from farola.errors import InputError
from tests.inventory.conftest import cli

__all__ = ["cli"]

LAMPS = """EXAMPLE-LAMP-MIB DEFINITIONS ::= BEGIN
IMPORTS
    MODULE-IDENTITY, OBJECT-TYPE, Integer32, enterprises FROM SNMPv2-SMI
    DisplayString, TEXTUAL-CONVENTION FROM SNMPv2-TC
    ifIndex, ifEntry FROM IF-MIB;
exampleLamp MODULE-IDENTITY
    LAST-UPDATED "202601010000Z" ORGANIZATION "x" CONTACT-INFO "x" DESCRIPTION "x"
    ::= { enterprises 99999 }
LampState ::= TEXTUAL-CONVENTION STATUS current DESCRIPTION "x"
    SYNTAX INTEGER { dark(0), lit(1) }
lampTable OBJECT-TYPE SYNTAX SEQUENCE OF LampEntry MAX-ACCESS not-accessible STATUS current
    DESCRIPTION "x" ::= { exampleLamp 2 }
lampEntry OBJECT-TYPE SYNTAX LampEntry MAX-ACCESS not-accessible STATUS current
    DESCRIPTION "x" INDEX { ifIndex } ::= { lampTable 1 }
LampEntry ::= SEQUENCE { lampState LampState, lampPower Integer32 }
lampState OBJECT-TYPE SYNTAX LampState MAX-ACCESS read-only STATUS current
    DESCRIPTION "x" ::= { lampEntry 1 }
lampPower OBJECT-TYPE SYNTAX Integer32 UNITS "watts" MAX-ACCESS read-only STATUS current
    DESCRIPTION "x" ::= { lampEntry 2 }
END
"""
IF_DESCR = (1, 3, 6, 1, 2, 1, 2, 2, 1, 2)


@pytest.fixture(scope="module")
def names() -> Names:
    return Names()


@pytest.mark.parametrize(
    ("text", "oid"),
    [
        ("ifDescr", "1.3.6.1.2.1.2.2.1.2"),
        ("IF-MIB::ifTable", "1.3.6.1.2.1.2.2"),
        ("sysDescr.0", "1.3.6.1.2.1.1.1.0"),
        (".1.3.6.1.2.1.2", "1.3.6.1.2.1.2"),
        ("mib-2", "1.3.6.1.2.1"),
        ("hrSystemUptime", "1.3.6.1.2.1.25.1.1"),
        ("snmpEngineID", "1.3.6.1.6.3.10.2.1.1"),
        ("dot1dBaseBridgeAddress", "1.3.6.1.2.1.17.1.1"),
        ("laLoad.1", "1.3.6.1.4.1.2021.10.1.3.1"),
        ('nsExtendOutput1Line."ab"', "1.3.6.1.4.1.8072.1.3.2.3.1.1.2.97.98"),
    ],
)
def test_a_name_or_a_number_is_an_oid(names, text, oid):
    assert ".".join(map(str, names.resolve(text).oid)) == oid


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ifDscr", "the MIBs have ifDescr"),
        ("ifdescr", "ifDescr"),
        ("IFMIB::ifDescr", "no MIB module 'IFMIB'; there is IF-MIB"),
        ("IF-MIB::sysDescr", "module IF-MIB has"),
        ("pimNeighborTable", "PIM-MIB::pimNeighborTable, PIM-STD-MIB::pimNeighborTable"),
        ("ifDescr.x", "no index"),
        ("2", "at least two numbers"),
        ("3.1", "none begins like this"),
        ("1.3.6.1.99999999999", "number above 4294967295"),
        ("ifDescr.99999999999", "number above 4294967295"),
        ("1.3" + ".1" * 127, "more than 128 numbers"),
        ("1.3." + "9" * 5000, "too long"),
        ("", "no name"),
        ("two words", "no name"),
    ],
)
def test_a_name_that_cannot_be_used_is_told_with_near_ones(names, text, said):
    with pytest.raises(InputError) as told:
        names.resolve(text)
    assert said in str(told.value)


@pytest.mark.parametrize("text", ["1", ".1", "iso"])
def test_the_root_is_all_that_an_agent_has(names, text):
    assert names.resolve(text).oid == (1,)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_rubbish_is_refused_in_one_line(text):
    told = ""
    try:
        _NAMES.resolve(text)
    except InputError as error:
        told = str(error)
    assert "\n" not in told


_NAMES = Names()
"""One for all of hypothesis' examples: it only reads."""


@pytest.mark.parametrize(
    ("oid", "value", "line"),
    [
        ("2.2.1.2.1", rfc1902.OctetString("lo"), "IF-MIB::ifDescr.1 = lo"),
        ("2.2.1.8.4", rfc1902.Integer32(1), "IF-MIB::ifOperStatus.4 = up(1)"),
        ("2.2.1.8.4", rfc1902.Integer32(99), "IF-MIB::ifOperStatus.4 = 99"),
        ("2.2.1.3.1", rfc1902.Integer32(24), "IF-MIB::ifType.1 = softwareLoopback(24)"),
        ("2.2.1.6.1", rfc1902.OctetString(hexValue="00005e005301"),
         "IF-MIB::ifPhysAddress.1 = 00:00:5e:00:53:01"),
        ("1.3.0", rfc1902.TimeTicks(12_345_678),
         "SNMPv2-MIB::sysUpTime.0 = 12345678 (1 days, 10:17:36.78)"),
        ("1.1.0", rfc1902.OctetString("Ñandú".encode()), "SNMPv2-MIB::sysDescr.0 = Ñandú"),
        ("1.2.0", rfc1902.ObjectIdentifier("1.3.6.1.2.1.2.2"),
         "SNMPv2-MIB::sysObjectID.0 = IF-MIB::ifTable"),
        ("4.20.1.1.127.0.0.1", rfc1902.IpAddress("127.0.0.1"),
         "IP-MIB::ipAdEntAddr.127.0.0.1 = 127.0.0.1"),
        ("25.1.2.0", rfc1902.OctetString(hexValue="07ea010203040500"),
         "HOST-RESOURCES-MIB::hrSystemDate.0 = 2026-1-2,3:4:5.0"),
        ("31.1.1.1.6.2", rfc1902.Counter64(2**63), f"IF-MIB::ifHCInOctets.2 = {2**63}"),
    ],
)  # fmt: skip
def test_values_read_as_people_read_them(names, oid, value, line):
    row = names.read(tuple(map(int, f"1.3.6.1.2.1.{oid}".split("."))), value)
    assert f"{row.name} = {row.text}" == line


OCTETS = st.binary(max_size=40)
NUMBERS = st.integers(0, 2**32 - 1)
VALUES = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(rfc1902.Integer32),
    *[NUMBERS.map(kind) for kind in (rfc1902.Counter32, rfc1902.Gauge32, rfc1902.TimeTicks)],
    st.integers(0, 2**64 - 1).map(rfc1902.Counter64),
    *[OCTETS.map(kind) for kind in (rfc1902.OctetString, rfc1902.Opaque, rfc1902.Bits)],
    st.binary(min_size=4, max_size=4).map(rfc1902.IpAddress),
    st.lists(NUMBERS, max_size=20).map(lambda parts: rfc1902.ObjectIdentifier((1, 3, *parts))),
    st.just(rfc1902.Null("")),
)


@settings(deadline=None, max_examples=400)
@given(data=st.data(), value=VALUES, index=st.lists(NUMBERS, max_size=8))
def test_any_value_under_any_oid_reads_as_something(data, value, index):
    nodes = [one.oid for one in _NAMES._index.definitions if one.module in COMMON]
    oid = (*data.draw(st.sampled_from(nodes) | st.just((1, 3, 6, 1, 4, 1))), *index)
    row = _NAMES.read(oid, value)
    assert row.oid == ".".join(map(str, oid))
    assert isinstance(row.text, str)


COMMON = {
    "SNMPv2-MIB", "IF-MIB", "IP-MIB", "HOST-RESOURCES-MIB", "ENTITY-MIB", "BRIDGE-MIB", "RMON-MIB",
    "SNMP-TARGET-MIB", "SNMP-USER-BASED-SM-MIB", "INET-ADDRESS-MIB", "UCD-SNMP-MIB", "BGP4-MIB",
}  # fmt: skip
"""With every kind of syntax and index; loading all of them takes half a minute."""


@pytest.mark.parametrize(
    ("oid", "value", "line"),
    [
        ("2.2.1.2.1", rfc1902.Integer32(-7), "IF-MIB::ifDescr.1 = -7"),
        ("2.2.1.8.1", rfc1902.OctetString("NaN"), "IF-MIB::ifOperStatus.1 = NaN"),
        ("4.20.1.1.127.0.0.1", rfc1902.OctetString("inf"),
         "IP-MIB::ipAdEntAddr.127.0.0.1 = inf"),
        ("4.20.1.1.127.0.0.1", rfc1902.Integer32(3), "IP-MIB::ipAdEntAddr.127.0.0.1 = 3"),
        ("1.3.0", rfc1902.OctetString(b"\xff\x00"), "SNMPv2-MIB::sysUpTime.0 = 0xff00"),
        ("1.2.0", rfc1902.OctetString("hello"), "SNMPv2-MIB::sysObjectID.0 = hello"),
        ("2.2.1.10.1", rfc1902.Counter64(2**63), f"IF-MIB::ifInOctets.1 = {2**63}"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_than_the_mib_says_is_shown_as_it_came(names, oid, value, line):
    row = names.read(tuple(map(int, f"1.3.6.1.2.1.{oid}".split("."))), value)
    assert f"{row.name} = {row.text}" == line


def test_text_mibs_need_none_of_the_known_ones_beside_them(tmp_path, cli):
    (tmp_path / "lamps.my").write_text(LAMPS)
    (tmp_path / "broken.txt").write_text("BROKEN-MIB DEFINITIONS ::= BEGIN\nfoo bar\nEND\n")
    (tmp_path / "readme").write_bytes(b"\xff\x00 no MIB")
    texts = text_modules(tmp_path)
    assert set(texts) == {"EXAMPLE-LAMP-MIB", "BROKEN-MIB"}
    assert modules_defining("lampState", texts) == ["EXAMPLE-LAMP-MIB"]
    said: list[str] = []
    out = tmp_path / "out"
    out.mkdir()
    compile_modules(list(texts), texts, out, said.append)
    assert [line.split(":")[0] for line in said] == ["BROKEN-MIB"]
    known = Names([out])
    oid = known.resolve("EXAMPLE-LAMP-MIB::lampTable").oid
    lit = known.read((*oid, 1, 1, 3), rfc1902.Integer32(1))
    assert (lit.name, lit.text) == ("EXAMPLE-LAMP-MIB::lampState.3", "lit(1)")
    assert known.read((*oid, 1, 2, 3), rfc1902.Integer32(7)).text == "7 watts"
    assert "holds no text MIB" in cli("snmp", "walk", "127.0.0.1", "x", "--mibs", out, code=1).err


@pytest.mark.service
def test_snmpd_is_walked_by_every_version(cli, snmpd, tmp_path, monkeypatch):
    port = snmpd(
        "sysName lamp\ncreateUser anna SHA-256 authsecret AES privsecret\nrouser anna priv"
    )
    monkeypatch.setenv("FAROLA_SNMP_AUTH_PASSWORD", "authsecret")
    monkeypatch.setenv("FAROLA_SNMP_PRIV_PASSWORD", "privsecret")
    host = f"127.0.0.1:{port}"
    by_user = ("--user", "anna", "--auth-protocol", "sha256", "--priv-protocol", "aes128")
    said = [
        cli("snmp", "walk", host, "ifDescr", *how).out for how in ((), ("--version", "1"), by_user)
    ]
    assert said[0].startswith("IF-MIB::ifDescr.1 = lo\n")
    assert len(set(said)) == 1
    assert cli("snmp", "walk", host, "1.3.6.1.2.1.1.5.0").out == "SNMPv2-MIB::sysName.0 = lamp\n"

    few = cli("snmp", "walk", host, "system", "--max", 3, "--json")
    assert (few.json["count"], few.json["complete"], len(few.json["rows"])) == (3, False, 3)
    assert few.err == "stopped after 3 values, there are more; --max allows more\n"
    assert "nothing at" in cli("snmp", "walk", host, "pimJoinPruneInterval", code=1).err
    wrong = cli("snmp", "walk", host, "ifDescr", "--community", "no", "--timeout", 0.1, code=1)
    assert "no answer" in wrong.err


@pytest.mark.service
@pytest.mark.realdata
def test_a_walk_from_the_root_shows_the_mibs_of_ieee_too(cli, replay):
    done = cli("snmp", "walk", f"127.0.0.1:{replay}", "iso", "--community", "airos", "--json").json
    below = {row["oid"].split(".")[1] for row in done["rows"]}
    assert (done["oid"], done["complete"], below) == ("1", True, {"2", "3"})


@pytest.fixture
def odd_agent() -> Iterator[int]:
    """An agent that sends rubbish before each answer, and whose third OID falls back."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    module = api.PROTOCOL_MODULES[1]

    def serve() -> None:
        while True:
            packet, sender = sock.recvfrom(65_535)
            if packet == b"stop":
                return
            message, _ = decoder.decode(packet, asn1Spec=module.Message())
            asked = module.apiMessage.get_pdu(message)
            answer = module.apiMessage.get_response(message)
            pdu = module.apiMessage.get_pdu(answer)
            rows = [(*IF_DESCR, 1), (*IF_DESCR, 5), (*IF_DESCR, 2)]
            module.apiPDU.set_varbinds(
                pdu, [(rfc1902.ObjectName(row), module.OctetString("x")) for row in rows]
            )
            module.apiPDU.set_request_id(pdu, module.apiPDU.get_request_id(asked))
            for reply in (b"\x30\xff rubbish", b"", encoder.encode(answer)):
                sock.sendto(reply, sender)

    thread = threading.Thread(target=serve)
    thread.start()
    port = sock.getsockname()[1]
    yield port
    sock.sendto(b"stop", ("127.0.0.1", port))
    thread.join()
    sock.close()


def test_rubbish_is_passed_over_and_a_walk_that_turns_back_is_stopped(cli, odd_agent):
    done = cli("snmp", "walk", f"127.0.0.1:{odd_agent}", "ifDescr", "--json", code=1)
    assert [row["name"] for row in done.json["rows"]] == ["IF-MIB::ifDescr.1", "IF-MIB::ifDescr.5"]
    assert done.json["complete"] is False
    assert "do not increase" in done.err
    assert "Traceback" not in done.err
