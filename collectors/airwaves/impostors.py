"""Names access points that pose as the city's own: pure judgement over sightings.

What makes one suspicious is said in words; the rules are those that need no history: the city's
network name from an unknown BSSID, security other than ours, a name made to look like ours.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from collectors.airwaves.sighting import Sighting, safe

_LOOKS_LIKE = """0o 1l 3e 5s $s @a |l !l
аa еe оo сc рp хx уy іi јj ѕs ԁd һh ӏl АA ВB ЕE КK МM НH ОO РP СC ТT ХX УY ІI ЈJ ЅS
αa οo ρp νv ιi κk τt υu χx ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ɡg ıi ǀl"""
"""Digits, signs, and Cyrillic and Greek letters, each with the Latin letter it is taken for."""
_CONFUSABLE = str.maketrans({pair[0]: pair[1] for pair in _LOOKS_LIKE.split()})
POSITIONS_SHOWN = 5
PLACE_DIGITS = 4
"""Positions are grouped by about 10 m."""


def skeleton(name: str) -> str:
    """`name` as the eye takes it at a glance: without case, spaces, accents and marks, letters of
    other scripts and digits as the Latin letters they look like.
    """
    text = unicodedata.normalize("NFKD", name).translate(_CONFUSABLE).casefold()
    return "".join(c for c in text if c.isalnum()).replace("l", "i")


@dataclass
class Heard:
    """All sightings of one BSSID under one name."""

    bssid: str
    ssid: bytes
    times: int = 0
    first: datetime | None = None
    last: datetime | None = None
    strongest: float | None = None
    strongest_at: tuple[float, float] | None = None
    channels: Counter[int] = field(default_factory=Counter)
    security: Counter[str] = field(default_factory=Counter)
    places: Counter[tuple[float, float]] = field(default_factory=Counter)

    def add(self, s: Sighting) -> None:
        """Count one more sighting."""
        self.times += 1
        self.first = s.at if self.first is None else min(self.first, s.at)
        self.last = s.at if self.last is None else max(self.last, s.at)
        self.security[s.security] += 1
        if s.channel is not None:
            self.channels[s.channel] += 1
        if s.lat is not None and s.lon is not None:
            self.places[round(s.lat, PLACE_DIGITS), round(s.lon, PLACE_DIGITS)] += 1
        if s.rssi_dbm is not None and (self.strongest is None or s.rssi_dbm > self.strongest):
            self.strongest = s.rssi_dbm
            self.strongest_at = None if s.lat is None or s.lon is None else (s.lat, s.lon)


@dataclass(frozen=True)
class Finding:
    """An access point to look at: `impostor` (carries our name), `differs` (ours, but with other
    security than the rest of ours) or `look-alike` (a name made to be taken for ours).
    """

    grade: str
    heard: Heard
    why: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The finding in the form that `--json` prints."""
        h = self.heard
        return {
            "grade": self.grade,
            "bssid": h.bssid,
            "ssid": safe(h.ssid),
            "ssid_hex": h.ssid.hex(),
            "security": "/".join(sorted(h.security)),
            "channels": sorted(h.channels),
            "strongest_rssi_dbm": h.strongest,
            "strongest_at": _place(h.strongest_at),
            "times_heard": h.times,
            "first_seen": None if h.first is None else h.first.isoformat(),
            "last_seen": None if h.last is None else h.last.isoformat(),
            "where": [
                {**(_place(place) or {}), "times": n}
                for place, n in h.places.most_common(POSITIONS_SHOWN)
            ],
            "why": list(self.why),
        }


def _place(place: tuple[float, float] | None) -> dict[str, float] | None:
    return None if place is None else {"lat": place[0], "lon": place[1]}


@dataclass(frozen=True)
class Verdict:
    """What a scan found; `cannot_tell` says why unknown BSSIDs could not be judged, or is empty."""

    findings: tuple[Finding, ...]
    cannot_tell: str
    carriers: int
    """BSSIDs that announced the city's name."""
    ours: int
    """Those of them that are in the inventory."""


def listen(sightings: Iterable[Sighting]) -> dict[tuple[str, bytes], Heard]:
    """Sightings by BSSID and name."""
    heard: dict[tuple[str, bytes], Heard] = {}
    for s in sightings:
        key = s.bssid, s.ssid
        if key not in heard:
            heard[key] = Heard(*key)
        heard[key].add(s)
    return heard


def judge(heard: Mapping[tuple[str, bytes], Heard], own: Mapping[str, str], ssid: str) -> Verdict:
    """Judge what was heard against `own` (BSSID → device) and the city's network name.

    With no BSSID of ours known, nothing can be called an impostor: `cannot_tell` says so, and
    only names that look like ours are found.
    """
    name = ssid.encode()
    carriers = [h for h in heard.values() if h.ssid == name]
    known = [h for h in carriers if h.bssid in own]
    expected = _usual_security(known)
    findings: list[Finding] = []
    for h in heard.values():
        why: tuple[str, ...] = ()
        grade = "look-alike"
        if h.ssid == name and h.bssid not in own and own:
            grade, why = "impostor", _why_impostor(h, own, expected)
        elif h.ssid == name and h.bssid in own:
            grade, why = "differs", _why_differs(h, own[h.bssid], expected)
        elif h.ssid and h.ssid != name and h.bssid not in own:
            why = _why_look_alike(h.ssid, ssid)
        if why:
            findings.append(Finding(grade, h, why))
    order = {"impostor": 0, "differs": 1, "look-alike": 2}
    findings.sort(key=lambda f: (order[f.grade], -(f.heard.strongest or -200), f.heard.bssid))
    cannot = "" if own else (
        "no BSSID of our own is in the inventory, so no access point can be told from an impostor: "
        "import them with `farola import access-points FILE --bssid COL` first"
    )  # fmt: skip
    return Verdict(tuple(findings), cannot, len(carriers), len(known))


def _usual_security(known: Iterable[Heard]) -> str:
    """The security that most of our own access points were heard with; empty if none was."""
    votes: Counter[str] = Counter()
    for h in known:
        votes[h.security.most_common(1)[0][0]] += 1
    return votes.most_common(1)[0][0] if votes else ""


def _why_impostor(h: Heard, own: Mapping[str, str], expected: str) -> tuple[str, ...]:
    why = ["announces the city's network name from a BSSID that is not in the inventory"]
    other = sorted(set(h.security) - {expected, "unknown"})
    if expected and other:
        why.append(f"its security is {', '.join(other)}; ours is {expected}")
    near = next((b for b in sorted(own) if b[:14] == h.bssid[:14]), None)
    if near:
        why.append(
            f"its BSSID differs from {near} of our device {own[near]} in the last byte only: "
            "perhaps a radio of ours that nobody entered"
        )
    return tuple(why)


def _why_differs(h: Heard, device: str, expected: str) -> tuple[str, ...]:
    other = sorted(set(h.security) - {expected, "unknown"})
    if not expected or not other:
        return ()
    return (
        f"a BSSID of our device {device} was heard with {', '.join(other)} where most of ours have "
        f"{expected}: misconfigured, or somebody uses our BSSID",
    )


def _why_look_alike(ssid: bytes, name: str) -> tuple[str, ...]:
    try:
        text = ssid.decode()
    except UnicodeDecodeError:
        return ()
    if skeleton(text) != skeleton(name) or not skeleton(name):
        return ()
    if text.strip() == name.strip():
        how = "spaces before or after it"
    elif text.casefold() == name.casefold():
        how = "capital and small letters"
    elif "".join(text.casefold().split()) == "".join(name.casefold().split()):
        how = "spaces"
    else:
        how = "characters that look alike, or punctuation"
    return (f"its name differs from the city's by {how} only",)
