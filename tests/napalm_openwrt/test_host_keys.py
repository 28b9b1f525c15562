"""A device is spoken to only if its host key is the known one: Debian's dropbear and OpenSSH."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from napalm.base.exceptions import ConnectAuthError, ConnectionException

from napalm_openwrt import OpenWrtDriver

pytestmark = pytest.mark.service


@dataclass(frozen=True)
class Server:
    """A real SSH server on 127.0.0.1."""

    port: int
    public_key: str
    log: Path
    client_key: Path | None = None

    @property
    def known_hosts_line(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.public_key}\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, log.read_text(errors="replace")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def dropbear(tmp_path: Path, needs_program: Callable[[str, str], str]) -> Iterator[Server]:
    binary = needs_program("dropbear", "dropbear-bin")
    make_key = needs_program("dropbearkey", "dropbear-bin")
    key, port = tmp_path / "hostkey", free_port()
    made = subprocess.run(
        [make_key, "-t", "ed25519", "-f", str(key)], capture_output=True, text=True, check=True
    )
    public = next(line for line in made.stdout.splitlines() if line.startswith("ssh-"))
    log = tmp_path / "dropbear.log"
    command = [
        binary,
        "-F",
        "-E",
        "-r",
        str(key),
        "-p",
        f"127.0.0.1:{port}",
        "-P",
        str(tmp_path / "pid"),
    ]
    for _ in serve(command, port, log):
        yield Server(port, " ".join(public.split()[:2]), log)


@pytest.fixture
def openssh(tmp_path: Path, needs_program: Callable[[str, str], str]) -> Iterator[Server]:
    binary = needs_program("sshd", "openssh-server")
    keygen = needs_program("ssh-keygen", "openssh-client")
    for name in ("host", "client"):
        subprocess.run(
            [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True
        )
    port = free_port()
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nPidFile none\n"
        f"AuthorizedKeysFile {tmp_path}/client.pub\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin yes\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    public = (tmp_path / "host.pub").read_text()
    log = tmp_path / "sshd.log"
    for _ in serve([binary, "-D", "-e", "-f", str(tmp_path / "sshd_config")], port, log):
        yield Server(port, " ".join(public.split()[:2]), log, tmp_path / "client")


OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8cYQ4pUbV4bAkPxgkcGzYl3OOZ2pn9zsR1kzBrr3yK"


def driver(server: Server, known_hosts: Path | None, **arguments: object) -> OpenWrtDriver:
    return OpenWrtDriver(
        "127.0.0.1", getpass.getuser(), "a-password-nobody-may-see", timeout=10,
        optional_args={"port": server.port, "known_hosts": known_hosts, **arguments},
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["dropbear", "openssh"])
def test_an_unknown_key_is_refused_and_the_way_to_accept_it_is_told(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server = request.getfixturevalue(kind)
    known = tmp_path / "known_hosts"
    known.write_text("")
    with pytest.raises(ConnectionException) as caught:
        driver(server, known).open()
    said = str(caught.value)
    assert "\n" not in said
    assert f"[127.0.0.1]:{server.port}" in said
    assert "ssh-keyscan" in said
    assert str(known) in said
    assert "SHA256:" in said
    assert "password" not in server.log.read_text(errors="replace").lower()


@pytest.mark.parametrize("kind", ["dropbear", "openssh"])
@pytest.mark.parametrize("inline", [False, True])
def test_a_changed_key_is_refused_before_the_password_is_sent(
    kind: str, inline: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server = request.getfixturevalue(kind)
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {OTHER_KEY}\n")
    device = driver(server, None, host_key=OTHER_KEY) if inline else driver(server, known)
    with pytest.raises(ConnectionException, match="CHANGED") as caught:
        device.open()
    assert not isinstance(caught.value, ConnectAuthError)
    log = server.log.read_text(errors="replace").lower()
    assert "bad password" not in log
    assert "failed password" not in log


@pytest.mark.parametrize("kind", ["dropbear", "openssh"])
def test_with_the_right_key_it_is_the_password_that_is_refused(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server = request.getfixturevalue(kind)
    known = tmp_path / "known_hosts"
    known.write_text(server.known_hosts_line)
    with pytest.raises(ConnectAuthError) as caught:
        driver(server, known).open()
    assert "nobody-may-see" not in str(caught.value)


@pytest.mark.parametrize("form", ["key_file", "private_key"])
def test_a_private_key_signs_in_from_a_file_or_as_text(
    form: str, openssh: Server, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(openssh.known_hosts_line)
    assert openssh.client_key is not None
    value = str(openssh.client_key) if form == "key_file" else openssh.client_key.read_text()
    device = driver(openssh, known, **{form: value})
    device.open()
    try:
        assert device.is_alive() == {"is_alive": True}
        assert device.cli(["printf héllo"]) == {"printf héllo": "héllo"}
    finally:
        device.close()
    assert device.is_alive() == {"is_alive": False}


def test_nobody_listening_is_told_in_one_line(tmp_path: Path) -> None:
    nobody = Server(free_port(), "", tmp_path / "none")
    with pytest.raises(ConnectionException) as caught:
        driver(nobody, tmp_path / "known_hosts").open()
    assert f"[127.0.0.1]:{nobody.port}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_speaks_no_ssh_is_told(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        other = Server(listener.getsockname()[1], "", tmp_path / "none")
        device = OpenWrtDriver(
            "127.0.0.1",
            "root",
            "x",
            timeout=1,
            optional_args={"port": other.port, "host_key": OTHER_KEY},
        )
        with pytest.raises(ConnectionException):
            device.open()


def test_secrets_are_in_no_repr() -> None:
    device = OpenWrtDriver("h", "root", "hunter2", optional_args={"passphrase": "hunter3"})
    assert "hunter" not in repr(device.access)
