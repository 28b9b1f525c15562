"""The programs of a pretend access point, by name: what busybox and OpenWrt bring along."""

from __future__ import annotations

from simulator.shell.applets import (
    addresses,
    bytes_shown,
    conditions,
    dropbear,
    files,
    hashes,
    listing,
    network,
    printing,
    processes,
    sed,
    system,
    sysupgrade,
    text,
    ubus,
)
from simulator.shell.commands import Applet

APPLETS: dict[str, Applet] = {
    **addresses.APPLETS,
    **bytes_shown.APPLETS,
    **conditions.APPLETS,
    **dropbear.APPLETS,
    **files.APPLETS,
    **hashes.APPLETS,
    **listing.APPLETS,
    **network.APPLETS,
    **printing.APPLETS,
    **processes.APPLETS,
    **sed.APPLETS,
    **system.APPLETS,
    **sysupgrade.APPLETS,
    **text.APPLETS,
    **ubus.APPLETS,
}
