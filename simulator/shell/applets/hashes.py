"""`md5sum`, `sha256sum`, `base64` and `cmp`."""

from __future__ import annotations

import base64
import binascii
import hashlib

from simulator.shell.applets.options import options
from simulator.shell.commands import Applet, Call


async def _sum(call: Call) -> int:
    algorithm = call.name.removesuffix("sum")
    found = options(call, "cswb")
    if found is None:
        return 1
    flags, names = found
    if "c" in flags:
        return await _check(call, algorithm, names, quiet="s" in flags)
    status = 0
    for name in names or ["-"]:
        try:
            data = await call.input(name)
        except OSError as error:
            status = call.err(f"can't open '{name}': {error.strerror}")
            continue
        call.out(f"{_digest(algorithm, data)}  {name}\n")
    return status


def _digest(algorithm: str, data: bytes) -> str:
    return hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()


async def _check(call: Call, algorithm: str, names: list[str], *, quiet: bool) -> int:
    status = 0
    for listing in names or ["-"]:
        for line in (await call.input(listing)).decode("utf-8", "replace").splitlines():
            digest, _, name = line.partition("  ")
            try:
                good = _digest(algorithm, await call.input(name)) == digest
            except OSError:
                good = False
            status = status if good else 1
            if not quiet:
                call.out(f"{name}: {'OK' if good else 'FAILED'}\n")
    return status


async def _base64(call: Call) -> int:
    found = options(call, "dw:")
    if found is None:
        return 1
    flags, names = found
    data = await call.input(names[0] if names else None)
    if "d" in flags:
        try:
            call.out_bytes(base64.b64decode(b"".join(data.split()), validate=True))
        except binascii.Error:
            return call.err("truncated input")
        return 0
    text = base64.b64encode(data).decode()
    width = int(flags.get("w", "76")) or len(text) or 1
    call.out("".join(text[at : at + width] + "\n" for at in range(0, len(text), width)))
    return 0


async def _cmp(call: Call) -> int:
    found = options(call, "sl")
    if found is None or not found[1]:
        return 2
    names = [*found[1], "-"][:2]
    try:
        first, second = await call.input(names[0]), await call.input(names[1])
    except OSError as error:
        call.err(f"{error.filename}: {error.strerror}")
        return 2
    if first == second:
        return 0
    if "s" not in found[0]:
        pairs = zip(first, second, strict=False)
        at = next((at for at, (a, b) in enumerate(pairs) if a != b), None)
        if at is None:
            call.err(f"EOF on {names[0] if len(first) < len(second) else names[1]}")
        else:
            line = first[:at].count(b"\n") + 1
            call.out(f"{names[0]} {names[1]} differ: char {at + 1}, line {line}\n")
    return 1


APPLETS: dict[str, Applet] = {
    "md5sum": _sum, "sha1sum": _sum, "sha256sum": _sum, "base64": _base64,
    "cmp": _cmp,
}  # fmt: skip
