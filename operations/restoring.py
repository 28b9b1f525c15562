"""A city's home made from a backup: the file is read through first, and nothing is written unless
all of it is what its manifest says.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from farola.errors import InputError
from farola.files import locked_if_free
from farola.keys import key_path
from farola.settings import FILE_NAME
from operations.backup import (
    FILES,
    FOLDERS,
    FORMAT,
    INVENTORY,
    MANIFEST,
    SERIES,
    SPOOL,
    VERSION,
    Hashed,
    key_fingerprint,
)

DRAFT, LOCK = ".restoring", ".restoring.lock"
MOST_MANIFEST_BYTES = 2**28
CHUNK = 2**20
NO_BACKUP = "{} is no backup of Farola, or not whole: name a file that `farola backup` wrote"
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Restored:
    """What a home was made of. `key` tells whether the key is there: "there", "missing", "another"
    or "none" where the backup was made without one; `key_file` is where it must stand.
    """

    city: str
    made: str
    files: int
    bytes: int
    key: str
    key_fingerprint: str | None
    key_file: Path
    notes: list[str]


def restore(file: Path, home: Path, advance: Advance = lambda _files: None) -> Restored:
    """Make `home`, which must be empty or not there, from a backup.

    Raises
    ------
    InputError
        `file` is no backup, not whole, or names paths that no backup has; `home` is not empty or
        cannot be written. The home is then as it was.
    """
    _check_empty(home)
    with _told(file), tarfile.open(file, "r:*") as tar:
        manifest = _verified(tar, file, advance)
    is_new = not home.exists()
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked_if_free(home / LOCK) as is_ours:
            if not is_ours:
                raise InputError(f"another process restores into {home} now: let it finish")
            try:
                _check_empty(home)
                with _told(file), tarfile.open(file, "r:*") as tar:
                    _extract(tar, file, home, manifest, advance)
            finally:
                (home / LOCK).unlink(missing_ok=True)
                if is_new:
                    with suppress(OSError):  # not empty: all went well
                        home.rmdir()
    except OSError as error:
        raise InputError(f"{home} cannot be written: {error.strerror}; mend that") from None
    wanted = manifest["key_fingerprint"]
    found = key_fingerprint(home)
    state = "none" if wanted is None else "there" if found == wanted else "another"
    if wanted is not None and found is None:
        state = "missing"
    return Restored(
        manifest["city"], manifest["made"], len(manifest["files"]),
        sum(one["bytes"] for one in manifest["files"].values()), state, wanted, key_path(home),
        manifest["notes"],
    )  # fmt: skip


def _check_empty(home: Path) -> None:
    if home.exists() and not home.is_dir():
        raise InputError(
            f"{home} is a file: set FAROLA_HOME to a folder that is empty, or not there"
        )
    there = {p.name for p in home.iterdir()} if home.exists() else set()
    if there - {DRAFT, LOCK}:
        raise InputError(
            f"{home} is not empty: a backup is restored into an empty home; set FAROLA_HOME to "
            "another folder, or move that one away"
        )


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, UnicodeError):
        raise InputError(NO_BACKUP.format(file)) from None
    except OSError as error:
        if error.filename is not None and Path(error.filename) == file:
            raise InputError(f"{file}: cannot be read: {error.strerror}") from None
        if error.errno is None:  # what gzip says of a damaged file
            raise InputError(NO_BACKUP.format(file)) from None
        raise


def _verified(tar: tarfile.TarFile, file: Path, advance: Advance) -> dict[str, Any]:
    """The manifest, its `files` by name; InputError unless the file holds exactly those."""
    found: dict[str, tuple[int, str]] = {}
    manifest: dict[str, Any] | None = None
    for member in tar:
        if manifest is not None or not member.isreg() or member.issparse():
            raise InputError(f"{file}: {_shown(member.name)} has no place in a backup")
        source = Hashed(tar.extractfile(member))
        if member.name == MANIFEST:
            if member.size > MOST_MANIFEST_BYTES:
                raise InputError(f"{file}: its manifest is too large to be one")
            manifest = _manifest(source.read(), file)
            continue
        if not _has_place(member.name) or member.name in found:
            raise InputError(f"{file}: {_shown(member.name)} has no place in a backup")
        while source.read(CHUNK):
            pass
        found[member.name] = (member.size, source.digest.hexdigest())
        advance(1)
    if manifest is None:
        raise InputError(f"{file} is no backup of Farola, or not whole: it has no {MANIFEST}")
    told = {name: (one["bytes"], one["sha256"]) for name, one in manifest["files"].items()}
    for name in sorted(told.keys() | found.keys()):
        if told.get(name) != found.get(name):
            raise InputError(
                f"{file}: {_shown(name)} is not as its manifest says: the file is damaged, take "
                "another backup"
            )
    return manifest


def _manifest(data: bytes, file: Path) -> dict[str, Any]:
    fault = InputError(f"{file} is no backup of Farola: its {MANIFEST} is not one")
    try:
        manifest = json.loads(data)
        if manifest["format"] != FORMAT:
            raise fault
        if manifest["version"] != VERSION:
            raise InputError(f"{file} was made by a newer Farola: restore it with that one")
        kept = {key: str(manifest[key]) for key in ("city", "made")}
        files = {
            str(one["name"]): {"bytes": int(one["bytes"]), "sha256": str(one["sha256"])}
            for one in manifest["files"]
        }
        fingerprint = manifest["key_fingerprint"]
        return kept | {
            "files": files,
            "key_fingerprint": None if fingerprint is None else str(fingerprint),
            "notes": [str(note) for note in manifest["notes"]],
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        raise fault from None


def _has_place(name: str) -> bool:
    """Whether a backup has a file of that name: in the home, in no folder but those it knows."""
    path = PurePosixPath(name)
    parts = path.parts
    is_plain = path.as_posix() == name and not path.is_absolute() and "\0" not in name
    if not is_plain or not parts or ".." in parts:
        return False
    if len(parts) == 1:
        return name in {*FILES, INVENTORY}
    in_series = parts[0] == SERIES and len(parts) == 2 and name.endswith(".db")
    return name == SPOOL or in_series or parts[0] in FOLDERS


def _extract(
    tar: tarfile.TarFile, file: Path, home: Path, manifest: dict[str, Any], advance: Advance
) -> None:
    """All files into a folder in `home`, then into place, the settings last: before them, a home
    is none.
    """
    draft = home / DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    try:
        for member in tar:
            if member.name == MANIFEST:
                continue
            one = manifest["files"].get(member.name)
            source = Hashed(tar.extractfile(member))
            target = draft / member.name
            for folder in reversed(target.relative_to(draft).parents):
                (draft / folder).mkdir(exist_ok=True, mode=0o700)
            descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                while data := source.read(CHUNK):
                    out.write(data)
                out.flush()
                os.fsync(out.fileno())
            if one is None or source.digest.hexdigest() != one["sha256"]:
                raise InputError(f"{file} was changed while it was read: try again")
            advance(1)
        for entry in sorted(draft.iterdir(), key=lambda entry: entry.name == FILE_NAME):
            entry.rename(home / entry.name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _shown(name: str) -> str:
    return repr(name[:200])
