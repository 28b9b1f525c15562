"""The fleet: processes that start together, fail as they are told to, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest

from simulator.city import make_city
from simulator.city_files import write_city
from simulator.fleet import Fleet, FleetDevice, FleetError, read_fleet

ROOT = Path(__file__).resolve().parents[2]


def gone(pid: int, patience: float = 5.0) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def network() -> str:
    return f"127.{20 + (os.getpid() + 1) % 200}"


def connects(device: FleetDevice) -> bool:
    try:
        socket.create_connection((device.address, device.ssh_port), 2).close()
    except OSError:
        return False
    return True


def test_ten_devices_start_and_leave_no_process_behind(tmp_path: Path, network: str) -> None:
    write_city(make_city(1, 10, network=network), tmp_path)
    with Fleet(tmp_path, seed=1) as fleet:
        assert len(fleet.devices) == 10
        assert len({device.pid for device in fleet.devices}) == 10
        assert all(connects(device) for device in fleet.devices)
        assert json.loads((tmp_path / "fleet.json").read_text())["simulated"] is True
        assert len((tmp_path / "known_hosts").read_text().splitlines()) == 10
        pids = [device.pid for device in fleet.devices]
    assert all(gone(pid) for pid in pids)
    with pytest.raises(FleetError, match="no running fleet"):
        read_fleet(tmp_path)


def start_parent(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    parent = subprocess.Popen(
        [sys.executable, "-m", "simulator.fleet", "--folder", str(folder)],
        stdout=subprocess.PIPE, text=True, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline().startswith("ready: 3 pretend access points")
    return parent, [device.pid for device in read_fleet(folder)]


def test_devices_die_when_their_parent_is_killed(tmp_path: Path, network: str) -> None:
    write_city(make_city(1, 3, network=network), tmp_path)
    parent, pids = start_parent(tmp_path)
    parent.kill()
    parent.communicate()
    assert all(gone(pid) for pid in pids)


def test_a_polite_end_is_a_clean_one(tmp_path: Path, network: str) -> None:
    write_city(make_city(1, 3, network=network), tmp_path)
    parent, pids = start_parent(tmp_path)
    parent.send_signal(signal.SIGTERM)
    parent.communicate(timeout=15)
    assert parent.returncode == 0
    assert all(gone(pid) for pid in pids)
    assert not (tmp_path / "fleet.json").exists()


def test_an_address_that_is_taken_is_named(tmp_path: Path, network: str) -> None:
    city = make_city(1, 3, network=network)
    write_city(city, tmp_path)
    taken = city.access_points[1]
    with (
        socket.create_server((taken.management_address, taken.ssh_port)),
        pytest.raises(FleetError, match=r"ap-0002: cannot listen .* is another fleet running"),
    ):
        Fleet(tmp_path).start()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("127.", "10."), "is no loopback address; use 127.x.y.z"),
        (("ap-0001", "../ap"), "must be letters, digits"),
        ((",2222,", ",two,"), "invalid literal"),
        (("management_address", "address"), "no column 'management_address'"),
    ],
)
def test_a_bad_roster_is_told_in_one_line(
    tmp_path: Path, network: str, change: tuple[str, str], message: str
) -> None:
    files = write_city(make_city(1, 2, network=network), tmp_path)
    text = files.access_points.read_text(encoding="utf-8")
    files.access_points.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(FleetError, match=message):
        Fleet(tmp_path).start()


def test_an_unknown_fault_is_refused(tmp_path: Path, network: str) -> None:
    write_city(make_city(1, 2, network=network), tmp_path)
    with pytest.raises(FleetError, match="no fault 'tired'; there are dead, snmp-silent"):
        Fleet(tmp_path, faults={"ap-0001": "tired"}).start()
    with pytest.raises(FleetError, match="ap-9999: no such access point"):
        Fleet(tmp_path, faults={"ap-9999": "dead"}).start()


def test_faults_are_as_ordered(fleet: Fleet, ssh: Callable[..., paramiko.SSHClient]) -> None:
    assert not connects(fleet.device("ap-0002"))  # dead
    assert connects(fleet.device("ap-0003"))  # silent on SNMP alone
    assert not connects(fleet.device("ap-0004"))
    with ssh("ap-0005") as client:  # flash full
        _, out, err = client.exec_command("echo x > /etc/x; echo $?")
        assert out.read() == b"1\n"
        assert b"No space left on device" in err.read()
    with pytest.raises(paramiko.BadHostKeyException):
        ssh("ap-0007")


def test_host_keys_are_the_same_for_a_seed_and_differ_between_devices(
    fleet: Fleet, tmp_path: Path, network: str
) -> None:
    write_city(make_city(5, 2, network=network), tmp_path)
    with Fleet(tmp_path, seed=5) as again:
        assert again.device("ap-0001").host_key == fleet.device("ap-0001").host_key
    keys = {device.host_key for device in fleet.devices}
    assert len(keys) == len(fleet.devices)


def test_a_power_cut_boots_the_device_anew(
    fleet: Fleet, ssh: Callable[..., paramiko.SSHClient]
) -> None:
    def run(command: str) -> str:
        with ssh("ap-0008") as client:
            return client.exec_command(command)[1].read().decode()

    run("echo 'echo booted >> /root/boots' > /etc/rc.local")
    script = "start() { echo early $(ls /tmp | grep -c mark) >> /root/boots; }"
    run(f"echo '#!/bin/sh /etc/rc.common\nSTART=11\n{script}' > /etc/init.d/early")
    run("chmod +x /etc/init.d/early; /etc/init.d/early enable")
    run("echo x > /tmp/mark; echo kept > /root/kept; sync")
    before = run("cat /proc/sys/kernel/random/boot_id")
    watcher = run("sleep 60 >/dev/null 2>&1 & echo $!").strip()
    assert run(f"kill -0 {watcher} && echo alive") == "alive\n"
    strings = fleet.device("ap-0008").strings
    boots = strings.state().boots
    fleet.power_cut("ap-0008")
    strings.wait_booted(boots + 1)  # SSH answers earlier, before rc.local has run
    assert run("cat /proc/sys/kernel/random/boot_id") not in {before, ""}
    assert run("cat /root/boots") == "early 0\nbooted\n"
    assert run("cat /root/kept; ls /tmp/mark 2>&1").startswith("kept\nls: /tmp/mark")
    assert float(run("cut -d' ' -f1 /proc/uptime")) < 10
    assert run(f"kill -0 {watcher} 2>/dev/null || echo gone") == "gone\n"
