"""Commands about processes: sleeping, listing, killing, running detached."""

from __future__ import annotations

import asyncio
import re

from simulator.shell.applets.options import options
from simulator.shell.commands import Applet, Call, dispatch
from simulator.shell.control import SIGNALS
from simulator.shell.nodes import AndOr, Literal, Pipeline, Sequence, Simple, Word
from simulator.shell.streams import Bytes, Nowhere

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}


async def _sleep(call: Call) -> int:
    total = 0.0
    for arg in call.args:
        match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([smhd]?)", arg)
        if match is None:
            return call.err(f"invalid number '{arg}'")
        total += float(match.group(1)) * _UNITS[match.group(2)]
    await call.device.time.sleep(total)
    return 0


async def _usleep(call: Call) -> int:
    microseconds = int(call.args[0]) if call.args and call.args[0].isdigit() else 0
    await call.device.time.sleep(microseconds / 1e6)
    return 0


def _ps(call: Call) -> int:
    rows = [
        *call.device.daemons(),
        *((p.pid, p.command) for p in call.device.processes.running.values()),
    ]
    lines = ["  PID USER       VSZ STAT COMMAND\n"]
    lines += [f"{pid:5d} root      1320 S    {command}\n" for pid, command in sorted(rows)]
    call.out("".join(lines))
    return 0


def signal_number(text: str) -> int | None:
    """Number of a signal given as name or number."""
    name = text.upper().removeprefix("SIG")
    return int(name) if name.isdigit() else SIGNALS.get(name)


def _kill(call: Call) -> int:
    args, number = list(call.args), 15
    if args and args[0].startswith("-") and len(args[0]) > 1:
        flag = args.pop(0)
        if flag == "-l":
            call.out("".join(f"{value}) {name}\n" for name, value in SIGNALS.items()))
            return 0
        given = signal_number(args.pop(0) if flag == "-s" and args else flag[1:])
        if given is None:
            return call.err(f"bad signal name '{flag[1:]}'")
        number = given
    status = 0
    for arg in args:
        pid = arg.removeprefix("-")
        if not pid.isdigit():
            status = call.err(f"invalid number '{arg}'")
        elif not call.device.kill(int(pid), number):
            status = call.err(f"can't kill pid {arg}: No such process")
    return status


def _named(call: Call, name: str) -> list[int]:
    """Processes that a name means: the program's, or a script's as in `sh SCRIPT`."""
    found = []
    rows = [
        *call.device.daemons(),
        *((p.pid, p.command) for p in call.device.processes.running.values()),
    ]
    for pid, command in rows:
        words = [word.rpartition("/")[2] for word in command.split()[:2]]
        if words and (words[0] == name or (words[0] in {"sh", "ash"} and words[1:] == [name])):
            found.append(pid)
    return found


def _pidof(call: Call) -> int:
    pids = [pid for name in call.args for pid in _named(call, name.rpartition("/")[2])]
    if pids:
        call.out(" ".join(map(str, sorted(pids, reverse=True))) + "\n")
    return 0 if pids else 1


def _killall(call: Call) -> int:
    number, names = 15, []
    for arg in call.args:
        if arg.startswith("-"):
            number = signal_number(arg[1:]) or number
        else:
            names.append(arg)
    pids = [pid for name in names for pid in _named(call, name) if pid != call.shell.process.pid]
    for pid in pids:
        call.device.kill(pid, number)
    return 0 if pids else call.err(f"{' '.join(names)}: no process killed")


async def _run_args(call: Call, args: list[str]) -> int:
    return await dispatch(call.shell, args) if args else call.err("missing command")


async def _setsid(call: Call) -> int:
    args = list(call.args)
    while args and args[0] in {"-c", "-w", "-f"}:
        args.pop(0)
    return await _run_args(call, args)


async def _nohup(call: Call) -> int:
    before = dict(call.shell.traps)
    call.shell.traps.setdefault("HUP", "")
    try:
        return await _run_args(call, call.args)
    finally:
        call.shell.traps = before


async def _env(call: Call) -> int:
    shell, args = call.shell, list(call.args)
    while args and (args[0].startswith("-") or "=" in args[0]):
        name, equals, value = args.pop(0).partition("=")
        if equals:
            shell.vars[name] = value
            shell.exported.add(name)
    if args:
        return await dispatch(shell, args)
    call.out("".join(f"{name}={shell.vars.get(name, '')}\n" for name in sorted(shell.exported)))
    return 0


async def _timeout(call: Call) -> int:
    args = [arg for arg in call.args if not arg.startswith("-")]
    try:
        seconds = float(args[0].rstrip("s")) / call.device.time.rate
        return await asyncio.wait_for(dispatch(call.shell, args[1:]), seconds)
    except TimeoutError:
        return 143
    except (ValueError, IndexError):
        return call.err("usage: timeout SECS PROG ARGS")


def _start_stop_daemon(call: Call) -> int:
    args = list(call.args)
    program = args[args.index("--") + 1 :] if "--" in args else []
    own = args[: args.index("--")] if "--" in args else args
    found = options(Call(call.name, own, call.shell), "SKbmqotx:n:a:p:s:u:c:")
    if found is None:
        return 1
    flags, rest = found
    pid_file = call.path(flags["p"]) if "p" in flags else None
    running = _pid_in(call, pid_file)
    name = flags.get("x") or flags.get("a") or (rest[0] if rest else "")
    if "K" in flags:
        pids = [running] if running else _named(call, (flags.get("n") or name).rpartition("/")[2])
        for pid in pids:
            call.device.kill(pid, signal_number(flags.get("s", "TERM")) or 15)
        return 0 if pids or "o" in flags else 1
    if running:
        return 0 if "o" in flags else call.err(f"{name} is already running")
    argv = [flags.get("a") or name, *rest, *program]
    pid = start_detached(call, argv)
    if pid_file and "m" in flags:
        call.flash.write(pid_file, f"{pid}\n".encode())
    return 0


def _pid_in(call: Call, path: str | None) -> int | None:
    if path is None or not call.flash.is_file(path):
        return None
    text = call.flash.read(path).strip()
    pid = int(text) if text.isdigit() else 0
    return pid if call.device.kill(pid, 0) else None


def start_detached(call: Call, argv: list[str]) -> int:
    """Start a program that outlives its shell; returns its process number."""
    process = call.device.processes.new(" ".join(argv))
    shell = call.shell.child(process, argv[0])
    shell.shell_pid = process.pid
    shell.fds = {0: Bytes(), 1: Nowhere(), 2: Nowhere()}
    shell.takes_over = True

    words = tuple(Word((Literal(arg, quoted=True),)) for arg in argv)
    item = AndOr(Pipeline((Simple((), words, ()),), negated=False), ())
    call.device.processes.start(process, shell.main(Sequence(((item, False),))))
    return process.pid


async def _lock(call: Call) -> int:
    """OpenWrt's lock: a file that one holder has; -n does not wait, -u gives it back."""
    names = [arg for arg in call.args if not arg.startswith("-")]
    if not names:
        return call.err("usage: lock [-nu] FILE")
    path = call.path(names[0])
    if "-u" in call.args:
        call.device.locks.discard(path)
        return 0
    while path in call.device.locks:
        if "-n" in call.args:
            return 1
        await asyncio.sleep(0.05)
    call.device.locks.add(path)
    call.flash.touch(path)
    return 0


APPLETS: dict[str, Applet] = {
    "sleep": _sleep, "usleep": _usleep, "ps": _ps, "kill": _kill, "pidof": _pidof,
    "pgrep": _pidof, "killall": _killall, "setsid": _setsid, "nohup": _nohup, "env": _env,
    "timeout": _timeout, "start-stop-daemon": _start_stop_daemon, "lock": _lock,
}  # fmt: skip
