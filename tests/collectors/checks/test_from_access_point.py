"""Checks made by an access point over SSH: OpenSSH in a namespace, the rest busybox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.models import Device
from tests.collectors.checks.place import GATEWAY, NAME, Street, wait_for
from tests.conftest import ROOT

pytestmark = pytest.mark.service
PORT = "2222"


@pytest.fixture(scope="module")
def keys(street: Street, needs_program, tmp_path_factory) -> Path:
    """An access point in the street; the folder has its host key and the key that opens it."""
    folder = tmp_path_factory.mktemp("ap")
    busybox, sshd = needs_program("busybox", "busybox"), needs_program("sshd", "openssh-server")
    tools = folder / "bin"
    tools.mkdir()
    subprocess.run([busybox, "--install", "-s", str(tools)], check=True)
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    shell = folder / "shell"
    shell.write_text(
        f'#!/bin/sh\nexec env -i PATH={tools} HOME=/ {busybox} ash -c "$SSH_ORIGINAL_COMMAND"\n'
    )
    shell.chmod(0o755)
    (folder / "config").write_text(
        f"Port {PORT}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPermitRootLogin yes\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nUsePAM no\nForceCommand {shell}\n"
        f"PidFile {folder}/pid\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    street.start([sshd, "-D", "-e", "-f", str(folder / "config")], space=street.street)
    wait_for((folder / "pid").exists, "sshd does not start")
    return folder


@pytest.fixture
def city(run, home, street, keys):
    """A city with that access point, adopted; returns how to run farola beside it."""
    run("init")
    run("device", "credential", "ap", "--username", "root", "--field", "private_key",
        input=(keys / "user").read_text())  # fmt: skip
    host_key = " ".join((keys / "host.pub").read_text().split()[:2])
    inventory = open_inventory(load_settings(home))
    with inventory.session() as session:
        for name in ("post", "stranger"):
            session.add(
                Device(id=name, name=name, management_address="127.0.0.1", ssh_port=int(PORT),
                       platform="openwrt", credential_name="ap" if name == "post" else None,
                       host_key=host_key)
            )  # fmt: skip
    inventory.close()

    def farola(*words: str, code: int = 0, **checks: object) -> dict:
        lines = [f"{key} = {json.dumps(value)}" for key, value in checks.items()]
        file = home / "farola.toml"
        file.write_text(
            file.read_text().partition("[checks]")[0] + "[checks]\n" + "\n".join(lines) + "\n"
        )
        done = subprocess.run(
            ["ip", "netns", "exec", street.street, sys.executable, "-c",
             "from farola.cli import main; main()", "collect", "check", *words, "--json"],
            capture_output=True, text=True, check=False, timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return {one["device"]: one for one in json.loads(done.stdout)["checked"]}

    return farola


def test_an_access_point_checks_address_name_and_portal_and_stays_as_it_was(city, street):
    def links() -> str:
        said = subprocess.run(
            ["ip", "-n", street.street, "-o", "addr"], capture_output=True, text=True, check=True
        ).stdout
        # The kernel may still be looking whether a new address is anybody else's.
        return said.replace(" tentative", "")

    before = links()
    found = city(
        "post", ap_interface=street.inside, dns_name=NAME, dns_server=GATEWAY,
        portal_url=f"http://{GATEWAY}/302", timeout_s=3.0,
    )["post"]  # fmt: skip
    assert [(one["check"], one["ok"], one["reason"]) for one in found["results"]] == [
        ("dhcp", True, f"lease from {GATEWAY}"),
        ("dns", True, "answer"),
        ("portal", True, "portal: redirects to http://portal.example"),
    ]
    assert links() == before


def test_an_access_point_meets_silence_and_the_internet(city, street):
    found = city(
        "--from", "ap", aps=5, ap_interface="lo", dns_name="no.such.nowhere", dns_server=GATEWAY,
        portal_url=f"http://{GATEWAY}/204", timeout_s=1.0,
    )  # fmt: skip
    assert set(found) == {"post"}  # the other is not adopted: it is not in turn
    assert [(one["ok"], one["reason"]) for one in found["post"]["results"]] == [
        (False, "no answer"), (False, "NXDOMAIN"), (True, "internet: 204"),
    ]  # fmt: skip
    found = city("post", portal_url=f"http://{GATEWAY}/hang", timeout_s=1.0)["post"]
    assert [(one["ok"], one["reason"]) for one in found["results"]] == [(False, "no answer")]


def test_an_access_point_that_cannot_be_signed_in_to_is_told(city):
    found = city("stranger", dns_name=NAME, code=1)["stranger"]
    assert found["results"] == []
    assert "not adopted" in found["problem"]
