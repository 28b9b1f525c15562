"""All of a city in one file: made while everything runs. What cannot be made again is in it; the
key that its secrets were encrypted with never is.

It is a tar file of plain files, the last of which, `manifest.json`, names the others with their
SHA-256. `operations.restoring` makes a home of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from farola import __version__
from farola.errors import InputError, SettingsError
from farola.files import locked, written_whole
from farola.keys import Keyring, key_path
from farola.settings import FILE_NAME, Settings
from timeseries.sqlite_copy import check_copy, copy_file, snapshot

FORMAT, VERSION = "farola-backup", 1
MANIFEST = "manifest.json"
INVENTORY, SERIES, SPOOL = "inventory.db", "series", "spool/spool.db"
FILES = (
    FILE_NAME, "variables.yaml", "validate.yaml", "known_hosts", "snmp-engine.json",
    "snmp-peers.json", "audit.seal",
)  # fmt: skip
"""What lies in a home beside databases and folders."""
REPOSITORY = "history.git"
FOLDERS = ("history", "history.aside", REPOSITORY, "profiles", "templates")
"""Config history, a city's own device families and templates: taken with all that is in them."""
MADE_AGAIN = ("cache", "locks", "spool", SERIES, INVENTORY)
"""Not named as left out: their databases are in it, the rest is made again."""
PURPOSE = "backup"
Advance = Callable[[int], None]


@dataclass
class Backup:
    """What went into a file, by name with its bytes and SHA-256; what did not, and remarks."""

    files: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    key_fingerprint: str | None = None

    @property
    def bytes(self) -> int:
        """Of all files in it."""
        return sum(one["bytes"] for one in self.files)


def back_up(settings: Settings, file: Path, advance: Advance = lambda _files: None) -> Backup:
    """Write the city's home into `file`, whole or not at all, mode 0600. Beside it there must be
    room for a second copy of the series meanwhile.

    Raises
    ------
    InputError
        `file` is there already, or cannot be written.
    StoreError
        A database is damaged or cannot be read, the disk is full.
    """
    if file.exists():
        raise InputError(f"{file} is there already: name another file, or remove that one first")
    made = Backup(key_fingerprint=key_fingerprint(settings.home))
    try:
        with (
            _stage(file) as stage,
            written_whole(file) as out,
            tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            _fill(tar, settings, stage, made, advance)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}; mend that") from None
    return made


def key_fingerprint(home: Path) -> str | None:
    """What tells the key of this home from others without telling the key; None without a key."""
    try:
        return Keyring(home).fingerprint(FORMAT, PURPOSE)
    except SettingsError:
        return None


@contextlib.contextmanager
def _stage(file: Path) -> Iterator[Path]:
    """A folder of our own beside `file`, gone afterwards."""
    folder = Path(tempfile.mkdtemp(dir=file.parent, prefix=f".{file.name[:80]}."))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(
    tar: tarfile.TarFile, settings: Settings, stage: Path, made: Backup, advance: Advance
) -> None:
    home = settings.home
    # Before the inventory: kept configs and the audit log's seal need what it holds by then.
    with _still(home):
        _plain_files(tar, home, made, advance)
    _inventory(tar, settings, stage, made)
    snapshot(home / SERIES, stage / SERIES, lambda _bytes: advance(1))
    for path in sorted((stage / SERIES).iterdir()):
        check_copy(path, home / SERIES / path.name)
        _move(tar, path, f"{SERIES}/{path.name}", made)
    if copy_file(home / SPOOL, stage / "spool.db"):
        check_copy(stage / "spool.db", home / SPOOL)
        _move(tar, stage / "spool.db", SPOOL, made)
    known = {*FILES, *FOLDERS, *MADE_AGAIN}
    made.left_out += sorted(
        entry.name
        for entry in home.iterdir()
        if entry.name not in known and not entry.name.endswith((".lock", "-wal", "-shm"))
    )
    manifest = json.dumps(_manifest(settings, made), indent=1).encode()
    tar.addfile(_info(MANIFEST, len(manifest)), io.BytesIO(manifest))


@contextlib.contextmanager
def _still(home: Path) -> Iterator[None]:
    """While the config history is copied none is added: its files belong together."""
    folder = home / REPOSITORY
    with locked(folder / ".lock") if folder.is_dir() else contextlib.nullcontext():
        yield


def _plain_files(tar: tarfile.TarFile, home: Path, made: Backup, advance: Advance) -> None:
    key = key_path(home)
    for name in (*FILES, *_below(home)):
        with contextlib.suppress(FileNotFoundError):  # gone meanwhile, as old versions of configs
            if _is_key(home / name, key):
                made.left_out.append(f"{name} (the key)")
                continue
            data = (home / name).read_bytes()
            _add(tar, name, io.BytesIO(data), len(data), made)
            advance(1)


def _inventory(tar: tarfile.TarFile, settings: Settings, stage: Path, made: Backup) -> None:
    from sqlalchemy.engine import make_url

    url = make_url(settings.inventory_url)
    if url.password:
        made.notes.append(f"{FILE_NAME} holds the database's password: keep the file accordingly")
    if url.get_backend_name() != "sqlite":
        made.notes.append(
            f"the inventory is on {url.get_backend_name()} and not in this file: "
            "pg_dump does that part"
        )
        return
    if copy_file(path := Path(url.database or ""), stage / INVENTORY):
        check_copy(stage / INVENTORY, path)
        _move(tar, stage / INVENTORY, INVENTORY, made)
    else:
        made.notes.append("there is no inventory yet")


def _below(home: Path) -> Iterator[str]:
    """The names of all files in FOLDERS, but for drafts and locks."""
    for folder in FOLDERS:
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(home).as_posix()


def _is_key(path: Path, key: Path) -> bool:
    """Whether it is the key, or a copy of it."""
    if not key.is_file():
        return False
    if path.stat().st_size > key.stat().st_size + 8:
        return False
    return path.samefile(key) or path.read_bytes().strip() == key.read_bytes().strip()


def _move(tar: tarfile.TarFile, path: Path, name: str, made: Backup) -> None:
    with path.open("rb") as source:
        _add(tar, name, source, os.fstat(source.fileno()).st_size, made)
    path.unlink()


def _add(tar: tarfile.TarFile, name: str, source: BinaryIO, size: int, made: Backup) -> None:
    hashed = Hashed(source)
    tar.addfile(_info(name, size), hashed)
    made.files.append({"name": name, "bytes": size, "sha256": hashed.digest.hexdigest()})


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    info.mtime = int(datetime.now(UTC).timestamp())
    return info


def _manifest(settings: Settings, made: Backup) -> dict[str, Any]:
    return {
        "format": FORMAT, "version": VERSION, "farola": __version__, "city": settings.city.name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "key_fingerprint": made.key_fingerprint, "notes": made.notes, "files": made.files,
    }  # fmt: skip


class Hashed(io.RawIOBase):
    """What is read from `source`, hashed on the way."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data: bytes = self._source.read(size)
        self.digest.update(data)
        return data
