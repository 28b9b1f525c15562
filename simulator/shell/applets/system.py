"""Commands about the system as a whole: names, memory, log, reboot, `uci`, services."""

from __future__ import annotations

import asyncio
import hashlib
import secrets

from simulator.kernel_files import MEMORY_KB, free_memory_kb
from simulator.shell.applets.options import options
from simulator.shell.applets.processes import start_detached
from simulator.shell.commands import Applet, Call, run_path
from simulator.uci.command import run_uci


async def _uci(call: Call) -> int:
    reads = any(word in {"import", "batch"} for word in call.args)
    given = ""
    if reads and "-f" not in call.args:
        given = (await call.stdin.read()).decode("utf-8", "surrogateescape")

    def read_input(path: str | None) -> str:
        if path is None:
            return given
        return call.flash.read(call.path(path)).decode("utf-8", "surrogateescape")

    files = _Relative(call)
    outcome = run_uci(call.args, files, read_input)
    call.out("".join(outcome.out))
    if outcome.err:
        call.shell.write(2, "".join(outcome.err).encode("utf-8", "surrogateescape"))
    return outcome.status


class _Relative:
    """The device's files, with paths as the shell's folder makes them."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]  # any method of Flash
        method = getattr(self._call.flash, name)
        path = self._call.path
        if name == "rename":
            return lambda old, new: method(path(old), path(new))
        if name == "write":
            return lambda where, data: method(path(where), data)
        return lambda where: method(path(where))


def _uname(call: Call) -> int:
    found = options(call, "asnrvmpo")
    if found is None:
        return 1
    values = {"s": "Linux", "n": call.device.hostname, "r": "5.15.150",
              "v": "#0 Fri Mar 22 22:09:42 2024", "m": "mips", "o": "GNU/Linux"}  # fmt: skip
    flags = found[0]
    wanted = values if "a" in flags else {key: values[key] for key in values if key in flags}
    call.out(" ".join(wanted.values() or ["Linux"]) + "\n")
    return 0


def _hostname(call: Call) -> int:
    if call.args:
        call.device.hostname = call.args[0]
    else:
        call.out(call.device.hostname + "\n")
    return 0


def _id(call: Call) -> int:
    flags = set("".join(call.args))
    if flags & {"u", "g", "G"}:
        call.out("root\n" if "n" in flags else "0\n")
    else:
        call.out("uid=0(root) gid=0(root) groups=0(root)\n")
    return 0


def _whoami(call: Call) -> int:
    call.out("root\n")
    return 0


def _uptime(call: Call) -> int:
    up = int(call.device.uptime_s)
    days, hours, minutes = up // 86400, up // 3600 % 24, up // 60 % 60
    when = f"{days} days, " if days else ""
    call.out(f" up {when}{hours:2d}:{minutes:02d},  load average: 0.08, 0.05, 0.01\n")
    return 0


def _free(call: Call) -> int:
    free = free_memory_kb(call.device)
    call.out(
        "              total        used        free      shared  buff/cache   available\n"
        f"Mem:      {MEMORY_KB:9d}   {MEMORY_KB - free - 8000:9d}   {free:9d}"
        f"         520        8000   {free + 4000:9d}\n"
        "Swap:             0           0           0\n"
    )
    return 0


def _logger(call: Call) -> int:
    found = options(call, "t:p:s")
    if found is None:
        return 1
    flags, words = found
    call.device.say(flags.get("t", "root"), " ".join(words))
    return 0


def _logread(call: Call) -> int:
    found = options(call, "l:e:f")
    if found is None:
        return 1
    lines = [line for line in call.device.log if found[0].get("e", "") in line]
    if "l" in found[0]:
        lines = lines[-int(found[0]["l"]) :]
    call.out("".join(line + "\n" for line in lines))
    return 0


async def _reboot(call: Call) -> int:
    found = options(call, "d:fnp")
    if found is None:
        return 1
    if "d" in found[0]:
        await call.device.time.sleep(float(found[0]["d"]))
    if {"f", "n"} <= set(found[0]):
        call.device.power_cut()  # neither scripts nor sync
        raise asyncio.CancelledError
    if "f" in found[0]:
        call.flash.sync()
    call.device.request_reboot()
    return 0


def _wifi(call: Call) -> int:
    action = call.args[0] if call.args else "up"
    if action in {"up", "reload", "reconf", "down"}:
        call.device.service("wifi", action)
        return 0
    if action == "status":
        call.out("{}\n")
        return 0
    return call.err(f"unknown command {action}")


def _reload_config(call: Call) -> int:
    call.device.reload_all()
    return 0


def _pretend_service(call: Call) -> int:
    """What the stock scripts of /etc/init.d call."""
    if len(call.args) != 2:
        return call.err("usage: pretend-service NAME ACTION")
    call.device.service(*call.args)
    return 0


def _pretend_instance(call: Call) -> int:
    """The programs of procd services: define SCRIPT ARGV…, start, stop or running SCRIPT."""
    if len(call.args) < 2:
        return call.err("usage: pretend-instance ACTION SCRIPT [ARGV]")
    action, script, *argv = call.args
    instances = call.device.instances
    command, pid = instances.get(script, ([], 0))
    alive = call.device.processes.kill(pid, 0)
    if action == "define":
        instances[script] = (argv, pid)
    elif action == "start" and command and not alive:
        instances[script] = (command, start_detached(call, command))
    elif action == "stop":
        call.device.processes.kill(pid, 15)
    elif action == "running":
        return 0 if alive else 1
    return 0


async def _service(call: Call) -> int:
    if not call.args:
        call.out("".join(f"/etc/init.d/{name}\n" for name in call.flash.names("/etc/init.d")))
        return 0
    return await run_path(call.shell, f"/etc/init.d/{call.args[0]}", call.args[1:])


SHADOW = "/etc/pretend/password"


def password_hash(password: str, salt: str) -> str:
    """How a pretend device keeps a password: salted, and good for nothing but pretending."""
    return f"{salt}${hashlib.sha256((salt + password).encode()).hexdigest()}"


def password_fits(stored: str, password: str) -> bool:
    """Whether `password` is the one that `stored` was made of."""
    salt = stored.partition("$")[0]
    return secrets.compare_digest(stored.strip(), password_hash(password, salt))


async def _passwd(call: Call) -> int:
    call.out("Changing password for root\nNew password: \n")
    first = (await call.stdin.read_line()).decode("utf-8", "surrogateescape").rstrip("\n")
    call.out("Retype password: \n")
    second = (await call.stdin.read_line()).decode("utf-8", "surrogateescape").rstrip("\n")
    if not first or first != second:
        call.shell.write(2, b"Passwords don't match\n")
        return call.err("password for root is unchanged")
    stored = password_hash(first, secrets.token_hex(8))
    call.flash.write(SHADOW, (stored + "\n").encode())
    call.out("passwd: password for root changed by root\n")
    return 0


def _mount(call: Call) -> int:
    call.out_bytes(call.flash.read("/proc/mounts"))
    return 0


APPLETS: dict[str, Applet] = {
    "uci": _uci, "uname": _uname, "hostname": _hostname, "id": _id, "uptime": _uptime,
    "whoami": _whoami, "free": _free, "logger": _logger,
    "logread": _logread, "reboot": _reboot, "wifi": _wifi, "reload_config": _reload_config,
    "pretend-service": _pretend_service, "pretend-instance": _pretend_instance,
    "service": _service, "passwd": _passwd, "mount": _mount, "clear": lambda _call: 0,
}  # fmt: skip
