"""Neighbours as switches tell them: recordings made up by hand and replayed by snmpsim, rubbish,
and two real lldpd that hear each other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.discovery.lldp import QUESTION, Neighbour, read_neighbours
from collectors.discovery.matching import Known
from collectors.discovery.neighbours import decide
from collectors.snmp.model import Reply, Target
from inventory.models import Device, Event
from inventory.queries import devices
from inventory.uplinks import upstream_of
from tests.collectors.discovery.conftest import started
from tests.collectors.snmp.conftest import free_port
from tests.conftest import require

RECORDINGS = Path(__file__).parent / "recordings"
MAC = "00:00:5e:00:53:{:02x}"
indices = st.lists(st.integers(0, 2**32 - 1), max_size=24).map(tuple)
values = st.one_of(st.integers(), st.binary(max_size=40), indices)
columns = st.dictionaries(indices, values, max_size=6)
tables = st.tuples(
    *(
        st.one_of(st.none(), st.tuples(*([columns] * len(table))))
        for table in QUESTION.tables
    )
)  # fmt: skip


@settings(deadline=None)
@given(tables)
def test_rubbish_in_the_tables_is_no_fault(some):
    for one in read_neighbours(Reply((), some)):
        assert isinstance(one, Neighbour)
        assert all(len(mac) == 17 for mac in one.macs)
        assert one.port.isprintable()
        assert one.name.isprintable()


@settings(deadline=None)
@given(st.dictionaries(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(1, 9)),
                       st.binary(min_size=6, max_size=6), max_size=5))  # fmt: skip
def test_each_remote_row_is_one_neighbour(chassis):
    remote = (dict.fromkeys(chassis, 4), chassis, {}, {}, {}, dict.fromkeys(chassis, b"x"), {})
    reply = Reply((), [remote, *([None] * (len(QUESTION.tables) - 1))])
    told = {(str(index[1]), one.hex(":")) for index, one in chassis.items()}
    heard = {(one.port, one.macs[0]) for one in read_neighbours(reply) if one.macs}
    assert heard == {
        (port, mac) for port, mac in told if not int(mac[1], 16) & 1 and mac.strip("0:")
    }


@pytest.fixture(scope="module")
def switches(tmp_path_factory) -> Iterator[int]:
    """Port of snmpsim replaying the made-up switches; the community is the recording's name."""
    program = Path(sys.executable).with_name("snmpsim-command-responder")
    folder, port = tmp_path_factory.mktemp("switches"), free_port()
    shutil.copytree(RECORDINGS, folder / "data")
    command = [
        str(program), f"--data-dir={folder / 'data'}", f"--cache-dir={folder / 'cache'}",
        f"--agent-udpv4-endpoint=127.0.0.1:{port}", "--log-level=error",
    ]  # fmt: skip
    if os.geteuid() == 0:
        command += ["--process-user=root", "--process-group=root"]
    with started(command, Target("x", "127.0.0.1", port, "sw-lldp", timeout_s=0.5), folder / "log"):
        yield port


def fill(session, **more: Device) -> None:
    session.add_all(
        [
            Device(id="ap-fountain", name="Fountain", mac=MAC.format(0x11)),
            Device(id="ap-21", name="ap-21", management_address="10.2.0.21", status="live",
                   role="other"),
            Device(id="ap-stall", name="ap-stall"),
            Device(id="ap-corner", name="ap-corner"),
            Device(id="core", name="core", role="router"),
            *more.values(),
        ]
    )  # fmt: skip


def test_switches_tell_by_lldp_and_cdp_which_port_each_device_hangs_on(city, db, switches):
    for name in ("sw-lldp", "sw-cdp"):
        city("device", "credential", name, "--field", "snmp_community", stdin=name)
    with db() as session:
        fill(session)
        for name in ("sw-lldp", "sw-cdp"):
            session.add(
                Device(id=name, name=name, role="switch", management_address="127.0.0.1",
                       snmp_port=switches, credential_name=name)
            )  # fmt: skip
    report = city("collect", "neighbours", "--json").json
    links = {one["device"]: (one["upstream"], one["port"]) for one in report["uplinks"]}
    assert links == {
        "ap-fountain": ("sw-lldp", "gi1/0/2"),
        "ap-21": ("sw-lldp", "Port 3"),
        "sw-lldp": ("core", "ge-0/0/0"),
        "ap-stall": ("sw-cdp", "gi7"),
        "ap-corner": ("sw-cdp", "Gi0/8"),
    }
    assert [(one["name"], one["port"]) for one in report["unmatched"]] == [("cam-gate", "4")]
    assert sorted(report["new"]) == sorted(links)
    with db() as session:
        session.add(Device(id="x", name="x", mac=MAC.format(0xBB)))
        uplinks = upstream_of(session)
        assert {one: (up.upstream_id, up.upstream_port) for one, up in uplinks.items()} == links
    again = city("collect", "neighbours", "--json").json
    assert (again["new"], again["moved"], len(again["seen"])) == (["x"], [], len(links))
    table = city("collect", "neighbours").out
    assert "gi1/0/2" in table


def test_who_hangs_on_whom(city, db):
    with db() as session:
        fill(
            session,
            sw=Device(id="sw", name="sw", role="switch"),
            sw2=Device(id="sw2", name="sw2", role="switch"),
        )
        session.flush()
        known = Known(devices(session), {"ap-21": [MAC.format(0x77)]})
    ap = Neighbour("gi1", macs=(MAC.format(0x11),))
    to_sw = Neighbour("eth0", name="sw.example.net", remote_port="gi1")

    def links(**heard: list[Neighbour]) -> list[tuple[str, str, str]]:
        named = {name.replace("_", "-"): said for name, said in heard.items()}
        found = decide(named, known, {})
        return [(one.device_id, one.upstream_id, one.port) for one in found.links]

    assert links(sw=[ap]) == [("ap-fountain", "sw", "gi1")]
    assert links(ap_fountain=[to_sw]) == [("ap-fountain", "sw", "gi1")]
    assert links(sw=[ap], core=[ap]) == [("ap-fountain", "sw", "gi1")]
    assert links(sw=[Neighbour("gi2", macs=(MAC.format(0x77),))]) == [("ap-21", "sw", "gi2")]
    assert links(ap_fountain=[Neighbour("mesh", name="ap-21")]) == []
    assert links(sw=[Neighbour("lo", name="sw")]) == []
    both = decide({"sw": [Neighbour("t1", name="sw2")]}, known, {})
    assert (both.links, both.undecided) == ([], [("sw", "sw2")])


NETNS = """
set -e
ip netns add {sw}; ip netns add {ap}
ip link add gi1 netns {sw} address 00:00:5e:00:53:01 type veth \
  peer name eth0 netns {ap} address 00:00:5e:00:53:02
for one in {sw} {ap}; do ip -n $one link set lo up; done
ip -n {sw} link set gi1 up; ip -n {ap} link set eth0 up
ip -n {sw} addr add 10.99.0.1/29 dev gi1; ip -n {ap} addr add 10.99.0.2/29 dev eth0
"""


@pytest.mark.service
def test_two_real_lldpd_that_hear_each_other(needs_program, run, db):
    """A switch and an access point, each a network namespace with snmpd and lldpd (AgentX)."""
    snmpd, lldpd = needs_program("snmpd", "snmpd"), needs_program("lldpd", "lldpd")
    names = {"sw": f"fl-sw-{os.getpid()}", "ap": f"fl-ap-{os.getpid()}"}
    with ExitStack() as stack:
        for name in names.values():
            remove = ["ip", "netns", "del", name]
            stack.callback(subprocess.run, remove, capture_output=True, check=False)
        made = subprocess.run(["sh", "-c", NETNS.format(**names)], capture_output=True, check=False)
        require(not made.returncode, f"no network namespaces here: {made.stderr.decode()}")
        for name, number in (("sw", 1), ("ap", 2)):
            agent = _Host(stack, names[name], name)
            agent.start_snmpd(snmpd, name, f"10.99.0.{number}")
            agent.start_lldpd(lldpd)
        run("init")
        inside = ["ip", "netns", "exec", names["sw"]]
        farola = [*inside, sys.executable, "-c", "from farola.cli import main; main()"]

        def inside_switch(*words: str) -> str:
            done = subprocess.run(
                [*farola, *words], capture_output=True, text=True, check=False, timeout=60,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout

        inside_switch("collect", "discover", "10.99.0.0/29", "--timeout", "0.5")
        inside_switch("device", "accept", "10.99.0.1:161", "--role", "switch")
        inside_switch("device", "accept", "10.99.0.2:161")
        until = time.monotonic() + 60
        while "lamp-ap" not in (told := inside_switch("collect", "neighbours")):
            assert time.monotonic() < until, told
            time.sleep(1)
    with db() as session:
        up = upstream_of(session)["lamp-ap"]
        assert (up.upstream_id, up.upstream_port, up.source) == ("lamp-sw", "gi1", "lldp")
        assert session.query(Event).where(Event.kind == "uplink.found").count() == 1


class _Host:
    """A network namespace whose daemons end with `stack`."""

    def __init__(self, stack: ExitStack, namespace: str, name: str) -> None:
        # lldpd gives up its rights: it cannot enter a folder that is root's alone.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"farola-{name}-"))
        self.stack, self.folder = stack, Path(folder)
        self.folder.chmod(0o755)
        self.inside = ["ip", "netns", "exec", namespace]

    def start(self, *command: str, **env: str) -> None:
        log = self.stack.enter_context((self.folder / "log").open("ab"))
        child = subprocess.Popen(
            [*self.inside, *command], stdout=log, stderr=log, env={**os.environ, **env}
        )
        self.stack.callback(child.wait, 10)
        self.stack.callback(child.terminate)

    def start_snmpd(self, program: str, name: str, address: str) -> None:
        config = self.folder / "snmpd.conf"
        config.write_text(
            f"agentAddress udp:{address}:161\nrocommunity public\nsysName lamp-{name}\n"
            f"master agentx\nagentXSocket {self.folder}/agentx\n"
        )
        self.start(
            program, "-f", "-Lo", "-C", "-c", str(config), "-I", "-smux",
            SNMP_PERSISTENT_DIR=str(self.folder),
        )  # fmt: skip
        until = time.monotonic() + 20
        while not (self.folder / "agentx").exists():
            assert time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.1)

    def start_lldpd(self, program: str) -> None:
        (self.folder / "lldpd.conf").write_text("configure lldp tx-interval 1\n")
        self.start(
            program, "-d", "-x", "-X", f"{self.folder}/agentx", "-u", f"{self.folder}/socket",
            "-O", f"{self.folder}/lldpd.conf",
        )  # fmt: skip
