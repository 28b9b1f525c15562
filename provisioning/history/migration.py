"""Brings what Farola kept of configs before it kept them in git, `history/` in FAROLA_HOME (a
folder a device and an encrypted file a version), into the repository. A file goes only once its
text was read back from there.
"""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from farola.errors import SettingsError
from provisioning.history import secret_references as references
from provisioning.history.git_store import Commit, blob_id

if TYPE_CHECKING:
    from provisioning.history.configs import History

FOLDER = "history"
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_NAME = re.compile(r"^(?P<at>\d{8}T\d{6}\.\d{6}Z)-[0-9a-f]{16}\.fernet$")
_HASHED = re.compile(r"^[0-9a-f]{64}$")
_AT_ONCE = 2000


@dataclass(frozen=True)
class _Old:
    path: Path
    name: str
    """The device's id as the folder has it."""
    at: datetime


def migrate(history: History) -> int:
    """Take the versions of the old folder in; their number. What this home's key cannot open stays
    where it is.
    """
    folder = history.home / FOLDER
    if not folder.is_dir():
        return 0
    with history.store.lock():
        old = sorted(_found(folder), key=lambda one: (one.at, one.name))
        count = 0
        for start in range(0, len(old), _AT_ONCE):
            count += _take(history, old[start : start + _AT_ONCE])
        for path in [*folder.glob("device-*"), folder]:
            (path / ".lock").unlink(missing_ok=True)
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
    return count


def _found(folder: Path) -> list[_Old]:
    found = []
    for path in folder.glob("device-*/*.fernet"):
        match = _NAME.match(path.name)
        if match:
            at = datetime.strptime(match["at"], _STAMP).replace(tzinfo=None)
            found.append(_Old(path, path.parent.name.removeprefix("device-"), at))
    return found


def _take(history: History, old: list[_Old]) -> int:
    texts: dict[Path, str] = {}
    for one in old:
        try:
            packed = base64.b64decode(history.keyring.decrypt(one.path.read_bytes()))
            texts[one.path] = zlib.decompress(packed).decode("utf-8", "surrogateescape")
        except (SettingsError, OSError, ValueError, zlib.error):
            continue
    readable = [one for one in old if one.path in texts]
    if not readable:
        return 0
    names = {unquote(one.name, errors="surrogatepass") for one in readable}
    sealer = history.secrets.sealer(names)
    commits, kept = [], {}
    for one in readable:
        text = references.canonical(texts[one.path])
        device_id = unquote(one.name, errors="surrogatepass")
        data = references.without_secrets(
            text, sealer.for_device(device_id), "openwrt", sealer.known
        ).encode("utf-8", "surrogateescape")
        kept[one.path] = (text, data)
        moment = one.at.replace(microsecond=0)
        commits.append(Commit({_path(one.name): data}, "farola", "kept before git", moment))
    sealer.store()
    history.store.commit(commits)
    blobs = history.store.read([blob_id(data) for _, data in kept.values()])
    for (path, (text, _data)), blob in zip(kept.items(), blobs, strict=True):
        stored = blob.decode("utf-8", "surrogateescape")
        if references.filled(stored, history.secrets.values(stored)) == text:
            path.unlink()
    return len(commits)


def _path(name: str) -> str:
    from provisioning.history.configs import path_of

    if _HASHED.match(name):  # of an id too long for a name, all that is known is its hash
        return f"{name[:2]}/{name}.config"
    return path_of(unquote(name, errors="surrogatepass"))
