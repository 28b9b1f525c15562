"""`ip`, `arp`, `route`, `ifconfig` and `brctl`: links, addresses, routes and neighbours."""

from __future__ import annotations

from simulator.kernel_files import Link, gateway, links
from simulator.shell.commands import Applet, Call

_FAMILIES = {"inet": 4, "inet6": 6, "link": 0}


def _head(link: Link) -> str:
    flags = "LOOPBACK" if link.name == "lo" else "BROADCAST,MULTICAST"
    if link.enabled:
        flags += ",UP" + (",LOWER_UP" if link.up else "")
    if link.enabled and not link.up:
        flags = "NO-CARRIER," + flags
    master = f"master {link.master} " if link.master else ""
    state = "" if link.name == "lo" else f"state {'UP' if link.up else 'DOWN'} "
    kind, broadcast = ("loopback", "00:00:00:00:00:00"), "ff:ff:ff:ff:ff:ff"
    if link.name != "lo":
        kind = ("ether", broadcast)
    ends = f"{kind[0]} {link.mac} brd {kind[1]}" if link.mac else "none"
    return (
        f"{link.index}: {link.name}: <{flags}> mtu {link.mtu} qdisc noqueue {master}{state}"
        f"qlen 1000\n    link/{ends}\n"
    )


def _addresses(link: Link, family: int) -> str:
    lines = ""
    for address in link.addresses:
        version = 6 if ":" in address else 4
        if family in {version, -1}:
            host = "::1" in address or address.startswith("127.0.0.1")
            scope = "host" if host else "link" if address.startswith("fe80") else "global"
            name = "" if version == 6 else f" {link.name}"
            lines += (
                f"    inet{'6' if version == 6 else ''} {address} scope {scope}{name}\n"
                "       valid_lft forever preferred_lft forever\n"
            )
    return lines


def _ip(call: Call) -> int:
    args, family = list(call.args), -1
    while args and args[0].startswith("-"):
        flag = args.pop(0)
        if flag in {"-f", "-family"} and args:
            family = _FAMILIES.get(args.pop(0), -1)
        elif flag in {"-4", "-6", "-0"}:
            family = int(flag[1])
    what = args.pop(0) if args else ""
    if args[:1] and args[0] in {"show", "list", "sh", "s", "l", "ls"}:
        args.pop(0)
    name = args[args.index("dev") + 1] if "dev" in args[:-1] else (args or [""])[0]
    if what.startswith("a") or (what and "link".startswith(what)):
        return _ip_links(call, what, family, name)
    if what and ("route".startswith(what)):
        return _ip_route(call, family)
    if what.startswith("n"):
        return _ip_neighbours(call, family, name)
    call.shell.write(2, b"Usage: ip [OPTIONS] address|route|link|neigh [ARGS]\n")
    return 1


def _ip_links(call: Call, what: str, family: int, name: str) -> int:
    found = [link for link in links(call.device) if name in {"", link.name}]
    if not found:
        return call.err(f"can't find device '{name}'")
    for link in found:
        below = _addresses(link, family) if what.startswith("a") else ""
        if below or family in {-1, 0} or not what.startswith("a"):
            call.out(_head(link) + below)
    return 0


def _ip_route(call: Call, family: int) -> int:
    way, address = gateway(call.device), call.device.settings.address
    if family == 6:
        call.out("fe80::/64 dev br-lan  metric 256 \n")
    elif call.device.reachable:
        network = f"{way.rpartition('.')[0]}.0/24"
        call.out(f"default via {way} dev br-lan  src {address} \n"
                 f"{network} dev br-lan scope link  src {address} \n")  # fmt: skip
    return 0


def _ip_neighbours(call: Call, family: int, name: str) -> int:
    if name not in {"", "br-lan"} or not call.device.reachable:
        return 0
    if family != 6:
        call.out(f"{gateway(call.device)} dev br-lan lladdr 02:fe:00:00:00:01 used 0/0/0 probes 4 "
                 "REACHABLE\n")  # fmt: skip
    if family != 4:
        call.out("fe80::fe:ff:fe00:1 dev br-lan lladdr 02:fe:00:00:00:01 router used 0/0/0 "
                 "probes 1 STALE\n")  # fmt: skip
    return 0


def _arp(call: Call) -> int:
    rows = call.flash.read("/proc/net/arp").decode().splitlines()[1:]
    for parts in (row.split() for row in rows):
        call.out(f"? ({parts[0]}) at {parts[3]} [ether]  on {parts[5]}\n")
    return 0


def _route(call: Call) -> int:
    way = gateway(call.device)
    call.out(
        "Kernel IP routing table\n"
        "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface\n"
    )
    if call.device.reachable:
        network, none = f"{way.rpartition('.')[0]}.0", ".".join("0000")
        for to, by, mask, flags in ((none, way, none, "UG"), (network, none, "255.255.255.0", "U")):
            call.out(f"{to:15} {by:15} {mask:15} {flags:5} 0      0        0 br-lan\n")
    return 0


def _ifconfig(call: Call) -> int:
    counters = call.device.traffic.advance(call.device.networks)
    wanted = [arg for arg in call.args if not arg.startswith("-")]
    for link in links(call.device):
        if (wanted and link.name not in wanted) or not (link.enabled or wanted or call.args):
            continue
        count = counters.get(link.name)
        rx, tx = (count.rx, count.tx) if count else (0, 0)
        lines = "".join(
            f"          inet6 addr: {one} Scope:{'Host' if '::1/' in one else 'Link'}\n"
            if ":" in one
            else f"          inet addr:{one.partition('/')[0]}  Mask:"
            f"{'255.0.0.0' if one.endswith('/8') else '255.255.255.0'}\n"
            for one in link.addresses
        )
        kind = "Local Loopback  " if link.name == "lo" else f"Ethernet  HWaddr {link.mac.upper()}"
        flags = ("UP " if link.enabled else "") + ("RUNNING " if link.up else "")
        call.out(
            f"{link.name:9s} Link encap:{kind}\n{lines}"
            f"          {flags}MULTICAST  MTU:{link.mtu}  Metric:1\n"
            f"          RX bytes:{rx:.0f}  TX bytes:{tx:.0f}\n\n"
        )
    return 0


def _brctl(call: Call) -> int:
    if call.args[:1] != ["show"]:
        return call.err("only `brctl show` is pretended here")
    ports = [link.name for link in links(call.device) if link.master == "br-lan"]
    mac = call.device.settings.identity.mac.replace(":", "")
    call.out("bridge name\tbridge id\t\tSTP enabled\tinterfaces\n")
    call.out(f"br-lan\t\t7fff.{mac}\tno\t\t" + "\n\t\t\t\t\t\t\t".join(ports) + "\n")
    return 0


APPLETS: dict[str, Applet] = {
    "ip": _ip, "arp": _arp, "route": _route, "ifconfig": _ifconfig, "brctl": _brctl,
}  # fmt: skip
