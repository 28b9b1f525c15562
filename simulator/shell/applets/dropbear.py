"""`dropbearkey`: tells a device's own host key."""

from __future__ import annotations

from simulator.shell.applets.options import options
from simulator.shell.commands import Applet, Call


def _dropbearkey(call: Call) -> int:
    from simulator.ssh_server import public_key

    found = options(call, "yf:")
    if found is None or "y" not in found[0] or "f" not in found[0]:
        return call.err("Must specify a key filename")
    name = found[0]["f"]
    if not name or not call.flash.exists(name):
        return call.err(f"Failed reading '{name}'")
    key = public_key(call.device.settings.seed)
    call.out(f"Public key portion is:\n{key} root@{call.device.hostname}\n")
    return 0


APPLETS: dict[str, Applet] = {"dropbearkey": _dropbearkey}
