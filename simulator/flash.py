"""The private file system of a pretend access point: a folder of the host seen as its `/`.

Paths are resolved here, link by link, so that neither `..` nor a symbolic link leads out of
the folder. `/proc` and `/dev` are computed. All changes pass through this class, one step at a
time: each can be watched, made to fail, and is lost in a power cut unless it was synced.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from simulator.durability import Journal

Step = Literal[
    "create", "truncate", "write", "mkdir", "symlink", "link", "rename", "remove", "rmdir", "chmod",
    "touch", "sync",
]  # fmt: skip
Watch = Callable[[Step, str, bool], None]
"""Told of each step, its path on the device, and whether it is done (else about to be). What it
raises ends who made the step."""

Virtual = Callable[[str], "bytes | list[str] | None"]
"""Content of a computed file, names in a computed folder, or None where there is neither."""

_LINKS = 40
TMPFS = ("/tmp", "/dev", "/proc", "/sys")  # noqa: S108 - folders of the pretend device
"""Held in memory on a real device: empty after a reboot, never full with the flash."""


def fault(code: int, path: str) -> OSError:
    """The OSError of `code` (an errno) that names the device's own path, not the host's."""
    return OSError(code, os.strerror(code), path)


def in_memory(path: str) -> bool:
    """Whether a resolved path lies in memory on a real device."""
    return any(path == top or path.startswith(f"{top}/") for top in TMPFS)


class Flash:
    """Files of one device under `root`; paths given are absolute paths on the device."""

    def __init__(self, root: Path, virtual: Virtual = lambda _path: None) -> None:
        self.root = root
        self.virtual = virtual
        self.full = False
        """When set, nothing more fits: writes outside /tmp fail with ENOSPC."""
        self.off = False
        """No power: whoever still runs ends at his next step."""
        self.watch: Watch | None = None
        self._journal = Journal(root)

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """Return `path` without links, `.` and `..`; the last link is kept unless `follow`.

        Raises ELOOP for too many links and ENOENT for a name that no file can have.
        """
        if "\0" in path:
            raise fault(errno.ENOENT, path)
        todo = [part for part in reversed(path.split("/")) if part not in {"", "."}]
        done: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                if done:
                    done.pop()
                continue
            if part == ".":
                continue
            done.append(part)
            if not todo and not follow:
                break
            here = self.root.joinpath(*done)
            try:
                target = str(here.readlink()) if here.is_symlink() else None
            except OSError as error:
                raise fault(error.errno or errno.EIO, path) from None
            if target is None:
                continue
            links += 1
            if links > _LINKS:
                raise fault(errno.ELOOP, path)
            done = [] if target.startswith("/") else done[:-1]
            todo += [name for name in reversed(target.split("/")) if name]
        return "/" + "/".join(done)

    def host(self, path: str, *, follow: bool = True) -> Path:
        """The file of the host behind `path`; always inside `root`."""
        return self.root / self.resolve(path, follow=follow).lstrip("/")

    def computed(self, path: str) -> bytes | list[str] | None:
        """Content of `path` where it is one of the computed files or folders."""
        if not path.startswith(("/proc", "/dev", "/sys")):
            return None
        return self.virtual(self.resolve(path))

    def read(self, path: str) -> bytes:
        """Whole content of a file."""
        content = self.computed(path)
        if isinstance(content, list):
            raise fault(errno.EISDIR, path)
        if content is not None:
            return content
        try:
            return self.host(path).read_bytes()
        except OSError as error:
            raise fault(error.errno or errno.EIO, path) from None

    @contextlib.contextmanager
    def _step(self, kind: Step, path: str) -> Iterator[bool]:
        """Around a change of the files; tells whether it is one of the flash, not of memory."""
        if self.off:
            raise asyncio.CancelledError
        if self.watch is not None:
            self.watch(kind, path, False)
        try:
            yield not in_memory(self.resolve(path, follow=False))
        except OSError as error:
            raise fault(error.errno or errno.EIO, path) from None
        if self.watch is not None:
            self.watch(kind, path, True)

    def open_to_write(self, path: str, *, append: bool = False) -> int:
        """Open (and unless `append` empty) a file; returns a descriptor of the host."""
        if self.computed(path) is not None:
            raise fault(errno.EACCES, path)
        real = self.resolve(path)
        file = self.host(real)
        how = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_APPEND
        if file.exists():
            if append or not file.is_file():
                return self._open(file, how, path)
            with self._step("truncate", real) as lasting:
                if lasting:
                    self._journal.will_change(file)
                return self._open(file, how | os.O_TRUNC, path)
        with self._step("create", real) as lasting:
            descriptor = self._open(file, how, path)
            if lasting:
                self._journal.created(file)
            return descriptor

    @staticmethod
    def _open(file: Path, how: int, path: str) -> int:
        try:
            return os.open(file, how, 0o644)
        except OSError as error:
            raise fault(error.errno or errno.EIO, path) from None

    def check_room(self, path: str) -> None:
        """Raise ENOSPC where the flash is full and `path` lies on it."""
        if self.full and not in_memory(self.resolve(path)):
            raise fault(errno.ENOSPC, path)

    def append_to(self, descriptor: int, path: str, data: bytes) -> None:
        """Write to a file that `open_to_write` opened."""
        real = self.resolve(path)
        with self._step("write", real) as lasting:
            self.check_room(real)
            file = self.host(real)
            if lasting and file.exists():
                self._journal.will_change(file)
            os.write(descriptor, data)

    def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        """Write `data` to a file: as on a real device the old content is gone before it fits."""
        if self.computed(path) is not None:
            if self.resolve(path) == "/dev/null":
                return
            raise fault(errno.EACCES, path)
        descriptor = self.open_to_write(path, append=append)
        try:
            if data:
                self.append_to(descriptor, path, data)
        finally:
            os.close(descriptor)

    def stat(self, path: str, *, follow: bool = True) -> os.stat_result:
        """As os.stat; computed files have a size of 0, as in a real /proc."""
        content = self.computed(path)
        if content is not None:
            mode = stat.S_IFDIR | 0o555 if isinstance(content, list) else stat.S_IFREG | 0o444
            if self.resolve(path).startswith("/dev/"):
                mode = stat.S_IFCHR | 0o666
            return os.stat_result((mode, 0, 0, 1, 0, 0, 0, 0, 0, 0))
        try:
            return self.host(path, follow=follow).stat(follow_symlinks=False)
        except OSError as error:
            raise fault(error.errno or errno.EIO, path) from None

    def exists(self, path: str, *, follow: bool = True) -> bool:
        """Whether there is anything at `path`."""
        try:
            self.stat(path, follow=follow)
        except OSError:
            return False
        return True

    def is_dir(self, path: str) -> bool:
        """Whether `path` is a folder, links followed."""
        try:
            return stat.S_ISDIR(self.stat(path).st_mode)
        except OSError:
            return False

    def is_file(self, path: str) -> bool:
        """Whether `path` is a regular file, links followed."""
        try:
            return stat.S_ISREG(self.stat(path).st_mode)
        except OSError:
            return False

    def names(self, path: str) -> list[str]:
        """Sorted names in a folder, without `.` and `..`."""
        content = self.computed(path)
        if isinstance(content, list):
            return sorted(content)
        try:
            return sorted(entry.name for entry in self.host(path).iterdir())
        except OSError as error:
            raise fault(error.errno or errno.EIO, path) from None

    def readlink(self, path: str) -> str:
        """Target of a symbolic link, as it was given."""
        try:
            return str(self.host(path, follow=False).readlink())
        except OSError as error:
            raise fault(error.errno or errno.EIO, path) from None

    def mkdir(self, path: str) -> None:
        """Make a folder."""
        self.check_room(path)
        file = self.host(path, follow=False)
        self._make("mkdir", path, file.mkdir)

    def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link; its target is never used on the host."""
        file = self.host(path, follow=False)
        self._make("symlink", path, lambda: file.symlink_to(target))

    def link(self, existing: str, path: str) -> None:
        """Make a second name for a file."""
        source, new = self.host(existing, follow=False), self.host(path, follow=False)
        if self._on_flash(existing) != self._on_flash(path):
            raise fault(errno.EXDEV, path)
        self._make("link", path, lambda: new.hardlink_to(source))

    def _make(self, kind: Step, path: str, action: Callable[[], None]) -> None:
        with self._step(kind, path) as lasting:
            action()
            if lasting:
                self._journal.created(self.host(path, follow=False))

    def _on_flash(self, path: str) -> bool:
        return not in_memory(self.resolve(path, follow=False))

    def rename(self, old: str, new: str) -> None:
        """Rename in one step, replacing a file of the new name; EXDEV between flash and memory."""
        source, target = self.host(old, follow=False), self.host(new, follow=False)
        if self.root in {source, target}:
            raise fault(errno.EBUSY, old)
        if not source.is_symlink() and not source.exists():
            raise fault(errno.ENOENT, old)
        if self._on_flash(old) != self._on_flash(new):
            raise fault(errno.EXDEV, old)
        with self._step("rename", self.resolve(new, follow=False)) as lasting:
            if lasting:
                self._journal.rename(source, target)
            else:
                source.rename(target)

    def remove(self, path: str) -> None:
        """Remove a file or link."""
        file = self.host(path, follow=False)
        if file.is_dir() and not file.is_symlink():
            raise fault(errno.EISDIR, path)
        self._unlink("remove", path, file.unlink)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        target = self.host(path, follow=False)
        if target == self.root:
            raise fault(errno.EBUSY, path)
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise fault(errno.ENOTDIR, path)
        self._unlink("rmdir", path, target.rmdir)

    def _unlink(self, kind: Step, path: str, action: Callable[[], None]) -> None:
        if not self.exists(path, follow=False):
            raise fault(errno.ENOENT, path)
        with self._step(kind, path) as lasting:
            if lasting:
                self._journal.remove(self.host(path, follow=False))
            else:
                action()

    def chmod(self, path: str, mode: int) -> None:
        """Set the mode; the owner keeps access on the host, as root has on a device."""
        keep = 0o700 if self.is_dir(path) else 0o600
        real = self.resolve(path)
        if self.exists(real) and self.stat(real).st_mode & 0o777 == mode & 0o777 | keep:
            return
        with self._step("chmod", real) as lasting:
            file = self.host(real)
            if lasting:
                self._journal.will_change(file)
            file.chmod(mode & 0o777 | keep)

    def touch(self, path: str) -> None:
        """Make a file where there is none, else set its times to now."""
        if self.exists(path):
            with self._step("touch", path):
                os.utime(self.host(path))
        else:
            self.write(path, b"")

    def sync(self, path: str | None = None) -> None:
        """What was written to `path` (None: to all files) now survives a power cut."""
        if path is not None:
            self.stat(path)
        real = self.resolve(path or "/")
        with self._step("sync", real) as lasting:
            if path is None:
                self._journal.sync()
            elif lasting:
                self._journal.synced(self.host(real))

    def clear_memory(self) -> None:
        """Empty what a real device holds in memory, as a reboot does."""
        folder = self.root / "tmp"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)

    def lose(self, rng: random.Random | None) -> None:
        """A power cut: memory is empty, and what was not synced is gone (see Journal.lose)."""
        self.clear_memory()
        self._journal.lose(rng)
