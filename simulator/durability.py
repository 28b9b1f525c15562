"""What of a device's files is on flash for good, and what a power cut takes away.

A file's content is safe once the file was synced; that it has a name is safe once its folder was.
A rename is one step: both names change or neither does. Everything since is kept here, so that
`surviving` can say what a cut leaves: nothing of it, or what chance kept.

Inodes that lost their last name stay pinned in `graveyard` until then: an unsynced removal may be
undone, and the host must not give the number to another file meanwhile.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

Key = tuple[int, str]
"""A name in a folder: the folder's inode and the name."""


@dataclass(frozen=True)
class Change:
    """One step not yet safe: what each name meant before, and what it means since."""

    before: tuple[tuple[Key, int | None], ...]
    after: tuple[tuple[Key, int | None], ...]
    source: tuple[Key, int] | None = None
    """Of a rename: the name that must mean that inode for the step to be possible."""


@dataclass(frozen=True)
class Saved:
    """A file as it is on flash."""

    data: bytes
    mode: int


class Journal:
    """Everything since the last sync, of the files under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.graveyard = root.with_name(f".{root.name}-unlinked")
        shutil.rmtree(self.graveyard, ignore_errors=True)
        self.changes: list[Change] = []
        self.contents: dict[int, Saved] = {}
        """By inode: what is on flash of a file that was written since."""

    @property
    def clean(self) -> bool:
        """Whether a power cut would take nothing."""
        return not self.changes and not self.contents

    # --- told by the file system, before and after it acts ---------------------------------------

    def will_change(self, file: Path) -> None:
        """A file's content or mode is about to change."""
        found = file.stat(follow_symlinks=False)
        if stat.S_ISREG(found.st_mode) and found.st_ino not in self.contents:
            self.contents[found.st_ino] = Saved(file.read_bytes(), found.st_mode & 0o777)

    def created(self, file: Path) -> None:
        """A name was made: for a new file, folder or link, or a second one for a file."""
        found = file.stat(follow_symlinks=False)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            self.contents[found.st_ino] = Saved(b"", found.st_mode & 0o777)
        key = self._key(file)
        self.changes.append(Change(((key, None),), ((key, found.st_ino),)))

    def remove(self, file: Path) -> None:
        """Take a name away (of an empty folder too) and keep what it meant; OSError as unlink."""
        inode, key = file.stat(follow_symlinks=False).st_ino, self._key(file)
        self._bury(file, inode)
        self.changes.append(Change(((key, inode),), ((key, None),)))

    def rename(self, old: Path, new: Path) -> None:
        """Rename, keeping what the new name meant before; OSError as rename(2)."""
        inode = old.stat(follow_symlinks=False).st_ino
        source, target = self._key(old), self._key(new)
        before = None
        if new.is_symlink() or new.exists():
            before = new.stat(follow_symlinks=False).st_ino
            if before == inode:
                return
            if new.is_dir() and not new.is_symlink():
                if any(new.iterdir()) or not old.is_dir():
                    old.rename(new)  # raises what the host says of it
                self._bury(new, before)
            elif not old.is_dir():
                self._pin(new, before)
        old.rename(new)
        self.changes.append(Change(
            ((source, inode), (target, before)), ((source, None), (target, inode)), (source, inode)
        ))  # fmt: skip

    def synced(self, path: Path) -> None:
        """fsync of a file (its content) or of a folder (its names)."""
        found = path.stat()
        self.contents.pop(found.st_ino, None)
        if stat.S_ISDIR(found.st_mode):
            self.changes = [
                c for c in self.changes if all(k[0] != found.st_ino for k, _ in c.after)
            ]
        if self.clean:
            self._forget()

    def sync(self) -> None:
        """Everything is safe."""
        self.changes, self.contents = [], {}
        self._forget()

    def _forget(self) -> None:
        if self.graveyard.exists():
            shutil.rmtree(self.graveyard, ignore_errors=True)

    def _key(self, file: Path) -> Key:
        return file.parent.stat().st_ino, file.name

    def _pin(self, file: Path, inode: int) -> None:
        self.graveyard.mkdir(exist_ok=True)
        if not (pinned := self.graveyard / str(inode)).is_symlink() and not pinned.exists():
            os.link(file, pinned, follow_symlinks=False)

    def _bury(self, file: Path, inode: int) -> None:
        """Take a name away, but not what it meant."""
        if file.is_dir() and not file.is_symlink():
            if any(file.iterdir()):
                file.rmdir()  # raises: not empty
            self.graveyard.mkdir(exist_ok=True)
            file.rename(self.graveyard / str(inode))
        else:
            self._pin(file, inode)
            file.unlink()

    # --- the cut ------------------------------------------------------------------------------

    def lose(self, rng: random.Random | None) -> None:
        """Make `root` what the flash holds after a power cut.

        Without `rng` nothing survives that was not synced. With it, chance decides: a third of the
        time all names and no contents (the empty files that people find), else any of the steps
        and any of the contents, whole, cut short, or as they were.
        """
        if self.clean:
            return
        names_only = rng is not None and rng.random() < 1 / 3
        kept = [c for c in self.changes
                if rng is not None and (names_only or rng.random() < 0.5)]  # fmt: skip
        inodes = self._inodes()
        contents = {}
        for inode, saved in self.contents.items():
            data = saved.data
            if rng is not None and not names_only and inode in inodes and rng.random() < 0.6:
                data = inodes[inode].read_bytes()
                if rng.random() < 0.4:
                    data = data[: rng.randrange(len(data) + 1)]
            contents[inode] = Saved(data, saved.mode)
        fresh = self.root.with_name(f".{self.root.name}-after")
        shutil.rmtree(fresh, ignore_errors=True)
        _Rebuilding(self._entries(kept), inodes, contents).folder(self.root, fresh)
        shutil.rmtree(self.root)
        fresh.rename(self.root)
        self.sync()

    def _entries(self, kept: list[Change]) -> dict[int, dict[str, int | None]]:
        """What each name that was touched means after the cut, by folder."""
        meaning: dict[Key, int | None] = {}
        for change in reversed(self.changes):
            meaning.update(change.before)
        for change in kept:
            if change.source is None or meaning.get(change.source[0]) == change.source[1]:
                meaning.update(change.after)
        places: dict[int, dict[str, int | None]] = {}
        for (folder, name), inode in meaning.items():
            places.setdefault(folder, {})[name] = inode
        return places

    def _inodes(self) -> dict[int, Path]:
        """Where the host holds each inode now."""
        found: dict[int, Path] = {}
        for top in (self.graveyard, self.root):
            for folder, below, files in os.walk(top):
                for name in (*below, *files):
                    path = Path(folder, name)
                    found[path.stat(follow_symlinks=False).st_ino] = path
        return found


@dataclass
class _Rebuilding:
    """Copies a tree as it is after the cut."""

    places: dict[int, dict[str, int | None]]
    inodes: dict[int, Path]
    contents: dict[int, Saved]
    done: dict[int, Path] = field(default_factory=dict)

    def folder(self, old: Path, new: Path) -> None:
        new.mkdir()
        shutil.copymode(old, new)
        entries: dict[str, int | None] = {
            path.name: path.stat(follow_symlinks=False).st_ino for path in old.iterdir()
        }
        entries.update(self.places.get(old.stat().st_ino, {}))
        for name, inode in entries.items():
            source = self.inodes.get(inode) if inode is not None else None
            if inode is not None and source is not None:
                self._entry(source, inode, new / name)

    def _entry(self, source: Path, inode: int, target: Path) -> None:
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif inode in self.done:
            if not source.is_dir():  # a folder has one place
                target.hardlink_to(self.done[inode])
        elif source.is_dir():
            self.done[inode] = target
            self.folder(source, target)
        else:
            self.done[inode] = target
            shutil.copy2(source, target)
            if inode in self.contents:
                target.write_bytes(self.contents[inode].data)
                target.chmod(self.contents[inode].mode | 0o600)
