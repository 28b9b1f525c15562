"""NAPALM driver for OpenWrt access points, usable without the rest of Farola.

`napalm.get_network_driver("openwrt")` returns the first driver class that it sees here, so
NAPALM's own base class must never be visible at this level.
"""

from napalm_openwrt.driver import OpenWrtDriver
from napalm_openwrt.transaction import new_commit_id

__all__ = ["OpenWrtDriver", "new_commit_id"]
