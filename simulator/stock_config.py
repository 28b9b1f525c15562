"""What lies on a pretend access point when it leaves the factory and met the community's
package: /etc/config as a stock OpenWrt 23.05 has it, with snmpd and the radios of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RELEASE = "23.05.3"
REVISION = "r23809-234f1a2efa"
MODEL = "Pretend AP 2x2"
BOARD = "pretend,ap-2x2"


@dataclass(frozen=True)
class Identity:
    """What sets one device apart from the next."""

    id: str
    mac: str
    serial: str
    bssid_2g: str
    bssid_5g: str
    channel_2g: int = 1
    channel_5g: int = 36


def config_files(who: Identity) -> dict[str, str]:
    """Text of each file of /etc/config."""
    return {
        "system": f"""
config system
	option hostname '{who.id}'
	option timezone 'UTC'
	option ttylogin '0'
	option log_size '64'
	option urandom_seed '0'

config timeserver 'ntp'
	option enabled '1'
	option enable_server '0'
	list server '0.openwrt.pool.ntp.org'
	list server '1.openwrt.pool.ntp.org'
""",
        "network": f"""
config interface 'loopback'
	option device 'lo'
	option proto 'static'
	option ipaddr '127.0.0.1'
	option netmask '255.0.0.0'

config globals 'globals'
	option ula_prefix 'fd{who.mac[3:5]}:{who.mac[6:8]}{who.mac[9:11]}::/48'

config device
	option name 'br-lan'
	option type 'bridge'
	list ports 'eth0'

config interface 'lan'
	option device 'br-lan'
	option proto 'dhcp'
""",
        "wireless": f"""
config wifi-device 'radio0'
	option type 'mac80211'
	option path 'platform/ahb/18100000.wmac'
	option channel '{who.channel_2g}'
	option band '2g'
	option htmode 'HT20'
	option txpower '20'
	option country '00'

config wifi-iface 'default_radio0'
	option device 'radio0'
	option network 'lan'
	option mode 'ap'
	option ifname 'wlan0'
	option macaddr '{who.bssid_2g}'
	option ssid 'OpenWrt'
	option encryption 'none'

config wifi-device 'radio1'
	option type 'mac80211'
	option path 'pci0000:00/0000:00:00.0'
	option channel '{who.channel_5g}'
	option band '5g'
	option htmode 'VHT80'
	option txpower '20'
	option country '00'

config wifi-iface 'default_radio1'
	option device 'radio1'
	option network 'lan'
	option mode 'ap'
	option ifname 'wlan1'
	option macaddr '{who.bssid_5g}'
	option ssid 'OpenWrt'
	option encryption 'none'
""",
        "dhcp": """
config dnsmasq
	option domainneeded '1'
	option localise_queries '1'
	option rebind_protection '1'
	option local '/lan/'
	option domain 'lan'
	option leasefile '/tmp/dhcp.leases'

config dhcp 'lan'
	option interface 'lan'
	option ignore '1'
""",
        "firewall": """
config defaults
	option syn_flood '1'
	option input 'REJECT'
	option output 'ACCEPT'
	option forward 'REJECT'

config zone
	option name 'lan'
	list network 'lan'
	option input 'ACCEPT'
	option output 'ACCEPT'
	option forward 'ACCEPT'
""",
        "dropbear": """
config dropbear
	option PasswordAuth 'on'
	option RootPasswordAuth 'on'
	option Port '22'
""",
        "snmpd": """
config agent
	option agentaddress 'UDP:161'

config com2sec 'public'
	option secname 'ro'
	option source 'default'
	option community 'public'

config system
	option sysLocation 'a pretend street'
	option sysContact 'nobody@example.invalid'
""",
    }


SERVICES: dict[str, int] = {
    "boot": 10,
    "system": 10,
    "log": 12,
    "firewall": 19,
    "dropbear": 19,
    "dnsmasq": 19,
    "wpad": 19,
    "network": 20,
    "odhcpd": 35,
    "cron": 50,
    "uhttpd": 50,
    "snmpd": 50,
    "sysntpd": 98,
    "done": 95,
}
"""Services started from /etc/rc.d, with the number that orders them."""

_SERVICE = """#!/bin/sh /etc/rc.common
# A pretend service: what it does is done by the simulator.
START={start}
STOP=90
start() {{ pretend-service {name} start; }}
stop() {{ pretend-service {name} stop; }}
restart() {{ pretend-service {name} restart; }}
reload() {{ pretend-service {name} reload; }}
"""


def other_files(who: Identity, release: str = RELEASE, revision: str = REVISION) -> dict[str, str]:
    """Text of the files outside /etc/config, by their path on the device."""
    files = {
        "/etc/openwrt_release": (
            "DISTRIB_ID='OpenWrt'\n"
            f"DISTRIB_RELEASE='{release}'\nDISTRIB_REVISION='{revision}'\n"
            "DISTRIB_TARGET='ath79/generic'\nDISTRIB_ARCH='mips_24kc'\n"
            f"DISTRIB_DESCRIPTION='OpenWrt {release} {revision}'\nDISTRIB_TAINTS=''\n"
        ),
        "/etc/os-release": (
            f'NAME="OpenWrt"\nVERSION="{release}"\nID="openwrt"\nID_LIKE="lede openwrt"\n'
            f'PRETTY_NAME="OpenWrt {release}"\nVERSION_ID="{release}"\n'
            f'BUILD_ID="{revision}"\nOPENWRT_BOARD="ath79/generic"\nOPENWRT_ARCH="mips_24kc"\n'
        ),
        "/etc/openwrt_version": f"{revision}\n",
        "/etc/banner": " A pretend access point of Farola's simulator.\n",
        "/etc/hosts": "127.0.0.1 localhost\n",
        "/etc/passwd": "root:x:0:0:root:/root:/bin/ash\n",
        "/etc/group": "root:x:0:\n",
        "/etc/rc.local": "# Commands here run when the system has started.\n\nexit 0\n",
        "/etc/rc.common": "# Read by the simulator: see simulator/shell/init.py\n",
        "/etc/board.json": f'{{"model": {{"id": "{BOARD}", "name": "{MODEL}"}}}}\n',
        "/etc/dropbear/dropbear_ed25519_host_key": "pretend: see dropbearkey\n",
        "/etc/pretend/serial": f"{who.serial}\n",
    }
    for name, start in SERVICES.items():
        files[f"/etc/init.d/{name}"] = _SERVICE.format(name=name, start=start)
    return files


def memory_files(who: Identity) -> dict[str, str]:
    """Text of the files that the first seconds of a boot leave under /tmp."""
    return {
        "/tmp/sysinfo/model": f"{MODEL}\n",  # noqa: S108 - a path on the pretend device
        "/tmp/sysinfo/board_name": f"{BOARD}\n",  # noqa: S108
        "/tmp/sysinfo/serial": f"{who.serial}\n",  # noqa: S108
    }


_FOLDERS = [
    "bin",
    "sbin",
    "usr/bin",
    "usr/sbin",
    "lib",
    "dev",
    "proc",
    "sys",
    "mnt",
    "overlay",
    "root",
    "etc/config",
    "etc/init.d",
    "etc/rc.d",
    "etc/dropbear",
    "etc/crontabs",
    "etc/uci-defaults",
    "etc/pretend",
    "tmp",
]


def install(root: Path, who: Identity, release: str = RELEASE, revision: str = REVISION) -> None:
    """Make the file system of a factory-new device under `root`, unless there is one."""
    if (root / "etc" / "config").is_dir():
        return
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "var").symlink_to("tmp")
    _write(root, {f"/etc/config/{name}": text for name, text in config_files(who).items()})
    _write(root, other_files(who, release, revision))
    for name, start in SERVICES.items():
        script = root / "etc" / "init.d" / name
        script.chmod(0o755)
        (root / "etc" / "rc.d" / f"S{start:02d}{name}").symlink_to(f"../init.d/{name}")
    (root / "etc" / "rc.local").chmod(0o755)


def install_memory(root: Path, who: Identity) -> None:
    """Write what a boot leaves under /tmp."""
    for folder in ("tmp/sysinfo", "tmp/run", "tmp/log", "tmp/lock", "tmp/state"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    _write(root, memory_files(who))


def _write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
