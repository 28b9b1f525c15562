"""What a profile's fields may be, and how a raw value becomes one: `extract`, `unknown`, `map`,
`mask`, `to`, `scale`, `offset`, `at_most`, and the limits of the field, compiled to one function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.snmp.values import (
    MAX_NUMBER,
    address_of,
    band_of,
    band_of_channel,
    mac_of,
    name_of,
    number_of,
    seconds_of,
    shown,
)

Value = int | float | str | bytes | tuple[int, ...] | None
"""A raw value on its way to a field, or a finished one."""
Finish = Callable[[Value], Any]

NUMBER, WHOLE, AMOUNT, TEXT, MAC, ADDRESS, BAND, FLAG = (
    "number", "whole", "amount", "text", "mac", "address", "band", "flag"
)  # fmt: skip
TO = ("text", "number", "mac", "address", "band", "seconds", "hex")
FINISH_KEYS = frozenset({"extract", "unknown", "map", "to", "mask", "scale", "offset", "at_most"})


class ProfileError(ValueError):
    """A profile cannot be used: the place in the file and what is wrong there."""

    def __init__(self, at: str, what: str) -> None:
        super().__init__(f"{at}: {what}" if at else what)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field holds; numbers outside `low` to `high` are not known."""

    name: str
    to: str
    low: float = -1e30
    high: float = 1e30
    combine: str = "first"


LIMITS: Mapping[str, tuple[float, float]] = {
    "clients": (0, 100_000),
    "channel": (1, 253),
    "frequency_mhz": (1, 1_000_000),
    "utilization_pct": (0, 100),
    "noise_dbm": (-130, 0),
    "tx_power_dbm": (-40, 60),
    "cpu_pct": (0, 100),
    "mem_pct": (0, 100),
    "uptime_s": (0, 2**32),
    "agent_uptime_s": (0, 2**32),
    "engine_boots": (0, 2**31),
    "engine_s": (0, 2**31),
}
_WHOLE = ("clients", "channel", "engine_boots")


def _number(name: str) -> Kind:
    to = WHOLE if name in _WHOLE else NUMBER
    return Kind(name, to, *LIMITS[name], combine="sum" if name == "clients" else "first")


DEVICE = {
    name: _number(name)
    for name in ("uptime_s", "agent_uptime_s", "engine_boots", "engine_s", "cpu_pct", "mem_pct",
                 "clients")
}  # fmt: skip
RADIO = {
    **{name: _number(name) for name in ("clients", "channel", "frequency_mhz")},
    "band": Kind("band", BAND),
    **{name: _number(name) for name in ("utilization_pct", "noise_dbm", "tx_power_dbm")},
}
SSID = {"clients": _number("clients")}
ACCESS_POINT = {
    "name": Kind("name", TEXT),
    "mac": Kind("mac", MAC),
    "serial": Kind("serial", TEXT),
    "model": Kind("model", TEXT),
    "address": Kind("address", ADDRESS),
    "up": Kind("up", FLAG),
    "uptime_s": _number("uptime_s"),
    "clients": _number("clients"),
}
PLAIN_NUMBER = Kind("number", NUMBER)
QUANTITY = Kind("amount", AMOUNT)
"""A total, what of it is used, what is free: never below zero."""
NO_AMOUNT = frozenset({2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1})
"""What an agent says whose number does not fit its type: the largest that does."""
NAME = Kind("name", TEXT)
RAW = Kind("value", "raw")


def finish_of(spec: Mapping[str, Any], kind: Kind, at: str) -> Finish:
    """One function for all that `spec` says happens to a raw value of a field of `kind`."""
    steps: list[Finish] = []
    if "extract" in spec:
        steps.append(_extract(regex(spec["extract"], f"{at}.extract")))
    if "unknown" in spec:
        steps.append(_unknown(spec["unknown"], f"{at}.unknown"))
    if "map" in spec:
        steps.append(_map(spec["map"], kind, f"{at}.map"))
    elif kind.to == FLAG:
        raise ProfileError(at, "needs a map to true and false")
    if "mask" in spec:
        steps.append(_mask(spec["mask"], f"{at}.mask"))
    to = spec.get("to", "")
    if to and to not in TO:
        raise ProfileError(f"{at}.to", f"{to!r} is not one of {', '.join(TO)}")
    if to in _CONVERT:
        steps.append(_CONVERT[to])
    last = _last(spec, kind, at)
    if kind.to == AMOUNT and "map" not in spec:
        if not {"scale", "offset", "at_most"} & set(spec):
            last = _amount  # says all that `_last` would
        else:
            steps.append(_amount)
    if "map" in spec and not {"mask", "to"} & set(spec):
        # What a map gives can be finished beforehand.
        steps[-1] = _map(spec["map"], kind, f"{at}.map", last)
    else:
        steps.append(last)
    return _one_after_another(steps)


def _one_after_another(steps: Sequence[Finish]) -> Finish:
    first, *others = steps
    if not others:
        return first

    def finish(value: Value) -> Any:
        value = first(value)
        for step in others:
            if value is None:
                return None
            value = step(value)
        return value

    return finish


def _amount(value: Value) -> float | None:
    known = value if value.__class__ is int else number_of(value)
    if known is None or not 0 <= known <= MAX_NUMBER or known in NO_AMOUNT:
        return None
    return float(known)


def _band_of_channel(value: Value) -> str | None:
    number = number_of(value)
    return None if number is None else band_of_channel(number)


def _hex(value: Value) -> str | None:
    return value.hex() if isinstance(value, bytes) else None


_CONVERT: Mapping[str, Finish] = {
    "text": shown, "number": number_of, "mac": mac_of, "address": address_of,
    "band": _band_of_channel, "seconds": seconds_of, "hex": _hex,
}  # fmt: skip
_ENDS: Mapping[str, Finish] = {TEXT: name_of, MAC: mac_of, ADDRESS: address_of, BAND: band_of}


def _last(spec: Mapping[str, Any], kind: Kind, at: str) -> Finish:
    numeric = {"scale", "offset", "at_most"} & set(spec)
    if kind.to in _ENDS:
        if numeric:
            raise ProfileError(at, f"{', '.join(sorted(numeric))} is for numbers")
        end = _ENDS[kind.to]
        return lambda value: end(value) or None
    if kind == RAW:
        return lambda value: value
    if kind.to == FLAG:
        return lambda value: value if isinstance(value, bool) else None
    scale = number(spec.get("scale", 1), f"{at}.scale")
    offset = number(spec.get("offset", 0), f"{at}.offset")
    most = number(spec["at_most"], f"{at}.at_most") if "at_most" in spec else None
    if scale == 1 and offset == 0 and most is None:
        return _within(kind)
    return _scaled(kind, scale, offset, most)


# Some 400,000 numbers a minute pass through what these two return.


def _within(kind: Kind) -> Finish:
    low, high, whole = kind.low, kind.high, kind.to == WHOLE

    def finish(value: Value) -> float | None:
        if value.__class__ is int:
            if low <= value <= high:
                return value if whole else float(value)
            return None
        known = number_of(value)
        if known is None or not low <= known <= high:
            return None
        return round(known) if whole else float(known)

    return finish


def _scaled(kind: Kind, scale: float, offset: float, most: float | None) -> Finish:
    low, high, whole = kind.low, kind.high, kind.to == WHOLE
    parts = round(1 / scale) if scale and abs(1 / scale - round(1 / scale)) < 1e-9 else 0

    def finish(value: Value) -> float | None:
        known = value if value.__class__ is int else number_of(value)
        if known is None or not -MAX_NUMBER <= known <= MAX_NUMBER:
            return None
        # 865026.82, not 865026.8200000001: by a hundred, not times a hundredth.
        known = (known / parts if parts else round(known * scale, 9)) + offset
        if most is not None and known > most:
            known = most
        if not low <= known <= high:
            return None
        return round(known) if whole else float(known)

    return finish


def _extract(pattern: re.Pattern[str]) -> Finish:
    def extract(value: Value) -> str | None:
        match = pattern.search(shown(value))
        return None if match is None else match[1 if pattern.groups else 0]

    return extract


def _unknown(values: Any, at: str) -> Finish:
    if not isinstance(values, list) or not values:
        raise ProfileError(at, "must be a list of values")
    none = same_as(values, at)
    return lambda value: None if none(value) else value


def _map(mapping: Any, kind: Kind, at: str, last: Finish | None = None) -> Finish:
    if not isinstance(mapping, dict) or not mapping:
        raise ProfileError(at, "must be {raw value: value, …}")
    table: dict[Value, Any] = {}
    for raw, value in mapping.items():
        if kind.to == FLAG and not isinstance(value, bool):
            raise ProfileError(f"{at}.{raw}", "must be true or false")
        if kind.to == BAND and value != "" and not band_of(value):
            raise ProfileError(f"{at}.{raw}", f"{value!r} is no band in GHz")
        for key in _forms(raw, at):
            table[key] = value
    other = mapping.get("*")
    if last is not None:
        table = {raw: last(value) for raw, value in table.items()}
        other = None if other is None else last(other)

    def mapped(value: Value) -> Any:
        if value in table:
            return table[value]
        return table.get(shown(value), other)

    return mapped


def _mask(mask: Any, at: str) -> Finish:
    bits = int(number(mask, at))

    def masked(value: Value) -> int | None:
        known = number_of(value)
        return None if known is None else int(known) & bits

    return masked


def same_as(values: list[Any], at: str) -> Callable[[Value], bool]:
    """Whether a raw value is one of `values`, as a number or as text."""
    known = frozenset(form for value in values for form in _forms(value, at))
    return lambda value: value in known or (value is not None and shown(value) in known)


def _forms(value: Any, at: str) -> tuple[Value, ...]:
    """A value of a profile as agents may send it: number, text, octets."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ProfileError(at, f"{value!r} must be a number or text (in quotes)")
    return (value, str(value), str(value).encode())


def regex(value: Any, at: str) -> re.Pattern[str]:
    """A regular expression of a profile."""
    try:
        return re.compile(value)
    except (re.error, TypeError):
        raise ProfileError(at, f"{value!r} is not a regular expression") from None


def number(value: Any, at: str) -> float:
    """A number of a profile."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProfileError(at, f"{value!r} is not a number")
    return value


def known_keys(spec: Any, allowed: frozenset[str] | set[str], at: str) -> Mapping[str, Any]:
    """`spec` if it is a mapping with no other keys than `allowed`."""
    if not isinstance(spec, dict):
        raise ProfileError(at, f"must be a mapping, not {spec!r}")
    for key in spec:
        if key not in allowed:
            raise ProfileError(at, f"unknown key {key!r}; known are {', '.join(sorted(allowed))}")
    return spec
