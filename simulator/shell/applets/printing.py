"""`echo`, `printf`, `seq` and `date`."""

from __future__ import annotations

import calendar
import contextlib
import re
import time

from simulator.shell.applets.options import options
from simulator.shell.arithmetic import ArithmeticFault, number
from simulator.shell.commands import Applet, Call

_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_ESCAPE = re.compile(r"\\(0[0-7]{0,3}|[1-7][0-7]{0,2}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_CONVERSION = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?([a-zA-Z%])")


def unescape(text: str) -> tuple[bytes, bool]:
    """Undo backslash escapes; True where `\\c` says to stop."""
    stop = False
    cut = re.search(r"(?<!\\)(?:\\\\)*\\c", text)
    if cut:
        text, stop = text[: cut.end() - 2], True
    out = bytearray()
    at = 0
    for match in _ESCAPE.finditer(text):
        out += text[at : match.start()].encode("utf-8", "surrogateescape")
        at = match.end()
        code = match.group(1)
        if code[0] in "01234567":
            out.append(int(code, 8) & 255)
        elif code[0] == "x" and len(code) > 1:
            out.append(int(code[1:], 16))
        else:
            plain = _ESCAPES.get(code, "\\" + code)
            out += plain.encode("utf-8", "surrogateescape")
    out += text[at:].encode("utf-8", "surrogateescape")
    return bytes(out), stop


def _echo(call: Call) -> int:
    args, newline, escapes = list(call.args), True, False
    while args and re.fullmatch(r"-[neE]+", args[0]):
        flags = args.pop(0)
        newline = newline and "n" not in flags
        escapes = "e" in flags or (escapes and "E" not in flags)
    text = " ".join(args)
    if not escapes:
        call.out(text + ("\n" if newline else ""))
        return 0
    data, stop = unescape(text)
    call.out_bytes(data + (b"\n" if newline and not stop else b""))
    return 0


class _Stop(Exception):  # noqa: N818 - `\\c` asks for it
    pass


class _Printf:
    def __init__(self, call: Call) -> None:
        self.call = call
        self.args = call.args[:0:-1]
        self.status = 0
        self.used = False

    def take(self) -> str:
        self.used = True
        return self.args.pop() if self.args else ""

    def integer(self) -> int:
        text = self.take()
        if text[:1] in {"'", '"'}:
            return ord(text[1]) if len(text) > 1 else 0
        try:
            return number(text.strip() or "0")
        except ArithmeticFault:
            self.status = self.call.err(f"invalid number '{text}'")
            return 0

    def convert(self, match: re.Match[str]) -> bytes:  # noqa: PLR0911 - one a conversion
        flags, width, precision, kind = match.groups()
        if kind == "%":
            return b"%"
        if width == "*":
            width = str(self.integer())
        if precision == "*":
            precision = str(self.integer())
        spec = f"%{flags}{width or ''}" + (f".{precision}" if precision else "")
        if kind == "s":
            return self.padded(
                self.take().encode("utf-8", "surrogateescape"), flags, width, precision
            )
        if kind == "b":
            data, stop = unescape(self.take())
            if stop:
                self.call.out_bytes(data)
                raise _Stop
            return self.padded(data, flags, width, precision)
        if kind == "c":
            return self.take()[:1].encode("utf-8", "surrogateescape")
        if kind in "diouxX":
            value = self.integer()
            if kind in "ouxX" and value < 0:
                value += 2**64
            return ((spec + ("d" if kind in "iu" else kind)) % value).encode()
        if kind in "eEfFgG":
            text = self.take() or "0"
            try:
                return ((spec + kind) % float(text)).encode()
            except ValueError:
                self.status = self.call.err(f"invalid number '{text}'")
                return ((spec + kind) % 0.0).encode()
        self.call.err(f"%{kind}: invalid format")
        self.status = 1
        raise _Stop

    @staticmethod
    def padded(data: bytes, flags: str, width: str | None, precision: str | None) -> bytes:
        if precision is not None:
            data = data[: int(precision or 0)]
        size = abs(int(width or 0))
        return (
            data.ljust(size) if "-" in flags or (width or "").startswith("-") else data.rjust(size)
        )

    def run(self, template: str) -> None:
        while True:
            self.used = False
            at = 0
            for match in _CONVERSION.finditer(template):
                self.literal(template[at : match.start()])
                self.call.out_bytes(self.convert(match))
                at = match.end()
            self.literal(template[at:])
            if not self.args or not self.used:
                return

    def literal(self, text: str) -> None:
        data, stop = unescape(text)
        self.call.out_bytes(data)
        if stop:
            raise _Stop


def _printf(call: Call) -> int:
    args = call.args[1:] if call.args[:1] == ["--"] else call.args
    if not args:
        call.err("usage: printf FORMAT [ARG]...")
        return 1
    printf = _Printf(Call(call.name, args, call.shell))
    with contextlib.suppress(_Stop):
        printf.run(args[0])
    return printf.status


def _seq(call: Call) -> int:
    try:
        numbers = [int(arg) for arg in call.args]
    except ValueError:
        return call.err("invalid number")
    if not 1 <= len(numbers) <= 3:
        return call.err("usage: seq [FIRST [INC]] LAST")
    first, step, last = [(1, 1, *numbers), (*numbers[:1], 1, *numbers[1:]), tuple(numbers)][
        len(numbers) - 1
    ]
    if step == 0:
        return call.err("increment is zero")
    values = range(first, last + (1 if step > 0 else -1), step)
    call.out("".join(f"{value}\n" for value in values[:100_000]))
    return 0


def _moment(text: str) -> float | None:
    """Seconds since the epoch of `@N` or `YYYY-MM-DD hh:mm[:ss]`."""
    if re.fullmatch(r"@\d+(\.\d+)?", text):
        return float(text[1:])
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"):
        with contextlib.suppress(ValueError):
            return float(calendar.timegm(time.strptime(text, form)))
    return None


def _date(call: Call) -> int:
    found = options(call, "uIRs:d:D:r:k")
    if found is None:
        return 1
    flags, rest = found
    if "s" in flags:
        wanted = _moment(flags["s"])
        if wanted is None:
            return call.err(f"invalid date '{flags['s']}'")
        call.device.time.jump(wanted - call.device.clock())
    now = call.device.clock()
    if "d" in flags and flags["d"].startswith("@"):
        now = float(flags["d"][1:])
    if "r" in flags:
        now = call.flash.stat(call.path(flags["r"])).st_mtime
    form = rest[0][1:] if rest and rest[0].startswith("+") else "%a %b %e %H:%M:%S UTC %Y"
    if "R" in flags:
        form = "%a, %d %b %Y %H:%M:%S +0000"
    call.out(time.strftime(form, time.gmtime(now)) + "\n")
    return 0


APPLETS: dict[str, Applet] = {"echo": _echo, "printf": _printf, "seq": _seq, "date": _date}
