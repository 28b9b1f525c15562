"""An SSH session with an access point: Netmiko signs in, commands run on exec channels.

The host key is always checked before anything secret is sent. Commands are plain busybox ash;
file contents go in on stdin, so nothing of them shows in the device's process list.
"""

from __future__ import annotations

import hmac
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from napalm.base.exceptions import (
    CommandTimeoutException,
    ConnectAuthError,
    ConnectionClosedException,
    ConnectionException,
    ConnectTimeoutError,
)
from netmiko.linux.linux_ssh import LinuxSSH
from paramiko.auth_strategy import AuthStrategy, NoneAuth
from paramiko.config import SSHConfig
from paramiko.hostkeys import HostKeyEntry

# Paramiko compares each packet's hash byte by byte in Python, at a fifth of what a session costs.
paramiko.util.constant_time_bytes_eq = hmac.compare_digest  # type: ignore[assignment]  # it takes more

CHUNK = 32768
OUTPUT_LIMIT = 16 * 1024 * 1024
"""Bytes of output after which a device is taken for broken."""


@dataclass(frozen=True)
class Access:
    """How to reach a device and prove who we are and who it is."""

    host: str
    port: int
    username: str
    password: str | None
    known_hosts: str | None = None
    """Path of a known_hosts file; None is the user's own."""
    host_key: str | None = None
    """The device's key itself, as `ssh-ed25519 AAAA…`, instead of a file."""
    key_file: str | None = None
    private_key: str | None = None
    """A private key's text, for callers that keep it encrypted and write no file."""
    passphrase: str | None = None
    strict: bool = True
    timeout: float = 60.0
    """Seconds for signing in, and for each command."""

    @property
    def name(self) -> str:
        """The device's name in a known_hosts file."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"

    def __repr__(self) -> str:
        """Address only: passwords must never reach a log."""
        return f"Access({self.username}@{self.name})"


@dataclass(frozen=True)
class Output:
    """What a command left behind. Bytes that are no UTF-8 survive as surrogates."""

    status: int
    stdout: str
    stderr: str


class _Exec(LinuxSSH):
    """Netmiko's connection without the interactive shell, which we never type into."""

    host_key: str | None = None
    hosts_name: str = ""
    secret_given: bool = True

    def establish_connection(self, width: int = 511, height: int = 1000) -> None:
        """Sign in and stop there; paramiko's own exceptions tell a bad key from a dead host."""
        del width, height
        client = self._build_ssh_client()
        if self.host_key:
            entry = HostKeyEntry.from_line(f"{self.hosts_name} {self.host_key}")
            if entry is None or entry.key is None:
                raise paramiko.SSHException(f"{self.host_key[:40]!r} is no SSH host key")
            client.get_host_keys().add(self.hosts_name, entry.key.get_name(), entry.key)
        if self.key_policy.__class__ is paramiko.RejectPolicy:
            client.set_missing_host_key_policy(_Refuse())
        self.remote_conn_pre = client
        strategy = None if self.secret_given else _Without(self.username)
        client.connect(**self._connect_params_dict(), auth_strategy=strategy)

    def session_preparation(self) -> None:
        """There is no prompt to look for."""


class _Without(AuthStrategy):
    """Sign in without a secret, as a factory-new access point lets anybody do."""

    def __init__(self, username: str) -> None:
        super().__init__(ssh_config=SSHConfig())
        self.username = username

    def get_sources(self) -> Iterator[NoneAuth]:
        """The one way."""
        yield NoneAuth(self.username)


class _UnknownHostKey(paramiko.SSHException):
    """The device showed a key that is not in the known_hosts."""


class WrongHostKey(ConnectionException):  # type: ignore[misc]  # napalm publishes no types
    """The device showed another host key than the known one; nothing was sent."""

    shown: str = ""
    """The key that it showed, as `ssh-ed25519 SHA256:…`."""


class _Refuse(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: Any, hostname: str, key: paramiko.PKey) -> None:
        del client, hostname
        raise _UnknownHostKey(f"{key.get_name()} {key.fingerprint}")


class Session:
    """One connection; `run` opens a channel a command."""

    def __init__(self, access: Access) -> None:
        """Sign in.

        Raises
        ------
        ConnectionException
            The host key is unknown or another one (nothing secret was sent), or no SSH there.
        ConnectAuthError
            User, password or key were refused.
        ConnectTimeoutError
            No answer in time.
        """
        self.access = access
        # A session must not hang for a minute before it says that nobody answers.
        patience = min(access.timeout, 15.0)
        key = private_key_of(access)
        _check_files(access)
        try:
            self._netmiko = _Exec(
                device_type="linux", host=access.host, port=access.port, username=access.username,
                password=access.password, key_file=access.key_file, pkey=key,
                passphrase=access.passphrase, use_keys=False, allow_agent=False,
                ssh_strict=access.strict,
                system_host_keys=not access.known_hosts and not access.host_key,
                alt_host_keys=bool(access.known_hosts), alt_key_file=access.known_hosts or "",
                conn_timeout=patience, banner_timeout=patience, auth_timeout=patience,
                auto_connect=False,
            )  # fmt: skip
            self._netmiko.host_key, self._netmiko.hosts_name = access.host_key, access.name
            self._netmiko.secret_given = bool(access.password or key or access.key_file)
            self._netmiko.establish_connection()
        except Exception as error:
            self.close()
            raise _explained(access, error) from None

    @property
    def alive(self) -> bool:
        """Whether the transport stands."""
        transport = self._transport()
        return transport is not None and transport.is_active()

    def run(self, command: str, stdin: str = "", timeout: float | None = None) -> Output:
        """Run `command` in the device's shell, with `stdin`, and wait for its end.

        Raises
        ------
        CommandTimeoutException
            It did not end in `timeout` seconds (default: the session's).
        ConnectionClosedException
            The connection broke before the end was known.
        """
        patience = timeout or self.access.timeout
        deadline = time.monotonic() + patience
        transport = self._transport()
        if transport is None or not transport.is_active():
            raise ConnectionClosedException(f"{self.access.name}: not connected; call open() first")
        try:
            channel = transport.open_session(timeout=patience)
            try:
                channel.settimeout(patience)
                channel.exec_command(command)
                channel.sendall(stdin.encode("utf-8", "surrogateescape"))
                channel.shutdown_write()
                out, err = self._drain(channel, deadline)
                status = channel.recv_exit_status() if channel.exit_status_ready() else -1
            finally:
                channel.close()
        except TimeoutError:
            raise CommandTimeoutException(
                f"{self.access.name}: no end of a command after {patience:.0f} s"
            ) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ConnectionClosedException(
                f"{self.access.name}: the connection broke: {error}"
            ) from None
        if status < 0:
            raise ConnectionClosedException(
                f"{self.access.name}: the connection broke before a command ended"
            )
        return Output(
            status, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape")
        )

    def close(self) -> None:
        """Sign out; harmless when there is no connection."""
        if hasattr(self, "_netmiko"):
            self._netmiko.disconnect()

    def _transport(self) -> paramiko.Transport | None:
        client: paramiko.SSHClient | None = self._netmiko.remote_conn_pre
        return client.get_transport() if client else None

    def _drain(self, channel: paramiko.Channel, deadline: float) -> tuple[bytes, bytes]:
        """Read both streams to their ends, then wait for the exit status."""
        out, err = bytearray(), bytearray()
        while True:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            channel.settimeout(remaining)
            part = channel.recv(CHUNK)
            if channel.recv_stderr_ready():
                err += channel.recv_stderr(CHUNK)
            out += part
            if len(out) > OUTPUT_LIMIT:
                raise paramiko.SSHException("more output than any config has")
            if not part:
                break
        while part := channel.recv_stderr(CHUNK):
            err += part
            if len(err) > OUTPUT_LIMIT:
                raise paramiko.SSHException("more output than any config has")
        if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        return bytes(out), bytes(err)


class NotConnected(Session):
    """Stands for a session before `open`: whatever is asked of it is refused."""

    def __init__(self, access: Access) -> None:
        """Keep the address, for the message; nothing is sent."""
        self.access = access

    @property
    def alive(self) -> bool:
        """Never."""
        return False

    def run(self, command: str, stdin: str = "", timeout: float | None = None) -> Output:
        """Raise ConnectionClosedException."""
        del command, stdin, timeout
        raise ConnectionClosedException(f"{self.access.name}: not connected; call open() first")


def private_key_of(access: Access) -> paramiko.PKey | None:
    """The private key whose text `access` holds, or None; ConnectAuthError if it is none."""
    if not access.private_key:
        return None
    for kind in (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey):
        try:
            return kind.from_private_key(io.StringIO(access.private_key), access.passphrase)
        except (paramiko.SSHException, ValueError):
            continue
    raise ConnectAuthError(
        f"{access.name}: the private key cannot be read; store an Ed25519, RSA or ECDSA key"
    )


def _check_files(access: Access) -> None:
    """Read the files that we were given, so that one that cannot be used is named by its path."""
    for path in filter(None, (access.key_file, access.known_hosts)):
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            if path == access.key_file:
                raise ConnectionException(f"{access.name}: {path}: no such key file") from None
            continue
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ConnectionException(f"{access.name}: {path}: cannot be read: {reason}") from None
        for number, line in enumerate(lines if path == access.known_hosts else (), 1):
            try:
                HostKeyEntry.from_line(line.strip(), number)
            except (paramiko.SSHException, ValueError):
                raise ConnectionException(
                    f"{access.name}: {path}: line {number} is no known_hosts line"
                ) from None


def _explained(access: Access, error: Exception) -> Exception:
    """`error` as NAPALM's exception for it, in one line that says what to do."""
    kind: type[Exception] = ConnectionException
    if isinstance(error, paramiko.BadHostKeyException):
        wrong = WrongHostKey(f"{access.name}: {_about_host_key(access, error)}")
        wrong.shown = f"{error.key.get_name()} {error.key.fingerprint}"
        return wrong
    if isinstance(error, _UnknownHostKey):
        text = _about_host_key(access, error)
    elif isinstance(error, paramiko.AuthenticationException):
        kind, text = ConnectAuthError, f"user {access.username!r} was refused: check its password"
    elif isinstance(error, TimeoutError):
        kind, text = ConnectTimeoutError, "no answer; is it powered and is the address right?"
    elif isinstance(error, OSError):
        text = f"cannot connect: {error.strerror or error}"
    else:
        text = f"no SSH session: {' '.join(str(error).split()) or type(error).__name__}"
    return kind(f"{access.name}: {text}")


def _about_host_key(access: Access, error: paramiko.SSHException) -> str:
    where = access.known_hosts or "~/.ssh/known_hosts"
    if isinstance(error, paramiko.BadHostKeyException):
        enrolled = "the enrolled host key" if access.host_key else f"the one in {where}"
        return (
            f"the host key has CHANGED: it shows {error.key.get_name()} {error.key.fingerprint}, "
            f"not {enrolled}; nothing was sent. If the device was replaced, remove the old key "
            f"and enrol the one read from the device itself"
        )
    return (
        f"its host key {error} is not in {where}; nothing was sent. To accept it, compare that "
        f"fingerprint with the device's own and add the line that "
        f"`ssh-keyscan -p {access.port} {access.host}` prints to {where}"
    )
