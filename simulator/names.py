"""Invented names for a pretend city. Any likeness to a real place is chance."""

from __future__ import annotations

import random

_STARTS = (
    "Alo", "Bre", "Cal", "Dov", "Eri", "Fal", "Gor", "Hel", "Iso", "Jun", "Kel", "Lum",
    "Mir", "Nov", "Oru", "Pel", "Quil", "Ras", "Sel", "Tam", "Uve", "Vel", "Wen", "Yal", "Zor",
)  # fmt: skip
_ENDS = (
    "bara", "cita", "dell", "endra", "fora", "gan", "hollow", "ira", "lune", "mere", "nora",
    "oro", "pino", "quay", "rosa", "stead", "tula", "vane", "wick", "zan",
)  # fmt: skip
_FORMS = ("{}", "{}", "{}", "Old {}", "Upper {}", "Lower {}", "{} Rise", "{} Gate", "{} Flats")

CITY = "Lumora (pretend)"
BOROUGHS = ("Lantern", "Harbour", "Millside", "Highfield", "Saltmarsh")


def neighbourhood_names(count: int, source: random.Random) -> list[str]:
    """`count` different names."""
    seen: dict[str, None] = {}
    while len(seen) < count:
        stem = source.choice(_STARTS) + source.choice(_ENDS)
        seen.setdefault(source.choice(_FORMS).format(stem))
    return list(seen)
