"""Commands that filter text: head, tail, wc, grep, cut, sort, uniq, tr, xargs."""

from __future__ import annotations

import getopt
import re
from collections.abc import Callable

from simulator.shell.applets.options import options
from simulator.shell.applets.printing import unescape
from simulator.shell.applets.regex import to_python
from simulator.shell.commands import Applet, Call, dispatch
from simulator.shell.patterns import named_classes


def _str(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _lines(data: bytes) -> list[str]:
    """Lines without their ends."""
    text = _str(data)
    return text.removesuffix("\n").split("\n") if text else []


async def _inputs(call: Call, names: list[str]) -> list[tuple[str, bytes]] | None:
    """Contents of the named files; None (told) where one cannot be read."""
    found = []
    for name in names or ["-"]:
        try:
            found.append((name, await call.input(name)))
        except OSError as error:
            call.err(f"{name}: {error.strerror}")
            return None
    return found


def _with_count(args: list[str]) -> list[str]:
    """`-5` as `-n 5`."""
    return ["-n" + arg[1:] if re.fullmatch(r"-\d+", arg) else arg for arg in args]


async def _head(call: Call) -> int:
    found = options(Call(call.name, _with_count(call.args), call.shell), "n:c:qv")
    if found is None:
        return 1
    flags, names = found
    count = int(flags.get("c", flags.get("n", "10")))
    if not names and "c" not in flags and count >= 0:
        # Line by line, so that a pipe's writer may end early.
        for _ in range(count):
            line = await call.stdin.read_line()
            call.out_bytes(line)
            if not line:
                break
        return 0
    inputs = await _inputs(call, names)
    for name, data in inputs or []:
        if len(names) > 1 and "q" not in flags:
            call.out(f"==> {name} <==\n")
        units = data if "c" in flags else data.splitlines(keepends=True)
        part = units[:count] if count else units[:0]
        call.out_bytes(part if isinstance(part, bytes) else b"".join(part))
    return 0 if inputs is not None else 1


async def _tail(call: Call) -> int:
    found = options(Call(call.name, _with_count(call.args), call.shell), "n:c:qf")
    if found is None:
        return 1
    flags, names = found
    text = flags.get("c", flags.get("n", "10"))
    inputs = await _inputs(call, names)
    for _, data in inputs or []:
        units = data if "c" in flags else data.splitlines(keepends=True)
        count = int(text.lstrip("-+"))
        if text.startswith("+"):
            part = units[max(0, count - 1) :]
        else:
            part = units[-count:] if count else units[:0]
        call.out_bytes(part if isinstance(part, bytes) else b"".join(part))
    return 0 if inputs is not None else 1


async def _wc(call: Call) -> int:
    found = options(call, "lwcm")
    if found is None:
        return 1
    flags, names = found
    inputs = await _inputs(call, names)
    for name, data in inputs or []:
        counts = {"l": data.count(b"\n"), "w": len(data.split()), "c": len(data)}
        shown = [counts[key] for key in "lwc" if not flags or key in flags]
        width = 1 if len(shown) == 1 else 9
        text = " ".join(f"{count:{width}d}" for count in shown)
        call.out(text + (f" {name}" if names else "") + "\n")
    return 0 if inputs is not None else 1


async def _grep(call: Call) -> int:  # noqa: PLR0912 - one flag a branch
    found = options(call, "EFGHhilLnqrsvwxoce:f:m:A:B:C:R")
    if found is None:
        return 2
    flags, rest = found
    if "e" in flags:
        pattern = flags["e"]
    elif rest:
        pattern = rest.pop(0)
    else:
        call.err("no pattern")
        return 2
    test = _matcher(call.name, pattern, flags)
    if test is None:
        call.err(f"bad regex '{pattern}'")
        return 2
    status, total = 1, 0
    names = rest or ["-"]
    if "r" in flags or "R" in flags:
        names = [name for given in rest or ["."] for name in _files_below(call, given)]
    for name in names:
        try:
            lines = _lines(await call.input(name))
        except OSError as error:
            if "s" not in flags:
                call.err(f"{name}: {error.strerror}")
            status = 2
            continue
        label = f"{name}:" if ("H" in flags or len(names) > 1) and "h" not in flags else ""
        hits = [
            (number, line)
            for number, line in enumerate(lines, 1)
            if bool(test(line)) != ("v" in flags)
        ]
        if "m" in flags:
            hits = hits[: int(flags["m"])]
        total += len(hits)
        if "q" in flags:
            if hits:
                return 0
        elif "c" in flags:
            call.out(f"{label}{len(hits)}\n")
        elif "l" in flags or "L" in flags:
            call.out(f"{name}\n" if bool(hits) == ("l" in flags) else "")
        elif "o" in flags:
            for _, line in hits:
                call.out("".join(f"{label}{m}\n" for m in _all_matches(test, line)))
        else:
            number = "n" in flags
            call.out("".join(f"{label}{f'{n}:' if number else ''}{line}\n" for n, line in hits))
    return 0 if total else status


def _matcher(
    name: str, pattern: str, flags: dict[str, str]
) -> Callable[[str], re.Match[str] | None] | None:
    sources = []
    for line in pattern.split("\n"):
        if "F" in flags or name == "fgrep":
            source = re.escape(line)
        else:
            try:
                source = to_python(line, extended="E" in flags or name == "egrep")
            except re.error:
                return None
        if "w" in flags:
            source = rf"(?<!\w)(?:{source})(?!\w)"
        sources.append(rf"\A(?:{source})\Z" if "x" in flags else source)
    try:
        whole = "|".join(f"(?:{s})" for s in sources) if len(sources) > 1 else sources[0]
        regex = re.compile(whole, re.IGNORECASE if "i" in flags else 0)
    except (re.error, OverflowError):
        return None
    return regex.search


def _all_matches(test: Callable[[str], re.Match[str] | None], line: str) -> list[str]:
    first = test(line)
    if first is None:
        return []
    return [m.group(0) for m in first.re.finditer(line) if m.group(0)]


def _files_below(call: Call, name: str) -> list[str]:
    path = call.path(name)
    if not call.flash.is_dir(path):
        return [name]
    below = [_files_below(call, f"{name.rstrip('/')}/{entry}") for entry in call.flash.names(path)]
    return [file for files in below for file in files]


def _ranges(spec: str) -> list[tuple[int, int]]:
    ranges = []
    for part in spec.split(","):
        start, dash, end = part.partition("-")
        first = int(start or 1)
        ranges.append((first, int(end) if end else (10**9 if dash else first)))
    return ranges


async def _cut(call: Call) -> int:
    found = options(call, "d:f:c:b:sn")
    if found is None:
        return 1
    flags, names = found
    spec = flags.get("f") or flags.get("c") or flags.get("b")
    if not spec:
        return call.err("expected a list of bytes, characters, or fields")
    ranges = _ranges(spec)
    delimiter = flags.get("d", "\t")
    inputs = await _inputs(call, names)
    for _, data in inputs or []:
        for line in _lines(data):
            units = line.split(delimiter) if "f" in flags else list(line)
            if "f" in flags and len(units) == 1:
                call.out("" if "s" in flags else line + "\n")
                continue
            kept = [u for n, u in enumerate(units, 1) if any(a <= n <= b for a, b in ranges)]
            call.out((delimiter if "f" in flags else "").join(kept) + "\n")
    return 0 if inputs is not None else 1


def _leading_number(text: str) -> float:
    match = re.match(r"\s*-?\d+(\.\d+)?", text)
    return float(match.group(0)) if match else 0.0


async def _sort(call: Call) -> int:
    found = options(call, "nrufbk:t:o:s")
    if found is None:
        return 1
    flags, names = found
    inputs = await _inputs(call, names)
    if inputs is None:
        return 1
    lines = [line for _, data in inputs for line in _lines(data)]
    place = re.match(r"(\d+)", flags.get("k", ""))

    def key(line: str) -> tuple[float, str]:
        text = line
        if place:
            units = line.split(flags["t"]) if "t" in flags else line.split()
            text = (flags.get("t") or " ").join(units[int(place.group(1)) - 1 :])
        if "f" in flags:
            text = text.upper()
        return (_leading_number(text), line) if "n" in flags else (0.0, text)

    lines.sort(key=key, reverse="r" in flags)
    if "u" in flags:
        lines = list(dict.fromkeys(lines))
    text = "".join(line + "\n" for line in lines)
    if "o" in flags:
        call.flash.write(call.path(flags["o"]), text.encode("utf-8", "surrogateescape"))
    else:
        call.out(text)
    return 0


async def _uniq(call: Call) -> int:
    found = options(call, "cdu")
    if found is None:
        return 1
    inputs = await _inputs(call, found[1][:1])
    groups: list[tuple[str, int]] = []
    for line in _lines(inputs[0][1]) if inputs else []:
        if groups and groups[-1][0] == line:
            groups[-1] = (line, groups[-1][1] + 1)
        else:
            groups.append((line, 1))
    for line, count in groups:
        if ("d" in found[0] and count < 2) or ("u" in found[0] and count > 1):
            continue
        call.out((f"{count:7d} " if "c" in found[0] else "") + line + "\n")
    return 0 if inputs is not None else 1


def _tr_set(spec: str) -> list[int]:
    spec = re.sub(r"\[:(\w+):\]", lambda m: named_classes(m.group(0)), spec).replace("\\s", " \t\n")
    data = unescape(spec)[0]
    chars: list[int] = []
    at = 0
    while at < len(data):
        if at + 2 < len(data) and data[at + 1] == ord("-") and data[at + 2] >= data[at]:
            chars += range(data[at], data[at + 2] + 1)
            at += 3
        else:
            chars.append(data[at])
            at += 1
    return chars


async def _tr(call: Call) -> int:
    found = options(call, "cCds")
    if found is None or not found[1]:
        return 1
    flags, sets = found
    first = _tr_set(sets[0])
    if "c" in flags or "C" in flags:
        first = [byte for byte in range(256) if byte not in set(first)]
    second = _tr_set(sets[1]) if len(sets) > 1 else []
    data = await call.stdin.read()
    if "d" in flags:
        data = data.translate(None, bytes(set(first)))
    elif second:
        padded = second + [second[-1]] * (len(first) - len(second))
        table = bytearray(range(256))
        for old, new in zip(first, padded, strict=False):
            table[old] = new
        data = data.translate(bytes(table))
    if "s" in flags:
        squeezed = set(second or first)
        data = bytes(
            byte for at, byte in enumerate(data)
            if at == 0 or byte != data[at - 1] or byte not in squeezed
        )  # fmt: skip
    call.out_bytes(data)
    return 0


async def _xargs(call: Call) -> int:
    try:
        given, args = getopt.getopt(call.args, "0rtn:I:")
    except getopt.GetoptError as error:
        return call.err(str(error))
    flags = dict(given)
    nulls, replace = "-0" in flags, flags.get("-I", "")
    size = int(flags["-n"]) if flags.get("-n", "").isdigit() else 0
    empty_ok = "-r" not in flags
    text = _str(await call.stdin.read())
    items = text.split("\0")[:-1] if nulls else text.split("\n") if replace else text.split()
    items = [item for item in items if item or nulls]
    command = args or ["echo"]
    if replace:
        batches = [[arg.replace(replace, item) for arg in command] for item in items]
    else:
        step = size or max(1, len(items))
        batches = [[*command, *items[at : at + step]] for at in range(0, len(items), step)]
        if not items and empty_ok:
            batches = [command]
    status = 0
    for batch in batches:
        if await dispatch(call.shell, batch):
            status = 123
    return status


async def _rev(call: Call) -> int:
    call.out("".join(line[::-1] + "\n" for line in _lines(await call.stdin.read())))
    return 0


APPLETS: dict[str, Applet] = {
    "head": _head, "tail": _tail, "wc": _wc, "grep": _grep, "egrep": _grep, "fgrep": _grep,
    "cut": _cut, "sort": _sort, "uniq": _uniq, "tr": _tr, "xargs": _xargs, "rev": _rev,
}  # fmt: skip
