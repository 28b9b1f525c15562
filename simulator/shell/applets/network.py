"""`iwinfo`, `ifconfig` and `ip`: as much of them as a look at a device needs."""

from __future__ import annotations

from simulator.kernel_files import interfaces
from simulator.running import Network
from simulator.shell.commands import Applet, Call


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


def _ifconfig(call: Call) -> int:
    counters = call.device.traffic.advance(call.device.networks)
    for name, (_, up, mac) in interfaces(call.device).items():
        if call.args and name not in call.args:
            continue
        count = counters.get(name)
        rx, tx = (count.rx, count.tx) if count else (0, 0)
        call.out(
            f"{name:9s} Link encap:Ethernet  HWaddr {mac.upper()}\n"
            f"          {'UP ' if up else ''}BROADCAST MULTICAST  MTU:1500  Metric:1\n"
            f"          RX bytes:{rx:.0f}  TX bytes:{tx:.0f}\n\n"
        )
    return 0


def _ip(call: Call) -> int:
    for name, (index, up, mac) in interfaces(call.device).items():
        state, flag = ("UP", ",UP") if up else ("DOWN", "")
        call.out(
            f"{index}: {name}: <BROADCAST,MULTICAST{flag}> mtu 1500 state {state}\n"
            f"    link/ether {mac} brd ff:ff:ff:ff:ff:ff\n"
        )
        if name == "br-lan" and not {"link", "l"} & set(call.args):
            call.out(f"    inet {call.device.settings.address}/8 scope global br-lan\n")
    return 0


APPLETS: dict[str, Applet] = {"iwinfo": _iwinfo, "iw": _iw, "ifconfig": _ifconfig, "ip": _ip}
