"""A terminal on a pretend access point: prompt, echo, editing keys, and Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.shell.control import Break, Exit
from simulator.shell.parse import Incomplete, ShellSyntaxError, parse

if TYPE_CHECKING:
    from simulator.shell.interpreter import Shell

_INTERRUPT, _END, _ERASE_LINE, _ERASE_WORD = 0x03, 0x04, 0x15, 0x17
_BACKSPACE = {0x08, 0x7F}
BANNER = b"\n\nBusyBox v1.36.1 (pretend) built-in shell (ash)\n\n"


class Screen:
    """Output of a terminal: line ends get their carriage return."""

    terminal = True

    def __init__(self, stream: Any, *, raw: bool) -> None:
        self._stream = stream
        self._raw = raw

    def write(self, data: bytes) -> None:
        """Show `data`."""
        with contextlib.suppress(OSError):
            self._stream.write(data if self._raw else data.replace(b"\n", b"\r\n"))

    def close(self) -> None:
        """The session closes its channel itself."""


class Keyboard:
    """Input of a terminal: whole lines, echoed, with erasing; Ctrl-C calls `interrupt`."""

    terminal = True

    def __init__(self, stream: Any, screen: Screen, *, echo: bool) -> None:
        self._stream = stream
        self._screen = screen
        self._echo = echo
        self._bytes: asyncio.Queue[int | None] = asyncio.Queue()
        self._ended = False
        self._after_return = False
        self.on_interrupt: Callable[[], bool] = lambda: False
        """Called for Ctrl-C; True where it stopped a command."""

    async def pump(self) -> None:
        """Take what the client sends, so that Ctrl-C is seen while a command runs."""
        while True:
            try:
                data = await self._stream.read(4096)
            except OSError:
                data = b""
            except Exception as event:
                if type(event).__name__ in {
                    "TerminalSizeChanged",
                    "BreakReceived",
                    "SignalReceived",
                }:
                    continue
                raise
            if not data:
                self._bytes.put_nowait(None)
                return
            for byte in data:
                if not (byte == _INTERRUPT and self._echo and self.on_interrupt()):
                    self._bytes.put_nowait(byte)

    async def read_line(self) -> bytes:
        """The next line with its end; empty when the client is gone or said Ctrl-D."""
        line = bytearray()
        while not self._ended:
            byte = await self._bytes.get()
            if byte is None:
                self._ended = True
            elif byte == 0x0A and self._after_return:
                self._after_return = False
            elif byte in {0x0A, 0x0D}:
                self._after_return = byte == 0x0D and self._echo
                self._show(b"\n")
                return bytes(line) + b"\n"
            else:
                self._after_return = False
                if self._edit(line, byte):
                    return b""
        return bytes(line)

    def _edit(self, line: bytearray, byte: int) -> bool:
        """Take one key into `line`; True for the end of input."""
        if not self._echo:
            line.append(byte)
        elif byte == _END:
            return not line
        elif byte == _INTERRUPT:
            self._show(b"^C\n")
            raise KeyboardInterrupt
        elif byte in _BACKSPACE:
            if line:
                line.pop()
                self._show(b"\b \b")
        elif byte in {_ERASE_LINE, _ERASE_WORD}:
            keep = 0 if byte == _ERASE_LINE else line.rstrip().rfind(b" ") + 1
            self._show(b"\b \b" * (len(line) - keep))
            del line[keep:]
        elif byte >= 0x20 or byte == 0x09:
            line.append(byte)
            self._show(bytes([byte]))
        return False

    def _show(self, data: bytes) -> None:
        if self._echo:
            self._screen.write(data)

    async def read(self) -> bytes:
        """All lines to the end."""
        data = bytearray()
        while line := await self.read_line():
            data += line
        return bytes(data)

    def close(self) -> None:
        """Nothing to do."""


class Terminal:
    """The loop of an interactive shell."""

    def __init__(self, shell: Shell, stdin: Any, stdout: Any, *, echo: bool) -> None:
        self.shell = shell
        self.screen = Screen(stdout, raw=not echo)
        self.keyboard = Keyboard(stdin, self.screen, echo=echo)
        self.keyboard.on_interrupt = self._interrupt
        self._echo = echo
        self._command: asyncio.Task[None] | None = None
        shell.fds = {0: self.keyboard, 1: self.screen, 2: self.screen}

    async def run(self) -> int:
        """Read and run commands until `exit` or the end of input; returns the exit status."""
        pump = asyncio.get_running_loop().create_task(self.keyboard.pump())
        try:
            if self._echo:
                self.screen.write(BANNER + self.shell.flash.read("/etc/banner"))
            return await self._loop()
        except OSError:
            return 1
        finally:
            pump.cancel()

    async def _loop(self) -> int:
        text = ""
        while True:
            self._prompt(more=bool(text))
            try:
                line = await self.keyboard.read_line()
            except KeyboardInterrupt:
                text = ""
                continue
            if not line:
                return self.shell.status
            text += line.decode("utf-8", "surrogateescape")
            try:
                script = parse(text)
            except Incomplete:
                continue
            except (ShellSyntaxError, RecursionError) as error:
                self.shell.complain(str(error) or "syntax error: nested too deep")
                self.shell.status = 2
                text = ""
                continue
            text = ""
            self._command = asyncio.get_running_loop().create_task(self._run(script))
            try:
                await self._command
            except Exit as request:
                return request.status
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                self.shell.status = 130
                self.screen.write(b"\n")
            finally:
                self._command = None

    async def _run(self, script: Any) -> None:
        from simulator.shell.expand import ExpansionFault

        try:
            await self.shell.run(script)
        except Break:
            pass
        except (ExpansionFault, RecursionError) as fault:
            self.shell.complain(str(fault))
            self.shell.status = 2

    def _interrupt(self) -> bool:
        if self._command is None:
            return False
        self.screen.write(b"^C")
        self._command.cancel()
        return True

    def _prompt(self, *, more: bool) -> None:
        if not self._echo:
            return
        if more:
            self.screen.write(b"> ")
            return
        home = self.shell.vars.get("HOME", "/root")
        folder = "~" if self.shell.cwd == home else self.shell.cwd
        self.screen.write(f"root@{self.shell.device.hostname}:{folder}# ".encode())
