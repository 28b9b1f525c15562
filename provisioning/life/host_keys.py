"""The host keys of devices: what a known_hosts file holds, and what a device shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from farola.errors import DeviceError, InputError
from inventory.records import DeviceRecord


def read_known_hosts(path: Path, devices: Iterable[DeviceRecord]) -> dict[str, list[str]]:
    """Keys that the known_hosts file holds for each device, as `ssh-ed25519 AAAA…`, by id.

    Hashed host names work too; a line that is no key is an error, as a key may hide behind it.
    """
    from paramiko.hostkeys import HostKeyEntry, HostKeys, InvalidHostKey
    from paramiko.ssh_exception import SSHException

    known = HostKeys()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            entry = HostKeyEntry.from_line(line.strip(), number)
        except (InvalidHostKey, SSHException, ValueError):
            entry = None
        if entry is None or entry.key is None:
            raise InputError(f"{path}: line {number} is no known_hosts line; correct or remove it")
        for name in entry.hostnames:
            known.add(name, entry.key.get_name(), entry.key)
    found: dict[str, list[str]] = {}
    for device in devices:
        entries: Any = known.lookup(hosts_name(device)) or {}
        # Ed25519 first: it is short, and every dropbear of today has it.
        names = sorted(entries, key=lambda kind: (kind != "ssh-ed25519", kind))
        found[device.id] = [f"{kind} {entries[kind].get_base64()}" for kind in names]
    return found


def hosts_name(device: DeviceRecord) -> str:
    """The device's name in a known_hosts file."""
    address = device.management_address or ""
    return address if device.ssh_port == 22 else f"[{address}]:{device.ssh_port}"


def shown_key(device: DeviceRecord) -> str:
    """The host key that the device shows before anybody signs in."""
    import socket

    import paramiko

    address = device.management_address or ""
    try:
        with socket.create_connection((address, device.ssh_port), timeout=15) as connection:
            transport = paramiko.Transport(connection)
            try:
                transport.start_client(timeout=15)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, paramiko.SSHException, EOFError) as error:
        raise DeviceError(f"{hosts_name(device)} shows no host key: {error}") from None
    return f"{key.get_name()} {key.get_base64()}"


def fingerprint(key: str) -> str:
    """`ssh-ed25519 AAAA…` as people compare it: `ssh-ed25519 SHA256:…`."""
    from paramiko.hostkeys import HostKeyEntry

    entry = HostKeyEntry.from_line(f"device {key}")
    return f"{entry.key.get_name()} {entry.key.fingerprint}" if entry and entry.key else key
