"""Run as a process of its own: makes frames with scapy, asks scapy what they say, prints both.

`python oracle.py COUNT SEED CAPTURE` writes a pcap of COUNT frames (half of them no beacons) and
prints one JSON object a frame with scapy's reading, or null where it is no beacon.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import warnings

logging.getLogger("scapy").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore")

from scapy.layers.dot11 import (  # noqa: E402
    AKMSuite,
    Dot11,
    Dot11Auth,
    Dot11Beacon,
    Dot11Elt,
    Dot11EltCountry,
    Dot11EltCountryConstraintTriplet,
    Dot11EltDSSSet,
    Dot11EltERP,
    Dot11EltHTCapabilities,
    Dot11EltMicrosoftWPA,
    Dot11EltRates,
    Dot11EltRSN,
    Dot11EltVendorSpecific,
    Dot11FCS,
    Dot11ProbeReq,
    Dot11ProbeResp,
    Dot11QoS,
    RadioTap,
    RSNCipherSuite,
)
from scapy.packet import Raw  # noqa: E402
from scapy.utils import PcapReader, PcapWriter  # noqa: E402

AKMS = {
    "open": (None, []), "WEP": (None, []), "WPA": ("wpa", [2]), "WPA2": ("rsn", [2]),
    "WPA2-SHA256": ("rsn", [6]), "Enterprise": ("rsn", [1]), "WPA3-SAE": ("rsn", [8]),
    "WPA2/WPA3-SAE": ("rsn", [2, 8]), "OWE": ("rsn", [18]), "WPA/WPA2": ("both", [2]),
}  # fmt: skip
CHANNELS = {**{c: 2407 + 5 * c for c in range(1, 14)}, 36: 5180, 44: 5220, 149: 5745, 165: 5825}


def address(dice: random.Random) -> str:
    return ":".join(["02", *(f"{dice.randrange(256):02x}" for _ in range(5))])


def elements(dice: random.Random, security: str, channel: int):
    ssid = dice.choice(
        [b"Free WiFi", b"", "Ayuntamiento ñ".encode(), dice.randbytes(dice.randrange(33))]
    )
    yield Dot11Elt(ID=0, info=ssid)
    yield Dot11EltRates(rates=[0x82, 0x84, 0x8B, 0x96, 12, 24])
    if channel <= 14 or dice.random() < 0.5:
        yield Dot11EltDSSSet(channel=channel)
    yield Dot11Elt(ID=5, info=bytes([dice.randrange(3), 3, 0, 0]))
    if dice.random() < 0.5:
        yield Dot11EltCountry(
            country_string=dice.choice([b"MX ", b"FRI", b"GBO"]),
            descriptors=[
                Dot11EltCountryConstraintTriplet(first_channel_number=1, num_channels=11, mtp=20)
            ],
        )
    if dice.random() < 0.5:
        yield Dot11EltERP()
    kind, suites = AKMS[security]
    if kind in ("rsn", "both"):
        yield Dot11EltRSN(
            pairwise_cipher_suites=[RSNCipherSuite(cipher=4)],
            akm_suites=[AKMSuite(suite=n) for n in suites],
            mfp_capable=int(8 in suites),
            mfp_required=int(suites == [8]),
        )
    if dice.random() < 0.7:
        yield Dot11EltHTCapabilities()
        yield Dot11Elt(ID=61, info=bytes([channel]) + bytes(21))
    if kind in ("wpa", "both"):
        yield Dot11EltMicrosoftWPA(
            pairwise_cipher_suites=[RSNCipherSuite(oui=0x50F2, cipher=2)],
            akm_suites=[AKMSuite(oui=0x50F2, suite=n) for n in suites],
        )
    if dice.random() < 0.5:
        yield Dot11EltVendorSpecific(oui=0x0050F2, info=b"\x02\x01\x01" + dice.randbytes(18))


def frame(dice: random.Random, fcs: bool):
    security = dice.choice(list(AKMS))
    channel = dice.choice(list(CHANNELS))
    tap = RadioTap(
        present=dice.choice(["Flags+Channel+dBm_AntSignal", "TSFT+Flags+Rate+Channel+"
                             "dBm_AntSignal+dBm_AntNoise+Antenna", "Flags+Channel"]),
        ChannelFrequency=CHANNELS[channel], dBm_AntSignal=dice.randrange(-95, -20),
        Flags="FCS" if fcs else 0, Rate=2, mac_timestamp=dice.randrange(2**40),
    )  # fmt: skip
    bssid = address(dice)
    header = {"addr1": "ff:ff:ff:ff:ff:ff", "addr2": bssid, "addr3": bssid,
              "SC": dice.randrange(4096) << 4}  # fmt: skip
    plain = Dot11FCS if fcs else Dot11
    what = dice.choice(["beacon", "beacon", "beacon", "answer", "request", "data", "auth"])
    if what in ("beacon", "answer"):
        body = (Dot11Beacon if what == "beacon" else Dot11ProbeResp)(
            timestamp=dice.randrange(2**50), beacon_interval=dice.choice([100, 200]),
            cap="ESS" if AKMS[security][0] is None and security != "WEP" else "ESS+privacy",
        )  # fmt: skip
        for element in elements(dice, security, channel):
            body = body / element
        if what == "answer":
            header["addr1"] = address(dice)
        return tap / plain(type=0, subtype=8 if what == "beacon" else 5, **header) / body
    if what == "request":
        return tap / plain(type=0, subtype=4, **header) / Dot11ProbeReq() / Dot11Elt(ID=0)
    if what == "auth":
        return tap / plain(type=0, subtype=11, **header) / Dot11Auth()
    return tap / plain(type=2, subtype=8, **header) / Dot11QoS() / Raw(dice.randbytes(60))


def answer(packet) -> dict[str, object] | None:
    """What scapy says of a frame, in scapy's own words."""
    layer = packet.getlayer(Dot11Beacon) or packet.getlayer(Dot11ProbeResp)
    if layer is None:
        return None
    stats = layer.network_stats()
    tap = packet.getlayer(RadioTap)
    elements = {}
    element = packet.getlayer(Dot11Elt)
    while isinstance(element, Dot11Elt):
        elements.setdefault(element.ID, element)
        element = element.payload
    rsn, wpa = packet.getlayer(Dot11EltRSN), packet.getlayer(Dot11EltMicrosoftWPA)
    return {
        "bssid": packet.addr3,
        "ssid": bytes(elements[0].info).hex(),
        "channel": stats.get("channel"),
        "frequency": tap.ChannelFrequency,
        "rssi": int(tap.dBm_AntSignal) if tap.dBm_AntSignal is not None else None,
        "tsf": layer.timestamp,
        "interval": layer.beacon_interval,
        "country": stats.get("country"),
        "crypto": sorted(stats["crypto"]),
        "rsn": [s.suite for s in rsn.akm_suites] if rsn else [],
        "wpa": [s.suite for s in wpa.akm_suites] if wpa else [],
        "probe_response": packet.haslayer(Dot11ProbeResp) == 1,
        "at_us": int(packet.time * 1_000_000),
    }


def main(count: int, seed: int, path: str) -> None:
    dice = random.Random(seed)
    with PcapWriter(path, linktype=127) as out:
        for n in range(count):
            packet = frame(dice, fcs=dice.random() < 0.5)
            packet.time = 1_700_000_000 + n / 8
            out.write(packet)
    with PcapReader(path) as capture:
        for packet in capture:
            print(json.dumps(answer(packet)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
