"""Which channels and what power a country allows: a check before a change, not legal advice.

The radio's own driver has the last word; what it refuses would leave a device without service.
Facts as published by wireless-regdb 2026.05.30, where regulators announce their rules. Left out
are the bands in which an access point may not start by itself (6 GHz in the US without AFC).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

WORLD = "2:1-11@20 5:36-48@20"
"""For 00 and countries that are not listed: what nearly all of them allow."""
COUNTRIES = """
AD,AL,AT,BA,BE,BG,CH,CY,CZ,DE,DK,EE,ES,FI,FR,GR,HU,IE,IS,IT,LI,LT,LU,
LV,MC,MD,ME,MK,MT,NL,NO,PL,PT,RO,SE,SI,SK |
    2:1-13@20 5:36-48@23i 5:52-64@20ri 5:100-140@26r 5:149-173@13 6:1-93@23i
AF,AI,AN,AW,BL,BT,BY,ET,GF,GL,GP,KH,LS,MF,MQ,MR,MW,PF,PM,RE,SR,TD,VC,
WF,WS,YT,ZW |
    2:1-13@20 5:36-48@20 5:52-64@20r 5:100-140@27r
BF,CF,CI,GH,HN,JM,LB,PG,RW,SN,TT,VU |
    2:1-13@20 5:36-48@17 5:52-64@24r 5:100-144@24r 5:149-165@30
AS,BM,FM,HT,MH,MP,NI,PW,VI | 2:1-11@30 5:36-48@24 5:52-64@24r 5:100-144@24r 5:149-165@30
FO,GI,IM,SM,VA | 2:1-13@20 5:36-48@23i 5:52-64@20ri 5:100-140@26r 6:1-93@23i
BS,CX,TC,UG | 2:1-13@20 5:36-48@24 5:52-64@24r 5:100-144@24r 5:149-165@30
AR,CO,PE | 2:1-13@20 5:36-48@17 5:52-64@24r 5:100-144@24r 5:149-165@30 6:1-233@12i
GD,GU,PR | 2:1-11@30 5:36-48@17 5:52-64@24r 5:100-144@24r 5:149-165@30
AE,TH | 2:1-13@20 5:36-48@17 5:52-64@24r 5:100-144@24r 5:149-165@30 6:1-93@23i
AZ,GE | 2:1-13@20 5:36-48@18 5:52-64@18r 6:1-93@23i
BB,UY | 2:1-13@20 5:36-48@23 5:52-64@23r 5:149-165@30
BO,NG | 2:1-13@20 5:52-64@30r 5:149-165@30
KN,LC | 2:1-13@20 5:36-48@20 5:52-64@20r 5:100-140@30r 5:149-161@30
MA,TN | 2:1-13@20 5:36-48@20 5:52-64@20r 6:1-93@23i
AM | 2:1-13@20 5:36-64@17ri 5:100-144@17ri 5:149-173@17ri
AU |
    2:1-13@36 5:36-48@23i 5:52-64@20ri 5:100-116@26r 5:132-144@26r 5:149-165@36 5:173-173@13
    6:1-125@23i
BD | 2:1-13@20 5:149-165@30
BH | 2:1-13@20 5:36-64@23ri 5:100-140@27r 5:149-173@24r 6:1-93@23i
BN | 2:1-13@23 5:36-48@30 5:52-64@26r 5:100-144@26r 5:149-165@36
BR | 2:1-13@30 5:36-48@27i 5:52-64@27ri 5:100-140@27r 5:149-165@30 6:1-233@12i
BW | 2:1-13@20 5:36-48@23 5:52-64@20r 5:100-140@23r 5:149-165@24r
BZ | 2:1-13@30 5:149-165@30
CA | 2:1-13@36 5:36-48@23i 5:52-64@26r 5:100-144@26r 5:149-165@36 5:173-177@27 6:1-233@12i
CL | 2:1-13@20 5:36-48@20 5:52-64@20r 5:149-165@20 6:1-93@12i
CN | 2:1-13@20 5:36-48@23i 5:52-64@20ri 5:149-165@33
CR | 2:1-13@36 5:36-48@30 5:52-64@30r 5:100-144@30r 5:149-165@36 5:173-177@36 6:1-233@30i
CU | 2:1-13@23 5:149-165@23
DM | 2:1-11@30 5:36-48@17 5:52-64@23r 5:149-165@30
DO | 2:1-11@30 5:36-48@17 5:52-64@23r 5:149-165@30 6:1-233@15i
DZ | 2:1-13@20 5:36-48@23 5:52-64@23r 5:100-132@23r
EC | 2:1-13@30 5:36-48@16r 5:52-64@20r 5:100-140@20r 5:149-165@30
EG | 2:1-13@20i 5:36-48@23i 5:52-64@20ri 6:1-93@23i
GB | 2:1-13@20 5:36-48@23i 5:52-64@20ri 5:100-144@26r 5:149-165@23i 6:1-93@23i
GT | 2:1-13@26 5:36-64@23i 5:100-140@23i 5:149-165@26i 6:1-113@23i 6:117-181@21i 6:189-233@21i
GY | 2:1-13@30 5:36-48@23 5:52-64@23r 5:100-144@23r 5:149-165@30
HK | 2:1-13@36 5:36-48@23i 5:52-64@23ri 5:100-144@27r 5:149-165@36 6:1-93@24i
HR | 2:1-13@20 5:36-48@23 5:52-64@23r 5:100-140@26r 5:149-173@13 6:1-93@23i
ID | 2:1-13@26i 5:36-64@23i 5:149-161@23i 6:1-93@23i
IL | 2:1-13@20 5:36-48@23i 5:52-64@20ri 5:100-140@26ri 5:149-173@13 6:1-93@23i
IN | 2:1-13@30 5:36-48@30 5:52-64@24r 5:100-140@24r 5:149-173@30 6:1-93@24i
IR | 2:1-13@20 5:36-48@23 5:52-64@23ri
JO | 2:1-13@20 5:36-48@23 5:52-64@23r 5:100-140@27ri 5:149-173@23i 6:1-93@23i
JP | 2:1-13@20 5:36-48@20 5:52-64@20r 5:100-144@23r 6:1-93@23i
KE | 2:1-13@33 5:36-48@17 5:52-64@17r 5:100-140@24r 5:149-173@24r 6:1-93@23i
KP | 2:1-13@20 5:36-48@20 5:52-64@20r 5:100-124@30r 5:149-161@30
KR |
    2:1-13@23 5:36-44@23 5:48-48@17 5:52-64@20r 5:100-140@20r 5:149-165@23 6:1-93@18i
    6:97-233@15i
KW | 2:1-13@20 5:36-48@23 5:52-64@17r 5:100-144@24r 5:149-161@24r 6:1-93@23i
KY | 2:1-13@30 5:36-48@23 5:52-64@23r 5:100-144@23r 5:149-173@30 6:1-93@12i
KZ | 2:1-13@20 5:36-48@23i 5:52-64@20ri 5:100-140@20ri 5:149-165@20i 6:1-93@23i
LK | 2:1-13@23 5:36-48@23 5:52-64@20r 5:100-140@27r 5:149-173@24r
MN | 2:1-13@20 5:36-48@24 5:52-64@24r 5:100-144@24r 5:149-165@30 6:1-93@20
MO | 2:1-13@23 5:36-48@23 5:52-64@23r 5:100-144@30r 5:149-165@30 6:1-93@23i
MU | 2:1-13@20 5:36-48@24 5:52-64@24r 5:100-144@24r 5:149-165@30 6:1-93@23i
MV | 2:1-13@20 5:36-48@23 5:52-64@20r 5:149-165@20
MX | 2:1-13@20 5:36-48@17 5:52-64@24r 5:100-144@24r 5:149-165@30 6:1-93@12i
MY | 2:1-13@26 5:36-48@30i 5:52-64@23ri 5:100-128@23r 5:149-173@30 6:1-93@23i
NA | 2:1-13@20 5:36-48@20i 5:52-64@20ri 5:100-140@21r 5:149-173@24r 6:1-93@23i
NP | 2:1-13@20 5:36-48@20 5:52-64@20r 5:149-165@20
NZ | 2:1-13@36 5:36-48@30 5:52-64@27r 5:100-144@27r 5:149-173@36 6:1-93@24i
OM | 2:1-13@20i 5:36-48@23 5:52-64@20r 5:100-140@27r 6:1-93@23i
PA | 2:1-13@36 5:36-48@36 5:52-64@30 5:100-140@30 5:149-165@36
PH | 2:1-13@20 5:36-48@23 5:52-64@23r 5:100-140@24r 5:149-165@24 6:1-93@23i
PK | 2:1-13@30 5:149-173@30 6:1-93@23i
PY | 2:1-13@20 5:36-48@24 5:52-64@24r 5:100-144@24r 5:149-165@30 6:1-93@12i
QA | 2:1-13@20i 5:36-48@23i 5:52-64@23ri 5:100-140@20ri 5:149-173@20ri 6:1-93@23i
RS | 2:1-13@20 5:36-48@23 5:52-64@23r 5:100-140@27r 5:149-165@24r 5:173-173@24 6:1-93@23i
RU | 2:1-13@20 5:36-64@20i 5:132-144@23i 5:149-165@23i 6:1-93@23i
SA | 2:1-13@20 5:36-48@20 5:52-64@20r 5:100-140@27r 6:1-233@23i
SG | 2:1-13@23 5:36-48@23 5:52-64@20r 5:100-144@26r 5:149-165@30 6:1-93@23i
SV | 2:1-13@20 5:36-48@17 5:52-64@23r 5:149-165@30 6:1-233@12i
SX | 2:1-13@20 5:36-48@16 5:52-64@21r 5:100-140@23r 5:149-173@24r
SY | 2:1-13@20i 5:36-48@23i 5:52-64@23ri 5:100-140@23ri 5:149-165@23ri 5:173-173@23i
TG | 2:1-13@20r 5:36-64@20r 5:100-144@27r 5:149-165@27r 6:1-93@23ri
TR | 2:1-13@20 5:36-48@23i 5:52-64@20ri 5:100-140@27r 6:1-93@23i
TW | 2:1-13@30 5:36-48@23 5:52-64@23r 5:100-144@23r 5:149-165@30 6:1-93@23i
TZ | 2:1-13@20 5:36-48@23i 5:52-64@20ri 5:100-140@23r 5:149-165@24r 6:1-93@23i
UA | 2:1-13@20i 5:36-48@20i 5:52-64@20ri 5:100-140@20ri 5:149-165@20i 6:1-93@23i
US | 2:1-11@30 5:36-48@23 5:52-64@24r 5:100-144@24r 5:149-165@30
UZ | 2:1-13@20 5:36-48@20 5:52-64@20r
VE | 2:1-13@30 5:36-48@23 5:52-64@23r 5:149-165@30
VN | 2:1-13@23 5:36-48@23i 5:52-64@20r 5:100-140@26r 5:149-165@30 6:1-93@23i
YE | 2:1-13@20
ZA | 2:1-13@20 5:36-48@20 5:52-64@20r 5:100-140@30 6:1-93@23i
"""
"""Countries that share rules, then `band:first-last@dBm`; `r` is radar, `i` is indoors only."""
_RULE = re.compile(r"([256]):(\d+)-(\d+)@(\d+)(r?)(i?)")
_STEP = {"2": 1, "5": 4, "6": 4}
_NARROW = {"2": (20, 40), "5": (20, 40, 80, 160), "6": (20, 40, 80, 160, 320)}


@dataclass(frozen=True)
class Allowed:
    """What holds for one channel; `power` in dBm EIRP."""

    power: int
    radar: bool
    indoors: bool


@functools.cache
def _rules() -> Mapping[str, str]:
    found = {}
    for entry in re.findall(r"([A-Z,\s]+)\|([^|A-Z]+)", COUNTRIES):
        for country in re.findall("[A-Z]{2}", entry[0]):
            found[country] = " ".join(entry[1].split())
    return found


@functools.cache
def allowed(country: str, band: str) -> Mapping[int, Allowed]:
    """Channels of the band `2`, `5` or `6` in `country` (two letters), 20 MHz each."""
    found = {}
    for part in _RULE.finditer(_rules().get(country, WORLD)):
        if part[1] == band:
            for channel in range(int(part[2]), int(part[3]) + 1, _STEP[band]):
                found[channel] = Allowed(int(part[4]), bool(part[5]), bool(part[6]))
    return found


def is_listed(country: str) -> bool:
    """Whether the rules of `country` are known; else the cautious world domain holds."""
    return country in _rules()


def widths(band: str) -> tuple[int, ...]:
    """Channel widths of a band in MHz."""
    return _NARROW[band]


def block(band: str, channel: int, width: int) -> tuple[int, ...]:
    """The 20 MHz channels that `channel` takes up at `width` MHz; () where they form none.

    In 2.4 GHz a channel of 40 MHz reaches four up, or four down where there is no room.
    """
    count = width // 20
    if band == "2":
        other = channel + 4 if channel <= 7 else channel - 4
        return (channel,) if count == 1 else (channel, other)
    for first in _block_starts(band, count):
        channels = tuple(range(first, first + 4 * count, 4))
        if channel in channels:
            return channels
    return ()


def _block_starts(band: str, count: int) -> Iterator[int]:
    """First channels of the blocks of `count` channels, as 802.11 lays them out."""
    for first, last in ((36, 64), (100, 144), (149, 177)) if band == "5" else ((1, 233),):
        yield from range(first, last - 4 * (count - 1) + 1, 4 * count)
