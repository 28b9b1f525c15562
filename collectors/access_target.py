"""A host on the command line as something to ask, and why it gave no answer: what
`farola snmp probe` and `farola snmp walk` share.
"""

from __future__ import annotations

import ipaddress
import socket

from collectors.access import ICMP
from collectors.access_options import COMMUNITY_VARIABLE, AccessOptions, access_of
from collectors.snmp.addresses import port_meant, split_host_port
from collectors.snmp.model import DEADLINE_S, V3, SweepFigures, Target
from farola.errors import DeviceError, InputError

SNMP_PORT = 161
_AUTH = "FAROLA_SNMP_AUTH_PASSWORD and --auth-protocol"
_PRIV = "FAROLA_SNMP_PRIV_PASSWORD and --priv-protocol"
_REFUSALS = {
    "wrongDigests": _AUTH,
    "privacy password": _PRIV,
    "unknownUserNames": "--user",
    "unsupportedSecLevels": "--auth-protocol and --priv-protocol against the user on the device",
    "authorizationError": "what the device lets this user read, and at which level",
    "notInTimeWindows": "the device's clock and engineBoots",
    "unknownEngineIDs": "whether several devices answer at this address",
}
"""What to check, by what the error names (docs/collecting.md lists these words)."""


def target_of(
    host: str, how: AccessOptions, timeout_s: float, retries: int = 1,
    deadline_s: float = DEADLINE_S,
) -> Target:  # fmt: skip
    """What to ask for `host`, as the options and the environment say.

    Raises
    ------
    InputError
        `host` is not HOST or HOST:PORT, or the options do not go together.
    DeviceError
        The name of the host does not resolve.
    """
    address, port = split_host_port(host, SNMP_PORT)
    access = access_of(how)
    if access.version == ICMP:
        raise InputError(f"credential {how.credential!r} says that its devices speak no SNMP")
    return Target(
        host, _numeric(address, port), port, access.community, timeout_s, retries, deadline_s,
        access.version, access.usm,
    )  # fmt: skip


def unanswered(
    target: Target, how: AccessOptions, error: str, figures: SweepFigures
) -> DeviceError:
    """Why `target` gave nothing, what came instead, and what to check."""
    said = [f"{target.device_id}: {error}"]
    if figures.malformed:
        are = "packet came that is" if figures.malformed == 1 else "packets came that are"
        said.append(f"{figures.malformed:,} {are} not SNMP v{target.version}")
    if figures.other_address:
        said.append("an answer came from another address, and was not believed")
    return DeviceError("; ".join([*said, f"check {_advice(target, how, error)}"]))


def _advice(target: Target, how: AccessOptions, error: str) -> str:
    refused = next((check for word, check in _REFUSALS.items() if word in error), "")
    if refused:
        return f"credential {how.credential!r}" if how.credential else refused
    who = ""
    if target.version != V3:  # a v3 agent that lives tells who it does not know
        who = f" and {_community(how)}"
    ports = port_meant(target.device_id)
    address = f"the address (with a port, write {ports})" if ports else "the address"
    return f"{address}, that SNMP v{target.version} is on there{who}"


def _community(how: AccessOptions) -> str:
    if how.credential:
        return f"the community in credential {how.credential!r}"
    return "the community" if how.community else f"the community ({COMMUNITY_VARIABLE})"


def _numeric(address: str, port: int) -> str:
    """The address of a host's name; what is an address already stays as it is."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        pass
    else:
        return address
    try:
        rows = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError, ValueError):
        raise DeviceError(
            f"{address[:100]!r} does not resolve: correct the name, or give the IP address"
        ) from None
    return str(rows[0][4][0])
