"""SNMPv3 traps and informs as net-snmp sends them, on a real socket and a real inventory: who is
believed, what is a replay, what a sender is told.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.snmp.model import Target, Usm
from collectors.snmp.notification_v3 import V3Ear
from collectors.snmp.peers import (
    PEERS_FILE,
    OwnEngine,
    Peers,
    save_peers,
)
from collectors.snmp.senders import Senders
from collectors.snmp.trap_receiver import TrapReceiver
from collectors.snmp.traps import SIGNED, TrapFilter
from collectors.snmp.v3.message import decode_message
from collectors.snmp.v3.security import TIME_WINDOW_S, authentic
from collectors.snmp.v3.usm import KeyRing
from collectors.targets import Targets
from farola.keys import Keyring
from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.queries import events

USER = Usm("noc", "sha256", "signing-secret", "aes128", "sealing-secret")
COLD_START, CONFIG_CHANGED = "1.3.6.1.6.3.1.1.5.1", "1.3.6.1.4.1.9.9.43.2.0.1"
AUTH = {"md5": "MD5", "sha1": "SHA", "sha224": "SHA-224", "sha256": "SHA-256", "sha384": "SHA-384",
        "sha512": "SHA-512"}  # fmt: skip
PRIV = {"des": "DES", "aes128": "AES", "aes192": "AES-192", "aes256": "AES-256"}
ENGINE = OwnEngine(b"\x80\x00\x4f\xb8\x05an engine id", 7, 0.0)


def arguments(usm: Usm) -> list[str]:
    """net-snmp's options for a user at its highest level."""
    if not usm.auth_protocol:
        return ["-v3", "-l", "noAuthNoPriv", "-u", usm.user]
    level = "authPriv" if usm.priv_protocol else "authNoPriv"
    signed = ["-a", AUTH[usm.auth_protocol], "-A", usm.auth_password]
    sealed = ["-x", PRIV[usm.priv_protocol], "-X", usm.priv_password] if usm.priv_protocol else []
    return ["-v3", "-l", level, "-u", usm.user, *signed, *sealed]


@pytest.fixture
def snmp(needs_program, tmp_path):
    """`snmp("snmptrap", usm, port, oid)` runs net-snmp's command and returns its exit code."""
    persistent = tmp_path / "net-snmp"

    def send(
        program: str, usm: Usm, port: int, oid: str = COLD_START, *more: str, name: str = ""
    ) -> int:
        engine = ["-e", "0x8000000001020304"] if program == "snmptrap" else ["-t", "1", "-r", "1"]
        command = [needs_program(program, "snmp"), *arguments(usm), *engine, *more,
                   f"127.0.0.1:{port}", "42", oid,
                   *(["1.3.6.1.2.1.1.5.0", "s", name] if name else [])]  # fmt: skip
        env = {**os.environ, "SNMP_PERSISTENT_DIR": str(persistent), "MIBS": ""}
        done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=30)
        return done.returncode

    return send


@pytest.fixture
def packet(snmp):
    """The bytes of one trap of net-snmp's."""

    def catch(usm: Usm = USER, oid: str = COLD_START, *more: str, name: str = "") -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
            sink.bind(("127.0.0.1", 0))
            sink.settimeout(10)
            snmp("snmptrap", usm, sink.getsockname()[1], oid, *more, name=name)
            return sink.recv(4096)

    return catch


def filter_for(*users: Usm, community: str = "", address: str = "192.0.2.1", **options):
    targets = [
        Target(f"ap-{n}", address, version="3", usm=usm, community=community)
        for n, usm in enumerate(users, 1)
    ]
    return TrapFilter(Senders.of(targets, {}), V3Ear(options.pop("engine", ENGINE), **options))


def judge(by: TrapFilter, data: bytes, now: float = 0.0, source: str = "192.0.2.1", wall=1e9):
    return by.judge(data, source, now, wall_s=wall + now)


@pytest.fixture
def inventory(run, home):
    run("init")
    opened = open_inventory(load_settings())
    yield opened
    opened.close()


def heard(inventory, port, targets, send):
    """Counts and events of a receiver on `port` while `send()` runs beside it."""

    async def main():
        receiver = TrapReceiver(inventory)
        receiver.know(Targets(tuple(targets), (), (), {}))
        await receiver.listen("127.0.0.1", port)
        try:
            result = await asyncio.to_thread(send)
        finally:
            await receiver.close()
        return result, receiver.counts.as_json()

    result, counts = asyncio.run(main())
    with inventory.session() as session:
        found = [one for one in events(session) if one.kind.startswith("trap.")]
    return result, counts, found


LEVELS = [
    Usm("open"), Usm("signs", "sha1", "signing-secret"),
    *(Usm("noc", auth, "signing-secret", priv, "sealing-secret") for auth, priv in (
        ("md5", "des"), ("sha1", "aes128"), ("sha224", "aes192"), ("sha256", "aes256"),
        ("sha384", "aes128"), ("sha512", "aes256"), ("sha1", "aes256"),
    )),
]  # fmt: skip


@pytest.mark.service
@pytest.mark.parametrize("usm", LEVELS, ids=lambda u: f"{u.auth_protocol}-{u.priv_protocol}")
def test_a_trap_is_read_at_every_level(packet, usm):
    verdict = judge(filter_for(usm), packet(usm))
    assert (verdict.outcome, verdict.event.kind) == ("stored", "trap.cold-start")
    assert (verdict.event.device_id, verdict.event.detail["version"]) == ("ap-1", "3")


@pytest.mark.service
@pytest.mark.parametrize("form", ["AES-256", "AES-256-C"])
def test_a_key_may_be_lengthened_in_either_way(packet, form):
    usm, keep = Usm("noc", "sha1", "signing-secret", "aes256", "sealing-secret"), Peers()
    data = packet(usm, COLD_START, "-x", form)
    assert judge(filter_for(usm, peers=keep), data).outcome == "stored"
    assert judge(filter_for(usm, peers=keep), data).outcome == "replayed"


@pytest.mark.service
def test_informs_are_acknowledged_after_their_event_is_stored(inventory, trap_port, snmp):
    def send():
        return [snmp("snmpinform", usm, trap_port, f"{COLD_START[:-1]}{n}")
                for n, usm in enumerate(LEVELS[:4], 1)]  # fmt: skip

    targets = [Target("ap-1", "127.0.0.1", version="3", usm=usm) for usm in LEVELS[:4]]
    codes, counts, found = heard(inventory, trap_port, targets, send)
    assert codes == [0, 0, 0, 0]
    assert counts["stored"] == len(found) == 4
    assert counts["discovery"] == 4
    assert all(one.detail["inform"] for one in found)


@pytest.mark.service
def test_what_cannot_be_believed_is_counted_by_its_reason(inventory, trap_port, snmp, capsys):
    wrong = replace(USER, auth_password="another-secret")
    unsealed = replace(USER, priv_password="another-secret")

    def send():
        snmp("snmptrap", replace(USER, user="nobody"), trap_port)
        snmp("snmptrap", wrong, trap_port)
        snmp("snmptrap", unsealed, trap_port)
        snmp("snmptrap", Usm("noc"), trap_port)
        return [snmp("snmpinform", usm, trap_port, COLD_START, "-r", "0")
                for usm in (replace(USER, user="nobody"), wrong, unsealed)]  # fmt: skip

    targets = [Target("ap-1", "127.0.0.1", version="3", usm=USER, community="")]
    codes, counts, found = heard(inventory, trap_port, targets, send)
    assert 0 not in codes
    assert found == []
    assert (counts["wrong_user"], counts["wrong_key"], counts["weak_level"]) == (2, 4, 1)
    told = capsys.readouterr().err
    assert "traps from 127.0.0.1 are refused: signed or encrypted with another key" in told
    assert "secret" not in told


@pytest.mark.service
def test_a_sender_that_knows_an_old_clock_of_ours_is_told_the_new_one(packet, snmp):
    """An inform made for our engine before it restarted: refused, and the report is signed."""
    made = {}

    def sink(engine):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            one.settimeout(5)
            ear, user = V3Ear(engine), lambda _name: [USER]
            proc = subprocess.Popen(
                ["snmpinform", *arguments(USER), "-t", "1", "-r", "0",
                 f"127.0.0.1:{one.getsockname()[1]}", "42", COLD_START], stderr=subprocess.DEVNULL,
            )  # fmt: skip
            data, sender = one.recvfrom(4096)
            one.sendto(ear.hear(data, user, 0.0, 1e9).reply, sender)
            made["inform"], _ = one.recvfrom(4096)
            proc.kill()
            proc.wait()

    sink(ENGINE)
    user = lambda _name: [USER]  # noqa: E731
    later = V3Ear(replace(ENGINE, boots=ENGINE.boots + 1))
    refused = later.hear(made["inform"], user, 0.0, 1e9)
    assert refused.outcome == "not_in_window"
    assert refused.reply is not None
    assert (
        V3Ear(ENGINE).hear(made["inform"], user, TIME_WINDOW_S + 2, 1e9).outcome == "not_in_window"
    )
    accepted = V3Ear(ENGINE).hear(made["inform"], user, 100.0, 1e9)
    assert accepted.notification is not None
    # Its sender proves the report by its own key: tampering shows.
    report = decode_message(refused.reply)
    keys = KeyRing().localize(USER, ENGINE.id)
    assert report.boots == ENGINE.boots + 1
    assert authentic(report, USER, keys)
    assert not authentic(decode_message(refused.reply[:-1] + b"\x07"), USER, keys)


@pytest.mark.service
def test_a_trap_sent_again_is_no_second_event(packet):
    data, keep = packet(), filter_for(USER)
    assert judge(keep, data).outcome == "stored"
    assert judge(keep, data, now=20.0).outcome == "replayed"
    assert judge(keep, data, now=TIME_WINDOW_S * 4).outcome == "not_in_window"


@pytest.mark.service
def test_an_old_trap_is_refused_after_a_restart_too(packet, run, home):
    run("init")
    old, new = packet(), None
    time.sleep(1.1)  # its engine's clock counts seconds
    new = packet(USER, CONFIG_CHANGED)
    first = Peers(Keyring(home).fingerprint)
    keep = filter_for(USER, peers=first)
    assert judge(keep, old, wall=1e9).outcome == "stored"
    assert judge(keep, new, wall=1e9 + 1).outcome == "stored"
    save_peers(home, first.rows())
    assert "secret" not in (home / PEERS_FILE).read_text()
    peers = Peers(Keyring(home).fingerprint)
    peers.load(home)
    again = filter_for(USER, peers=peers)
    assert judge(again, old, wall=1e9 + 600).outcome == "not_in_window"


@pytest.mark.service
def test_a_device_of_v3_is_not_believed_by_a_community(packet, needs_program):
    from tests.collectors.snmp.test_traps import packet as v2c

    assert judge(filter_for(USER), v2c(community="public")).outcome == "wrong_community"
    assert judge(filter_for(USER), v2c(community="")).outcome == "wrong_community"
    both = filter_for(USER, community="set-too")
    assert judge(both, v2c(community="set-too")).outcome == "stored"
    assert judge(both, packet()).outcome == "duplicate"


@pytest.mark.service
def test_a_user_speaks_for_no_device_but_its_own(packet):
    namesake = replace(USER, auth_password="of-the-other-one")
    users = Senders.of(
        [Target("ap-1", "192.0.2.1", community="one"),
         Target("ap-2", "192.0.2.2", version="3", usm=USER, community=""),
         Target("ap-3", "192.0.2.3", version="3", usm=namesake, community="")],
        {"Plaza 1": "ap-1", "Plaza 2": "ap-2", "Plaza 3": "ap-3"},
    )  # fmt: skip
    by = lambda: TrapFilter(users, V3Ear(ENGINE))  # noqa: E731
    assert judge(by(), packet(), source="192.0.2.1").outcome == "wrong_user"
    assert judge(by(), packet(), source="192.0.2.3").outcome == "wrong_key"
    for name, device in (("", None), ("Plaza 1", None), ("Plaza 2", "ap-2"), ("Plaza 3", None)):
        stranger = judge(by(), packet(name=name), source="198.51.100.7")
        assert (stranger.outcome, stranger.event.device_id) == ("stored", device)


@pytest.mark.service
def test_one_stolen_credential_silences_no_other_device(packet):
    """Who has ap-1's user sends by ap-2's engine id with a clock far ahead."""
    stolen = replace(USER, auth_password="the-stolen-one")
    users = Senders.of(
        [Target("ap-1", "192.0.2.1", version="3", usm=stolen, community=""),
         Target("ap-2", "192.0.2.2", version="3", usm=USER, community="")], {},
    )  # fmt: skip
    keep = TrapFilter(users, V3Ear(ENGINE))
    of = lambda usm, oid, clock: packet(usm, oid, "-Z", clock)  # noqa: E731
    ahead = of(stolen, COLD_START, "2147483000,5")
    assert judge(keep, of(USER, COLD_START, "7,1000"), source="192.0.2.2").outcome == "stored"
    assert judge(keep, ahead, 20, source="192.0.2.1").event.device_id == "ap-1"
    assert judge(keep, ahead, 21, source="198.51.100.7").outcome == "replayed"
    later = judge(keep, of(USER, CONFIG_CHANGED, "7,1100"), 100, source="192.0.2.2")
    assert (later.outcome, later.event.device_id) == ("stored", "ap-2")


@pytest.mark.service
def test_a_flood_of_v3_costs_no_more_digests_than_its_limit(packet, monkeypatch):
    from collectors.snmp import notification_v3

    tried = []
    monkeypatch.setattr(notification_v3, "authentic", lambda *_: tried.append(1))
    data, keep = packet(), filter_for(USER)
    outcomes = [judge(keep, data, now=n / 10_000).outcome for n in range(12_000)]
    assert outcomes.count("wrong_key") == len(tried) <= SIGNED[1] + 2 * SIGNED[0]
    assert set(outcomes) == {"wrong_key", "rate_limited"}


@pytest.mark.service
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
       end=st.integers(0, 10**6))  # fmt: skip
def test_no_damaged_message_is_believed_or_raises(changes, end):
    keep = filter_for(USER)
    damaged = bytearray(SOUND)
    for position, value in changes:
        damaged[position % len(SOUND)] = value
    for data in (bytes(damaged), bytes(damaged[: end % len(SOUND)])):
        verdict = judge(keep, data)
        believed = verdict.outcome in {"stored", "replayed"}
        assert not believed or data == SOUND, verdict


@pytest.fixture(autouse=True, scope="module")
def sound(needs_program, tmp_path_factory):
    """One trap for all that damage it."""
    global SOUND  # noqa: PLW0603 - hypothesis takes no fixture of a function
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(10)
        env = {**os.environ, "SNMP_PERSISTENT_DIR": str(tmp_path_factory.mktemp("snmp"))}
        command = [needs_program("snmptrap", "snmp"), *arguments(USER), "-e", "0x8000000001020304",
                   f"127.0.0.1:{sink.getsockname()[1]}", "42", COLD_START]  # fmt: skip
        subprocess.run(command, env=env, check=True, capture_output=True)
        SOUND = sink.recv(4096)


SOUND = b""
