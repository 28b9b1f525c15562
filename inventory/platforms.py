"""The platforms by name: which driver, what it can do, how its config is fetched.

A platform that NAPALM lacks is a line of `CONSOLES`, for Netmiko: no code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Capabilities:
    """What a platform's driver can do; a rollout adapts to it."""

    diff: bool
    """Whether it tells beforehand what a candidate would change."""
    atomic: bool
    """Whether a commit takes effect whole or not at all."""
    replace: bool
    """Whether a candidate can replace what runs, or is only merged into it."""
    confirm: bool
    """Whether a commit reverts by itself unless it is confirmed."""
    rollback: bool
    """Whether a commit can be taken back."""
    config: bool
    """Whether its config can be fetched for the history."""
    commands: bool
    """Whether commands can be run on it."""

    @property
    def transaction(self) -> bool:
        """Whether a change can be pushed to it: nothing is pushed that was not seen before and
        cannot be taken back.
        """
        return self.diff and self.rollback

    def names(self) -> list[str]:
        """The names of what it can."""
        return [field.name for field in fields(self) if getattr(self, field.name)]

    def words(self) -> str:
        """What it can and what not, in one line."""
        lacks = [field.name for field in fields(self) if not getattr(self, field.name)]
        can = ", ".join(self.names()) or "nothing"
        return can + (f" (no {', no '.join(lacks)})" if lacks else "")


WHOLE = Capabilities(
    diff=True, atomic=True, replace=True, confirm=True, rollback=True, config=True, commands=True
)
CONSOLE = Capabilities(
    diff=False, atomic=False, replace=False, confirm=False, rollback=False, config=True,
    commands=True,
)  # fmt: skip
"""A session to type into: whatever is entered takes effect at once, line by line."""
NAPALM = {
    "openwrt": WHOLE,
    "eos": WHOLE,
    "junos": WHOLE,
    # A merge is a file copied line by line into what runs.
    "ios": Capabilities(diff=True, atomic=False, replace=True, confirm=True, rollback=True,
                        config=True, commands=True),
    "nxos": Capabilities(diff=True, atomic=False, replace=True, confirm=False, rollback=True,
                         config=True, commands=True),
    "nxos_ssh": Capabilities(diff=True, atomic=False, replace=True, confirm=False, rollback=True,
                             config=True, commands=True),
}  # fmt: skip
"""Platforms with a NAPALM driver: Farola's own, and those that NAPALM ships."""
WEB = frozenset({"eos", "nxos"})
"""Of these, those that are driven over HTTPS and not over SSH."""
RUNNING_CONFIG = "show running-config"
COMWARE = "display current-configuration"
CONSOLES = {
    "allied_telesis_awplus": RUNNING_CONFIG, "aruba_aoscx": RUNNING_CONFIG,
    "aruba_os": RUNNING_CONFIG, "aruba_osswitch": RUNNING_CONFIG,
    "cisco_s300": RUNNING_CONFIG, "cisco_wlc": "show run-config commands",
    "dell_os10": "show running-configuration", "extreme_exos": "show configuration",
    "extreme_wing": RUNNING_CONFIG, "fortinet": "show", "h3c_comware": COMWARE,
    "hp_comware": COMWARE, "hp_procurve": RUNNING_CONFIG, "huawei": COMWARE,
    "huawei_vrpv8": COMWARE, "mikrotik_routeros": "/export terse",
    "netgear_prosafe": RUNNING_CONFIG, "ruckus_fastiron": RUNNING_CONFIG,
    "tplink_jetstream": RUNNING_CONFIG, "ubiquiti_edgerouter": "show configuration commands",
    "ubiquiti_edgeswitch": RUNNING_CONFIG, "vyos": "show configuration commands",
    "zyxel_os": RUNNING_CONFIG,
}  # fmt: skip
"""By Netmiko's name of a platform, the command that shows its config."""
ALIASES = {
    "arista_eos": "eos", "cisco_ios": "ios", "cisco_xe": "ios", "cisco_nxos": "nxos_ssh",
    "juniper": "junos", "juniper_junos": "junos", "cisco_wlc_ssh": "cisco_wlc",
    "routeros": "mikrotik_routeros", "huawei_vrp": "huawei",
}  # fmt: skip
"""Other names of the same: Netmiko's, and those that inventories use."""
VOLATILE = re.compile(
    r"^(?:!Time:|!Running configuration last done at|! Last configuration change at"
    r"|! NVRAM config last updated at|!Last configuration was updated at"
    r"|## Last (?:commit|changed):|ntp clock-period |Building configuration|Current configuration :"
    r"|# \S+ \S+ by RouterOS|#conf_file_ver=|! Command: show )"
)
"""Lines of a config that tell when or how it was shown: they change with every look at it."""


def known(platform: str) -> str:
    """The name under which a platform is known here: NetBox writes `arista-eos`."""
    name = platform.strip().lower().replace("-", "_")
    return ALIASES.get(name, name)


def able(platform: str) -> Capabilities | None:
    """What the driver of a platform can do; None where there is no such platform."""
    name = known(platform)
    return NAPALM.get(name) or (CONSOLE if name in CONSOLES else None)


def stable(text: str) -> str:
    """A config without what changes at every look."""
    lines = [line.rstrip() for line in text.replace("\r", "").split("\n")]
    return "\n".join(line for line in lines if not VOLATILE.match(line)).strip("\n") + "\n"
