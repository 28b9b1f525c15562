"""Commands that change the shell itself."""

from __future__ import annotations

import asyncio

from simulator.shell.applets import APPLETS
from simulator.shell.commands import Applet, Call, applet_named, dispatch, find_program
from simulator.shell.control import SIGNALS, Break, Continue, Exit, Return
from simulator.shell.scripts import run_program, source


def _status(call: Call) -> int:
    if not call.args:
        return call.shell.status
    try:
        return int(call.args[0]) & 255
    except ValueError:
        call.shell.complain(f"{call.name}: Illegal number: {call.args[0]}")
        raise Exit(2) from None


def _exit(call: Call) -> int:
    raise Exit(_status(call))


def _return(call: Call) -> int:
    raise Return(_status(call))


def _levels(call: Call) -> int:
    try:
        return max(1, int(call.args[0])) if call.args else 1
    except ValueError:
        return 1


def _break(call: Call) -> int:
    raise Break(_levels(call))


def _continue(call: Call) -> int:
    raise Continue(_levels(call))


def _cd(call: Call) -> int:
    shell = call.shell
    target = call.args[0] if call.args else shell.vars.get("HOME", "/root")
    if target == "-":
        target = shell.vars.get("OLDPWD", shell.cwd)
        call.out(target + "\n")
    path = shell.path(target)
    if not shell.flash.is_dir(path):
        shell.complain(f"cd: can't cd to {target}: No such file or directory")
        return 2
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    shell.vars["OLDPWD"] = shell.cwd
    shell.cwd = shell.vars["PWD"] = "/" + "/".join(parts)
    return 0


def _pwd(call: Call) -> int:
    call.out(call.shell.cwd + "\n")
    return 0


def _export(call: Call) -> int:
    shell = call.shell
    if not call.args or call.args == ["-p"]:
        for name in sorted(shell.exported):
            call.out(f"export {name}='{shell.vars.get(name, '')}'\n")
    for arg in call.args:
        name, equals, value = arg.partition("=")
        if name.startswith("-"):
            continue
        if equals:
            shell.vars[name] = value
        shell.exported.add(name)
    return 0


def _readonly(call: Call) -> int:
    for arg in call.args:
        name, equals, value = arg.partition("=")
        if equals:
            call.shell.vars[name] = value
    return 0


def _local(call: Call) -> int:
    shell = call.shell
    if not shell.locals:
        shell.complain("local: not in a function")
        raise Exit(2)
    for arg in call.args:
        name, equals, value = arg.partition("=")
        shell.locals[-1].setdefault(name, shell.vars.get(name))
        if equals:
            shell.vars[name] = value
        else:
            shell.vars.pop(name, None)
    return 0


def _unset(call: Call) -> int:
    functions = "-f" in call.args
    for name in call.args:
        if functions:
            call.shell.functions.pop(name, None)
        else:
            call.shell.vars.pop(name, None)
            call.shell.exported.discard(name)
    return 0


_LONG = {"errexit": "e", "nounset": "u", "xtrace": "x", "noglob": "f", "pipefail": "pipefail"}


def _set(call: Call) -> int:
    shell, args = call.shell, list(call.args)
    if not args:
        for name in sorted(shell.vars):
            call.out(f"{name}='{shell.vars[name]}'\n")
        return 0
    while args and args[0][:1] in {"-", "+"} and len(args[0]) > 1:
        flags = args.pop(0)
        if flags == "--":
            shell.args = args
            return 0
        for flag in flags[1:]:
            option = _LONG.get(args.pop(0), "") if flag == "o" and args else flag
            (shell.options.add if flags[0] == "-" else shell.options.discard)(option)
    if args:
        shell.args = args
    return 0


def _shift(call: Call) -> int:
    count = _levels(call)
    if count > len(call.shell.args):
        call.shell.complain("shift: can't shift that many")
        raise Exit(2)
    del call.shell.args[:count]
    return 0


async def _eval(call: Call) -> int:
    call.shell.status = 0
    return await call.shell.run_text(" ".join(call.args))


async def _dot(call: Call) -> int:
    if not call.args:
        return 2
    path = call.args[0]
    if not call.flash.is_file(call.path(path)):
        call.shell.complain(f".: can't open '{path}': No such file or directory")
        raise Exit(2)
    return await source(call.shell, path)


async def _exec(call: Call) -> int:
    if not call.args:
        return 0
    call.shell.takes_over = True
    raise Exit(await dispatch(call.shell, call.args))


async def _command(call: Call) -> int:
    if call.args and call.args[0] in {"-v", "-V"}:
        return _which(call, call.args[1:])
    if not call.args:
        return 0
    saved, call.shell.functions = call.shell.functions, {}
    try:
        return await dispatch(call.shell, call.args)
    finally:
        call.shell.functions = saved


def _which(call: Call, names: list[str]) -> int:
    status = 0
    for name in names:
        path = find_program(call.shell, name)
        if "/" in name and call.flash.exists(call.path(name)):
            path = name
        if name in call.shell.functions or name in BUILTINS:
            call.out(name + "\n")
        elif path is not None:
            call.out(path + "\n")
        elif name in APPLETS and name not in call.device.settings.lacks:
            call.out(f"/bin/{name}\n")
        else:
            status = 127
    return status


def _type(call: Call) -> int:
    status = 0
    for name in call.args:
        known = applet_named(call.shell, name) is not None or name in call.shell.functions
        call.out(f"{name} is a command\n" if known else f"{name}: not found\n")
        status = status if known else 127
    return status


async def _read(call: Call) -> int:
    args = [arg for arg in call.args if not arg.startswith("-")] or ["REPLY"]
    raw = any(arg.startswith("-") and "r" in arg for arg in call.args)
    data = await call.stdin.read_line()
    text = data.decode("utf-8", "surrogateescape")
    complete = text.endswith("\n")
    text = text.removesuffix("\n")
    while not raw and complete and text.endswith("\\"):
        more = (await call.stdin.read_line()).decode("utf-8", "surrogateescape")
        complete, text = more.endswith("\n"), text[:-1] + more.removesuffix("\n")
    if not raw:
        text = text.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
    ifs = call.shell.vars.get("IFS", " \t\n")
    for name, value in zip(args, split_read(text, ifs, len(args)), strict=True):
        call.shell.vars[name] = value
    return 0 if complete else 1


def split_read(text: str, ifs: str, count: int) -> list[str]:
    """`text` split at IFS into `count` values; the last keeps the rest."""
    blank = "".join(char for char in ifs if char in " \t\n")
    values = []
    rest = text.lstrip(blank) if blank else text
    for _ in range(count - 1):
        end = next((at for at, char in enumerate(rest) if char in ifs), len(rest))
        values.append(rest[:end])
        rest = rest[end:]
        after = rest.lstrip(blank) if blank else rest
        if after[:1] and after[0] in ifs and after[0] not in blank:
            after = after[1:].lstrip(blank) if blank else after[1:]
        rest = after
    return [*values, rest.rstrip(blank) if blank else rest]


def _trap(call: Call) -> int:
    if not call.args:
        for name, action in call.shell.traps.items():
            call.out(f"trap -- '{action}' {name}\n")
        return 0
    action, *names = call.args
    if not names:
        action, names = "-", [action]
    for given in names:
        name = given.upper().removeprefix("SIG")
        if name.isdigit():
            numbers = {str(number): key for key, number in SIGNALS.items()} | {"0": "EXIT"}
            name = numbers.get(name, name)
        if name not in SIGNALS and name != "EXIT":
            call.shell.complain(f"trap: {given}: invalid signal specification")
            return 1
        if action == "-":
            call.shell.traps.pop(name, None)
        else:
            call.shell.traps[name] = action
    return 0


async def _wait(call: Call) -> int:
    children = call.shell.children
    if not call.args:
        tasks = [child.task for child in children.values() if child.task is not None]
        if tasks:
            await asyncio.wait(tasks)
        return 0
    status = 0
    for arg in call.args:
        child = children.get(int(arg)) if arg.isdigit() else None
        if child is None or child.task is None:
            status = 127
            continue
        await asyncio.wait([child.task])
        status = child.status or 0
    return status


async def _sh(call: Call) -> int:
    args = list(call.args)
    options: set[str] = set()
    while args and args[0].startswith("-") and args[0] != "-" and "c" not in args[0]:
        options |= set(args.pop(0)[1:])
    if args and args[0].startswith("-") and "c" in args[0]:
        options |= set(args[0][1:]) - {"c"}
        if len(args) < 2:
            return call.err("option requires an argument -- 'c'") + 1
        name = args[2] if len(args) > 2 else call.name
        text, rest = args[1], args[3:]
    elif args and args[0] != "-":
        name, rest = args[0], args[1:]
        if not call.flash.is_file(call.path(name)):
            call.err(f"can't open '{name}': No such file or directory")
            return 2
        text = call.flash.read(call.path(name)).decode("utf-8", "surrogateescape")
    else:
        name, rest = call.name, args[1:]
        text = (await call.stdin.read()).decode("utf-8", "surrogateescape")
    flags = "".join(flag for flag in "eux" if flag in options)
    text = (f"set -{flags}\n" if flags else "") + text
    command = " ".join([call.name, *call.args])
    return await run_program(call.shell, name, text, rest, command)


def _umask(call: Call) -> int:
    if not call.args:
        call.out("0022\n")
    return 0


BUILTINS: dict[str, Applet] = {
    ".": _dot, "source": _dot, ":": lambda _call: 0, "break": _break, "cd": _cd,
    "command": _command, "continue": _continue, "eval": _eval, "exec": _exec, "exit": _exit,
    "export": _export, "local": _local, "pwd": _pwd, "read": _read, "readonly": _readonly,
    "return": _return, "set": _set, "sh": _sh, "ash": _sh, "shift": _shift, "trap": _trap,
    "type": _type, "umask": _umask, "unset": _unset, "wait": _wait,
    "which": lambda call: min(1, _which(call, call.args)),
}  # fmt: skip
