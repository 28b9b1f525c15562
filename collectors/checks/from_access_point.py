"""Checks made by an access point over SSH, with what its busybox and uclient have. Nothing on it is
changed: udhcpc configures nothing (its script is /bin/true) and gives the lease back.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from collectors.checks.model import (
    DHCP,
    DNS,
    PORTAL,
    SILENT,
    CheckPlan,
    CheckResult,
    judge_http,
)
from napalm_openwrt.fetching import NOT_FOUND, fetch_command, read_answer
from napalm_openwrt.session import Access, Output, Session

SSH_S = 15.0
_CLOCK = "read now _ < /proc/uptime; echo $now"
_LEASE = re.compile(r"lease of \S+ obtained(?: from (?P<server>[0-9.]+))?")
_RCODE = re.compile(r"NXDOMAIN|SERVFAIL|REFUSED")


def check_from_access_point(access: Access, plan: CheckPlan) -> list[CheckResult]:
    """One result for each check of `plan`, whose `interface` is one of the access point's.

    Waits for the device: run it in a thread. Raises NapalmException if it cannot be signed in to.
    """
    session = Session(access)
    try:
        steps = {DHCP: _address, DNS: _name, PORTAL: _portal}
        return [steps[check](session, plan) for check in plan.checks]
    finally:
        session.close()


@dataclass(frozen=True)
class _Ran:
    """A command's end: its status, both its outputs together, how long it took by its own clock."""

    status: int
    text: str
    ms: float | None


def _run(session: Session, command: str, timeout_s: float) -> _Ran:
    script = f"{_CLOCK}; ({command}) 2>&1; s=$?; echo; {_CLOCK}; exit $s"
    output = session.run(script, timeout=timeout_s)
    return _read(output)


def _read(output: Output) -> _Ran:
    lines = output.stdout.rstrip("\n").split("\n")
    try:
        # Hundredths of a second since the device started: all that ash can tell of time.
        ms = round((float(lines[-1]) - float(lines[0])) * 1000, 1)
    except (ValueError, IndexError):
        return _Ran(output.status, output.stdout, None)
    return _Ran(output.status, "\n".join(lines[1:-1]), ms)


def _address(session: Session, plan: CheckPlan) -> CheckResult:
    seconds = max(1, int(plan.timeout_s / 3))
    ran = _run(
        session,
        f"udhcpc -n -q -f -R -t 3 -T {seconds} -i {shlex.quote(plan.interface)} -s /bin/true",
        3 * seconds + SSH_S,
    )
    return read_udhcpc(ran.status, ran.text, ran.ms)


def read_udhcpc(status: int, text: str, ms: float | None) -> CheckResult:
    """What udhcpc said."""
    lease = _LEASE.search(text)
    if lease:
        server = lease["server"]
        return CheckResult(DHCP, True, f"lease from {server}" if server else "lease", ms)
    if "no lease" in text:
        return CheckResult(DHCP, False, SILENT)
    return _unknown(DHCP, "udhcpc", status, text)


def _name(session: Session, plan: CheckPlan) -> CheckResult:
    words = ["nslookup", plan.dns_name, *([plan.dns_server] if plan.dns_server else [])]
    ran = _run(session, shlex.join(words), 4 * plan.timeout_s + SSH_S)
    return read_nslookup(ran.status, ran.text, ran.ms)


def read_nslookup(status: int, text: str, ms: float | None) -> CheckResult:
    """What nslookup said, of busybox's small form or its large one."""
    answer = text.partition("Name:")[2]
    if "Address" in answer:
        return CheckResult(DNS, True, "answer", ms)
    code = _RCODE.search(text)
    if code:
        return CheckResult(DNS, False, code[0])
    if "No answer" in text or "can't find" in text or "Parse error" in text:
        return CheckResult(DNS, False, "no address for this name")
    if "timed out" in text or "can't resolve" in text or "no servers" in text:
        return CheckResult(DNS, False, SILENT)
    return _unknown(DNS, "nslookup", status, text)


def _portal(session: Session, plan: CheckPlan) -> CheckResult:
    seconds = max(1, round(plan.timeout_s))
    ran = _run(session, fetch_command(plan.portal_url, seconds), 2 * seconds + SSH_S)
    return read_fetch(ran.status, ran.text, plan.expect, ran.ms)


def read_fetch(status: int, text: str, expect: str, ms: float | None) -> CheckResult:
    """What uclient-fetch said, or busybox's wget with its -S."""
    http, said = read_answer(status, text)
    if http > 0:
        return judge_http(http, said, expect, ms)
    if http == 0:
        return CheckResult(PORTAL, False, said)
    return _unknown(PORTAL, "uclient-fetch or wget", status, text)


def _unknown(check: str, program: str, status: int, text: str) -> CheckResult:
    if status == NOT_FOUND or "not found" in text:
        return CheckResult(check, None, f"the access point has no {program}")
    said = " ".join(text.split())[:80]
    plain = "".join(letter if letter.isprintable() else "?" for letter in said)
    return CheckResult(check, None, f"{program} ended with {status}: {plain}")
