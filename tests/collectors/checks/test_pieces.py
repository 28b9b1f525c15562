"""The parts of a check without a network: packets, programs' words, settings, rows."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.checks import dhcp
from collectors.checks.from_access_point import read_fetch, read_nslookup, read_udhcpc
from collectors.checks.model import CheckResult, host_of, judge_http
from collectors.checks.run import Checked, batch_of, choose, plan_of
from farola.errors import SettingsError
from farola.keys import Keyring, create_key
from farola.settings import ChecksSettings, load_settings
from inventory.db import open_inventory
from inventory.models import Device
from inventory.queries import store_secrets

MAC = bytes.fromhex("02000a0b0c0d")


def offer(xid=7, kind=2, server=b"\x0a\x01\x02\x03", chaddr=MAC) -> bytes:
    head = bytearray(dhcp.discover(xid, chaddr)[:240])
    head[0] = 2
    return bytes(head) + bytes([53, 1, kind, 54, 4]) + server + bytes([6, 4, 1, 1, 1, 1, 255])


def test_an_offer_is_read():
    assert dhcp.read_offer(offer(), 7, MAC) == dhcp.Offer("10.1.2.3", ("1.1.1.1",))


@pytest.mark.parametrize(
    "packet",
    [offer(xid=8), offer(kind=6), offer(chaddr=b"\x02" * 6), offer()[:239], b"",
     dhcp.discover(7, MAC), offer().replace(bytes([54, 4]), bytes([54, 200]))],
    ids=["other xid", "a nak", "other client", "cut", "nothing", "our own", "option too long"],
)  # fmt: skip
def test_other_packets_are_no_offer(packet):
    assert dhcp.read_offer(packet, 7, MAC) is None


@given(st.binary(max_size=60), st.integers(0, 59))
def test_no_packet_raises(tail, cut):
    dhcp.read_offer(offer()[: 240 + cut] + tail, 7, MAC)


def test_a_discover_is_a_whole_bootp_packet():
    packet = dhcp.discover(0x01020304, MAC)
    assert len(packet) == 300
    assert packet[4:8] == b"\x01\x02\x03\x04"
    assert packet[28:34] == MAC
    assert packet[236:240] == b"\x63\x82\x53\x63"


def test_a_redirect_tells_the_portal_and_nothing_of_the_client():
    told = judge_http(302, "http://portal.example/l?mac=00:11:22:33:44:55", "either", 1.0).reason
    assert told == "portal: redirects to http://portal.example"
    assert host_of("/login") == "another page"
    assert host_of("http://[") == "something that is no address"


UCLIENT = "Downloading 'http://probe.example/'\nConnecting to 10.0.0.1:80\n"
WGET = "Connecting to probe.example (10.0.0.1:80)\n"


@pytest.mark.parametrize(
    ("status", "text", "ok", "reason"),
    [
        (0, UCLIENT + "Download completed (0 bytes)\n", True, "internet: 204"),
        (0, UCLIENT + "Writing to '/dev/null'\nDownload completed (512 bytes)\n", True,
         "portal: answers 200 itself"),
        (0, UCLIENT + "Redirected to /login?mac=1 on portal.example\nDownload completed (9 bytes)",
         True, "portal: redirects to http://portal.example"),
        (8, UCLIENT + "Failed to redirect to / on portal.example\n", True,
         "portal: redirects to http://portal.example"),
        (8, UCLIENT + "HTTP error 500\n", False, "HTTP 500"),
        (4, UCLIENT + "Connection error: Connection timed out\n", False, "no answer"),
        (4, UCLIENT + "Connection error: Connection failed\n", False,
         "connection refused or broken off"),
        (0, WGET + "  HTTP/1.1 204 No Content\n", True, "internet: 204"),
        (0, WGET + "  HTTP/1.1 302 Found\n  Location: http://portal.example/x?y\n" + WGET
         + "  HTTP/1.1 200 OK\n", True, "portal: redirects to http://portal.example"),
        (1, "wget: bad address 'probe.example'\n", False, "its name is not found"),
        (1, WGET + "wget: download timed out\n", False, "no answer"),
        (127, "ash: wget: not found\n", None, "the access point has no uclient-fetch or wget"),
    ],
)  # fmt: skip
def test_what_uclient_fetch_and_wget_say_is_understood(status, text, ok, reason):
    found = read_fetch(status, text, "either", 1.0)
    assert (found.ok, found.reason) == (ok, reason)


@pytest.mark.parametrize(
    ("status", "text", "ok", "reason"),
    [
        (0, "Server:\t\t127.0.0.1\nAddress:\t127.0.0.1:53\n\nName:\tx.y\nAddress: 10.0.0.1\n", True,
         "answer"),
        (0, "Server:    10.0.0.1\nAddress 1: 10.0.0.1 gw\n\nName:      x\nAddress 1: 10.1.1.1\n",
         True, "answer"),
        (1, "Server:\t\t127.0.0.1\nAddress:\t127.0.0.1:53\n\n** server can't find x: NXDOMAIN\n",
         False, "NXDOMAIN"),
        (1, "Server:\t\t10.0.0.1\nAddress:\t10.0.0.1:53\n\n*** Can't find x: No answer\n", False,
         "no address for this name"),
        (1, ";; connection timed out; no servers could be reached\n", False, "no answer"),
        (127, "ash: nslookup: not found\n", None, "the access point has no nslookup"),
    ],
)  # fmt: skip
def test_what_nslookup_says_is_understood(status, text, ok, reason):
    found = read_nslookup(status, text, 1.0)
    assert (found.ok, found.reason) == (ok, reason)


@pytest.mark.parametrize(
    ("status", "text", "ok", "reason"),
    [
        (0, "udhcpc: started, v1.36.1\nudhcpc: lease of 10.0.0.9 obtained from 10.0.0.1, lease "
         "time 3600\n", True, "lease from 10.0.0.1"),
        (0, "udhcpc: lease of 10.0.0.9 obtained, lease time 3600\n", True, "lease"),
        (1, "udhcpc: broadcasting discover\nudhcpc: no lease, failing\n", False, "no answer"),
        (1, "udhcpc: SIOCGIFINDEX: No such device\n", None,
         "udhcpc ended with 1: udhcpc: SIOCGIFINDEX: No such device"),
    ],
)  # fmt: skip
def test_what_udhcpc_says_is_understood(status, text, ok, reason):
    found = read_udhcpc(status, text, 1.0)
    assert (found.ok, found.reason) == (ok, reason)


@given(st.integers(0, 255), st.text(max_size=200))
def test_no_words_of_an_access_point_raise(status, text):
    for found in (
        read_fetch(status, text, "either", None), read_nslookup(status, text, None),
        read_udhcpc(status, text, None),
    ):  # fmt: skip
        assert found.reason.isprintable()


GOOD = ChecksSettings(dns_name="example.org", portal_url="http://example.org:8080/generate_204?x=1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval_s": 0.0}, {"timeout_s": float("nan")}, {"aps": -1}, {"expect": "yes"},
        {"interface": "-x"}, {"ap_interface": "br-lan; reboot"}, {"dns_name": "-type=any"},
        {"dns_server": "ns.example"}, {"source": "10.0.0"}, {"portal_url": "https://x/"},
        {"portal_url": "http://u:p@x/"}, {"portal_url": "http://x/'; reboot'"},
        {"portal_url": "http:///x"}, {"portal_url": "http://x:99999/"}, {"namespace": "a/b"},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_cannot_be_are_named(wrong):
    (name,) = wrong
    with pytest.raises(SettingsError, match=name):
        plan_of(replace(GOOD, **wrong))


def test_good_settings_make_a_plan():
    assert plan_of(GOOD).checks == ("dns", "portal")
    assert plan_of(ChecksSettings()).checks == ()


def test_what_could_not_be_made_leaves_its_reason_and_no_verdict():
    found = [Checked("a", (CheckResult("dns", None, "no nslookup"),)), Checked("b", problem="x")]
    batch = batch_of(found, 5)
    assert batch is not None
    assert batch.tags == {"device": ["a"], "check": ["dns"]}
    assert batch.fields["ok"] == [None]
    assert batch_of(found[1:], 5) is None


def test_the_process_that_plays_the_client_is_lean():
    script = (
        "import sys, collectors.checks.client\n"
        "heavy = {'scapy', 'napalm', 'paramiko', 'ansible', 'sqlalchemy', 'requests', 'click'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_credential_that_does_not_open_hinders_its_own_device_alone(run, home, tmp_path):
    run("init")
    settings = load_settings()
    inventory = open_inventory(settings)
    with inventory.session() as session:
        store_secrets(session, "good", "root", {"password": "lamp"}, Keyring(settings.home))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FAROLA_KEY_FILE", str(tmp_path / "another.key"))
            create_key(settings.home)
            store_secrets(session, "bad", "root", {"password": "post"}, Keyring(settings.home))
    with inventory.session() as session:
        for name in ("good", "bad"):
            session.add(Device(id=name, name=name, management_address="127.0.0.1",
                               credential_name=name, host_key="ssh-ed25519 AAAA"))  # fmt: skip
    chosen = dict(choose(settings, inventory, ("good", "bad")))
    inventory.close()
    assert not isinstance(chosen["good"], str)
    assert "'bad'" in str(chosen["bad"])
