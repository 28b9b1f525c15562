"""`hexdump`, in the few forms that scripts ask for."""

from __future__ import annotations

import re

from simulator.shell.applets.options import options
from simulator.shell.commands import Applet, Call

_UNIT = re.compile(r"%0?\d*[xdu]")
_FORM = re.compile(r'(?:(\d+)/)?(\d+)? ?"((?:[^"\\]|\\.)*)"')


async def _hexdump(call: Call) -> int:
    found = options(call, "Cve:n:s:")
    if found is None:
        return 1
    flags, names = found
    data = b"".join([await call.input(name) for name in names or ["-"]])
    data = data[int(flags.get("s", 0)) :]
    data = data[: int(flags["n"])] if "n" in flags else data
    if "e" in flags:
        call.out(formed(data, flags["e"]))
        return 0
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        if "C" in flags:
            shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
            left, right = row[:8].hex(" "), row[8:].hex(" ")
            call.out(f"{at:08x}  {left:23}  {right:23}  |{shown}|\n")
        else:
            pairs = [row[i : i + 2][::-1].hex().zfill(4) for i in range(0, len(row), 2)]
            call.out(f"{at:07x} {' '.join(pairs)}\n")
    if data:
        call.out(f"{len(data):0{8 if 'C' in flags else 7}x}\n")
    return 0


def _shown(text: str, byte: int) -> str:
    return _UNIT.sub(lambda found: found[0] % byte, text)


def formed(data: bytes, form: str) -> str:
    """`hexdump -e FORM`: units of one byte, each by its conversion; ValueError for another form."""
    units = [
        (int(times or 1), text.replace("\\n", "\n").replace("\\t", "\t"))
        for times, _size, text in _FORM.findall(form)
    ]
    if not any("%" in text for _, text in units):
        raise ValueError(form)
    out, at = [], 0
    while at < len(data):
        for times, text in units:
            if "%" not in text:
                out.append(text)
                continue
            row = data[at : at + times]
            at += times
            # Where the data ends the units are blank.
            blank = " " * len(_shown(text, 0))
            out += [_shown(text, byte) for byte in row] + [blank] * (times - len(row))
    return "".join(out)


APPLETS: dict[str, Applet] = {"hexdump": _hexdump}
