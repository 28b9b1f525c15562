"""Signing in as people and programs do: paramiko, Netmiko, Debian's ssh."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest

from simulator.fleet import Fleet

PASSWORD = "a pretend secret"
Ssh = Callable[..., paramiko.SSHClient]


def test_commands_have_output_errors_and_a_status(ssh: Ssh) -> None:
    with ssh("ap-0001") as client:
        _, out, err = client.exec_command("echo out; nosuch; exit 3")
        assert out.read() == b"out\n"
        assert err.read() == b"ash: nosuch: not found\n"
        assert out.channel.recv_exit_status() == 3
        assert client.exec_command("nosuch")[1].channel.recv_exit_status() == 127


def test_standard_input_reaches_the_command_byte_for_byte(ssh: Ssh) -> None:
    data = bytes(range(256)) * 300
    with ssh("ap-0001") as client:
        stdin, out, _ = client.exec_command("cat > /tmp/blob; sha256sum < /tmp/blob; cat /tmp/blob")
        stdin.write(data)
        stdin.channel.shutdown_write()
        digest = out.readline()
        assert out.read() == data
        assert len(digest.split()[0]) == 64


def test_a_wrong_password_and_another_user_are_refused(fleet: Fleet, ssh: Ssh) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        ssh("ap-0001", password="wrong")
    with pytest.raises(paramiko.AuthenticationException):
        ssh("ap-0001", username="admin")


def test_a_password_can_be_changed_and_a_key_enrolled(ssh: Ssh) -> None:
    key = paramiko.RSAKey.generate(2048)
    with ssh("ap-0008") as client:
        client.exec_command(
            f"echo 'ssh-rsa {key.get_base64()} me' > /etc/dropbear/authorized_keys"
        )[1].read()
        stdin, out, _ = client.exec_command("passwd root")
        stdin.write("new one\nnew one\n")
        stdin.channel.shutdown_write()
        assert b"password for root changed" in out.read()
    with pytest.raises(paramiko.AuthenticationException):
        ssh("ap-0008")
    with ssh("ap-0008", password="new one") as client:
        client.exec_command("rm /etc/pretend/password")[1].read()
    with ssh("ap-0008", password=None, pkey=key) as client:
        assert client.exec_command("id -un")[1].read() == b"root\n"


def test_there_is_no_sftp(ssh: Ssh) -> None:
    with ssh("ap-0001") as client, pytest.raises((paramiko.SSHException, EOFError)):
        client.open_sftp()


def test_a_background_job_that_holds_the_output_keeps_the_session_open(ssh: Ssh) -> None:
    with ssh("ap-0001") as client:

        def alive_after(script: str) -> bool:
            pid = client.exec_command(script)[1].read().decode().strip()
            return client.exec_command(f"kill -0 {pid} && echo alive")[1].read() == b"alive\n"

        assert not alive_after("sleep 0.6 & echo $!")
        assert alive_after("(sleep 5; echo x) >/dev/null 2>&1 & echo $!")


def test_a_detached_watcher_outlives_its_session(fleet: Fleet, ssh: Ssh) -> None:
    with ssh("ap-0001") as client:
        script = "sleep 0.4; echo done > /tmp/watcher"
        client.exec_command(f"start-stop-daemon -S -b -x /bin/sh -- -c '{script}'")[1].read()
    file = fleet.device("ap-0001").root / "tmp" / "watcher"
    assert not file.exists()
    deadline = time.monotonic() + 5
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert file.read_text() == "done\n"


def test_netmiko_types_into_the_shell(fleet: Fleet) -> None:
    from netmiko import ConnectHandler

    device = fleet.device("ap-0001")
    with ConnectHandler(
        device_type="linux", host=device.address, port=device.ssh_port, username="root",
        password=PASSWORD, ssh_strict=True, alt_host_keys=True,
        alt_key_file=str(fleet.folder / "known_hosts"),
    ) as net:  # fmt: skip
        assert net.find_prompt() == "root@ap-0001:~#"
        assert net.send_command("uci get system.@system[0].hostname") == "ap-0001"
        long = "echo " + "x" * 300
        assert net.send_command(long) == "x" * 300
        assert net.send_command("for i in 1 2; do echo line $i; done") == "line 1\nline 2"
        net.send_command("cd /etc/config", expect_string=r"/etc/config# $")
        assert "wireless" in net.send_command("ls", expect_string=r"/etc/config# $")


def test_a_person_s_terminal_has_editing_interrupts_and_continuation(ssh: Ssh) -> None:
    with ssh("ap-0001") as client:
        channel = client.invoke_shell()
        channel.settimeout(5)

        def until(text: str) -> str:
            seen = ""
            while not seen.endswith(text):
                part = channel.recv(4096)
                assert part, seen
                seen += part.decode()
            return seen

        assert "BusyBox" in until("root@ap-0001:~# ")
        channel.send(b"ecHx\x7f\x7fho typed\r")
        assert until("~# ").startswith("ecHx\b \b\b \bho typed\r\ntyped\r\n")
        channel.send(b"sleep 30\r")
        time.sleep(0.3)
        channel.send(b"\x03")
        assert "^C" in until("~# ")
        channel.send(b"echo $?\r")
        assert "130" in until("~# ")
        channel.send(b"if true\r")
        assert until("> ").endswith("\r\n> ")
        channel.send(b"then echo 'two\r")
        until("> ")
        channel.send(b"lines'; fi\r")
        assert "two\r\nlines\r\n" in until("~# ")
        channel.send(b"cat > /tmp/typed\r")
        channel.send(b"first\rsecond\r\x04")
        until("~# ")
        channel.send(b"cat /tmp/typed; exit 7\r")
        while channel.recv(4096):
            pass
        assert channel.recv_exit_status() == 7


@pytest.mark.service
def test_debian_s_ssh_signs_in_and_checks_the_host_key(
    fleet: Fleet, tmp_path: Path, needs_program: Callable[[str, str], str]
) -> None:
    program = needs_program("ssh", "openssh-client")
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\necho '{PASSWORD}'\n")
    ask.chmod(0o700)

    def run(identifier: str, command: str) -> subprocess.CompletedProcess[str]:
        device = fleet.device(identifier)
        return subprocess.run(
            [program, "-F", "none", "-p", str(device.ssh_port), "-o", "StrictHostKeyChecking=yes",
             "-o", f"UserKnownHostsFile={fleet.folder / 'known_hosts'}", "-o", "LogLevel=ERROR",
             "-o", "PreferredAuthentications=password", f"root@{device.address}", command],
            env={**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"},
            capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    done = run("ap-0001", "uname -s; echo gone >&2; exit 5")
    assert (done.returncode, done.stdout, done.stderr) == (5, "Linux\n", "gone\n")
    wrong = run("ap-0007", "true")
    assert wrong.returncode == 255
    assert "verification failed" in wrong.stderr or "CHANGED" in wrong.stderr
