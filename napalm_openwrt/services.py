"""What a device's services are set to, and who may sign in: NTP, SNMP, users."""

from __future__ import annotations

import re
from typing import Any

from napalm_openwrt.asking import Shell, ask, number, sections, words

MASK = "•••"
FULL, NONE = 15, 0
"""Levels in NAPALM's words: a user that may do all, and one that may do nothing in particular."""
CHRONY_KINDS = {"^": "u", "=": "s", "#": "l"}
"""Server, peer or clock of its own, as ntpq would say it."""
NO_SHELL = ("/false", "/nologin")


def get_ntp_servers(shell: Shell) -> dict[str, dict[str, Any]]:
    """Servers that the device's NTP client is set to; none where it is switched off."""
    text = ask(shell, "get_ntp_servers", {"system": "uci export system"})["system"]
    found = {}
    for section in sections(text, "system", "timeserver"):
        # An enabled client is the default, a server for others is not asked for here.
        if section.text("enabled", "1") == "0":
            continue
        for server in words(section, "server"):
            found[server] = {
                "address": server, "port": 123, "version": 4, "association_type": "SERVER",
                "iburst": False, "prefer": False,
            }  # fmt: skip
    return found


def get_ntp_stats(shell: Shell) -> list[dict[str, Any]]:
    """What chrony or ntpd tells of its servers, delays in ms; busybox's ntpd tells nothing."""
    answers = ask(shell, "get_ntp_stats", {"chrony": "chronyc -c sources", "ntpd": "ntpq -pn"})
    found = []
    for line in answers["chrony"].splitlines():
        parts = line.split(",")
        if len(parts) != 10:
            continue
        found.append(_source(
            remote=parts[2], referenceid="", synchronized=parts[1] == "*",
            stratum=number(parts[3], 16), type=CHRONY_KINDS.get(parts[0], "-"), when=parts[6],
            hostpoll=2 ** max(0, min(17, number(parts[4], 0))), reachability=number(parts[5], 0),
            delay=0.0, offset=_decimal(parts[7]) * 1000, jitter=_decimal(parts[9]) * 1000,
        ))  # fmt: skip
    for line in answers["ntpd"].splitlines():
        match = re.match(r"([ *+#ox.\-])(\S+)\s+(.+)$", line)
        parts = match[3].split() if match else []
        if match and len(parts) == 9 and parts[1].isdecimal():
            found.append(_source(
                remote=match[2], referenceid=parts[0], synchronized=match[1] == "*",
                stratum=number(parts[1], 16), type=parts[2], when=parts[3],
                hostpoll=number(parts[4], 0), reachability=number(parts[5], 0),
                delay=_decimal(parts[6]), offset=_decimal(parts[7]), jitter=_decimal(parts[8]),
            ))  # fmt: skip
    return found


def _source(**told: Any) -> dict[str, Any]:
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in told.items()}


def _decimal(text: str) -> float:
    return float(text) if re.fullmatch(r"[-+]?\d{1,12}(\.\d{1,12})?", text) else 0.0


def get_snmp_information(shell: Shell, *, mask_secrets: bool) -> dict[str, Any]:
    """Communities with who may use them; `acl` is where from, as snmpd's config has it."""
    text = ask(shell, "get_snmp_information", {"snmpd": "uci export snmpd"})["snmpd"]
    system = {
        option: section.text(option)
        for section in sections(text, "snmpd", "system")
        for option in ("sysName", "sysContact", "sysLocation")
        if section.text(option)
    }
    writing = {
        section.text("group")
        for section in sections(text, "snmpd", "access")
        if section.text("write", "none") != "none"
    }
    names = {
        section.text("secname")
        for section in sections(text, "snmpd", "group")
        if section.text("group") in writing
    }
    communities: dict[str, dict[str, str]] = {}
    for kind in ("com2sec", "com2sec6"):
        for section in sections(text, "snmpd", kind):
            name = section.text("community")
            if not name:
                continue
            if mask_secrets:
                name = MASK + (f" {len(communities) + 1}" if communities else "")
            communities.setdefault(name, {
                "acl": section.text("source", "default"),
                "mode": "rw" if section.text("secname") in names else "ro",
            })  # fmt: skip
    return {
        "chassis_id": system.get("sysName", ""),
        "community": communities,
        "contact": system.get("sysContact", ""),
        "location": system.get("sysLocation", ""),
    }


def get_users(shell: Shell, *, mask_secrets: bool) -> dict[str, dict[str, Any]]:
    """Users that may sign in: with a shell, and a password or a key."""
    answers = ask(shell, "get_users", {
        "passwd": "cat /etc/passwd", "shadow": "cat /etc/shadow",
        "keys": "cat /etc/dropbear/authorized_keys",
    })  # fmt: skip
    hashes = {}
    for line in answers["shadow"].splitlines():
        name, _, rest = line.partition(":")
        hashes[name] = rest.partition(":")[0]
    keys = [
        line.strip() for line in answers["keys"].splitlines()
        if re.match(r"(?:\S+ )?(?:ssh|ecdsa|sk)-\S+ \S+", line.strip())
    ]  # fmt: skip
    found = {}
    for line in answers["passwd"].splitlines():
        parts = line.strip().split(":")
        if len(parts) != 7 or parts[6].endswith(NO_SHELL):
            continue
        kept = hashes.get(parts[0], "") if parts[1] == "x" else parts[1]
        # `*` and `!` are no password that anybody could know.
        password = kept if kept.startswith("$") else ""
        root = number(parts[2]) == 0
        found[parts[0]] = {
            "level": FULL if root else NONE,
            "password": MASK if password and mask_secrets else password,
            # dropbear has one list of keys, root's.
            "sshkeys": keys if parts[0] == "root" else [],
        }
    return {
        name: user for name, user in found.items()
        if user["level"] == FULL or user["password"] or user["sshkeys"]
    }  # fmt: skip
