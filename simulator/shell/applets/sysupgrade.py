"""`sysupgrade`: checks an image, and reboots into it with the configuration or without."""

from __future__ import annotations

import asyncio
import stat

from simulator import stock_config
from simulator.firmware import ImageError, read_image
from simulator.flash import Flash
from simulator.shell.applets.options import options
from simulator.shell.commands import Applet, Call

KEPT = (
    "/etc/config", "/etc/dropbear", "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/rc.local",
    "/etc/crontabs", "/etc/sysupgrade.conf", "/etc/pretend/password",
)  # fmt: skip
"""What a plain upgrade carries over: little, and no script of /etc/init.d."""
_USAGE = "Usage: sysupgrade [<upgrade-option>...] <image file>\n"


async def _sysupgrade(call: Call) -> int:
    call.args = ["-T" if arg == "--test" else arg for arg in call.args]
    found = options(call, "TFncqvkuoi")
    if found is None or len(found[1]) != 1:
        call.shell.write(2, _USAGE.encode())
        return 1
    flags, (name,) = found
    try:
        image = read_image(call.flash.read(call.path(name)), stock_config.BOARD, force="F" in flags)
    except OSError:
        call.shell.write(2, f"Image file {name} not found.\n".encode())
        return 1
    except ImageError as error:
        call.shell.write(2, f"{error}\nImage check failed.\n".encode())
        return 1
    if "T" in flags:
        return 0
    kept = {} if "n" in flags else files_kept(call.flash, changed="c" in flags or "o" in flags)
    call.shell.write(2, b"Saving config files...\n" if kept else b"")
    call.shell.write(2, b"Commencing upgrade. Closing all shell sessions.\n")
    await asyncio.sleep(0)
    call.device.upgrade(image, kept)
    await asyncio.Event().wait()  # until the device takes our session away
    return 0


def files_kept(flash: Flash, *, changed: bool) -> dict[str, tuple[bytes, int]]:
    """Content and mode of the files that an upgrade carries over; `changed`: all of /etc."""
    tops = ["/etc"] if changed else list(KEPT)
    if flash.is_file("/etc/sysupgrade.conf"):
        lines = flash.read("/etc/sysupgrade.conf").decode("utf-8", "surrogateescape").splitlines()
        tops += [line.strip() for line in lines if line.strip().startswith("/")]
    found: dict[str, tuple[bytes, int]] = {}
    for top in tops:
        _collect(flash, top.rstrip("/"), found)
    stock = {"/etc/openwrt_release", "/etc/os-release", "/etc/openwrt_version", "/etc/banner"}
    return {path: file for path, file in found.items() if path not in stock}


def _collect(flash: Flash, path: str, found: dict[str, tuple[bytes, int]]) -> None:
    if not flash.exists(path):
        return
    mode = flash.stat(path, follow=False).st_mode
    if stat.S_ISDIR(mode):
        for name in flash.names(path):
            _collect(flash, f"{path}/{name}", found)
    elif stat.S_ISREG(mode):
        found[path] = flash.read(path), stat.S_IMODE(mode)


APPLETS: dict[str, Applet] = {"sysupgrade": _sysupgrade}
