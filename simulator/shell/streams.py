"""Where commands read and write: files of the device, pipes between commands, a terminal."""

from __future__ import annotations

import asyncio
import os
from typing import Protocol, runtime_checkable

from simulator.flash import Flash


@runtime_checkable
class Source(Protocol):
    """Something to read bytes from."""

    async def read(self) -> bytes:
        """All that is left, to the end."""

    async def read_line(self) -> bytes:
        """A line with its end, or what is left; empty at the end."""

    def close(self) -> None:
        """No more will be read."""


@runtime_checkable
class Sink(Protocol):
    """Something to write bytes to."""

    def write(self, data: bytes) -> None:
        """Write; OSError where it cannot, BrokenPipeError where nobody reads."""

    def close(self) -> None:
        """No more will be written."""


class Bytes:
    """A source of given bytes."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = data
        self._at = 0

    async def read(self) -> bytes:
        """All that is left."""
        rest, self._at = self._data[self._at :], len(self._data)
        return rest

    async def read_line(self) -> bytes:
        """The next line."""
        end = self._data.find(b"\n", self._at)
        end = len(self._data) if end < 0 else end + 1
        line, self._at = self._data[self._at : end], end
        return line

    def close(self) -> None:
        """Nothing to do."""


class Collected:
    """A sink that keeps what is written."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        """Keep `data`."""
        self.data += data

    def close(self) -> None:
        """Nothing to do."""


class Nowhere:
    """A sink that forgets."""

    def write(self, data: bytes) -> None:
        """Forget `data`."""

    def close(self) -> None:
        """Nothing to do."""


class FileSink:
    """A file of the device, opened for writing."""

    def __init__(self, flash: Flash, path: str, *, append: bool) -> None:
        self._flash, self._path = flash, path
        self._fd: int | None = None
        self._fd = flash.open_to_write(path, append=append)

    def write(self, data: bytes) -> None:
        """Write at the file's end or after what was written before."""
        if data and self._fd is not None:
            self._flash.append_to(self._fd, self._path, data)

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __del__(self) -> None:  # a command's files close when nothing holds them any more
        """Close the file."""
        self.close()


class Pipe:
    """Joins two commands: one writes, the other reads."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._wake = asyncio.Event()
        self._ended = False
        self._unread = False

    def write(self, data: bytes) -> None:
        """Hand `data` to the reader."""
        if self._unread:
            raise BrokenPipeError
        self._data += data
        self._wake.set()

    def end(self) -> None:
        """The writer is done."""
        self._ended = True
        self._wake.set()

    def abandon(self) -> None:
        """The reader is done."""
        self._unread = True

    async def read(self) -> bytes:
        """All to the end."""
        while not self._ended:
            await self._wait()
        data, self._data = bytes(self._data), bytearray()
        return data

    async def read_line(self) -> bytes:
        """The next line."""
        while b"\n" not in self._data and not self._ended:
            await self._wait()
        end = self._data.find(b"\n")
        end = len(self._data) if end < 0 else end + 1
        line = bytes(self._data[:end])
        del self._data[:end]
        return line

    async def _wait(self) -> None:
        self._wake.clear()
        await self._wake.wait()

    def close(self) -> None:
        """Ends are closed by who holds them: a copy of a descriptor does not close the pipe."""
