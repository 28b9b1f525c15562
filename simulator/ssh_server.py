"""The SSH server of a pretend access point: commands on exec channels and a shell to type into.

As with dropbear there is no SFTP, and a session ends only when nobody holds its output: a
background job that was not sent elsewhere keeps it open.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

from simulator.shell.applets.system import SHADOW, password_fits
from simulator.shell.interpreter import Shell
from simulator.shell.parse import ShellSyntaxError, parse
from simulator.shell.processes import Process
from simulator.terminal import Terminal

if TYPE_CHECKING:
    import asyncssh

    from simulator.device import Device

_LOGIN_SECONDS = 60
_KEX = ["curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256"]
_CIPHERS = ["chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr"]
_MACS = ["hmac-sha2-256", "hmac-sha1"]
AUTHORIZED_KEYS = "/etc/dropbear/authorized_keys"


def host_key(seed: str) -> asyncssh.SSHKey:
    """The Ed25519 host key of a device: always the same for the same seed, so never a secret."""
    import asyncssh
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    secret = hashlib.sha256(f"farola pretend host key {seed}".encode()).digest()
    private = Ed25519PrivateKey.from_private_bytes(secret).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return asyncssh.import_private_key(private)


def public_key(seed: str) -> str:
    """The host key as it stands in a known_hosts file: `ssh-ed25519 AAAA…`."""
    return " ".join(host_key(seed).export_public_key().decode().split()[:2])


class SessionSink:
    """What a session's channel shows; lost when the client is gone."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Send `data`."""
        with contextlib.suppress(OSError):
            self._stream.write(data)

    def close(self) -> None:
        """The session closes its channel itself."""


class SessionSource:
    """What the client sends on a channel without a terminal."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def read(self) -> bytes:
        """All, until the client closes its side."""
        try:
            return bytes(await self._stream.read())
        except OSError:
            return b""

    async def read_line(self) -> bytes:
        """The next line."""
        try:
            return bytes(await self._stream.readline())
        except OSError:
            return b""

    def close(self) -> None:
        """Nothing to do."""


class SshServer:
    """Listens for one device."""

    def __init__(self, device: Device, key_seed: str) -> None:
        self.device = device
        self._key_seed = key_seed
        self._acceptor: Any = None
        self._connections: set[Any] = set()

    async def start(self) -> None:
        """Listen on the device's address; OSError where that is taken."""
        import asyncssh

        server = self

        class Login(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                self._conn = conn
                server._connections.add(conn)

            def connection_lost(self, exc: Exception | None) -> None:
                del exc
                server._connections.discard(self._conn)

            def begin_auth(self, username: str) -> bool:
                del username
                keys = server.authorized_keys()
                if keys:
                    with contextlib.suppress(ValueError):
                        self._conn.set_authorized_keys(asyncssh.import_authorized_keys(keys))
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return server.password_fits(username, password)

        self._acceptor = await asyncssh.listen(
            self.device.settings.address,
            self.device.settings.ssh_port,
            server_factory=Login,
            server_host_keys=[host_key(self._key_seed)],
            process_factory=self._session,
            encoding=None,
            line_editor=False,
            server_version="pretend-dropbear_2022.83",
            kex_algs=_KEX,
            encryption_algs=_CIPHERS,
            mac_algs=_MACS,
            compression_algs=["none"],
            login_timeout=_LOGIN_SECONDS,
            keepalive_interval=0,
            allow_scp=False,
            gss_host=None,
            x11_forwarding=False,
            agent_forwarding=False,
        )

    async def stop(self) -> None:
        """Stop listening and cut every connection, as a reboot does."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)

    def authorized_keys(self) -> str:
        """Public keys that may sign in."""
        try:
            return self.device.flash.read(AUTHORIZED_KEYS).decode("utf-8", "replace")
        except OSError:
            return ""

    def password_fits(self, username: str, password: str) -> bool:
        """Whether root may sign in with `password`: that of the fleet until it is changed."""
        if username != "root":
            return False
        try:
            stored = self.device.flash.read(SHADOW).decode()
        except OSError:
            return password == self.device.settings.password
        return password_fits(stored, password)

    async def _session(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        try:
            if process.command is not None:
                status = await self._command(process, process.command)
            else:
                status = await self._interactive(process)
        except (OSError, asyncio.CancelledError):
            status = 255
        process.exit(status)

    async def _command(self, channel: asyncssh.SSHServerProcess[bytes], command: str) -> int:
        running = self.device.processes.new(
            f"ash -c {command[:60].splitlines()[0] if command else ''}"
        )
        running.task = asyncio.current_task()
        shell = Shell(self.device, running, "ash")
        shell.fds = {
            0: SessionSource(channel.stdin),
            1: SessionSink(channel.stdout),
            2: SessionSink(channel.stderr),
        }
        sinks = {id(shell.fds[1]), id(shell.fds[2])}
        try:
            status = await self._run(shell, command)
        finally:
            self.device.processes.end(running)
        await self._nobody_holds(sinks)
        return status & 255

    async def _run(self, shell: Shell, text: str) -> int:
        try:
            script = parse(text)
        except (ShellSyntaxError, RecursionError) as error:
            shell.complain(str(error) or "syntax error: nested too deep")
            return 2
        return await shell.main(script)

    async def _nobody_holds(self, sinks: set[int]) -> None:
        """Wait until no process left behind writes to the session."""

        def holds(process: Process) -> bool:
            shell = process.shell
            return shell is not None and bool(sinks & {id(s) for s in shell.fds.values()})

        await asyncio.sleep(0)
        while any(holds(process) for process in self.device.processes.running.values()):
            await asyncio.sleep(0.02)

    async def _interactive(self, channel: asyncssh.SSHServerProcess[bytes]) -> int:
        running = self.device.processes.new("-ash")
        running.task = asyncio.current_task()
        shell = Shell(self.device, running, "-ash")
        has_terminal = channel.term_type is not None
        try:
            terminal = Terminal(shell, channel.stdin, channel.stdout, echo=has_terminal)
            return await terminal.run()
        finally:
            self.device.processes.end(running)
