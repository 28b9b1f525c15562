"""The private file system of a pretend access point: a folder of the host seen as its `/`.

Paths are resolved here, link by link, so that neither `..` nor a symbolic link leads out of
the folder. `/proc` and `/dev` are computed. All writes pass through this class: a power cut
that loses what was never synced (issue 5) has its place here.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

Virtual = Callable[[str], "bytes | list[str] | None"]
"""Content of a computed file, names in a computed folder, or None where there is neither."""

_LINKS = 40
TMPFS = ("/tmp", "/dev", "/proc", "/sys")  # noqa: S108 - folders of the pretend device
"""Held in memory on a real device: empty after a reboot, never full with the flash."""


def fault(code: int, path: str) -> OSError:
    """The OSError of `code` (an errno) that names the device's own path, not the host's."""
    return OSError(code, os.strerror(code), path)


class Flash:
    """Files of one device under `root`; paths given are absolute paths on the device."""

    def __init__(self, root: Path, virtual: Virtual = lambda _path: None) -> None:
        self.root = root
        self.virtual = virtual
        self.full = False
        """When set, nothing more fits: writes outside /tmp fail with ENOSPC."""

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

    def open_to_write(self, path: str, *, append: bool = False) -> int:
        """Open (and unless `append` empty) a file; returns a descriptor of the host."""
        if self.computed(path) is not None:
            raise fault(errno.EACCES, path)
        how = os.O_APPEND if append else os.O_TRUNC
        try:
            return os.open(
                self.host(path),
                os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how,
                0o644,
            )
        except OSError as error:
            raise fault(error.errno or errno.EIO, path) from None

    def check_room(self, path: str) -> None:
        """Raise ENOSPC where the flash is full and `path` lies on it."""
        if self.full and not self.resolve(path).startswith(TMPFS):
            raise fault(errno.ENOSPC, path)

    def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        """Write `data` to a file: as on a real device the old content is gone before it fits."""
        if self.computed(path) is not None:
            if self.resolve(path) == "/dev/null":
                return
            raise fault(errno.EACCES, path)
        descriptor = self.open_to_write(path, append=append)
        with os.fdopen(descriptor, "wb") as out:
            if data:
                self.check_room(path)
            out.write(data)

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
        self._do(path, lambda: self.host(path, follow=False).mkdir())

    def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link; its target is never used on the host."""
        self._do(path, lambda: self.host(path, follow=False).symlink_to(target))

    def link(self, existing: str, path: str) -> None:
        """Make a second name for a file."""
        source, new = self.host(existing, follow=False), self.host(path, follow=False)
        self._do(path, lambda: new.hardlink_to(source))

    def rename(self, old: str, new: str) -> None:
        """Rename in one step, replacing a file of the new name."""
        source, target = self.host(old, follow=False), self.host(new, follow=False)
        if self.root in {source, target}:
            raise fault(errno.EBUSY, old)
        self._do(old, lambda: source.rename(target))

    def remove(self, path: str) -> None:
        """Remove a file or link."""
        self._do(path, lambda: self.host(path, follow=False).unlink())

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        target = self.host(path, follow=False)
        if target == self.root:
            raise fault(errno.EBUSY, path)
        self._do(path, target.rmdir)

    def chmod(self, path: str, mode: int) -> None:
        """Set the mode; the owner keeps access on the host, as root has on a device."""
        keep = 0o700 if self.is_dir(path) else 0o600
        self._do(path, lambda: self.host(path).chmod(mode & 0o777 | keep))

    def touch(self, path: str) -> None:
        """Make a file where there is none, else set its times to now."""
        if self.exists(path):
            self._do(path, lambda: os.utime(self.host(path)))
        else:
            self.write(path, b"")

    def sync(self, path: str | None = None) -> None:
        """What was written to `path` (None: to all files) now survives a power cut."""
        if path is not None:
            self.stat(path)

    def clear_memory(self) -> None:
        """Empty what a real device holds in memory, as a reboot does."""
        folder = self.root / "tmp"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)

    @staticmethod
    def _do(path: str, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            raise fault(error.errno or errno.EIO, path) from None
