"""What a check asks and finds: frozen records and pure judgement, no I/O and no heavy import, for
they also travel to the process that plays the client.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

DHCP, DNS, PORTAL = "dhcp", "dns", "portal"
CHECKS = (DHCP, DNS, PORTAL)
INTERNET, CAPTIVE, SILENT = "internet", "portal", "no answer"
EXPECTATIONS = {"either": {INTERNET, CAPTIVE}, "portal": {CAPTIVE}, "internet": {INTERNET}}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
AUTHENTICATION_REQUIRED = 511


@dataclass(frozen=True)
class CheckPlan:
    """What to check, by whom and how long. An empty text leaves that check, or choice, out.

    `interface` is where an address is asked for; the other checks go out there too, and from
    `source`. `expect` is one of EXPECTATIONS.
    """

    interface: str = ""
    source: str = ""
    dns_name: str = ""
    dns_server: str = ""
    portal_url: str = ""
    expect: str = "either"
    timeout_s: float = 5.0

    @property
    def checks(self) -> tuple[str, ...]:
        """Which checks this plan has."""
        wanted = {DHCP: self.interface, DNS: self.dns_name, PORTAL: self.portal_url}
        return tuple(check for check in CHECKS if wanted[check])


@dataclass(frozen=True)
class CheckResult:
    """How a check went: `ok` is None where it could not be made at all; `reason` says what came, or
    what hindered it; `ms` is how long the answer took.
    """

    check: str
    ok: bool | None
    reason: str
    ms: float | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is printed and passed on."""
        return asdict(self)


def judge_http(status: int, location: str, expect: str, ms: float | None) -> CheckResult:
    """What the answer to a probe that asks for 204 means.

    204 is the open internet. A redirect, a page (200) or 511 (RFC 6585) is a portal in the way.
    """
    if status == 204:
        outcome, reason = INTERNET, "internet: 204"
    elif status in REDIRECTS:
        outcome, reason = CAPTIVE, f"portal: redirects to {host_of(location)}"
    elif status in {200, AUTHENTICATION_REQUIRED}:
        outcome, reason = CAPTIVE, f"portal: answers {status} itself"
    else:
        return CheckResult(PORTAL, False, f"HTTP {status}", ms)
    ok = outcome in EXPECTATIONS[expect]
    return CheckResult(PORTAL, ok, reason if ok else f"{reason}, {expect} expected", ms)


def host_of(location: str) -> str:
    """Scheme and host of a redirect: its path and query may name the client."""
    try:
        parts = urlsplit(location.strip())
        if not parts.hostname:
            return "another page"
        return f"{parts.scheme}://{parts.hostname}" if parts.hostname.isprintable() else "a host"
    except ValueError:
        return "something that is no address"
