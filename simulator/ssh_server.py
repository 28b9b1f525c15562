"""The SSH server of a pretend access point: commands on exec channels and a shell to type into.

As with dropbear there is no SFTP, and a session ends only when nobody holds its output: a
background job that was not sent elsewhere keeps it open.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import weakref
from typing import TYPE_CHECKING, Any

from simulator.faults import noise
from simulator.shell.applets.system import SHADOW, password_fits
from simulator.shell.interpreter import Shell
from simulator.shell.parse import ShellSyntaxError, parse
from simulator.shell.processes import Process, current
from simulator.terminal import Terminal

if TYPE_CHECKING:
    import asyncssh

    from simulator.device import Device
    from simulator.faults import Faults

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
    """What a session's channel shows; who writes when the client is gone gets a SIGPIPE."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Send `data`."""
        try:
            self._stream.write(data)
        except OSError:
            raise BrokenPipeError from None

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

    def __init__(self, device: Device, key_seed: str, faults: Faults) -> None:
        self.device = device
        self._faults = faults
        self._key_seed = key_seed
        self._acceptor: Any = None
        self._starting = False
        self._connections: set[Any] = set()
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()
        self._mute: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def listens(self) -> bool:
        """Whether it takes connections."""
        return self._acceptor is not None

    async def start(self) -> None:
        """Listen on the device's address; OSError where that is taken."""
        self._starting = True
        try:
            acceptor = await self._listen()
        except BaseException:
            self._starting = False
            raise
        if self._starting:
            self._acceptor, self._starting = acceptor, False
        else:
            acceptor.close()

    async def _listen(self) -> Any:
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
                return not server.lets_anybody_in()

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return server.password_fits(username, password)

        return await asyncssh.listen(
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

    def stop_listening(self) -> None:
        """Take no new connection."""
        self._starting = False
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None

    def drop(self) -> None:
        """Cut every connection; what runs goes on, and gets a SIGPIPE where it writes."""
        for connection in list(self._connections):
            connection.abort()

    def halt(self) -> None:
        """Stop listening and cut every connection, as a reboot does."""
        self.stop_listening()
        self.drop()

    def authorized_keys(self) -> str:
        """Public keys that may sign in."""
        try:
            return self.device.flash.read(AUTHORIZED_KEYS).decode("utf-8", "replace")
        except OSError:
            return ""

    def lets_anybody_in(self) -> bool:
        """Whether root has no password, as a device that left the factory."""
        try:
            return not self.device.flash.read(SHADOW).strip()
        except OSError:
            return False

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
            if not self._signed_in(process):
                await self._never_answer()
            if process.command is not None:
                status = await self._command(process, process.command)
            else:
                status = await self._interactive(process)
        except (OSError, asyncio.CancelledError):
            status = 255
        with contextlib.suppress(OSError):
            process.exit(status)

    def _signed_in(self, process: asyncssh.SSHServerProcess[bytes]) -> bool:
        """Whether the session may begin; the first of a connection is its sign-in."""
        connection = process.channel.get_connection()
        if connection in self._known:
            return connection not in self._mute
        self._known.add(connection)
        if self._faults.on_session("login") is not None:
            self._mute.add(connection)
        return connection not in self._mute

    async def _never_answer(self) -> None:
        hanging = self.device.processes.new("hanging session", "session")
        hanging.task = asyncio.current_task()
        await asyncio.Event().wait()

    async def _command(self, channel: asyncssh.SSHServerProcess[bytes], command: str) -> int:
        own = self._faults.on_session("exec", command)
        if own is not None and own.action == "hang":
            await self._never_answer()
        if own is not None:
            channel.stdout.write(noise(own.seed))
            return 0
        running = self.device.processes.new(
            f"ash -c {command[:60].splitlines()[0] if command else ''}", "session"
        )
        running.task = asyncio.current_task()
        current.set(running)
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
        self._faults.on_session("exec", command, done=True)
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
        running = self.device.processes.new("-ash", "session")
        running.task = asyncio.current_task()
        current.set(running)
        shell = Shell(self.device, running, "-ash")
        has_terminal = channel.term_type is not None
        try:
            terminal = Terminal(shell, channel.stdin, channel.stdout, echo=has_terminal)
            return await terminal.run()
        finally:
            self.device.processes.end(running)
