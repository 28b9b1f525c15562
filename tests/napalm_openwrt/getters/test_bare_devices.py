"""Getters on devices that lack what is asked for, that answer nonsense, and on a whole one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napalm.base.exceptions import ConnectionClosedException

from napalm_openwrt import OpenWrtDriver
from napalm_openwrt.asking import ask
from napalm_openwrt.session import Output

EMPTY = {
    "get_interfaces": {}, "get_interfaces_counters": {}, "get_interfaces_ip": {}, "get_vlans": {},
    "get_arp_table": [], "get_ipv6_neighbors_table": [], "get_mac_address_table": [],
    "get_lldp_neighbors": {}, "get_lldp_neighbors_detail": {}, "get_ntp_servers": {},
    "get_ntp_stats": [], "get_users": {},
    "get_snmp_information": {"chassis_id": "", "community": {}, "contact": "", "location": ""},
    "get_environment": {
        "fans": {}, "temperature": {}, "power": {}, "cpu": {},
        "memory": {"available_ram": -1, "used_ram": -1},
    },
    "get_facts": {
        "hostname": "", "fqdn": "", "vendor": "OpenWrt", "model": "", "os_version": "",
        "serial_number": "", "uptime": -1.0, "interface_list": [],
    },
}  # fmt: skip


class Answering:
    """A session that answers each question of a command with the same text."""

    alive = True

    def __init__(self, text: str) -> None:
        self.text, self.commands = text, []  # type: ignore[var-annotated]

    def run(self, command: str, stdin: str = "", timeout: float | None = None) -> Output:
        del stdin, timeout
        self.commands.append(command)
        marks = [line[12:-1] for line in command.split("\n") if line.startswith('echo; echo "@@')]
        return Output(0, "".join(f"\n{mark}\n{self.text}" for mark in marks), "")


def driver_on(session: Any, **arguments: Any) -> OpenWrtDriver:
    driver = OpenWrtDriver("127.0.0.1", "root", "secret", optional_args=arguments)
    driver._session = session
    return driver


@pytest.mark.parametrize("getter", EMPTY)
def test_a_device_that_has_none_of_it_tells_nothing(getter: str) -> None:
    assert getattr(driver_on(Answering("")), getter)() == EMPTY[getter]


LINES = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from([
            "zone|a|b|", "hwmon|x|temp1_input|99999999999999999999999", "trip|a|critical|1",
            "^,*,x,y,99999,z,1,e,f,g", "cpu0 9 9 9 9 9 9 9 9", "1: lo: <UP> mtu", "{}", "[]",
            '{"lldp": [{"interface": [{"name": "x", "chassis": [3], "port": 4}]}]}',
            "    inet 999.1.1.1/99 scope", "entry a b", "learned br 00", "port br eth0 0xzz",
            "a|up|0xffffffffffff|x|y|z|", "MemTotal: 9 kB", "root:x:y:z:q:r:/bin/ash",
            "config timeserver", "package system", "1 packets transmitted, 1 received",
            "5 bytes from x: time=1.2.3 ms",
            "9" * 5000, f"cpu0 {'1' * 5000} 2 3 4 5", " 1  2  3 ms",
            "x: 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7",
        ]),
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_a_device_that_answers_nonsense_breaks_no_getter(lines: list[str]) -> None:
    driver = driver_on(Answering("\n".join(lines)))
    for getter, empty in EMPTY.items():
        assert type(getattr(driver, getter)()) is type(empty)
    for answer in (driver.ping("192.0.2.1"), driver.traceroute("192.0.2.1")):
        assert answer.keys() in ({"success"}, {"error"})


@pytest.mark.parametrize("host", ["-f", "", "a b", "$(reboot)", "x;reboot", "a\nb", "`x`", "'"])
def test_what_is_no_host_reaches_no_shell(host: str) -> None:
    session = Answering("")
    driver = driver_on(session)
    assert "no host name" in driver.ping(host)["error"]
    assert "no host name" in driver.traceroute(host)["error"]
    if host:
        assert "no host name" in driver.ping("192.0.2.1", source=host)["error"]
    assert not session.commands


def test_a_neighbours_text_cannot_stand_for_another_answer() -> None:
    class Told(Answering):
        def run(self, command: str, stdin: str = "", timeout: float | None = None) -> Output:
            output = super().run(command, stdin, timeout)
            return Output(0, output.stdout + "\n@@ users\nroot\n@@0000000000000000 users\nx\n", "")

    assert "users" not in ask(Told("x"), "name", {"lldp": "lldpctl"})


def test_secrets_are_masked_where_that_is_asked_for() -> None:
    passwd = "root:$6$salt$pretend:0:0:root:/root:/bin/ash\n"
    snmpd = "package snmpd\n\n" + "".join(
        f"config com2sec\n\toption secname 'ro'\n\toption community '{name}'\n\n"
        for name in ("first", "second")
    )
    users = driver_on(Answering(passwd), mask_secrets=True).get_users()
    assert users["root"]["password"] == "•••"
    told = driver_on(Answering(snmpd), mask_secrets=True).get_snmp_information()
    assert list(told["community"]) == ["•••", "••• 2"]


def test_before_open_every_getter_says_that_there_is_no_connection() -> None:
    driver = OpenWrtDriver("192.0.2.1", "root", "secret")
    assert driver.is_alive() == {"is_alive": False}
    for getter in EMPTY:
        with pytest.raises(ConnectionClosedException, match=r"192\.0\.2\.1: not connected"):
            getattr(driver, getter)()


def test_a_whole_access_point_tells_of_itself(connect: Any) -> None:
    driver = connect("good")
    assert driver.get_facts()["serial_number"] == "S-good"
    interfaces = driver.get_interfaces()
    assert set(driver.get_interfaces_counters()) <= set(interfaces)
    assert "127.0.0.1" not in str(driver.get_interfaces_ip()["br-lan"])
    assert driver.get_environment()["memory"]["available_ram"] > 2**20
    assert driver.get_ntp_servers()["0.openwrt.pool.ntp.org"]["port"] == 123
    assert driver.get_snmp_information()["community"]["public"]["mode"] == "ro"
    assert driver.get_users()["root"]["level"] == 15
    assert 0 <= driver.get_environment()["cpu"][0]["%usage"] <= 100
    assert driver.get_lldp_neighbors()["eth0"][0]["hostname"]
    assert driver.get_arp_table()[0]["interface"] == "br-lan"
    assert {one["static"] for one in driver.get_mac_address_table()} == {True, False}
    assert driver.ping("127.0.0.1", count=1)["success"]["packet_loss"] == 0
    assert driver.traceroute("127.0.0.1")["success"][1]["probes"][3]["ip_address"] == "127.0.0.1"
    for getter, empty in EMPTY.items():
        assert type(getattr(driver, getter)()) is type(empty), getter
