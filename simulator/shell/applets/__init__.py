"""The programs of a pretend access point, by name: what busybox and OpenWrt bring along."""

from __future__ import annotations

from simulator.shell.applets import (
    conditions,
    files,
    hashes,
    listing,
    network,
    printing,
    processes,
    sed,
    system,
    text,
    ubus,
)
from simulator.shell.commands import Applet

APPLETS: dict[str, Applet] = {
    **conditions.APPLETS,
    **files.APPLETS,
    **hashes.APPLETS,
    **listing.APPLETS,
    **network.APPLETS,
    **printing.APPLETS,
    **processes.APPLETS,
    **sed.APPLETS,
    **system.APPLETS,
    **text.APPLETS,
    **ubus.APPLETS,
}
