"""Before anything secret is sent, a switch proves who it is; what it cannot do is said."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from napalm.base.exceptions import ConnectAuthError, ConnectionException

from farola.errors import DeviceError, ProvisioningError
from inventory.platforms import ALIASES, CONSOLES, NAPALM, known, stable
from napalm_openwrt.session import WrongHostKey
from provisioning.platforms.drivers import capabilities, open_driver, told
from provisioning.platforms.switch_access import Folder
from tests.provisioning.switches.conftest import PASSWORD
from tests.provisioning.switches.eapi import Server

SSH = ("ios", "junos", "nxos_ssh", "mikrotik_routeros", "aruba_os", "cisco_wlc", "hp_comware")
CONFIG = "/system identity set name=pole-7\n/snmp community set 0 name=watch\n"


class Door(paramiko.ServerInterface):
    """Lets `admin` in with the password, and remembers who tried."""

    def __init__(self, tried: list[str]) -> None:
        self.tried = tried

    def check_auth_password(self, username: str, password: str) -> int:
        self.tried.append(username)
        right = username.split("+", maxsplit=1)[0] == "admin" and password == PASSWORD
        return paramiko.common.AUTH_SUCCESSFUL if right else paramiko.common.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del kind, chanid
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_pty_request(self, *_args: Any) -> bool:
        return True

    def check_channel_shell_request(self, channel: Any) -> bool:
        threading.Thread(target=console, args=(channel,), daemon=True).start()
        return True


def console(channel: Any) -> None:
    """A stand-in for a RouterOS console: a prompt, an echo, one command that it knows."""
    prompt = "[admin@pole-7] > "
    channel.send(prompt.encode())
    line = ""
    while data := channel.recv(1024).decode():
        for char in data.replace("\r\n", "\n").replace("\r", "\n"):
            if char != "\n":
                line += char
                continue
            said = ""
            if line == "/export terse":
                said = f"# 2026-11-23 02:00:00 by RouterOS 7.16\n{CONFIG}"
            elif line.strip():
                said = "bad command name\n"
            channel.send(f"{line}\r\n{said.replace(chr(10), chr(13) + chr(10))}{prompt}".encode())
            line = ""


class SshServer:
    """A real SSH server with a host key of its own."""

    def __init__(self) -> None:
        self.key = paramiko.ECDSAKey.generate()
        self.tried: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def host_key(self) -> str:
        return f"{self.key.get_name()} {self.key.get_base64()}"

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(self.key)
            transport.start_server(event=threading.Event(), server=Door(self.tried))


@pytest.fixture(scope="module")
def ssh() -> Iterator[SshServer]:
    running = SshServer()
    yield running
    running.socket.close()


@pytest.fixture(scope="module")
def other_key() -> str:
    key = paramiko.ECDSAKey.generate()
    return f"{key.get_name()} {key.get_base64()}"


@pytest.mark.parametrize("platform", SSH)
def test_another_host_key_is_refused_before_the_password_is_sent(
    platform: str, ssh: SshServer, other_key: str, device: Any, secrets: Any
) -> None:
    ssh.tried.clear()
    driver = open_driver(
        device(platform=platform, ssh_port=ssh.port, host_key=other_key), secrets()
    )
    with pytest.raises(WrongHostKey, match="another host key than the enrolled one; nothing was"):
        driver.open()
    driver.close()
    assert ssh.tried == []
    assert PASSWORD not in repr(driver)


@pytest.mark.parametrize("platform", ["ios", "junos", "aruba_os"])
def test_a_wrong_password_is_said_in_one_line(
    platform: str, ssh: SshServer, device: Any, secrets: Any
) -> None:
    driver = open_driver(
        device(platform=platform, ssh_port=ssh.port, host_key=ssh.host_key),
        secrets(password="wrong-one"),
    )
    with pytest.raises(ConnectAuthError, match="user 'admin' was refused") as error:
        driver.open()
    assert "wrong-one" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_console_is_backed_up_and_takes_commands_and_nothing_more(
    ssh: SshServer, device: Any, secrets: Any
) -> None:
    router = device(platform="mikrotik-routeros", ssh_port=ssh.port, host_key=ssh.host_key)
    driver = open_driver(router, secrets())
    driver.open()
    try:
        assert driver.is_alive() == {"is_alive": True}
        assert driver.get_config(retrieve="running")["running"] == CONFIG
        assert driver.cli(["/bad"]) == {"/bad": "bad command name"}
        assert driver.get_facts()["hostname"] == "pole-7"
        for call in (
            lambda: driver.load_merge_candidate(config="x"),
            lambda: driver.load_replace_candidate(config="x"),
            driver.compare_config,
            lambda: driver.commit_config(revert_in=60),
            driver.rollback,
            lambda: driver.rollback_to("0"),
        ):
            with pytest.raises(NotImplementedError, match=r"mikrotik_routeros has no .* no more"):
                call()
    finally:
        driver.close()
    assert driver.is_alive() == {"is_alive": False}


def test_a_switch_without_an_enrolled_key_is_not_spoken_to(device: Any, secrets: Any) -> None:
    for platform in SSH:
        with pytest.raises(DeviceError, match="not adopted"):
            open_driver(device(platform=platform), secrets())


def test_a_certificate_must_be_vouched_for(
    certificate: tuple[str, str], device: Any, secrets: Any
) -> None:
    server = Server(PASSWORD, certificate)
    pem = Path(certificate[0]).read_text(encoding="utf-8")
    try:
        switch = device(ssh_port=server.port)
        with pytest.raises(ConnectionException, match=r"certificate is not accepted.*tls_ca"):
            open_driver(switch, secrets()).open()
        with pytest.raises(ConnectionException, match="certificate is not accepted"):
            open_driver(device(platform="nxos", ssh_port=server.port), secrets()).open()
        assert server.switch.seen == []
        driver = open_driver(switch, secrets(tls_ca=pem))
        driver.open()
        assert driver.get_facts()["serial_number"] == "S-EOS"
        driver.close()
        elsewhere = device(management_address="localhost", ssh_port=server.port)
        with pytest.raises(ConnectionException, match="certificate is not accepted"):
            open_driver(elsewhere, secrets(tls_ca=pem)).open()
        with pytest.raises(ConnectAuthError, match="refused"):
            open_driver(switch, secrets(tls_ca=pem, password="wrong")).open()
        with pytest.raises(DeviceError, match="tls_ca is no certificate"):
            open_driver(switch, secrets(tls_ca="rubbish")).open()
    finally:
        server.close()


def test_plain_http_is_spoken_only_where_the_credential_says_so(
    server: Server, device: Any, secrets: Any
) -> None:
    with pytest.raises(ConnectionException):
        open_driver(device(ssh_port=server.port), secrets()).open()
    assert server.switch.seen == []
    driver = open_driver(device(ssh_port=server.port), secrets(api_transport="http"))
    driver.open()
    driver.close()
    with pytest.raises(DeviceError, match="api_transport must be https or http"):
        open_driver(device(), secrets(api_transport="telnet")).open()


def test_what_each_platform_can_is_known_and_told(device: Any) -> None:
    assert capabilities("openwrt").transaction
    assert capabilities("arista-eos").confirm
    assert not capabilities("nxos").confirm
    assert not capabilities("ios").atomic
    for name in CONSOLES:
        able = capabilities(name)
        assert (able.config, able.commands, able.transaction) == (True, True, False)
    assert {known(alias) for alias in ALIASES} <= set(NAPALM) | set(CONSOLES)
    with pytest.raises(ProvisioningError, match="platform 'toaster' is unknown"):
        capabilities("toaster")
    assert told(device(platform="cisco_wlc"))["words"] == (
        "config, commands (no diff, no atomic, no replace, no confirm, no rollback)"
    )
    assert told(device(platform="toaster"))["can"] == []


def test_every_console_is_one_that_netmiko_has() -> None:
    from netmiko.ssh_dispatcher import CLASS_MAPPER

    assert set(CONSOLES) <= set(CLASS_MAPPER)


def test_what_changes_at_every_look_is_no_change() -> None:
    first = "!Time: Mon Nov 23\r\nhostname a  \r\n## Last commit: now\nend\n\n"
    assert stable(first) == stable(first.replace("Mon Nov 23", "Tue").replace("now", "then"))
    assert stable(first) == "hostname a\nend\n"
    assert stable("hostname b\n") != stable("hostname a\n")


def test_files_of_a_session_are_ours_alone_and_gone_afterwards() -> None:
    folder = Folder()
    path = Path(folder.put("known_hosts", "x"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    folder.close()
    assert not path.exists()


def test_a_private_key_that_is_none_is_said(ssh: SshServer, device: Any, secrets: Any) -> None:
    switch = device(platform="ios", ssh_port=ssh.port, host_key=ssh.host_key)
    text = io.StringIO()
    paramiko.RSAKey.generate(1024).write_private_key(text)
    with pytest.raises(ConnectAuthError, match="private key cannot be read"):
        open_driver(switch, secrets(private_key="rubbish")).open()
    with pytest.raises(ConnectAuthError, match="was refused") as error:
        open_driver(switch, secrets(private_key=text.getvalue(), password="")).open()
    assert "PRIVATE KEY" not in str(error.value)
