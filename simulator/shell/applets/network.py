"""`iwinfo`, LLDP, `ping` and `uclient-fetch`: as much of them as a look at a device needs."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import secrets
import urllib.parse
from typing import TYPE_CHECKING
from zlib import crc32

from simulator.running import Network, Tunnel
from simulator.shell.applets.options import options
from simulator.shell.commands import Applet, Call

if TYPE_CHECKING:
    from simulator.device import Device


def _describe(call: Call, network: Network) -> str:
    device = call.device
    encryption = "none" if network.encryption == "none" else network.encryption
    quality = min(70, 40 + device.traffic.clients(network, device.networks))
    ghz = network.frequency_mhz / 1000
    return (
        f'{network.interface:9s} ESSID: "{network.ssid}"\n'
        f"          Access Point: {network.bssid.upper()}\n"
        f"          Mode: Master  Channel: {network.channel} ({ghz:.3f} GHz)\n"
        f"          Tx-Power: {network.tx_power_dbm} dBm  Link Quality: {quality}/70\n"
        f"          Signal: -58 dBm  Noise: {device.traffic.noise_dbm(network)} dBm\n"
        f"          Encryption: {encryption}\n"
        f"          Type: nl80211  HW Mode(s): pretend\n"
    )


def _iwinfo(call: Call) -> int:
    networks = [n for n in call.device.networks if n.up]
    if call.args:
        networks = [n for n in networks if n.interface == call.args[0]]
        if not networks:
            return call.err(f"No such wireless device: {call.args[0]}")
    if call.args[1:2] == ["assoclist"]:
        count = call.device.traffic.clients(networks[0], call.device.networks)
        for number in range(count):
            call.out(
                f"02:00:00:00:{number >> 8:02X}:{number & 255:02X}  -61 dBm / -92 dBm (SNR 31)\n"
            )
        if not count:
            call.out("No station connected\n")
        return 0
    call.out("\n".join(_describe(call, network) for network in networks))
    return 0


def _iw(call: Call) -> int:
    if call.args != ["dev"]:
        return call.err("only `iw dev` is pretended here")
    for network in call.device.networks:
        call.out(
            f"\tInterface {network.interface}\n\t\taddr {network.bssid}\n\t\tssid {network.ssid}\n"
            f"\t\ttype AP\n\t\tchannel {network.channel} ({network.frequency_mhz} MHz)\n"
            f"\t\ttxpower {network.tx_power_dbm}.00 dBm\n"
        )
    return 0


def _lldpctl(call: Call) -> int:
    """The switch in front of the device, as lldpd tells of it: json0, json or words."""
    form = call.args[call.args.index("-f") + 1] if "-f" in call.args[:-1] else "plain"
    device = call.device
    name, port = f"sw-{device.settings.address.split('.')[2]}", f"Port {_port(device)}"
    mac, words = "02:fe:00:00:00:01", "Pretend switch"
    able = [{"type": "Bridge", "enabled": True}, {"type": "Router", "enabled": False}]
    common = {"via": "LLDP", "rid": "1", "age": "0 day, 00:01:00"}
    told: dict[str, object]
    if form == "json0":
        chassis = {"id": [{"type": "mac", "value": mac}], "name": [{"value": name}],
                   "descr": [{"value": words}], "capability": able}  # fmt: skip
        far = {"id": [{"type": "local", "value": port}], "descr": [{"value": port}],
               "ttl": [{"value": "120"}]}  # fmt: skip
        one = {"name": "eth0", **common, "chassis": [chassis], "port": [far]}
        told = {"lldp": [{"interface": [one]}]}
    else:
        by_name = {name: {"id": {"type": "mac", "value": mac}, "descr": words, "capability": able}}
        end = {"id": {"type": "local", "value": port}, "descr": port, "ttl": "120"}
        told = {"lldp": {"interface": {"eth0": {**common, "chassis": by_name, "port": end}}}}
    if form.startswith("json"):
        call.out(json.dumps(told, indent=2) + "\n")
    else:
        call.out(
            f"Interface:    eth0, via: LLDP\n  Chassis:\n    ChassisID:    mac {mac}\n"
            f"    SysName:      {name}\n  Port:\n    PortID:       local {port}\n"
        )
    return 0


def _port(device: Device) -> int:
    """Which port of its switch a device hangs on: always the same."""
    return crc32(device.settings.seed.encode()) % 24 + 1


async def _ping(call: Call) -> int:
    found = options(call, "c:s:t:W:w:I:i:q46A")
    if found is None or not found[1]:
        return 1
    flags, (host, *_) = found
    count, size = int(flags.get("c", 4)), int(flags.get("s", 56))
    address = "127.0.0.1" if host == "localhost" else host
    try:
        near = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        call.shell.write(2, f"{call.name}: bad address '{host}'\n".encode())
        return 1
    call.out(f"PING {host} ({address}): {size} data bytes\n")
    answers = near.is_loopback and (call.device.reachable or address == "127.0.0.1")
    for number in range(count):
        if number:
            await call.device.time.sleep(1)
        if answers and "q" not in flags:
            took = f"0.{41 + number % 9:03d}"
            call.out(f"{size + 8} bytes from {address}: seq={number} ttl=64 time={took} ms\n")
    if not answers:
        await call.device.time.sleep(float(flags.get("W", 10)))
    received = count if answers else 0
    call.out(f"\n--- {host} ping statistics ---\n{count} packets transmitted, {received} packets "
             f"received, {0 if answers else 100}% packet loss\n")  # fmt: skip
    if answers:
        call.out("round-trip min/avg/max = 0.041/0.045/0.049 ms\n")
    return 0 if answers else 1


def _traceroute(call: Call) -> int:
    found = options(call, "nq:m:w:s:f:i:Il")
    if found is None or not found[1]:
        return 1
    host = found[1][0]
    if not host.startswith("127."):
        return call.err(f"bad address '{host}'")
    call.out(f"traceroute to {host} ({host}), 30 hops max, 46 byte packets\n"
             f" 1  {host}  0.041 ms  0.042 ms  0.043 ms\n")  # fmt: skip
    return 0


async def _fetch(call: Call) -> int:
    """uclient-fetch: pages of this machine are fetched; elsewhere the portal's flag decides."""
    found = options(call, "T:O:q")
    if found is None or not found[1]:
        return 1
    flags, (url, *_) = found
    parts = urllib.parse.urlsplit(url)
    say = call.shell.write
    say(2, f"Downloading '{url}'\n".encode())
    if not call.device.portal_up or not call.device.reachable:
        say(2, b"Failed to establish connection\nConnection failed\n")
        return 4
    status, body = 200, b"<title>A pretend portal</title>\n"
    if (parts.hostname or "").startswith("127.") and parts.scheme == "http":
        try:
            status, body = await _http(call, parts, float(flags.get("T", 10)))
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            say(2, b"Connection failed\n")
            return 4
    say(2, f"Connecting to {parts.hostname}:{parts.port or 80}\n".encode())
    if status >= 400:
        say(2, f"HTTP error {status}\n".encode())
        return 8
    name = flags.get("O", "")
    if name == "-":
        call.out_bytes(body)
    elif name:
        say(2, f"Writing to '{name}'\n".encode())
        call.flash.write(call.path(name), body)
    say(2, f"Download completed ({len(body)} bytes)\n".encode())
    return 0


def _public(private: str) -> str:
    """The public key of a WireGuard private key; ValueError for what is none."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = X25519PrivateKey.from_private_bytes(base64.b64decode(private, validate=True))
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


async def _wg(call: Call) -> int:
    """Tunnels as the network service has them; a peer with an endpoint has just been met."""
    match call.args[:1]:
        case ["genkey"]:
            call.out(base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        case ["pubkey"]:
            call.out(_public((await call.stdin.read()).decode("ascii", "replace").strip()) + "\n")
        case [] | ["show"]:
            wanted = (call.args[1:] or ["all"])[0]
            for tunnel in call.device.tunnels:
                if wanted in {"all", "interfaces", tunnel.name}:
                    call.out(_tunnel(call, tunnel, call.args[2:3]))
        case _:
            return call.err("only show, genkey and pubkey are pretended here")
    return 0


def _tunnel(call: Call, tunnel: Tunnel, what: list[str]) -> str:
    met = int(call.device.clock()) - 30
    if what == ["latest-handshakes"]:
        return "".join(f"{key}\t{met if end else 0}\n" for key, end, _ in tunnel.peers)
    own = _public(tunnel.private_key) if tunnel.private_key else "(none)"
    text = f"interface: {tunnel.name}\n  public key: {own}\n  private key: (hidden)\n"
    for key, end, allowed in tunnel.peers:
        text += f"\npeer: {key}\n"
        text += f"  endpoint: {end}\n" if end else ""
        text += f"  allowed ips: {', '.join(allowed) or '(none)'}\n"
        text += "  latest handshake: 30 seconds ago\n" if end else ""
    return text + "\n"


async def _http(call: Call, parts: urllib.parse.SplitResult, seconds: float) -> tuple[int, bytes]:
    async with asyncio.timeout(seconds / call.device.time.rate):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            return int(head.split(None, 2)[1]), await reader.read()
        finally:
            writer.close()


APPLETS: dict[str, Applet] = {
    "iwinfo": _iwinfo, "iw": _iw, "lldpctl": _lldpctl, "lldpcli": _lldpctl, "ping": _ping,
    "wg": _wg, "ping6": _ping, "traceroute": _traceroute, "uclient-fetch": _fetch,
}  # fmt: skip
