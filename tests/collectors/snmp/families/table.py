"""Rows of docs/families.md, made of the profiles themselves. `python -m
tests.collectors.snmp.families.table` prints them, with what the page says now of how each family
was checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from collectors.snmp.book import packaged
from collectors.snmp.profile import Profile

PAGE = Path(__file__).resolve().parents[4] / "docs" / "families.md"
WORDS = {
    "uptime_s": "uptime", "agent_uptime_s": "", "engine_boots": "", "engine_s": "",
    "cpu_pct": "processor", "mem_pct": "memory",
    "frequency_mhz": "channel", "utilization_pct": "utilization", "noise_dbm": "noise",
    "tx_power_dbm": "power", "mac": "MAC", "up": "up or down",
}  # fmt: skip
CHECKED = {"recording": "a recording", "snmpd": "Debian's snmpd", "": "**unverified**"}
"""How the last cell starts, by `verified` in the profile."""


def chosen_by(profile: Profile) -> str:
    """The prefixes of sysObjectID and what else is looked at. `…` stands for 1.3.6.1.4.1."""
    prefixes = [".".join(map(str, prefix)) for prefix in profile.prefixes]
    told = [f"`{prefix.replace('1.3.6.1.4.1.', '…')}`" if prefix else "any" for prefix in prefixes]
    also = [
        word
        for word, there in (("sysDescr", profile.sys_descr), ("a proof", profile.confirm))
        if there
    ]
    return " and ".join([", ".join(told), *([" or ".join(also)] if also else [])])


def gives(profile: Profile) -> str:
    """What a reading of this family can hold."""
    data = profile.data
    parts = [", ".join(_words(_keys([{"fields": data.get("device") or {}}])))]
    parts += _things("radios", data.get("radios"))
    parts += ["networks"] if data.get("ssids") else []
    sources = data.get("access_points") or []
    if sources:
        told = ", ".join(_words(_keys(sources)))
        of_radios = _things("radios", [one for s in sources for one in s.get("radios") or []])
        of_ssids = ["networks"] if any(source.get("ssids") for source in sources) else []
        parts.append(f"access points ({'; '.join([told, *of_radios, *of_ssids])})")
    return "; ".join(part for part in parts if part)


def _things(what: str, sources: Any) -> list[str]:
    return [f"{what} ({', '.join(_words(_keys(sources)))})"] if sources else []


def _keys(sources: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for source in sources:
        yield from (key for key, value in source.get("fields", {}).items() if value is not None)


def _words(keys: Iterable[str]) -> list[str]:
    words = dict.fromkeys(WORDS.get(key, key.replace("_", " ")) for key in keys)
    return sorted(word for word in words if word)


def row(profile: Profile) -> list[str]:
    return [f"`{profile.family}`", profile.title, chosen_by(profile), gives(profile)]


def rows_of_page() -> dict[str, list[str]]:
    """Cells of the page's table by family."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {cell[0].strip("` "): cell for cell in cells}


def main() -> None:
    known = rows_of_page()
    for profile in sorted(packaged().profiles, key=lambda one: one.family):
        said = known.get(profile.family, [CHECKED[profile.verified]])[-1]
        if not said.startswith(CHECKED[profile.verified]):
            said = CHECKED[profile.verified]
        print("| " + " | ".join([*row(profile), said]) + " |")


if __name__ == "__main__":
    main()
