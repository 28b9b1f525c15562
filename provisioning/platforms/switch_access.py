"""How switches are reached: their host keys and certificates are always checked.

NAPALM's drivers check neither unless they are told to. What they need as files lies, for the time
of a session, in a folder that only we can read.
"""

from __future__ import annotations

import logging
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
from napalm.base.exceptions import ConnectAuthError, ConnectionException, ConnectTimeoutError

from farola.errors import DeviceError
from inventory.records import DeviceRecord, Secrets
from napalm_openwrt.session import Access, WrongHostKey, private_key_of
from provisioning.life.host_keys import hosts_name


class Folder:
    """A folder for the files of one session, gone when it is closed."""

    def __init__(self) -> None:
        """Make it, for us alone."""
        self.path = Path(tempfile.mkdtemp(prefix="farola-"))

    def put(self, name: str, text: str) -> str:
        """Write a file that only we can read; returns its path."""
        path = self.path / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def close(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def ssh_arguments(
    device: DeviceRecord, secrets: Secrets, key: str, folder: Folder, timeout: float
) -> dict[str, Any]:
    """Netmiko's arguments with which it talks to the holder of `key` and to nobody else."""
    access = Access(
        host=device.management_address or "", port=device.ssh_port, username=secrets.username or "",
        password=None, private_key=secrets.values.get("private_key"),
        passphrase=secrets.values.get("passphrase"),
    )  # fmt: skip
    return {
        "port": device.ssh_port,
        "ssh_strict": True,
        "system_host_keys": False,
        "alt_host_keys": True,
        "alt_key_file": folder.put("known_hosts", f"{hosts_name(device)} {key}\n"),
        "pkey": private_key_of(access),
        "use_keys": False,
        "allow_agent": False,
        "secret": secrets.values.get("enable_password", ""),
        "conn_timeout": min(timeout, 15.0),
        "auth_timeout": min(timeout, 15.0),
        "banner_timeout": min(timeout, 15.0),
    }


def web_arguments(device: DeviceRecord, secrets: Secrets, folder: Folder) -> dict[str, Any]:
    """Arguments of drivers that speak HTTPS: the certificate must be right for the address.

    The credential's field `tls_ca` is the authority (or the very certificate) in PEM; without it
    the system's authorities hold. Plain HTTP only where the field `api_transport` says `http`.

    Raises
    ------
    DeviceError
        `tls_ca` is no certificate, or `api_transport` is unknown.
    """
    transport = secrets.values.get("api_transport", "") or "https"
    if transport not in {"https", "http"}:
        raise DeviceError(f"credential {secrets.name}: api_transport must be https or http")
    standard = 443 if transport == "https" else 80
    found: dict[str, Any] = {
        "transport": transport,
        "port": standard if device.ssh_port == 22 else device.ssh_port,
    }
    if transport == "http":
        return found
    pem = secrets.values.get("tls_ca")
    try:
        found["context"] = ssl.create_default_context(cadata=pem or None)
    except (ssl.SSLError, ValueError):
        raise DeviceError(f"credential {secrets.name}: tls_ca is no certificate in PEM") from None
    found["ssl_verify"] = folder.put("ca.pem", pem) if pem else True
    return found


def quieten() -> None:
    """Have the libraries' own logs go nowhere: they print tracebacks, and what was sent."""
    for name in ("pyeapi", "ncclient", "jnpr", "paramiko", "netmiko", "napalm"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was made of: drivers swallow the one that tells."""
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


KEY_WORDS = ("BadHostKeyException", "SSHUnknownHostError", "not found in known_hosts")
REFUSED_WORDS = (
    "AuthenticationException", "NXAPIAuthError", "AuthenticationError", "ConnectAuthError",
    "Authentication failed", "Unauthorized", "[401/",
)  # fmt: skip


def explained(device: DeviceRecord, secrets: Secrets, error: Exception) -> Exception:
    """What a driver raised while signing in, as one line that says what to do."""
    where = hosts_name(device)
    chain = list(causes(error))
    text = " ".join(f"{type(one).__name__} {one}" for one in chain)
    if any(word in text for word in KEY_WORDS):
        return _wrong_key(device, chain)
    if any(isinstance(one, ssl.SSLError) for one in chain) or "CERTIFICATE_VERIFY" in text:
        reason = next((getattr(one, "verify_message", "") for one in chain), "")
        return _made(
            ConnectionException,
            f"{where}: its certificate is not accepted{f' ({reason})' if reason else ''}; nothing "
            f"was sent. Give the authority: `farola device credential {secrets.name} --field "
            f"tls_ca`",
        )
    if any(word in text for word in REFUSED_WORDS):
        return _made(
            ConnectAuthError, f"{where}: user {secrets.username!r} was refused: check its password"
        )
    if any(isinstance(one, TimeoutError) for one in chain):
        return _made(
            ConnectTimeoutError, f"{where}: no answer; is it powered and is the address right?"
        )
    broken = next((one.strerror for one in chain if isinstance(one, OSError) and one.strerror), "")
    said = broken or " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return _made(ConnectionException, f"{where}: cannot connect: {said}")


def _wrong_key(device: DeviceRecord, chain: list[BaseException]) -> Exception:
    wrong = WrongHostKey(
        f"{hosts_name(device)}: it shows another host key than the enrolled one; nothing was sent. "
        f"If the switch was replaced, take its key from itself and adopt it again: "
        f"`farola device adopt {device.id} --known-hosts FILE`"
    )
    for one in chain:
        if isinstance(one, paramiko.BadHostKeyException):
            wrong.shown = f"{one.key.get_name()} {one.key.fingerprint}"
    found: Exception = wrong
    return found


def _made(kind: type[Exception], text: str) -> Exception:
    """NAPALM publishes no types."""
    return kind(text)
