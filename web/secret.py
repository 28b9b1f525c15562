"""The key that session cookies are signed with: made once, in a file of mode 0600 beside the key
of this home's secrets, never in the database's folder.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from farola.errors import SettingsError
from farola.keys import key_path


def session_key(home: Path) -> str:
    """The signing key of this home, made on first use.

    Raises
    ------
    SettingsError
        The file can be read by others, holds too little, or cannot be written.
    """
    path = key_path(home).with_suffix(".session")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read(path)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(secrets.token_hex(32))
        return _read(path)
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot keep the console's session key there: {error.strerror}; "
            "set FAROLA_KEY_FILE to a folder that can be written"
        ) from None


def _read(path: Path) -> str:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsError(f"{path} can be read by others: run `chmod 600 {path}`")
    key = path.read_text(encoding="ascii").strip()
    if len(key) < 32:
        raise SettingsError(f"{path} is not a session key: delete it and start the console again")
    return key
