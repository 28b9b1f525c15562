"""Reads what building at a candidate takes: parts of its cost, its kind, a van's timetable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inventory.importers.contents import Row
from inventory.importers.report import BadCellError
from inventory.importers.rows import Reader

PARTS = ("hardware", "power", "backhaul", "fee")
KINDS = ("fixed", "mobile")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_STOP = re.compile(
    r"(?P<days>[a-z]{3}(?:[-,][a-z]{3})*)\s+(?P<start>\d{1,2}:\d{2})\s*-\s*(?P<end>\d{1,2}:\d{2})"
)


@dataclass(frozen=True)
class Build:
    """What a row says of building there."""

    cost_parts: Mapping[str, float] = field(default_factory=dict)
    kind: str = "fixed"
    timetable: tuple[Mapping[str, str], ...] = ()

    def columns(self, chosen: Mapping[str, str]) -> dict[str, Any]:
        """Columns of a site; only those that the file has."""
        told: dict[str, Any] = {}
        if any(chosen.get(part) for part in PARTS):
            told["cost_parts"] = dict(self.cost_parts)
        if chosen.get("kind"):
            told["kind"] = self.kind
        if chosen.get("timetable"):
            told["timetable"] = [dict(stop) for stop in self.timetable]
        return told


def read_build(reader: Reader, row: Row) -> Build:
    """The cells of `row`.

    Raises
    ------
    BadCellError
        A part is no amount, a kind is unknown, or a timetable cannot be read.
    """
    amounts = {part: reader.amount(row, part) for part in PARTS}
    kind = (reader.text(row, "kind") or "fixed").lower()
    if kind not in KINDS:
        raise BadCellError(reader.column("kind"), kind, "is neither fixed nor mobile")
    text = reader.text(row, "timetable")
    try:
        timetable = read_timetable(text) if text else ()
    except ValueError as error:
        raise BadCellError(reader.column("timetable"), text, str(error)) from None
    if timetable and kind != "mobile":
        raise BadCellError(reader.column("timetable"), text, "is of a site that is not mobile")
    return Build({k: v for k, v in amounts.items() if v is not None}, kind, timetable)


def read_timetable(text: str) -> tuple[dict[str, str], ...]:
    """`mon-fri 09:00-14:00; sat 10:00-13:00` as stops; ValueError where it cannot be read."""
    stops = []
    for part in filter(None, (piece.strip().lower() for piece in text.split(";"))):
        found = _STOP.fullmatch(part)
        if found is None or not set(re.split("[-,]", found["days"])) <= set(DAYS):
            raise ValueError("is no timetable such as mon-fri 09:00-14:00; sat 10:00-13:00")
        start, end = (_clock(found[name]) for name in ("start", "end"))
        if not start < end:
            raise ValueError("ends before it begins")
        stops.append({"days": found["days"], "from": start, "to": end})
    return tuple(stops)


def _clock(text: str) -> str:
    hour, minute = map(int, text.split(":"))
    if hour > 24 or minute > 59 or (hour == 24 and minute):
        raise ValueError(f"{text} is no time of day")
    return f"{hour:02d}:{minute:02d}"
