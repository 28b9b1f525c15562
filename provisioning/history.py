"""The configs that devices ran, as they were fetched: `history/` in FAROLA_HOME, a folder a device
and a file a version, encrypted, as a config holds passwords. A version is kept when it differs from
the one before.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from farola.errors import ProvisioningError
from farola.files import locked, written_whole
from farola.keys import Keyring

FOLDER = "history"
KEEP = 200
"""Versions kept of a device; the oldest go."""
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_NAME = re.compile(r"^(?P<at>\d{8}T\d{6}\.\d{6}Z)-(?P<mark>[0-9a-f]{16})\.fernet$")
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Version:
    """A config that a device ran, first fetched `at` (UTC, without a zone)."""

    device_id: str
    at: datetime
    mark: str
    """Keyed fingerprint of its text: equal for equal configs of a city, and tells nothing."""
    path: Path


class History:
    """The versions of all devices of a home."""

    def __init__(self, home: Path, keyring: Keyring) -> None:
        self._folder = home / FOLDER
        self.keyring = keyring

    def versions(self, device_id: str) -> list[Version]:
        """The versions of a device, the oldest first."""
        folder = self._of(device_id)
        try:
            names = sorted(entry.name for entry in folder.iterdir())
        except OSError:
            return []
        found = []
        for name in names:
            match = _NAME.match(name)
            if match:
                at = datetime.strptime(match["at"], _STAMP).replace(tzinfo=None)
                found.append(Version(device_id, at, match["mark"], folder / name))
        return found

    def newest(self, device_id: str) -> Version | None:
        """The newest version of a device, if there is one."""
        return next(reversed(self.versions(device_id)), None)

    def marked(self, device_id: str, mark: str) -> Version | None:
        """The newest version with that mark, if it is still kept."""
        return next((v for v in reversed(self.versions(device_id)) if v.mark == mark), None)

    def mark(self, text: str) -> str:
        """The mark of a config's text."""
        return self.keyring.fingerprint(_bytes_of(text).hex(), "config")

    def text(self, version: Version) -> str:
        """The config in the clear; ProvisioningError where it cannot be read any more."""
        try:
            token = version.path.read_bytes()
        except OSError as error:
            raise ProvisioningError(f"{version.path}: cannot be read: {error.strerror}") from None
        packed = base64.b64decode(self.keyring.decrypt(token))
        return zlib.decompress(packed).decode("utf-8", "surrogateescape")

    def add(self, device_id: str, text: str, at: datetime | None = None) -> tuple[Version, bool]:
        """Keep `text` if it differs from the newest version; returns its version, and whether it
        is a new one. ProvisioningError where it cannot be written.
        """
        folder, mark = self._of(device_id), self.mark(text)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked(self._folder / ".lock"):
                known = self.versions(device_id)
                if known and known[-1].mark == mark:
                    return known[-1], False
                moment = at or datetime.now(UTC).replace(tzinfo=None)
                if known and moment <= known[-1].at:  # the clock went back; the order stays
                    moment = known[-1].at + timedelta(microseconds=1)
                path = folder / f"{moment.strftime(_STAMP)}-{mark}.fernet"
                packed = base64.b64encode(zlib.compress(_bytes_of(text)))
                with written_whole(path) as out:
                    out.write(self.keyring.encrypt(packed.decode()))
                for old in known[: max(0, len(known) + 1 - KEEP)]:
                    old.path.unlink(missing_ok=True)
        except OSError as error:
            raise ProvisioningError(
                f"{folder}: the config cannot be kept: {error.strerror}; make room or give it back "
                "to this user"
            ) from None
        return Version(device_id, moment, mark, path), True

    def _of(self, device_id: str) -> Path:
        """The device's folder: its id, made safe for a file's name."""
        name = quote(device_id, safe="")
        if len(name) > _LONGEST_NAME:
            name = hashlib.sha256(device_id.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / f"device-{name}"


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
