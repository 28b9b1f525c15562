"""Commands that look at files: `ls`, `find`, `readlink`, `df` and names of paths."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator

from simulator.shell.applets.options import options
from simulator.shell.commands import Applet, Call, dispatch
from simulator.shell.patterns import matches


def _ls(call: Call) -> int:
    found = options(call, "1AadehlirRtSpFLns")
    if found is None:
        return 1
    flags, names = found
    status = 0
    plain, folders = [], []
    for name in names or ["."]:
        path = call.path(name)
        if not call.flash.exists(path, follow=False):
            status = call.err(f"{name}: No such file or directory")
        elif call.flash.is_dir(path) and "d" not in flags:
            folders.append(name)
        else:
            plain.append((name, path))
    call.out("".join(_line(call, path, name, flags) for name, path in plain))
    for name in folders:
        if len(folders) + len(plain) > 1:
            call.out(f"{name}:\n")
        entries = [n for n in call.flash.names(call.path(name)) if _shown(n, flags)]
        if "t" in flags:
            entries.sort(key=lambda n: -_stat(call, f"{call.path(name)}/{n}").st_mtime)
        if "r" in flags:
            entries.reverse()
        if "a" in flags:
            entries = [".", "..", *entries]
        call.out("".join(_line(call, f"{call.path(name)}/{n}", n, flags) for n in entries))
    return status


def _shown(name: str, flags: dict[str, str]) -> bool:
    return not name.startswith(".") or "a" in flags or "A" in flags


def _stat(call: Call, path: str) -> os.stat_result:
    return call.flash.stat(path, follow=False)


def _line(call: Call, path: str, name: str, flags: dict[str, str]) -> str:
    if "l" not in flags:
        return name + "\n"
    found = _stat(call, path)
    when = time.strftime("%b %e %H:%M", time.gmtime(found.st_mtime))
    mode = stat.filemode(found.st_mode)
    arrow = f" -> {call.flash.readlink(path)}" if mode.startswith("l") else ""
    links = found.st_nlink
    return f"{mode} {links:4d} root     root     {found.st_size:9d} {when} {name}{arrow}\n"


async def _find(call: Call) -> int:
    args = list(call.args)
    roots = []
    while args and not args[0].startswith(("-", "!", "(")):
        roots.append(args.pop(0))
    tests: list[tuple[str, str]] = []
    action: list[str] = []
    while args:
        flag = args.pop(0)
        if flag == "-exec":
            end = args.index(";") if ";" in args else len(args)
            action, args = args[:end], args[end + 1 :]
        elif flag in {"-name", "-type", "-maxdepth", "-mindepth", "-path"} and args:
            tests.append((flag, args.pop(0)))
        elif flag in {"-print", "-delete"}:
            action = [flag]
        else:
            return call.err(f"unrecognized: {flag}")
    limit = min([int(value) for flag, value in tests if flag == "-maxdepth"], default=99)
    least = max([int(value) for flag, value in tests if flag == "-mindepth"], default=0)
    status = 0
    for root in roots or ["."]:
        if not call.flash.exists(call.path(root), follow=False):
            status = call.err(f"{root}: No such file or directory")
            continue
        found = [(name, depth) for name, depth in _walk(call, root, 0, limit)]
        for name, depth in reversed(found) if action == ["-delete"] else found:
            if depth >= least and all(_passes(call, name, *test) for test in tests):
                await _act(call, name, action)
    return status


def _walk(call: Call, name: str, depth: int, limit: int) -> Iterator[tuple[str, int]]:
    yield name, depth
    path = call.path(name)
    if depth < limit and stat.S_ISDIR(_stat(call, path).st_mode):
        for entry in call.flash.names(path):
            yield from _walk(call, f"{name.rstrip('/')}/{entry}", depth + 1, limit)


def _passes(call: Call, name: str, flag: str, value: str) -> bool:
    if flag == "-name":
        return matches([(value, False)], name.rstrip("/").rpartition("/")[2])
    if flag == "-path":
        return matches([(value, False)], name)
    if flag == "-type":
        mode = _stat(call, call.path(name)).st_mode
        wanted = {"f": stat.S_IFREG, "d": stat.S_IFDIR, "l": stat.S_IFLNK}.get(value)
        return stat.S_IFMT(mode) == wanted
    return True


async def _act(call: Call, name: str, action: list[str]) -> None:
    if not action or action == ["-print"]:
        call.out(name + "\n")
    elif action == ["-delete"]:
        path = call.path(name)
        (call.flash.rmdir if call.flash.is_dir(path) else call.flash.remove)(path)
    else:
        await dispatch(call.shell, [name if arg == "{}" else arg for arg in action])


def _readlink(call: Call) -> int:
    found = options(call, "fn")
    if found is None or not found[1]:
        return 1
    path = call.path(found[1][0])
    try:
        text = call.flash.resolve(path) if "f" in found[0] else call.flash.readlink(path)
    except OSError:
        return 1
    call.out(text + ("" if "n" in found[0] else "\n"))
    return 0


def _basename(call: Call) -> int:
    if not call.args:
        return call.err("missing operand")
    name = call.args[0].rstrip("/").rpartition("/")[2] or "/"
    if len(call.args) > 1 and name != call.args[1]:
        name = name.removesuffix(call.args[1])
    call.out(name + "\n")
    return 0


def _dirname(call: Call) -> int:
    if not call.args:
        return call.err("missing operand")
    head, slash, _ = call.args[0].rstrip("/").rpartition("/")
    call.out((head or slash or ".") + "\n")
    return 0


def _df(call: Call) -> int:
    used = 4096 if call.flash.full else 612
    call.out(
        "Filesystem           1K-blocks      Used Available Use% Mounted on\n"
        "/dev/root                 4096      4096         0 100% /rom\n"
        "tmpfs                    61076       520     60556   1% /tmp\n"
        f"overlayfs:/overlay        4096 {used:9d} {4096 - used:9d} {used * 100 // 4096:3d}% /\n"
    )
    return 0


APPLETS: dict[str, Applet] = {
    "ls": _ls, "find": _find, "readlink": _readlink, "basename": _basename,
    "dirname": _dirname, "df": _df,
    "realpath": lambda call: _readlink(Call(call.name, ["-f", *call.args], call.shell)),
}  # fmt: skip
