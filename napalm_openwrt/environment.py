"""What a device feels: CPU, memory, temperatures, fans, in NAPALM's shape."""

from __future__ import annotations

import re
from typing import Any

from napalm_openwrt.asking import Shell, ask, number

THERMAL = r"""
for z in /sys/class/thermal/thermal_zone*; do
  [ -e "$z/temp" ] || continue
  t=; read -r t < "$z/type"; v=; read -r v < "$z/temp"; echo "zone|${z##*/}|$t|$v"
  for p in "$z"/trip_point_*_type; do
    [ -e "$p" ] || continue
    t=; read -r t < "$p"; v=; read -r v < "${p%type}temp"; echo "trip|${z##*/}|$t|$v"
  done
done
for h in /sys/class/hwmon/hwmon*; do
  [ -e "$h/name" ] || continue
  n=; read -r n < "$h/name"
  for f in "$h"/temp*_input "$h"/temp*_max "$h"/temp*_crit "$h"/fan*_input; do
    [ -e "$f" ] || continue
    v=; read -r v < "$f"; echo "hwmon|${h##*/} $n|${f##*/}|$v"
  done
done
"""
HOT_C, CRITICAL_C = 90.0, 105.0
"""Where a sensor has no limits of its own: what chips of access points bear for long, and what
they switch off at.
"""


def get_environment(shell: Shell) -> dict[str, Any]:
    """CPU use over one second, a core; memory in bytes; temperatures in °C.

    An access point has no power supply that it could ask, so `power` is empty.
    """
    answers = ask(shell, "get_environment", {
        "before": "cat /proc/stat", "memory": "cat /proc/meminfo", "sensors": THERMAL,
        "after": "sleep 1; cat /proc/stat",
    })  # fmt: skip
    temperatures, fans = _sensors(answers["sensors"])
    return {
        "fans": fans,
        "temperature": temperatures,
        "power": {},
        "cpu": _cpu(answers["before"], answers["after"]),
        "memory": _memory(answers["memory"]),
    }


def _cpu(before: str, after: str) -> dict[int, dict[str, float]]:
    first, last = _cores(before), _cores(after)
    found = {}
    for core in sorted(first.keys() & last.keys()):
        total = last[core][0] - first[core][0]
        idle = last[core][1] - first[core][1]
        busy = 100.0 * (total - idle) / total if total > 0 else 0.0
        found[core] = {"%usage": round(min(100.0, max(0.0, busy)), 1)}
    return found


def _cores(text: str) -> dict[int, tuple[int, int]]:
    """Ticks of each core: all, and idle ones (waiting for flash is idle too)."""
    found = {}
    for match in re.finditer(r"^cpu(\d{1,4})((?: \d{1,20}){5,12})$", text, re.M):
        ticks = [int(tick) for tick in match[2].split()]
        found[int(match[1])] = (sum(ticks[:8]), ticks[3] + ticks[4])
    return found


def _memory(text: str) -> dict[str, int]:
    """NAPALM's `available_ram` is all that is installed; used is what nothing can have back."""
    kb = {name: int(size) for name, size in re.findall(r"^(\w+):\s+(\d{1,15}) kB", text, re.M)}
    total = kb.get("MemTotal", -1)
    cached = kb.get("MemFree", 0) + kb.get("Buffers", 0) + kb.get("Cached", 0)
    free = kb.get("MemAvailable", cached)
    if total < 0:
        return {"available_ram": -1, "used_ram": -1}
    return {"available_ram": total * 1024, "used_ram": max(0, total - free) * 1024}


def _sensors(text: str) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, bool]]]:
    readings: dict[str, float] = {}
    limits: dict[tuple[str, str], float] = {}
    """(sensor, `alert` or `critical`) in °C."""
    fans: dict[str, dict[str, bool]] = {}
    names: dict[str, str] = {}
    for line in text.splitlines():
        parts = line.split("|")
        if len(parts) != 4 or not re.fullmatch(r"-?[0-9]{1,12}", parts[3].strip()):
            continue
        what, where, kind, value = parts[0], parts[1], parts[2], number(parts[3])
        if what == "zone":
            names[where] = f"{kind or 'zone'} ({where})"
            readings[names[where]] = value / 1000
        elif what == "trip" and where in names:
            level = "critical" if kind == "critical" else "alert"
            # A fan or the frequency is steered from far below: that is no alarm yet.
            if kind in {"critical", "hot"}:
                _lower(limits, (names[where], level), value / 1000)
        elif what == "hwmon" and kind.startswith("fan"):
            fans[f"{where} {kind.removesuffix('_input')}"] = {"status": value > 0}
        elif what == "hwmon":
            sensor, _, measure = kind.partition("_")
            name = f"{where} {sensor}"
            if measure == "input":
                readings[name] = value / 1000
            else:
                level = {"max": "alert", "crit": "critical"}[measure]
                _lower(limits, (name, level), value / 1000)
    return {
        name: {
            "temperature": degrees,
            "is_alert": degrees >= _limit(limits, name, "alert", HOT_C),
            "is_critical": degrees >= _limit(limits, name, "critical", CRITICAL_C),
        }
        for name, degrees in readings.items()
    }, fans


def _lower(limits: dict[tuple[str, str], float], key: tuple[str, str], value: float) -> None:
    if value > 0:
        limits[key] = min(value, limits.get(key, value))


def _limit(limits: dict[tuple[str, str], float], name: str, level: str, default: float) -> float:
    own = limits.get((name, level))
    if own is None and level == "alert":
        # An alarm comes no later than the end.
        return min(default, limits.get((name, "critical"), default))
    return default if own is None else own
