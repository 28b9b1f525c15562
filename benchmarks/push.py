"""A push with diff, commit-confirm and history against plain Ansible that runs three commands with
`ansible.builtin.raw` on the same pretend access points, and what a push costs from 100 to 1,000.

CPU seconds are those of the pushing side alone, of every process that it starts: ssh's masters that
stay behind are reaped here too. The access points' own are not counted.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from farola.keys import Keyring, create_key
from farola.settings import City, ProvisioningSettings, Settings, write_settings
from inventory import queries
from inventory.db import open_inventory, upgrade
from inventory.models import Device, Placement, Site
from simulator.fleet import Fleet, FleetDevice

JOB = "push to access points"
SIZES = (100, 300, 1000)
PASSWORD = "pretend-lamp-post"
TARGET, GROWTH, MEMORY_MB = 0.7, 1.1, 1024
PR_SET_CHILD_SUBREAPER = 36
PER_SITE = 2
NETWORK = 130 + time.time_ns() % 97
"""Two that run at once must not meet."""
EXTRA: tuple[str, ...] = tuple(os.environ.get("PUSH_OPTIONS", "--no-checks").split())
COMMANDS = ("uci show system", "uci show wireless", "logger farola")


def measure(sizes: Sequence[int] = SIZES) -> list[dict[str, Any]]:
    """Rows for results.json."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with fleet(folder, max(sizes)) as devices:
            ours = {n: pushed(folder / f"home{n}", devices[:n]) for n in sizes}
            raw = {n: plain(folder / f"ansible{n}", devices[:n]) for n in sizes}
    first, last = min(sizes), max(sizes)
    per_host = ours[first]["cpu"] / first
    for n in sizes:
        cost, theirs, wall = ours[n]["cpu"] / n, raw[n] / n, ours[n]["wall"]
        rows.append(row(f"{n} access points, CPU s a host (wall {wall:.0f} s, the access points on "
                        "the same two cores); peer: three commands", round(cost, 4),
                        "ansible.builtin.raw", round(theirs, 4), round(cost / theirs, 3), TARGET,
                        cost / theirs <= TARGET))  # fmt: skip
    growth = (ours[last]["cpu"] / last) / per_host
    rows.append(row(f"CPU a host at {last} ÷ at {first}", round(growth, 3), None, None,
                    round(growth, 3), GROWTH, growth <= GROWTH))  # fmt: skip
    rows.append(row(f"{last} pretend access points: memory, MB", round(ours[last]["mb"]), None,
                    None, None, MEMORY_MB, ours[last]["mb"] < MEMORY_MB))  # fmt: skip
    return rows


def row(metric: str, ours: float, *rest: Any) -> dict[str, Any]:
    peer, peer_value, ratio, target, met = rest or (None,) * 5
    return {"job": JOB, "metric": metric, "ours": ours, "peer": peer, "peer_value": peer_value,
            "ratio": ratio, "target": target, "met": met, "stretch": None}  # fmt: skip


@contextlib.contextmanager
def fleet(folder: Path, size: int) -> Iterator[list[FleetDevice]]:
    """`size` pretend access points that let the key `folder/id` in."""
    city = folder / "fleet"
    city.mkdir()
    with (city / "access-points.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "management_address", "ssh_port", "snmp_port", "mac", "serial",
                         "bssid"])  # fmt: skip
        for n in range(1, size + 1):
            mac = f"02:00:00:{n >> 8:02x}:{n & 255:02x}"
            address = f"127.{NETWORK}.{n >> 8}.{n & 255}"
            writer.writerow([f"ap{n:04}", address, 2222, 1161, f"{mac}:00",
                             f"S{n:04}", f"{mac}:01;{mac}:02"])  # fmt: skip
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "id")],
                   check=True)  # fmt: skip
    with Fleet(city, password=PASSWORD) as running:
        key = (folder / "id.pub").read_text("utf-8")
        for device in running.devices:
            keys = device.root / "etc" / "dropbear" / "authorized_keys"
            keys.parent.mkdir(parents=True, exist_ok=True)
            keys.write_text(key, "utf-8")
        yield list(running.devices)


def pushed(home: Path, devices: Sequence[FleetDevice]) -> dict[str, float]:
    """CPU s, wall s and MB of `farola provision push` of a new SSID to `devices`."""
    home.mkdir()
    settings = Settings(home, City("Bench", "UTC", "Before", "MX"),
                        provisioning=ProvisioningSettings(bake_s=0, linger_s=0))  # fmt: skip
    write_settings(settings)
    os.environ["FAROLA_KEY_FILE"] = str(home / "key")
    create_key(home)
    inventory = open_inventory(settings)
    upgrade(inventory.engine)
    key = (home.parent / "id").read_text("utf-8")
    with inventory.session() as session:
        values = {"private_key": key, "snmp_community": "bench"}
        queries.store_secrets(session, "ap", "root", values, Keyring(home))
        for number in range((len(devices) + PER_SITE - 1) // PER_SITE):
            session.add(Site(id=f"s{number}", name=f"Plaza {number}", lat=19.4, lon=-99.1))
        session.flush()
        for number, device in enumerate(devices):
            session.add(Device(
                id=device.id, name=device.id, platform="openwrt", host_key=device.host_key,
                management_address=device.address, ssh_port=device.ssh_port,
                snmp_port=device.snmp_port, credential_name="ap",
                placements=[Placement(site_id=f"s{number // PER_SITE}")],
            ))  # fmt: skip
    inventory.close()
    (home / "variables.yaml").write_text(f"city: {{ssid: 'Bench {len(devices)}'}}\n", "utf-8")
    environment = {**os.environ, "FAROLA_HOME": str(home)}
    farola = [sys.executable, "-m", "farola", "provision"]
    subprocess.run([*farola, "prepare", "--all"], env=environment, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return watched([*farola, "push", "1", *EXTRA], environment)


def plain(folder: Path, devices: Sequence[FleetDevice]) -> float:
    """CPU s of Ansible that runs three commands with `raw` on `devices`."""
    folder.mkdir()
    lines = [
        f"{d.id} ansible_host={d.address} ansible_port={d.ssh_port} ansible_user=root"
        for d in devices
    ]
    (folder / "hosts").write_text("\n".join(lines) + "\n", "utf-8")
    known = "".join(f"[{d.address}]:{d.ssh_port} {d.host_key}\n" for d in devices)
    (folder / "known_hosts").write_text(known, "utf-8")
    tasks = "".join(f"    - ansible.builtin.raw: {command}\n" for command in COMMANDS)
    (folder / "three.yml").write_text(
        f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}", "utf-8"
    )
    (folder / "ansible.cfg").write_text("", "utf-8")  # nobody's own settings
    key = shutil.copy(folder.parent / "id", folder / "id")
    Path(key).chmod(0o600)
    environment = {
        **os.environ, "ANSIBLE_HOST_KEY_CHECKING": "True", "ANSIBLE_FORKS": "20",
        "ANSIBLE_SSH_ARGS": f"-o ControlMaster=auto -o ControlPersist=60s "
                            f"-o UserKnownHostsFile={folder / 'known_hosts'}",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"), "LC_ALL": "C.UTF-8",
        "ANSIBLE_PRIVATE_KEY_FILE": str(key), "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }  # fmt: skip
    playbook = Path(sys.executable).parent / "ansible-playbook"
    done = watched([str(playbook), "-i", str(folder / "hosts"), str(folder / "three.yml")],
                   environment)  # fmt: skip
    return done["cpu"]


def watched(argv: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Run `argv`; CPU s of it and all that it started, wall s, and most MB of them together."""
    before, started = cpu(), time.monotonic()
    child = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)  # fmt: skip
    most, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            most[0] = max(most[0], megabytes(child.pid))

    looking = threading.Thread(target=look)
    looking.start()
    said, _ = child.communicate()
    over.set()
    looking.join()
    wall = time.monotonic() - started
    reap()
    if child.returncode:
        raise RuntimeError(f"{argv[:5]} ended with {child.returncode}: {said[-2000:]}")
    return {"cpu": cpu() - before, "wall": wall, "mb": most[0]}


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def reap() -> None:
    """End what was left behind to us (ssh's masters), so that its CPU is counted."""
    for pid in children(os.getpid()):
        if b"ssh: " in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def children(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):  # it may end while it is looked at
        for task in list(Path(f"/proc/{pid}/task").glob("*/children")):
            with contextlib.suppress(OSError):
                found += [int(word) for word in task.read_text("ascii").split()]
    return found


def megabytes(pid: int) -> float:
    """Proportional memory of a process and all below it."""
    total = 0.0
    for one in children(pid):
        total += megabytes(one)
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1024
    return total


if __name__ == "__main__":
    for one in measure(tuple(map(int, sys.argv[1:])) or SIZES):
        print(one["metric"], one["ours"], one["peer_value"], one["ratio"], one["met"])
