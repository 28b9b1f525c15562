"""Plays a client, in a process of its own: it may run in a network namespace, and one that hangs is
killed without harm. Reads a CheckPlan as JSON on standard input, prints each result as it is known.

    ip netns exec guests python -m collectors.checks.client < plan.json
"""

from __future__ import annotations

import errno
import http.client
import ipaddress
import json
import socket
import sys
import time
from urllib.parse import urlsplit

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from collectors.checks import dhcp
from collectors.checks.model import DHCP, DNS, PORTAL, SILENT, CheckPlan, CheckResult, judge_http

_NOT_ALLOWED = {errno.EPERM, errno.EACCES}
_NO_SUCH_PLACE = {errno.ENODEV, errno.ENOENT, errno.EADDRNOTAVAIL, errno.EADDRINUSE}


class UnreachableError(Exception):
    """A step on the way to the portal failed; the message says which."""


class Client:
    """One client with one plan; what DHCP offered is used by the checks after it."""

    def __init__(self, plan: CheckPlan) -> None:
        self.plan = plan
        self._name_servers: tuple[str, ...] = ()

    def address(self) -> CheckResult:
        """Whether an address is offered."""
        began = time.monotonic()
        try:
            offer = dhcp.first_offer(self.plan.interface, self.plan.timeout_s)
        except OSError as error:
            return hindered(DHCP, error)
        if offer is None:
            return CheckResult(DHCP, False, SILENT)
        self._name_servers = offer.name_servers
        return CheckResult(DHCP, True, f"offer from {offer.server}", _ms(began))

    def name(self) -> CheckResult:
        """Whether the name is answered for."""
        began = time.monotonic()
        try:
            self._lookup(self.plan.dns_name)
        except UnreachableError as error:
            return CheckResult(DNS, False, str(error))
        except OSError as error:
            return hindered(DNS, error)
        return CheckResult(DNS, True, "answer", _ms(began))

    def portal(self) -> CheckResult:
        """What answers a request for 204."""
        url = urlsplit(self.plan.portal_url)
        host = url.hostname or ""
        try:
            numeric = host if _is_address(host) else self._lookup(host)
            began = time.monotonic()
            with self._connected(numeric, url.port or 80) as one:
                connection = http.client.HTTPConnection(host, url.port or 80)
                connection.sock = one
                path = (url.path or "/") + (f"?{url.query}" if url.query else "")
                connection.request("GET", path, headers={"User-Agent": "Farola check"})
                answer = connection.getresponse()
                ms = _ms(began)
                location = answer.getheader("Location") or ""
                return judge_http(answer.status, location, self.plan.expect, ms)
        except TimeoutError:
            return CheckResult(PORTAL, False, SILENT)
        except UnreachableError as error:
            return CheckResult(PORTAL, False, f"{host}: {error}")
        except (ConnectionError, http.client.RemoteDisconnected):
            return CheckResult(PORTAL, False, "connection refused or broken off")
        except http.client.HTTPException:
            return CheckResult(PORTAL, False, "not HTTP")
        except OSError as error:
            return hindered(PORTAL, error)

    def _lookup(self, name: str) -> str:
        """The first address of `name`; UnreachableError if there is none."""
        server = self.plan.dns_server or next(iter(self._name_servers), "") or _system_server()
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            try:
                question = dns.message.make_query(name, kind)
                with self._socket(server, socket.SOCK_DGRAM) as one:
                    one.setblocking(False)
                    answer = dns.query.udp(
                        question, server, timeout=self.plan.timeout_s, sock=one,
                        ignore_unexpected=True, ignore_errors=True,
                    )  # fmt: skip
            except dns.exception.Timeout:
                raise UnreachableError(SILENT) from None
            except dns.exception.DNSException as error:
                raise UnreachableError(f"no use of the answer: {type(error).__name__}") from None
            if answer.rcode() != dns.rcode.NOERROR:
                raise UnreachableError(dns.rcode.to_text(answer.rcode()))
            for rows in answer.answer:
                if rows.rdtype == kind:
                    return str(rows[0].address)
        raise UnreachableError("no address for this name")

    def _connected(self, address: str, port: int) -> socket.socket:
        one = self._socket(address, socket.SOCK_STREAM)
        try:
            one.settimeout(self.plan.timeout_s)
            one.connect((address, port))
        except BaseException:
            one.close()
            raise
        return one

    def _socket(self, towards: str, kind: int) -> socket.socket:
        """A socket that goes out where the plan says."""
        family = socket.AF_INET6 if ":" in towards else socket.AF_INET
        one = socket.socket(family, kind)
        try:
            if self.plan.interface:
                name = self.plan.interface.encode() + b"\0"
                one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            if self.plan.source and (":" in self.plan.source) == (":" in towards):
                one.bind((self.plan.source, 0))
        except BaseException:
            one.close()
            raise
        return one


def hindered(check: str, error: OSError) -> CheckResult:
    """What an OSError means: nothing can be said if we may not, or the way out is not there."""
    text = error.strerror or str(error)
    if error.errno in _NOT_ALLOWED:
        return CheckResult(check, None, f"not allowed here: {text}; needs root")
    if error.errno in _NO_SUCH_PLACE:
        return CheckResult(check, None, f"cannot be made here: {text}")
    return CheckResult(check, False, text)


def _system_server() -> str:
    try:
        return str(dns.resolver.get_default_resolver().nameservers[0])
    except (dns.exception.DNSException, IndexError):
        raise UnreachableError("no name server is known here") from None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def main() -> None:
    """Run the checks of the plan on standard input."""
    client = Client(CheckPlan(**json.load(sys.stdin)))
    steps = {DHCP: client.address, DNS: client.name, PORTAL: client.portal}
    for check in client.plan.checks:
        print(json.dumps(steps[check]().as_json()), flush=True)


if __name__ == "__main__":
    main()
