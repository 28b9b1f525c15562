"""The key that secrets in the inventory are encrypted with. It never lies beside them.

FAROLA_KEY_FILE names it; by default it stands in the user's config folder, mode 0600, one
key a home.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from farola.errors import SettingsError


def key_path(home: Path) -> Path:
    """Where the key of this home stands."""
    given = os.environ.get("FAROLA_KEY_FILE")
    if given:
        return Path(given).absolute()
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    digest = hashlib.sha256(os.fsencode(home.absolute())).hexdigest()[:16]
    return base / "farola" / f"{digest}.key"


def create_key(home: Path) -> Path:
    """Make the key of this home unless it exists; return its path."""
    path = key_path(home)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(Fernet.generate_key())
    return path


class Keyring:
    """Encrypts, decrypts and fingerprints secrets with the key of one home."""

    def __init__(self, home: Path) -> None:
        path = key_path(home)
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise SettingsError(f"{path} can be read by others: run `chmod 600 {path}`")
            key = path.read_bytes().strip()
            self._fernet = Fernet(key)
        except FileNotFoundError:
            raise SettingsError(
                f"the key {path} is missing: restore it from your backup, or set FAROLA_KEY_FILE"
            ) from None
        except OSError as error:
            raise SettingsError(
                f"the key {path} cannot be read: {error.strerror}; mend it, or set FAROLA_KEY_FILE"
            ) from None
        except ValueError:
            raise SettingsError(f"{path} is not a Farola key: restore it from backup") from None
        self._digest_key = hashlib.sha256(b"fingerprint" + key).digest()

    def encrypt(self, secret: str) -> bytes:
        """Return `secret` as an authenticated token, safe to store."""
        return self._fernet.encrypt(secret.encode("utf-8", "surrogateescape"))

    def decrypt(self, token: bytes) -> str:
        """Return the secret in `token`; SettingsError if it was made with another key."""
        try:
            return self._fernet.decrypt(token).decode("utf-8", "surrogateescape")
        except InvalidToken:
            raise SettingsError(
                "a stored secret was encrypted with another key: set FAROLA_KEY_FILE to that key"
            ) from None

    def fingerprint(self, text: str, purpose: str = "") -> str:
        """Keyed pseudonym of `text` (16 hex digits): tells equal from unequal, reveals nothing."""
        message = f"{purpose}\0{text}".encode("utf-8", "surrogateescape")
        return hmac.new(self._digest_key, message, hashlib.sha256).hexdigest()[:16]

    def seal(self, text: str, purpose: str) -> str:
        """Keyed hash of `text` (64 hex digits): who has no key cannot make it for another text."""
        message = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self._digest_key, message, hashlib.sha256).hexdigest()
